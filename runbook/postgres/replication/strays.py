"""Writes on the subscriber that replication did not bring: what its own WAL says, by a slot.

A transaction that an apply or copy worker commits bears its origin in the WAL; one that anybody
else commits bears none. A logical slot on the subscriber, asked for changes without origin, thus
shows each of the latter and no other, whatever the load. The slot is a temporary one: it goes with
the session that made it, and keeps no WAL when nobody watches.

It sees rows and TRUNCATE of permanent tables, once they are committed. It does not see what the WAL
does not carry as rows of tables: sequences, large objects, DDL, unlogged tables; nor what was
committed while no session held the slot.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.sql import SQL

from runbook.amounts import counted
from runbook.postgres.queries import fetch
from runbook.postgres.replication.publisher import PLUGIN
from runbook.postgres.statement import Statement, block, compose, literal, quoted


@dataclass(frozen=True, slots=True)
class StrayWrite:
    """What was written in one table by somebody else. No value of any row is read."""

    schema: str
    table: str
    """Both empty: the table is gone since."""
    inserted: int
    updated: int
    deleted: int
    truncated: int

    @property
    def name(self) -> str:
        """Return the table, quoted."""
        if not self.table:
            return "a table that is gone since"
        return f"{quoted(self.schema)}.{quoted(self.table)}"

    def __str__(self) -> str:
        counts = (
            (self.inserted, "inserted"),
            (self.updated, "updated"),
            (self.deleted, "deleted"),
        )
        rows = [f"{counted(count, 'row')} {how}" for count, how in counts if count]
        rows += ["truncated"] if self.truncated else []
        return f"{self.name}: {', '.join(rows)}"


def strays_publication(subscription: str) -> str:
    """Return the name of the publication through which the subscriber's own writes are seen."""
    return f"{subscription}_strays"


def publish_strays(subscription: str) -> Statement:
    """Return what makes that publication where it is not there. Nobody subscribes to it.

    It must exist before what it shall show: decoding looks at the catalogs as of each change.
    """
    name = strays_publication(subscription)
    return Statement(
        block(
            compose(
                """
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {literal}) THEN
        CREATE PUBLICATION {name} FOR ALL TABLES;
    END IF;
END
""",
                literal=literal(name),
                name=name,
            )
        )
    )


def own_mark() -> Statement:
    """Return what marks a transaction as blueprime's own: none of its rows is a stray write.

    To be called inside each transaction that changes rows on a subscriber (re-copying a table).
    """
    return Statement(SQL("SELECT pg_catalog.pg_logical_emit_message(true, 'blueprime', 'own')"))


async def hold_strays(connection: AsyncConnection, slot: str) -> None:
    """Make the slot; it waits for every open write transaction, as any logical slot does."""
    await connection.execute(
        "SELECT pg_catalog.pg_create_logical_replication_slot(%s, %s, true)", (slot, PLUGIN)
    )


async def take_strays(
    connection: AsyncConnection, slot: str, subscription: str
) -> list[StrayWrite]:
    """Return the stray writes that were committed since the slot was made or last asked."""
    params = {"slot": slot, "publication": quoted(strays_publication(subscription))}
    return await fetch(connection, StrayWrite, "stray_writes", params)
