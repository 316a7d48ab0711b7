"""Where a server's rows come from besides its clients: origins, and subscriptions that have one.

A subscription with `origin = none` (16) is sent only what bears no origin:
https://www.postgresql.org/docs/current/sql-createsubscription.html
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.queries import fetch


@dataclass(frozen=True, slots=True)
class Origin:
    """A replication origin of the server, or a subscription of one of its databases, or both."""

    name: str | None
    """None: the subscription has none yet."""
    subscription: str | None
    """None: another tool's own."""
    database: str | None
    enabled: bool
    """Whether it is a subscription that is enabled."""


async def origins(connection: AsyncConnection) -> list[Origin]:
    """Return all of the server."""
    return await fetch(connection, Origin, "origins")


async def origin_positions(connection: AsyncConnection) -> dict[str, int] | None:
    """Return up to where in the server's own WAL each origin has written, in bytes, by its name.

    One that has written nothing since the server started is not among them. None: the user may not
    read `pg_replication_origin_status`.
    """
    cursor = await connection.execute(
        "SELECT pg_catalog.has_table_privilege("
        "'pg_catalog.pg_replication_origin_status', 'SELECT') AND "
        "pg_catalog.has_function_privilege("
        "'pg_catalog.pg_show_replication_origin_status()', 'EXECUTE')"
    )
    if await cursor.fetchone() != (True,):
        return None
    cursor = await connection.execute(
        "SELECT external_id, (local_lsn - '0/0')::bigint "
        "FROM pg_catalog.pg_replication_origin_status WHERE local_lsn IS NOT NULL"
    )
    return {str(name): int(lsn) for name, lsn in await cursor.fetchall() if name is not None}


async def passes_over_origins(connection: AsyncConnection, name: str) -> bool:
    """Return whether a subscription is sent no row with an origin; below 16 it is sent all."""
    if connection.info.server_version < 160000:
        return False
    cursor = await connection.execute(
        "SELECT coalesce(bool_or(suborigin = 'none'), true) "
        "FROM pg_catalog.pg_subscription WHERE subname = %s",
        (name,),
    )
    return await cursor.fetchone() == (True,)
