"""A cluster that was given up is closed to the applications as soon as it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Impact, Risk, Step, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.ownership import serving
from runbook.postgres import fence_sql
from runbook.procedure.steps.protect.blue_prime import read_only_wave
from runbook.procedure.steps.shared.effects import DatabaseEffect, no, yes
from runbook.procedure.steps.traffic import LockRoles
from runbook.protection import given_up
from state.records import Json

WHY = "A client that still finds it would write what no other cluster has."
UNDO = "ALTER ROLE … LOGIN, ALTER DATABASE … RESET default_transaction_read_only."


class EndSessions(DatabaseEffect):
    """End the clients' sessions: those that were open before it was made read-only may write."""

    def __init__(self, context: RunContext, role: Role) -> None:
        super().__init__(context, role, stake=Impact.STOP)
        self.key = f"{role.slug}/end-sessions"
        self.title = f"end the sessions of clients on {role.value}"
        self._names = context.plan.traffic.application_roles or None

    def preview(self) -> str:
        """Return the SQL."""
        return self.shown([fence_sql.terminate_statement(self._names)])

    async def probe(self) -> Finding:
        """Look whether any is inside."""
        async with self.connect() as connection:
            inside = await fence_sql.client_sessions(connection, self._names)
        return (no if inside else yes)(
            f"{counted(len(inside), 'session')} of clients on {self._role.value}"
        )

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """End them; those that come back begin read-only."""
        ended = await fence_sql.terminate_sessions(connection, self._names)
        return {"ended": len(ended)}


async def waves(context: RunContext, role: Role) -> list[Wave]:
    """Return what closes a cluster: LOGIN and sessions first, where the plan takes LOGIN."""
    read_only = read_only_wave(context, role, await context.databases(role), on=True)
    traffic = context.plan.traffic
    if traffic.lock_roles and traffic.application_roles:
        return [[LockRoles(context, role)], read_only]
    return [read_only, [EndSessions(context, role)]]


async def prove(context: RunContext, watch: Watch, role: Role) -> None:
    """Prove that no client can write on a cluster that was given up; it is not looked for then.

    Raises `StepFailed` where that is not proved.
    """
    seen = await given_up.look(context)
    if seen is None:
        watch.evidence(f"{role.value} is gone", key=given_up.FACT, value="")
        watch.warning("", key=given_up.FACT)
        return
    found = seen.admission
    if found is None or found.open:
        why = "it does not answer" if found is None else serving.open_words(found)
        raise StepFailed(
            f"{seen.cluster.identifier} ({role.value}) is not closed: {seen.unknown or why}.",
            now="A client that still finds it may write there, what no other cluster has.",
            todo="Run it again once it answers.",
        )
    watch.warning("", key=given_up.FACT)
    watch.evidence(
        f"{seen.cluster.identifier} ({role.value}) is closed to the applications",
        key=given_up.FACT,
        value="",
    )


class CloseGivenUp(Step):
    """Close the cluster that was given up, if it has come back."""

    why = WHY
    risk = Risk.REVERSIBLE
    undo = UNDO

    def __init__(self, role: Role) -> None:
        self.role = role
        self.key = f"close-{role.slug}"
        self.title = f"Close {role.value}, if it is back"

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        seen = await given_up.look(context)
        return () if seen is None or seen.admission is None else await waves(context, self.role)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        seen = await given_up.look(context)
        if seen is not None and seen.admission is None:
            watch.warning(
                f"{seen.cluster.identifier} ({self.role.value}) was given up and does not answer: "
                "it is NOT closed. If it comes back, it takes writes. Keep the applications away "
                f"from it, and keep blueprime open (blueprime resume {context.run}): it warns "
                "then, and m closes it.",
                key=given_up.FACT,
            )
            return
        await prove(context, watch, self.role)
