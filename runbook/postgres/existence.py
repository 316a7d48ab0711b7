"""Small questions that a server answers with yes, no or a number."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook.postgres.queries import number, says


async def has_rows(connection: AsyncConnection, schema: str, table: str) -> bool:
    """Return whether a table has any row of its own; its partitions and children aside."""
    query = SQL("SELECT EXISTS (SELECT FROM ONLY {})").format(Identifier(schema, table))
    return await says(connection, query)


async def has_column(connection: AsyncConnection, schema: str, table: str, column: str) -> bool:
    """Return whether a column is there."""
    return await says(
        connection,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a "
        "JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND a.attname = %s AND NOT a.attisdropped)",
        (schema, table, column),
    )


async def has_session(connection: AsyncConnection, pid: int | None, started: object) -> bool:
    """Return whether the session is there that has this pid and began at this time."""
    return await says(
        connection,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity "
        "WHERE pid = %s AND backend_start = %s)",
        (pid, started),
    )


async def is_member(connection: AsyncConnection, role: str, of: str) -> bool:
    """Return whether a role is a member of another one, directly or not."""
    query = "SELECT pg_catalog.pg_has_role(%s, %s, 'MEMBER')"
    return await says(connection, query, (role, of))


async def other_sessions(connection: AsyncConnection, application: str) -> int:
    """Return how many other sessions bear an application name."""
    return await number(
        connection,
        "SELECT count(*) FROM pg_catalog.pg_stat_activity"
        " WHERE application_name = %s AND pid <> pg_catalog.pg_backend_pid()",
        (application,),
    )
