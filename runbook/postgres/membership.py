"""Making the current user a member of another role, which gives it all that the role may."""

from __future__ import annotations

from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.sql import SQL

from runbook.postgres.queries import fetch_values, says
from runbook.postgres.statement import Statement, block, compose, literal, quoted

OPTIONS_SINCE = 16
"""From this major on a membership says by itself whether it inherits, and may SET ROLE."""

_OPTIONS: LiteralString = " WITH INHERIT TRUE, SET TRUE"


def join(role: str, user: str) -> Statement:
    """Return GRANT role TO user, so that the user inherits it and may SET ROLE to it.

    Both are said where the server knows them: without, an earlier grant's options would stay.

    Source: https://www.postgresql.org/docs/current/sql-grant.html
    """
    granted = compose("GRANT {role} TO {user}", role=role, user=user)
    body = compose(
        """
BEGIN
    IF pg_catalog.current_setting('server_version_num')::int < {since} THEN
        {granted};
    ELSE
        {granted}{options};
    END IF;
END
""",
        since=literal(OPTIONS_SINCE * 10000),
        granted=granted,
        options=SQL(_OPTIONS),
    )
    return Statement(block(body), shown=granted)


def joining(role: str, user: str, major: int) -> str:
    """Return the SQL that does so on a server of a major, as a person types it."""
    options = _OPTIONS if major >= OPTIONS_SINCE else ""
    return f"GRANT {quoted(role)} TO {quoted(user)}{options};"


async def joinable(connection: AsyncConnection) -> list[str]:
    """Return the roles that the current user may join by itself, where it has not."""
    return await fetch_values(connection, "joinable_roles")


async def joined(connection: AsyncConnection, role: str, user: str) -> bool:
    """Return whether the user has all that the role may; so it is too where one of them is gone."""
    # From 16 on a member may be one that cannot SET ROLE.
    ways = ("USAGE", "SET") if connection.info.server_version >= 160000 else ("USAGE",)
    return not await says(
        connection,
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles AS r, pg_catalog.pg_roles AS u, "
        "unnest(%s::text[]) AS way WHERE r.rolname = %s AND u.rolname = %s "
        "AND NOT pg_catalog.pg_has_role(u.oid, r.oid, way))",
        (list(ways), role, user),
    )
