"""Which server a connection is on: judged by every sign that it gives, and by no one alone.

Names move with a switchover and a rename, and a server may go by a former one for long. What does
not move tells only what it can: pg_upgrade gives a server a system identifier of its own, so green
has another than blue; a clone keeps its origin's, so blue and blue prime have the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection

from runbook.postgres.queries import one_value, says
from runbook.postgres.refused import WrongServer
from runbook.postgres.target import Target


@dataclass(frozen=True, slots=True)
class Signs:
    """What a server says of itself."""

    major: int
    recovering: bool
    """As a reader of an Aurora cluster is, and any standby."""
    name: str | None
    """`DBInstanceIdentifier`, empty where it does not say; None where it has no such name."""
    system: str | None
    """The system identifier; None where it was not asked for."""


async def prove(connection: AsyncConnection, target: Target) -> None:
    """Raise `WrongServer` unless the connection is on the writer of the target's cluster."""
    if wrong := judge(await signs(connection, system=bool(target.systems_of_others)), target):
        raise WrongServer(
            f"{target.place(connection.info.dbname)} {wrong[0]}. Nothing was changed there. "
            "Wait until the endpoint has moved, or the server bears its new name, then try again"
            + (f"; the tunnel at {target.via} may have to be opened anew." if target.via else "."),
            named=wrong[1],
        )


def judge(seen: Signs, target: Target) -> tuple[str, str] | None:
    """Return what shows that a server is another one than the target, or None where nothing does.

    The second is what it calls itself, where nothing but its name speaks against it.
    """
    role = target.role
    if seen.major != target.server_major:
        return (
            f"is PostgreSQL {seen.major}, and {role} runs {target.engine_version}: the name still "
            "leads to another server"
        ), ""
    if seen.system in target.systems_of_others:
        return (
            f"has the system identifier {seen.system}, which another cluster of this run had "
            "before the switchover: the name still leads to another server"
        ), ""
    if seen.recovering and not target.may_recover:
        return (
            f"is {seen.name or 'a server'} in recovery, a reader, and the writer of {role} is "
            "meant: after a failover the endpoint may trail"
        ), ""
    if seen.name is not None and not target.is_named(seen.name):
        known = ", ".join(sorted(target.instance_ids | target.known_since)) or "none"
        return (
            f"is the instance {seen.name or '(unnamed)'}, and those of {role} are: {known}"
        ), seen.name
    return None


async def signs(connection: AsyncConnection, *, system: bool) -> Signs:
    """Ask a server what it is; for its system identifier only if that is wanted.

    Sources: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora_db_instance_identifier.html
    and https://www.postgresql.org/docs/current/functions-info.html (pg_control_system)
    """
    recovering = await says(connection, "SELECT pg_catalog.pg_is_in_recovery()")
    name = None
    if await says(
        connection,
        "SELECT pg_catalog.to_regprocedure("
        "'pg_catalog.aurora_db_instance_identifier()') IS NOT NULL",
    ):
        said = await one_value(
            connection, "SELECT pg_catalog.aurora_db_instance_identifier()::text"
        )
        name = str(said or "")
    return Signs(
        connection.info.server_version // 10000,
        recovering,
        name,
        await system_identifier(connection) if system else None,
    )


async def system_identifier(connection: AsyncConnection) -> str:
    """Return the server's system identifier, empty where it does not tell."""
    query = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()"
    try:
        return str(await one_value(connection, query))
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.FeatureNotSupported,
        psycopg.errors.UndefinedFunction,
    ):
        return ""


async def is_known_by_now(target: Target, name: str) -> bool:
    """Look up what a target's instances are named; return whether a server's name is among it."""
    if not name or target.look_again is None:
        return False
    if name in await target.look_again():
        target.known_since.add(name)
    return target.is_named(name)
