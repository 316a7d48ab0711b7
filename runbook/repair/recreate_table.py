"""A slot that is gone: the protection rebuilt by a fresh copy of every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook.base.context import RunContext
from runbook.base.pair import (
    ReplicationPair,
    capture_fact,
    captured_slots,
    current_pair,
    publication_name,
    subscription,
)
from runbook.base.step import Effect, Gate, Risk, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.postgres import catalog, existence, replication, schema_changes
from runbook.postgres.schema_ddl import Parts, shown
from runbook.postgres.statement import Statement, quoted
from runbook.procedure.steps.protect.create_slots import SlotEffect
from runbook.procedure.steps.protect.subscribe import PasswordEffect, SubscriptionEffect
from runbook.procedure.steps.shared.effects import SqlEffect, no, unknown, yes
from runbook.proofs import diverged
from runbook.repair.contract import Repair
from runbook.repair.grant_read import may_read
from runbook.repair.schema import WRITABLE, PartsEffect
from runbook.repair.stopping import both
from runbook.repair.tables import await_ready


async def lost_slots(context: RunContext) -> dict[str, str]:
    """Return the slots that are missing or lost, by database."""
    publisher = current_pair(context).publisher
    slots = await captured_slots(context, publisher)
    lost = {}
    async with context.connect(publisher) as connection:
        for database, name in slots.items():
            found = await replication.slot(connection, name)
            if found is None or found.lost:
                lost[database] = name
    return lost


async def cost(context: RunContext, databases: list[str]) -> int:
    """Return the bytes that are copied anew: the tables of the databases, without indexes."""
    size = 0
    for database in databases:
        async with context.connect(current_pair(context).publisher, database) as connection:
            size += sum(t.size_bytes for t in await catalog.published_tables(connection))
    return size


@dataclass
class Rebuild(Repair):
    """Empty the subscriber's tables, and copy them from the publisher onto a new slot."""

    what: ClassVar[str] = "rebuild"
    risk = Risk.DESTRUCTIVE
    undo = "None: the rows that were there are gone. They lacked writes for good."
    databases: list[str]
    size_bytes: int

    def __post_init__(self) -> None:
        self.named(*map(quoted, self.databases))
        self.title = f"Rebuild the protection of {', '.join(self.databases)} by a full copy"

    async def gates(self, context: RunContext) -> list[Gate]:
        sides = current_pair(context)
        return self.asking(
            f"Empty every table of {', '.join(self.databases)} on {sides.subscriber.value}, and "
            f"copy {self.size_bytes} bytes of rows anew from {sides.publisher.value}, which serves "
            "meanwhile.",
            f"The rows of {sides.subscriber.value} are gone; they lacked writes for good. Until "
            f"the copy is complete {sides.journey} is not there to be taken; the copy reads every "
            f"row of {sides.publisher.value}, and its slots keep WAL there meanwhile.",
            typed=context.plan.cluster.identifier,
        )

    async def effects(self, context: RunContext) -> list[Wave]:
        sides = current_pair(context)
        slots = await captured_slots(context, sides.publisher)
        password = PasswordEffect(context, sides.publisher, sides.subscriber, list(slots))
        waves: list[Wave] = [
            [_drop_subscription(context, sides, name, slots[name]) for name in self.databases],
            [_drop_slot(context, sides, name, slots[name]) for name in self.databases],
        ]
        making = [effect for name in self.databases for effect in await _make(context, name)]
        if making:
            waves.append(making)
        waves += [
            [await _empty(context, sides, name) for name in self.databases],
            [_make_slot(context, sides, name, slots[name]) for name in self.databases],
            [password, may_read(context)],
            [
                SubscriptionEffect(
                    context,
                    sides.publisher,
                    sides.subscriber,
                    name,
                    password,
                    copy_data=name in self.databases,
                )
                for name in slots
            ],
        ]
        return waves

    async def verify(self, context: RunContext, watch: Watch) -> None:
        sides = current_pair(context)
        for database in self.databases:
            if missing := await await_ready(context, watch, database):
                raise StepFailed(
                    f"The copy of {database} cannot come to its end: {missing}.",
                    now="The subscription is made anew. Not protected, until it is copied.",
                    todo="Fix that first, as the repairs say, then try again to go on waiting.",
                )
        capture = dict(context.fact("capture") or {})
        async with context.connect(sides.publisher) as connection:
            for database in self.databases:
                found = await replication.slot(connection, capture["slots"][database])
                if found is None or found.lost:
                    raise StepFailed(
                        f"The slot of {database} is gone again.",
                        now=f"{sides.subscriber.value} misses what was written since.",
                        todo=f"See max_slot_wal_keep_size on {sides.publisher.value}, then rebuild "
                        "once more.",
                    )
                lsn = found.confirmed_flush_lsn
                capture["from"] = {**capture.get("from", {}), found.name: lsn}
        words = f"{', '.join(self.databases)} copied anew: the new slots hold every write"
        watch.evidence("", key=capture_fact(current_pair(context).publisher), value=capture)
        watch.evidence(words, key="capture", value=capture)
        watch.evidence("slots held", key="slots", value=[*capture["slots"].values()])
        left = [each for each in diverged.left(context) if each.database not in self.databases]
        watch.evidence("all their rows were copied", key=diverged.FACT,
                       value=diverged.as_json(left))  # fmt: skip
        watch.evidence("not protected until the lag and the schemas were seen to be right")

    async def wanted(self, context: RunContext) -> bool:
        """Return whether the copy is not complete: its slot may be there already."""
        sides = current_pair(context)
        for database in self.databases:
            found = await subscription(context, sides.subscriber, database)
            if found is None or found.copying:
                return True
        return bool(await lost_slots(context))


async def _stands(context: RunContext, sides: ReplicationPair, slot: str) -> bool:
    """Return whether a slot is there and not lost: then what follows it is the new one."""
    async with context.connect(sides.publisher) as connection:
        found = await replication.slot(connection, slot)
    return found is not None and not found.lost


def _drop_subscription(
    context: RunContext, sides: ReplicationPair, database: str, slot: str
) -> Effect:
    name = publication_name(context)

    async def probe(connection: AsyncConnection) -> Finding:
        if await replication.subscription(connection, name) is None:
            return yes(f"there is no subscription {name}")
        if await _stands(context, sides, slot):
            return yes(f"{name} is the one of the new slot")
        return no(f"{name} is that of the slot that is gone")

    return SqlEffect(
        context,
        sides.subscriber,
        database,
        replication.drop_subscription(name),
        key=f"{sides.subscriber.slug}/{database}/rebuild/drop-subscription",
        title=f"drop the subscription {name} in {database}",
        probe=probe,
    )


def _drop_slot(context: RunContext, sides: ReplicationPair, database: str, slot: str) -> Effect:
    async def probe(connection: AsyncConnection) -> Finding:
        found = await replication.slot(connection, slot)
        lost = found is not None and found.lost
        return no(f"the lost slot {slot} is there") if lost else yes(f"no lost slot {slot}")

    return SqlEffect(
        context,
        sides.publisher,
        "",
        [replication.drop_slot(slot)],
        key=f"{slot}/rebuild/drop",
        title=f"drop the lost slot {slot} of {database}",
        probe=probe,
        transaction=False,
    )


async def _make(context: RunContext, database: str) -> list[Effect]:
    """Return what makes the tables that the publisher alone has: they are copied, too."""
    subscriber = current_pair(context).subscriber
    found = schema_changes.new_tables(*await both(context, database))
    if found.by_hand:
        raise StepFailed(
            f"{', '.join(map(shown, found.by_hand))} in {database} is not on {subscriber.value}.",
            now="Nothing was changed.",
            todo="Make it there first, as the repairs say, then rebuild.",
        )
    if not found.names:
        return []

    def left(ours: Parts, theirs: Parts) -> str:
        names = schema_changes.new_tables(ours, theirs).names
        return f"{subscriber.value} has no {', '.join(map(shown, names))}" if names else ""

    return [
        PartsEffect(
            context,
            database,
            found.statements,
            key=f"{subscriber.slug}/{database}/rebuild/make",
            title=f"make {', '.join(map(shown, found.names))} in {database}",
            left=left,
        )
    ]


async def _empty(context: RunContext, sides: ReplicationPair, database: str) -> Effect:
    name = publication_name(context)
    async with context.connect(sides.publisher, database) as connection:
        tables = await replication.published(connection, name)
    identifiers = [Identifier(*table) for table in tables]

    async def probe(connection: AsyncConnection) -> Finding:
        if await replication.subscription(connection, name) is not None:
            return yes("it is subscribed, and copied")
        for table in await catalog.published_tables(connection):
            if await existence.has_rows(connection, table.schema, table.name):
                return no(f"{table} has rows")
        return yes("every table is empty")

    truncate = SQL("TRUNCATE ONLY {}").format(SQL(", ONLY ").join(identifiers))
    return SqlEffect(
        context,
        sides.subscriber,
        database,
        [WRITABLE, replication.own_mark(), *([Statement(truncate)] if tables else [])],
        key=f"{sides.subscriber.slug}/{database}/rebuild/empty",
        title=f"empty every table of {database} on {sides.subscriber.value}",
        probe=probe,
    )


def _make_slot(context: RunContext, sides: ReplicationPair, database: str, slot: str) -> Effect:
    async def probe(connection: AsyncConnection) -> Finding:
        found = await replication.slot(connection, slot)
        if found is None or found.lost:
            return no(f"there is no slot {slot}")
        if found.confirmed_flush_lsn is None:
            return unknown(f"slot {slot} is being made by pid {found.active_pid}")
        return yes(f"slot {slot} is at {found.confirmed_flush_lsn}")

    return SlotEffect(context, sides.publisher, database, slot, probe)
