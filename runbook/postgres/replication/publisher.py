"""The publishing end: publication and slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection, errors
from psycopg.sql import SQL

from runbook.postgres.queries import fetch, one_value
from runbook.postgres.statement import Statement, compose, literal
from runbook.postgres.termination import end_sessions
from state.masking import masked

PLUGIN = "pgoutput"


@dataclass(frozen=True, slots=True)
class SlotBlocker:
    """An open write transaction, of any database, that slot creation waits for.

    A prepared transaction has no pid.
    """

    pid: int | None
    role: str | None
    age_s: float
    database: str | None
    application: str
    backend_type: str
    state: str | None
    query: str
    backend_start: datetime | None = None

    def __str__(self) -> str:
        who = f"pid {self.pid}" if self.pid is not None else self.query
        query = " ".join(masked(self.query).split())[:80]
        return (
            f"{who} ({self.backend_type}) of role {self.role} in database {self.database}, "
            f"open for {self.age_s:.0f} s, {self.state or 'state not shown'}: {query}"
        )


class SlotBlocked(Exception):
    """A slot could not be made in time: open write transactions hold it up."""

    def __init__(self, name: str, waited_s: float, blockers: Sequence[SlotBlocker]) -> None:
        seen = "; ".join(map(str, blockers)) or "none is left now, so another try may succeed"
        super().__init__(
            f"The slot {name} could not be made within {waited_s:g} s, since making it waits for "
            f"every open write transaction on the server. Open: {seen}"
        )
        self.blockers = tuple(blockers)


@dataclass(frozen=True, slots=True)
class Slot:
    """A logical replication slot. WAL positions are integers, in bytes."""

    name: str
    database: str
    active: bool
    active_pid: int | None
    confirmed_flush_lsn: int | None
    wal_status: str | None
    """reserved, extended, unreserved, lost."""
    safe_wal_size: int | None
    """Bytes that may still be written before the slot is in danger; None: no limit is set."""
    invalidation_reason: str | None
    """Why it is of no use any more, or None."""

    @property
    def lost(self) -> bool:
        """Whether it has lost WAL that its subscriber lacks."""
        return self.invalidation_reason is not None


def create_publication(name: str) -> Statement:
    """Return CREATE PUBLICATION ... FOR ALL TABLES.

    Rows of partitions travel as of the partition they are in, as both sides have the same ones.

    Source: https://www.postgresql.org/docs/current/sql-createpublication.html
    """
    return Statement(compose("CREATE PUBLICATION {name} FOR ALL TABLES", name=name))


async def publication_exists(connection: AsyncConnection, name: str) -> bool:
    """Return whether this database has the publication."""
    cursor = await connection.execute(
        "SELECT FROM pg_catalog.pg_publication WHERE pubname = %s", (name,)
    )
    return cursor.rowcount > 0


def drop_publication(name: str) -> Statement:
    """Return DROP PUBLICATION IF EXISTS."""
    return Statement(compose("DROP PUBLICATION IF EXISTS {name}", name=name))


def create_slot_statement(name: str) -> Statement:
    """Return the call that makes the slot; `create_slot` runs it under a deadline."""
    return Statement(
        SQL(
            "SELECT (lsn - '0/0')::bigint\n"
            "FROM pg_catalog.pg_create_logical_replication_slot(%s, %s)"
        ),
        (name, PLUGIN),
    )


async def create_slot(connection: AsyncConnection, name: str, *, deadline_s: float) -> int:
    """Make a logical slot in this database and return the position from which it is consistent.

    It waits for every write transaction that is open on the whole server. Raises `SlotBlocked`
    naming them after `deadline_s` seconds; there is no slot then.

    Source: https://www.postgresql.org/docs/current/functions-admin.html
    """
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('statement_timeout', %s, true),"
                " set_config('lock_timeout', '0', true)",
                (str(max(int(deadline_s * 1000), 1)),),
            )
            cursor = await create_slot_statement(name).execute(connection)
            row = await cursor.fetchone()
    except errors.QueryCanceled:
        raise SlotBlocked(name, deadline_s, await slot_blockers(connection)) from None
    assert row is not None
    return int(row[0])


async def slot_blockers(connection: AsyncConnection) -> list[SlotBlocker]:
    """Return the open write transactions of all databases, the oldest first.

    Source: https://www.postgresql.org/docs/current/logicaldecoding-explanation.html
    """
    return await fetch(connection, SlotBlocker, "slot_blockers")


async def slot(connection: AsyncConnection, name: str) -> Slot | None:
    """Return the slot, or None where the server has no logical slot of that name."""
    found = await fetch(connection, Slot, "slot", (name,))
    return found[0] if found else None


async def streaming_since(connection: AsyncConnection, name: str) -> datetime | None:
    """Return when the one who reads the slot connected, or None where nobody does.

    Since a role's password is asked for at that moment alone, this tells which one was given.
    """
    since: datetime | None = await one_value(
        connection,
        "SELECT activity.backend_start FROM pg_catalog.pg_replication_slots AS slot "
        "JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = slot.active_pid "
        "WHERE slot.slot_name = %s",
        (name,),
    )
    return since


def drop_slot(name: str) -> Statement:
    """Return the call that drops the slot if there is one; it fails while the slot is in use."""
    return Statement(
        SQL(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name)\n"
            "FROM pg_catalog.pg_replication_slots WHERE slot_name = %s"
        ),
        (name,),
    )


def terminate_slot_user(name: str) -> Statement:
    """Return the call that ends the walsender which uses the slot, if any, and waits for it."""
    return end_sessions(
        compose(
            "SELECT active_pid AS pid FROM pg_catalog.pg_replication_slots "
            "WHERE slot_name = {name} AND active_pid IS NOT NULL",
            name=literal(name),
        )
    )


async def published(connection: AsyncConnection, name: str) -> list[tuple[str, str]]:
    """Return schema and name of each table that a publication of this database covers."""
    cursor = await connection.execute(
        "SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = %s "
        "ORDER BY 1, 2",
        (name,),
    )
    return [(schema, table) for schema, table in await cursor.fetchall()]
