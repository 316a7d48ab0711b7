"""The proof that the way back holds: a position confirmed past, and one schema on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from psycopg import AsyncConnection

from runbook.amounts import counted
from runbook.base import server_names
from runbook.base.context import RunContext
from runbook.base.pair import (
    VERIFIED,
    ReplicationPair,
    captured_databases,
    captured_slots,
    current_pair,
    publication_name,
)
from runbook.base.roles import Role
from runbook.base.step import Risk, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import replication
from runbook.procedure.steps.protect.apply_workers import Workers
from runbook.procedure.steps.shared.effects import DatabaseEffect, no
from runbook.procedure.steps.shared.of_pair import PairStep
from runbook.proofs import diverged, observations
from runbook.proofs.drain import Pace
from runbook.proofs.new_databases import HELD_DATABASES
from runbook.proofs.schema_drift import Drift, SchemaSurvey
from runbook.protection import verdicts
from state.enums import Result
from state.records import Json


class VerifyProtection(PairStep):
    """Prove that what is written on the publisher arrives."""

    title = "Verify the protection"
    why = "A lag of zero says nothing before a known position was confirmed."
    risk = Risk.REVERSIBLE
    undo = "Nothing to undo: it writes one logical message per database."
    rests = True

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        super().__init__(publisher, subscriber)
        of_new_blue = subscriber is Role.NEW_BLUE
        self.key = "verify-new-blue" if of_new_blue else "verify-protection"

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        return [await barriers(context, self.publisher, "verify")]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await confirm_barriers(
            context,
            watch,
            (self.publisher, self.subscriber),
            "verify",
            limit_s=context.plan.limits.subscribe_s,
            now=f"{serves(self.publisher)}; its slots keep every write.",
        )
        differences = await schema_differences(context, self.publisher, self.subscriber)
        if differences:
            whole = all(each.kind == "database" for each in differences)
            raise StepFailed(
                f"{self.publisher.value} and {self.subscriber.value} differ in their schema: "
                + "; ".join(each.words for each in differences[:5]),
                now="The slots keep every write, but what the difference touches may not arrive.",
                todo="A new database cannot be fed: give it up by name (m, or blueprime repair), "
                "then run the step again."
                if whole
                else f"Make the same change on {self.subscriber.value}, or m (blueprime repair) "
                "does; then run the step again.",
            )
        if self.publisher is Role.NEW_BLUE:
            watch.evidence(HELD_DATABASES)
            await observations.names_of_servers(context, watch)
        watch.evidence(
            "same schema on both sides",
            key="schema",
            value={"differences": [], "at": context.now().isoformat()},
        )
        refuse_while_rows_differ(context)
        since = context.now()
        await server_names.keep_endpoints(context, watch, (self.publisher, self.subscriber))
        watch.evidence("verified", key=VERIFIED, value={"at": since.isoformat()})
        await verdicts.await_protected(
            context,
            watch,
            since=since,
            now=f"{serves(self.publisher)}; its slots keep every write.",
        )
        watch.evidence(f"protected: {(context.fact('protection') or {}).get('text', '')}")
        watch.result(Result.PROTECTED if self.publisher is Role.NEW_BLUE else Result.ROLLED_BACK)


def serves(role: Role) -> str:
    """Return that a cluster serves, as the beginning of a sentence."""
    return f"{role.value.capitalize()} serves"


def refuse_while_rows_differ(context: RunContext) -> None:
    """Fail while a table is known to differ: what it lacks no lag and no apply worker brings.

    Raises `StepFailed`.
    """
    sides = current_pair(context)
    if left := diverged.left(context):
        raise StepFailed(
            f"The rows of {counted(len(left), 'table')} differ: {'; '.join(map(str, left[:5]))}.",
            now=f"{sides.publisher.value.capitalize()} has every write. "
            f"{sides.journey.capitalize()} would lose what these tables lack.",
            todo="Take the repairs that are offered (m, or blueprime repair): copy the differing "
            "rows again, or give a table up by name; then run the step again.",
        )


async def schema_differences(context: RunContext, publisher: Role, subscriber: Role) -> list[Drift]:
    """Return how the schemas differ to the harm of a rollback; empty: they do not."""
    look = SchemaSurvey(context, publication_name(context))
    databases = await captured_databases(context, publisher)
    found = await look.look(ReplicationPair(publisher, subscriber), databases)
    return [drift for drift in found if drift.breaks]


class BarrierEffect(DatabaseEffect):
    """A logical message in one database, whose position the subscriber must confirm past.

    Source: https://www.postgresql.org/docs/current/functions-admin.html
    """

    def __init__(self, context: RunContext, publisher: Role, database: str, purpose: str) -> None:
        super().__init__(context, publisher, database)
        self.key = barrier_key(publisher, database, purpose)
        self.title = f"emit a logical message in {database} of {publisher.value}"

    def preview(self) -> str:
        """Return the SQL."""
        return f"{self.where}\nSELECT pg_logical_emit_message(true, 'blueprime', 'barrier');"

    async def probe(self) -> Finding:
        """Say no: each try emits its own, which changes no data."""
        return no("a message changes no data, and each try needs its own")

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Emit it and keep its position."""
        return {"lsn": await replication.emit_barrier(connection)}


async def barriers(context: RunContext, publisher: Role, purpose: str) -> Wave:
    """Return what emits a message in every database that a publisher's capture covers."""
    databases = await captured_databases(context, publisher)
    return [BarrierEffect(context, publisher, database, purpose) for database in databases]


def barrier_key(publisher: Role, database: str, purpose: str) -> str:
    """Return the key under which a barrier's position is kept."""
    return f"{publisher.slug}/{database}/barrier-{purpose}"


async def require_slot(
    connection: AsyncConnection,
    publisher: Role,
    slot: str,
    database: str,
    *,
    now: str = "Nothing was changed.",
) -> None:
    """Fail at once where a slot is gone or lost: no waiting brings it back.

    Raises `StepFailed`.
    """
    found = await replication.slot(connection, slot)
    if found is not None and found.wal_status != "lost":
        return
    raise StepFailed(
        f"The slot {slot} of database {database} on {publisher.value} is "
        f"{'gone' if found is None else 'lost'}: "
        f"{ReplicationPair.of(publisher).subscriber.value} does not "
        "have every write.",
        now=f"What was written since it went is on {publisher.value} alone. {now}",
        todo="Stay on the new version. A new way back takes a new capture, clone and subscription."
        if publisher is Role.NEW_BLUE
        else "Stay on the old version: going forward again is then a new upgrade.",
    )


async def confirm_barriers(
    context: RunContext,
    watch: Watch,
    sides: tuple[Role, Role],
    purpose: str,
    *,
    limit_s: float,
    now: str,
) -> None:
    """Wait until every slot's subscriber has confirmed past the position kept for it.

    `sides` are publisher and subscriber; `now` says in words what is true meanwhile. Fails before
    the limit where no waiting helps: a slot is gone, or a worker fails at the same change over and
    over.
    """
    publisher, subscriber = sides
    slots = await captured_slots(context, publisher)
    wanted = {
        database: int((context.done(barrier_key(publisher, database, purpose)) or {})["lsn"])
        for database in slots
    }
    workers = Workers(context, subscriber, now)
    paces = {database: Pace(lsn) for database, lsn in wanted.items()}
    async for _ in watch.until(
        limit_s,
        every_s=min(0.1, context.plan.limits.fast_poll_s),
        what=f"{subscriber.value} to confirm past the barrier",
    ):
        behind = []
        async with context.connect(publisher) as connection:
            for database, lsn in wanted.items():
                slot = slots[database]
                if await replication.confirmed_past(connection, slot, lsn) is True:
                    continue
                (lag,) = await replication.slot_lags(connection, [slot])
                paces[database].saw(monotonic(), lag.confirmed_flush_lsn, workers.written)
                await require_slot(connection, publisher, slot, database, now=now)
                behind.append(database)
        if not behind:
            positions = ", ".join(
                f"{database} {replication.lsn_text(lsn)}" for database, lsn in wanted.items()
            )
            watch.evidence(f"confirmed past the barrier: {positions}")
            return
        words = []
        for database in behind:
            trouble = await workers.trouble(database)
            words.append(f"{database}{trouble}: {paces[database].words}")
        watch.progress(f"not yet confirmed: {'; '.join(words)}")


class Bake(PairStep):
    """Let the new version prove itself, with the way back held open."""

    key = "bake"
    title = "Bake"
    rests = True
    lasts = True

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        super().__init__(publisher, subscriber)
        old = publisher is Role.BLUE_PRIME
        here, there = publisher.value, subscriber.value
        self.why = f"{serves(publisher)}; {there} follows it until you " + (
            "finalize or go forward again." if old else "commit or roll back."
        )
        self.undo = (
            f"forward goes back to {there}, finalize ends that way."
            if old
            else f"rollback goes back to {there}, commit ends the way back."
        )
        self._words = f"{here} serves, {there} follows; branch to " + (
            "go forward again, or to finalize" if old else "rollback or to commit"
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        bake_s = context.plan.protection.bake_s
        if bake_s:
            async for waited in watch.until(bake_s + 1, every_s=1, what="the end of the bake"):
                watch.progress(f"baking, {max(0.0, bake_s - waited):.0f} s left", waited / bake_s)
                if waited >= bake_s:
                    break
        await verdicts.await_protected(
            context,
            watch,
            since=context.now(),
            now=f"{serves(self.publisher)}. {self.subscriber.value.capitalize()} does not have "
            "every write, or that is not known.",
        )
        watch.evidence(self._words)
