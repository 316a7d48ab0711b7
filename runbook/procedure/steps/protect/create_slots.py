"""The capture: publication and slot in every database, made inside the fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.pair import (
    VERIFIED,
    capture_fact,
    current_pair,
    publication_name,
    replication_role,
    slot_name,
)
from runbook.base.roles import Role
from runbook.base.step import Effect, Gate, Risk, Step, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import replication
from runbook.postgres.replication import SlotBlocker
from runbook.procedure.steps.shared import blockers
from runbook.procedure.steps.shared.effects import LookInside, SqlEffect, no, unknown, yes
from runbook.proofs import late_writes, unreplicated
from state.records import Json


class CreateSlots(Step):
    """Publication and slot in every database, inside the fence.

    Source: https://www.postgresql.org/docs/current/logical-replication-publication.html
    """

    key = "create-slots"
    title = "Create publications and slots"
    why = "The slots keep every later write; they must exist before the first of them."
    risk = Risk.REVERSIBLE

    def __init__(self, publisher: Role, equal_to: Role) -> None:
        """Take the publisher, and the closed cluster whose rows are its own at this moment."""
        self.publisher = publisher
        self.equal_to = equal_to
        self.undo = f"Drop the slots and publications; the way {_way(publisher)} ends with them."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        found = list(late_writes.capture_gates(context, self.publisher, self.equal_to))
        if blocking := await self._blockers(context):
            found.append(blockers.gate(blocking))
        return found

    async def _blockers(self, context: RunContext) -> list[SlotBlocker]:
        """Return whom the slots wait for, once an attempt has shown that they wait."""
        if not context.begun(self.key) or (
            current_pair(context).publisher is self.publisher
            and context.fact("capture") is not None
        ):
            return []
        return await blockers.terminable(context, self.publisher)

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        databases = await context.databases(self.publisher)
        role = replication_role(context)
        first: list[Effect] = [
            SqlEffect(
                context,
                self.publisher,
                "",
                [replication.create_replication_role(role)],
                key=role,
                title=f"create replication role {role} on {self.publisher.value}",
                probe=lambda connection: _role_there(connection, role),
                stake=None,
            )
        ]
        first += [self._publication(context, database) for database in databases]
        slots = [self._slot(context, databases, database) for database in databases]
        async with context.connect(self.publisher) as connection:
            closed = await replication.closed_databases(connection, databases)
        # They need the role, and hold no slot up.
        slots += [self._entry(context, database) for database in closed]
        blocking = await self._blockers(context)
        if blocking and context.accepted(blockers.gate_key(blocking)):
            ends = [blockers.EndBlocker(context, self.publisher, each) for each in blocking]
            return [ends, first, slots]
        return [first, slots]

    def _publication(self, context: RunContext, database: str) -> Effect:
        name = publication_name(context)

        async def probe(connection: AsyncConnection) -> Finding:
            there = await replication.publication_exists(connection, name)
            return (yes if there else no)(
                f"publication {name} {'exists' if there else 'is not there'}"
            )

        return SqlEffect(
            context,
            self.publisher,
            database,
            [replication.create_publication(name)],
            key=f"{name}/{database}/publication",
            title=f"create publication {name} in {database}",
            probe=probe,
            stake=None,
        )

    def _entry(self, context: RunContext, database: str) -> Effect:
        """Return what lets the role into a database that is closed to PUBLIC."""
        role = replication_role(context)

        async def probe(connection: AsyncConnection) -> Finding:
            may = await replication.may_connect(connection, role, database)
            return (yes if may else no)(f"{role} may {'' if may else 'not '}connect to {database}")

        return SqlEffect(
            context,
            self.publisher,
            "",
            [replication.let_connect(role, database)],
            key=f"{role}/{database}/connect",
            title=f"let {role} connect to {database}, which is closed to PUBLIC",
            probe=probe,
            stake=None,
        )

    def _slot(self, context: RunContext, databases: Sequence[str], database: str) -> Effect:
        name = slot_name(context, databases, database)

        async def probe(connection: AsyncConnection) -> Finding:
            found = await replication.slot(connection, name)
            if found is None:
                return no(f"there is no slot {name}")
            if found.database != database:
                return unknown(f"slot {name} exists, but in database {found.database}")
            if found.confirmed_flush_lsn is None:
                # Its making still waits for open transactions: it goes if that is called off.
                return unknown(f"slot {name} is being made by pid {found.active_pid}")
            return yes(f"slot {name} is at {replication.lsn_text(found.confirmed_flush_lsn)}")

        return SlotEffect(context, self.publisher, database, name, probe)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        databases = await context.databases(self.publisher)
        names = {database: slot_name(context, databases, database) for database in databases}
        async with context.connect(self.publisher) as connection:
            lags = {
                lag.slot: lag for lag in await replication.slot_lags(connection, [*names.values()])
            }
        for database, name in names.items():
            lag = lags.get(name)
            if lag is None or lag.bytes is None:
                raise StepFailed(
                    f"The slot {name} of database {database} is not there after it was made.",
                    now="The applications are still stopped.",
                    todo="Run the step again.",
                )
        # Before the rows are proved to be equal: what comes by an origin from here on is not.
        async with context.connect(self.publisher) as connection:
            mark = await unreplicated.mark(connection)
        if trails := context.goes_by(self.publisher):
            watch.evidence(trails)
        await late_writes.prove_none_slipped_in(context, watch, self.publisher, self.equal_to)
        value = {
            "databases": databases,
            "slots": names,
            "publisher": self.publisher.value,
            "from": {name: lags[name].confirmed_flush_lsn for name in names.values()},
            "origins": mark.origins(),
        }
        watch.evidence("", key=capture_fact(self.publisher), value=value)
        watch.evidence("", key=VERIFIED, value=None)
        watch.evidence(
            f"{counted(len(names), 'slot holds', 'slots hold')} every write from now on: "
            f"{', '.join(names.values())}",
            key="capture",
            value=value,
        )
        watch.evidence("slots held", key="slots", value=[*names.values()])


def _way(publisher: Role) -> str:
    return "back through blue prime" if publisher is Role.NEW_BLUE else "forward to new blue"


class KeepSlots(Step):
    """Go by the slots again that were never dropped."""

    key = "keep-slots"
    title = "Keep the former slots"
    why = "Its slots have kept every write all the while; the newer capture is not needed."

    def __init__(self, publisher: Role) -> None:
        self.publisher = publisher

    async def skip(self, context: RunContext) -> str:
        held_already = current_pair(context).publisher is self.publisher
        return f"the capture on {self.publisher.value} is the one that is held" * held_already

    async def verify(self, context: RunContext, watch: Watch) -> None:
        kept = context.fact(capture_fact(self.publisher)) or {}
        names = list(kept.get("slots", {}).values())
        async with context.connect(self.publisher) as connection:
            lags = await replication.slot_lags(connection, names)
        gone = [lag.slot for lag in lags if lag.bytes is None]
        if gone or not names:
            raise StepFailed(
                f"The slots on {self.publisher.value} are not there: {', '.join(gone) or 'none'}.",
                now="The applications are still stopped.",
                todo="Branch: going on with the former track loses nothing.",
            )
        watch.evidence("", key=VERIFIED, value=None)
        watch.evidence(
            f"{counted(len(names), 'slot still holds', 'slots still hold')} every write",
            key="capture",
            value=kept,
        )
        watch.evidence("slots held", key="slots", value=names)


class SlotEffect(SqlEffect):
    """The creation of a slot, which waits for every open write transaction of the cluster.

    Source: https://www.postgresql.org/docs/current/functions-admin.html
    """

    def __init__(
        self, context: RunContext, publisher: Role, database: str, name: str, probe: LookInside
    ) -> None:
        super().__init__(
            context,
            publisher,
            database,
            [replication.create_slot_statement(name)],
            key=name,
            title=f"create slot {name} in {database}",
            probe=probe,
            stake=None,
        )
        self._name = name

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Create it, or name the transactions that it waited for."""
        try:
            point = await replication.create_slot(
                connection, self._name, deadline_s=self.context.plan.limits.capture_s
            )
        except replication.SlotBlocked as blocked:
            raise StepFailed(
                f"{self.title}: it waits for open write transactions: "
                f"{'; '.join(map(str, blocked.blockers)) or blocked}.",
                now="The slot does not exist; the applications are still stopped.",
                todo="Run the step again: it asks whether to end their sessions. A prepared "
                "transaction is committed or rolled back by whoever prepared it, in its database.",
            ) from blocked
        return {"consistent_point": replication.lsn_text(point)}


async def _role_there(connection: AsyncConnection, role: str) -> Finding:
    there = await replication.role_exists(connection, role)
    return (yes if there else no)(f"role {role} {'exists' if there else 'is not there'}")


def dropped_publication(
    context: RunContext, role: Role, database: str, name: str, *, key: str
) -> SqlEffect:
    """Return what drops a publication of the run in one database."""

    async def probe(connection: AsyncConnection) -> Finding:
        there = await replication.publication_exists(connection, name)
        return (no if there else yes)(f"publication {name} {'exists' if there else 'is gone'}")

    return SqlEffect(
        context,
        role,
        database,
        [replication.drop_publication(name)],
        key=key,
        title=f"drop publication {name} in {database} of {role.value}",
        probe=probe,
    )
