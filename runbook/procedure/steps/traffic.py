"""The applications: stopped behind a proved fence, and let in again on one cluster at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook.amounts import counted
from runbook.base import step_keys
from runbook.base.context import RunContext
from runbook.base.downtime import STOPPED_BY_HAND
from runbook.base.pair import current_pair, locked_roles
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Effect, Gate, Impact, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused, StepFailed
from runbook.ownership import serving
from runbook.ownership.serving import Access, door_fact
from runbook.plan.model import StopMethod
from runbook.postgres import activity, catalog, fence_sql
from runbook.postgres.connect import UNREACHABLE
from runbook.procedure.steps.shared.application_logins import able
from runbook.procedure.steps.shared.command import CommandEffect
from runbook.procedure.steps.shared.effects import DatabaseEffect, no, yes
from runbook.procedure.steps.upgrade.switchover import pivot_gate
from runbook.proofs import cutover, write_fence
from state.records import Json


class LockRoles(DatabaseEffect):
    """Take LOGIN from the application roles on one cluster and end their sessions.

    ALTER ROLE fires no event trigger and is not replicated, so both sides get their own.

    Source: https://www.postgresql.org/docs/current/sql-alterrole.html
    """

    def __init__(self, context: RunContext, role: Role) -> None:
        super().__init__(context, role)
        self.stakes = ClusterImpact(Impact.STOP, role, lasting=True)
        self.key = f"{role.slug}/lock-roles"
        self.title = f"take LOGIN from the application roles on {role.value}, end their sessions"
        self._names = context.plan.traffic.application_roles

    def preview(self) -> str:
        """Return the SQL."""
        ends = fence_sql.terminate_statement(self._names)
        return self.shown([*fence_sql.lock_roles(self._names), ends])

    async def probe(self) -> Finding:
        """Look which of them may still log in, and whether sessions of theirs are left."""
        async with self.connect() as connection:
            unlocked = await able(connection, self._names)
            inside = await fence_sql.client_sessions(connection, self._names)
        if unlocked:
            return no(f"may log in on {self._role.value}: {', '.join(unlocked)}")
        if inside:
            return no(
                f"none of them may log in on {self._role.value}, but "
                f"{counted(len(inside), 'session of theirs is', 'sessions of theirs are')} "
                f"open, e.g. pid {inside[0].pid} of {inside[0].role}"
            )
        return yes(f"none of them may log in on {self._role.value}, and none is inside")

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Lock first, then end sessions: so that none can come back in between."""
        unlocked = await able(connection, self._names)
        async with connection.transaction():
            for statement in fence_sql.lock_roles(unlocked):
                await statement.execute(connection)
        ended = await fence_sql.terminate_sessions(connection, self._names)
        return {"locked": unlocked, "ended": len(ended)}


class UnlockRoles(DatabaseEffect):
    """Give LOGIN back to the roles from which the run took it."""

    def __init__(self, context: RunContext, role: Role) -> None:
        super().__init__(context, role)
        self.stakes = ClusterImpact(Impact.OPEN, role, lasting=True)
        self.key = f"{role.slug}/unlock-roles"
        self.title = f"give LOGIN back to the application roles on {role.value}"
        self._names = locked_roles(context)

    def preview(self) -> str:
        """Return the SQL."""
        return self.shown(fence_sql.unlock_roles(self._names))

    async def probe(self) -> Finding:
        """Look whether all of them may log in."""
        async with self.connect() as connection:
            there = await catalog.existing_roles(connection, self._names)
            missing = sorted({*there} - {*await able(connection, there)})
        if missing:
            return no(f"may not log in on {self._role.value}: {', '.join(missing)}")
        gone = sorted({*self._names} - {*there})
        words = f"; there are no more: {', '.join(gone)}" if gone else ""
        return yes(f"all of them may log in on {self._role.value}{words}")

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Unlock those that are still there, in one transaction."""
        async with connection.transaction():
            there = await catalog.existing_roles(connection, self._names)
            for statement in fence_sql.unlock_roles(there):
                await statement.execute(connection)
        return {"unlocked": there, "gone": sorted({*self._names} - {*there})}


class StopTraffic(Step):
    """Stop the applications and prove that nothing can write."""

    key = step_keys.STOP_TRAFFIC
    title = "Stop the traffic"
    why = "A write after the freeze and before the capture would be lost on rollback, in silence."
    risk = Risk.REVERSIBLE
    undo = "Before the switchover: abort, which starts the applications again."

    def __init__(self, on: Role, also: tuple[Role, ...] = ()) -> None:
        self.on = on
        self.also = also
        if on is Role.BLUE:
            # One yes leads on through the switchover: its weight is the pivot's.
            self.risk = Risk.PIVOT
        else:
            version = "old" if on is Role.BLUE_PRIME else "new"
            self.undo = f"Until the endpoint is switched: branch to stay on the {version} version."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        gates = [pivot_gate(context) if self.on is Role.BLUE else turn_gate(context, self.on)]
        if context.plan.traffic.stop is StopMethod.MANUAL:
            gates.append(
                Gate(
                    key=f"{STOPPED_BY_HAND}-{self.on.slug}",
                    question=(
                        f"Stop the applications of {context.plan.cluster.identifier} yourself now, "
                        "and say so when they are stopped."
                    ),
                    reversible="Start them again; nothing else has happened.",
                    yes="They are stopped",
                )
            )
        return gates

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        traffic = context.plan.traffic
        await write_fence.warm(context, (self.on, *self.also))
        waves: list[list[Effect]] = []
        if traffic.stop is StopMethod.COMMAND:
            waves.append([self._command(context)])
        if traffic.lock_roles and traffic.application_roles:
            waves.append([LockRoles(context, role) for role in (self.on, *self.also)])
        return waves

    def _command(self, context: RunContext) -> Effect:
        return CommandEffect(
            context.plan,
            context.plan.traffic.stop_command,
            key=f"{self.on.slug}/stop-command",
            title="run the plan's stop command",
            stakes=ClusterImpact(Impact.STOP, self.on),
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        keep_traffic(context, watch, "the applications were told to stop")
        locked = set(locked_roles(context))
        for role in (self.on, *self.also):
            locked |= set((context.done(f"{role.slug}/lock-roles") or {}).get("locked", ()))
        if locked:
            watch.evidence(
                f"LOGIN was taken from {', '.join(sorted(locked))}",
                key="roles.locked",
                value=sorted(locked),
            )
        await write_fence.prove(context, watch, self.on, self.also)


def turn_gate(context: RunContext, away: Role) -> Gate:
    """Return the decision that stops the applications and takes them to the other version."""
    name = context.plan.cluster.identifier
    forward = away is Role.BLUE_PRIME
    where = "forward to the new version again" if forward else "back to the old version"
    return Gate(
        key="forward" if forward else "rollback",
        question=(
            f"Stop the applications of {name} and take it {where}. Each step until they are let in "
            "again follows by itself."
        ),
        reversible=(
            f"Until the endpoint is switched, traffic can be let in on {away.value} again. "
            f"Afterwards {away.value} is kept, closed, with every write up to that moment."
        ),
        must_type=name,
    )


def keep_traffic(context: RunContext, watch: Watch, words: str, *, on: Role | None = None) -> None:
    """Keep where the applications may write since now; None: nowhere."""
    value = {"open": on is not None, "on": on.value if on else "", "at": context.now().isoformat()}
    watch.evidence(words, key="traffic", value=value)
    if on is not None:
        watch.evidence("", key=door_fact(on), value=Access.OPEN)


def letting_in(context: RunContext, on: Role) -> list[Wave]:
    """Return what lets the applications in on a cluster; none where only a person can do that."""
    waves: list[Wave] = []
    if locked_roles(context):
        waves.append([UnlockRoles(context, on)])
    if context.plan.traffic.stop is StopMethod.COMMAND:
        command = CommandEffect(
            context.plan,
            context.plan.traffic.start_command,
            key=f"{on.slug}/start-command",
            title="run the plan's start command",
            stakes=ClusterImpact(Impact.OPEN, on),
        )
        waves.append([command])
    return waves


ELSEWHERE_S = 5.0
"""How long the applications wait, being down, for a cluster that is closed to them to answer."""


class ResumeTraffic(Step):
    """Let the applications in on one cluster, with the others closed to them."""

    key = step_keys.RESUME_TRAFFIC
    title = "Resume the traffic"
    why = "The downtime ends here."
    risk = Risk.REVERSIBLE
    undo = "stop-traffic, as a rollback does."

    def __init__(
        self,
        on: Role,
        closed: tuple[Role, ...] = (),
        *,
        captured: bool,
        phase: str,
        leaves: Role | None = None,
    ) -> None:
        """Take where they are let in, and which clusters must be closed to them.

        `captured`: whether that cluster must hold every write in its slots by then. `phase` is
        what the downtime that ends here is reported under; `leaves`, where they come from.
        """
        self.on = on
        self.closed = closed
        self.captured = captured
        self.phase = phase
        self.leaves = leaves

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        capture = context.fact("capture")
        if self.captured and (capture is None or current_pair(context).publisher is not self.on):
            raise Refused(
                "The capture does not exist.",
                now="The applications are stopped.",
                todo="Run create-slots first: a write before it would be lost on "
                f"{'a rollback' if self.on is Role.NEW_BLUE else 'the way forward'}.",
            )
        await nobody_inside(context, self.closed)
        waves = letting_in(context, self.on)
        if not waves:
            # A person is to start them: that opens the cluster as any change would.
            await context.still_held()
            opening = ClusterImpact(Impact.OPEN, self.on)
            serving.refuse_unless_agreed(context, await serving.look(context), [opening])
        return waves

    async def verify(self, context: RunContext, watch: Watch) -> None:
        silent = await nobody_inside(context, self.closed)
        by_hand = context.plan.traffic.stop is StopMethod.MANUAL
        seen = await self._await_started(context, watch) if by_hand else True
        elsewhere = f"{', '.join(silent)} did not answer" if silent else "nowhere else"
        words = f"the applications may write on {self.on.value}, and {elsewhere}"
        keep_traffic(context, watch, words, on=self.on)
        if not seen:
            watch.evidence(
                f"START THE APPLICATIONS: they are let in on {self.on.value}, and no session of "
                "theirs was seen yet"
            )
        if self.leaves is not None:
            unseen = "it did not answer" if self.leaves.value in silent else ""
            await cutover.name_what_stays(context, watch, self.leaves, unseen)
        self.tell_downtime(context, watch)

    def tell_downtime(self, context: RunContext, watch: Watch) -> None:
        """Keep how long the applications were down, by the same clock as every screen."""
        clock = context.outage_ended()
        if clock is None or clock.started_at is None or clock.ended_at is None:
            return
        seconds = clock.seconds(clock.ended_at) or 0.0
        least = {"at_least": True} if clock.at_least else {}
        watch.evidence(
            f"downtime {'at least ' if least else ''}{seconds:.1f} s",
            key=f"downtime.{self.phase}",
            value={
                "started_at": clock.started_at.isoformat(),
                "ended_at": clock.ended_at.isoformat(),
                "seconds": seconds,
                **least,
            },
        )

    async def _await_started(self, context: RunContext, watch: Watch) -> bool:
        """Wait for a session of the applications, which a person starts now; tell if one came."""
        names = context.plan.traffic.application_roles
        limits = context.plan.limits
        async for waited in watch.until(
            limits.start_s + limits.connect_s, every_s=limits.fast_poll_s, what="the applications"
        ):
            async with context.connect(self.on) as connection:
                found = await activity.look(connection, names)
            if found.sessions:
                watch.evidence(f"{counted(found.sessions, 'session')} of the applications seen")
                return True
            if waited >= limits.start_s or not names:
                break
            watch.progress(
                f"START THE APPLICATIONS NOW: they are let in on {self.on.value}; waiting for a "
                f"session of {', '.join(names[:3])}",
                to_do=True,
            )
        return False


async def nobody_inside(context: RunContext, closed: Sequence[Role]) -> list[str]:
    """Fail if applications are on a cluster that must be closed; return those not to be asked.

    Nobody can write to a server that does not answer: it holds up the applications no longer.
    """
    silent = []
    for role in closed:
        try:
            await asyncio.wait_for(_still_stopped(context, role), ELSEWHERE_S)
        except (TimeoutError, *UNREACHABLE):
            silent.append(role.value)
    return silent


async def _still_stopped(context: RunContext, role: Role) -> None:
    """Fail if applications are connected to a cluster that must be closed to them."""
    async with write_fence.connections(context, role) as opened:
        sample = await fence_sql.sample(opened)
    names = set(context.plan.traffic.application_roles)
    inside = [session for session in sample.sessions if session.role in names]
    if inside:
        raise StepFailed(
            f"{counted(len(inside), 'application session is', 'application sessions are')} open "
            f"on {role.value}, e.g. {inside[0].role} "
            f"in {inside[0].database} from {inside[0].client}.",
            now="Two clusters would take writes.",
            todo="End these sessions, then run the step again.",
        )
