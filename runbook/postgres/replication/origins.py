"""Where a server's rows come from besides its clients: origins, and subscriptions that have one.

A subscription with `origin = none` (16) is sent only what bears no origin:
https://www.postgresql.org/docs/current/sql-createsubscription.html
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection

from runbook.postgres.queries import fetch, one_value, says


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
    """Return all of the server.

    Source: https://www.postgresql.org/docs/current/replication-origins.html
    """
    return await fetch(connection, Origin, "origins")


@dataclass(frozen=True, slots=True)
class OriginPosition:
    """How far an origin has come, in bytes."""

    remote: int
    """In the WAL of where its rows come from, as far as whoever writes by it says so; else 0. It
    outlives a restart (src/backend/replication/logical/origin.c)."""
    local: int
    """In the server's own WAL: up to where it has written since the server started; else 0."""


async def origin_positions(connection: AsyncConnection) -> dict[str, OriginPosition] | None:
    """Return how far each origin has come, by its name.

    One that was never used is not among them. None: the user may not read
    `pg_replication_origin_status`.
    """
    try:
        cursor = await connection.execute(
            "SELECT external_id, coalesce(remote_lsn - '0/0', 0)::bigint, "
            "coalesce(local_lsn - '0/0', 0)::bigint FROM pg_catalog.pg_replication_origin_status"
        )
    except psycopg.errors.InsufficientPrivilege:
        # Asked, since below 14 no catalog tells: there the function itself wants a superuser.
        return None
    rows = await cursor.fetchall()
    return {
        str(name): OriginPosition(int(remote), int(local))
        for name, remote, local in rows
        if name is not None
    }


async def has_copied(connection: AsyncConnection, subscription: str) -> bool:
    """Return whether a subscription of this database has begun to copy a table, or has one."""
    return await says(
        connection,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription_rel AS r "
        "JOIN pg_catalog.pg_stat_subscription AS s ON s.subid = r.srsubid "
        "WHERE s.subname = %s AND r.srsubstate <> 'i')",
        (subscription,),
    )


async def started(connection: AsyncConnection) -> str:
    """Return when the server started, in its own words: what tells one start from another."""
    return str(await one_value(connection, "SELECT pg_catalog.pg_postmaster_start_time()::text"))


async def passes_over_origins(connection: AsyncConnection, name: str) -> bool:
    """Return whether a subscription is sent no row with an origin; below 16 it is sent all."""
    if connection.info.server_version < 160000:
        return False
    return await says(
        connection,
        "SELECT coalesce(bool_or(suborigin = 'none'), true) "
        "FROM pg_catalog.pg_subscription WHERE subname = %s",
        (name,),
    )
