"""The schema as lines of text, alike on both sides where the schemas are, and cheap looks at it."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.sql import SQL

from runbook.postgres.queries import fetch, fetch_values, load

PUBLISHER = "publisher"
SUBSCRIBER = "subscriber"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of a schema."""

    kind: str
    """table, column, constraint, index, sequence, type, trigger, extension, version, publication"""
    names: list[str]
    """Schema, relation, part, as far as there are; unquoted."""
    text: str
    """All of it, names quoted."""


async def lines(
    connection: AsyncConnection, *, side: str = "", publication: str = ""
) -> list[Line]:
    """Return the schema of this database, sorted.

    `side` is `PUBLISHER` or `SUBSCRIBER`: then what the publication publishes is among them, or
    what the subscription of the same name knows and has.
    """
    params = {"side": side, "publication": publication}
    return await fetch(connection, Line, "schema_fingerprint", params)


async def digest(connection: AsyncConnection, *, side: str, publication: str) -> str:
    """Return a digest of what `lines` returns, made on the server."""
    query = SQL(
        "SELECT md5(coalesce(string_agg(text, chr(10) ORDER BY text COLLATE \"C\"), ''))\n"
        "FROM (\n{}\n) AS line"
    ).format(SQL(load("schema_fingerprint", connection.info.server_version)))
    cursor = await connection.execute(query, {"side": side, "publication": publication})
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def stamp(connection: AsyncConnection) -> str:
    """Return what changes whenever the catalogs do, at the cost of one scan of them."""
    (found,) = await fetch_values(connection, "schema_stamp")
    return str(found)


async def copying_tables(connection: AsyncConnection, subscription: str) -> list[str]:
    """Return the tables, quoted, that the subscription knows and whose first copy is not done."""
    return await fetch_values(connection, "copying_tables", (subscription,))
