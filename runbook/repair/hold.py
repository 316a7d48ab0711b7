"""What the subscriber holds in something that the publisher does not have (any more)."""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL, Composable, Identifier

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.postgres.change import RETYPED_BY_HAND, Change
from runbook.postgres.schema_ddl import shown

LOOK_S = 5
"""A column without any value is found only by reading the whole table: not for longer than this."""


async def holding(context: RunContext, database: str, change: Change) -> str:
    """Return what would be gone with a change, in words; empty where nothing would.

    What cannot be told counts as held: what is dropped never comes back.
    """
    if not change.destructive:
        return ""
    table = Identifier(*change.name[:2])
    match change.kind:
        case "drop-column" | "column-type":
            query: Composable = SQL("SELECT FROM {} WHERE {} IS NOT NULL").format(
                table, Identifier(change.name[2])
            )
            what = "values"
        case "drop-table":
            query, what = SQL("SELECT FROM {}").format(table), "rows"
        case _:
            return ""
    subscriber = current_pair(context).subscriber
    async with context.connect(subscriber, database) as connection:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL statement_timeout = '{LOOK_S}s'".encode())
                cursor = await connection.execute(SQL("SELECT EXISTS ({})").format(query))
                if await cursor.fetchone() == (False,):
                    return ""
        except (psycopg.errors.QueryCanceled, psycopg.errors.InsufficientPrivilege) as error:
            words = str(error).strip().partition("\n")[0]
            return f"whether {subscriber.value} holds {what} in {shown(change.name)}: {words}"
    return f"{subscriber.value} holds {what} in {shown(change.name)}"


def kept(change: Change, words: str) -> str:
    """Return what a person may do about what is never dropped for the asking."""
    if change.kind == "column-type":
        return f"{words}. {RETYPED_BY_HAND}"
    sql = "; ".join(statement.as_string(None) for statement in change.statements)
    return (
        f"{words}. It may be what was renamed on the other side: then rename it here, and nothing "
        "is lost. If it is not needed any more, by hand, after a backup: "
        f"SET default_transaction_read_only = off; {sql};"
    )
