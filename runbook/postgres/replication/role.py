"""The role that the subscriber's workers log in with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.sql import Composed

from runbook.postgres.queries import fetch_values, one_value, says
from runbook.postgres.statement import MASK, Statement, block, compose, literal, with_private


def create_replication_role(name: str) -> Statement:
    """Return the making of a role that may log in and replicate; it has no password yet.

    It gets the REPLICATION attribute where the current user may give it, else membership in
    `rds_replication`, Aurora's stand-in for it.

    Its walsender has no timeout of its own: a subscriber that applies one long transaction does not
    answer meanwhile, and what it has applied would be lost and begun again, for ever. A dead one is
    known by TCP (documentation, "wal_sender_timeout", "tcp_keepalives_idle"). Settings of the role
    hold whatever the subscriber's own connection string is made into.
    """
    return Statement(
        block(
            compose(
                """
BEGIN
    CREATE ROLE {name} LOGIN;
    BEGIN
        ALTER ROLE {name} REPLICATION;
    EXCEPTION WHEN insufficient_privilege THEN
        GRANT rds_replication TO {name};
    END;
    ALTER ROLE {name} SET wal_sender_timeout = 0;
    ALTER ROLE {name} SET tcp_keepalives_idle = 60;
    ALTER ROLE {name} SET tcp_keepalives_interval = 10;
    ALTER ROLE {name} SET tcp_keepalives_count = 6;
END
""",
                name=name,
            )
        )
    )


async def role_exists(connection: AsyncConnection, name: str) -> bool:
    """Return whether the role exists."""
    cursor = await connection.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (name,))
    return cursor.rowcount > 0


def hash_password(connection: AsyncConnection, name: str, password: str) -> str:
    """Return the SCRAM verifier of a password: what the server keeps, made on this side.

    Source: https://www.postgresql.org/docs/current/auth-password.html
    """
    return connection.pgconn.encrypt_password(
        password.encode(), name.encode(), b"scram-sha-256"
    ).decode()


def set_password_statement(name: str, verifier: str) -> Statement:
    """Return ALTER ROLE ... PASSWORD with a verifier, which passwords can be guessed by: masked."""
    return with_private(
        compose("ALTER ROLE {name} PASSWORD ", name=name),
        verifier,
        Composed([]),
        shown=MASK,
        secret=verifier,
    )


async def set_password(connection: AsyncConnection, name: str, password: str) -> datetime:
    """Give a role its password; the clear text is in no statement and no log.

    Returns the server's time afterwards: who connected before it had a former password.
    """
    verifier = hash_password(connection, name, password)
    await set_password_statement(name, verifier).execute(connection)
    at: datetime = await one_value(connection, "SELECT pg_catalog.clock_timestamp()")
    return at


async def closed_databases(connection: AsyncConnection, databases: Sequence[str]) -> list[str]:
    """Return those of the databases that nobody enters without a CONNECT of his own."""
    return await fetch_values(connection, "closed_databases", (list(databases),))


def let_connect(name: str, database: str) -> Statement:
    """Return GRANT CONNECT ON DATABASE ... TO a role."""
    return Statement(
        compose("GRANT CONNECT ON DATABASE {database} TO {name}", database=database, name=name)
    )


def let_read(name: str) -> Statement:
    """Return GRANT pg_read_all_data (14) TO a role: slots are followed without, rows not copied."""
    return Statement(compose("GRANT pg_read_all_data TO {name}", name=name))


async def may_connect(connection: AsyncConnection, name: str, database: str) -> bool:
    """Return whether a role is there and may enter a database."""
    return await says(
        connection,
        "SELECT pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT') "
        "FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d "
        "WHERE r.rolname = %s AND d.datname = %s",
        (name, database),
    )


async def granted_in(connection: AsyncConnection, name: str) -> list[str]:
    """Return the databases in which a role owns or was granted something; "": the whole server."""
    return await fetch_values(connection, "role_grants", (name,))


def drop_owned(name: str) -> Statement:
    """Return DROP OWNED BY, if the role exists; `drop_role` needs it in each of `granted_in`.

    It takes away what the role has in the current database and of the whole server; CONNECT by
    itself, as it was granted, since who may grant more acts as the owner, of whom the role has none
    (documentation, "GRANT", notes). Only a member
    of the role may do so (documentation, "DROP OWNED"); from 16 on whoever makes a role administers
    it, and is no member.
    """
    return Statement(
        block(
            compose(
                """
DECLARE
    entered name;
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal}) THEN
        FOR entered IN
            SELECT DISTINCT d.datname
            FROM pg_catalog.pg_database AS d,
                pg_catalog.aclexplode(d.datacl) AS a, pg_catalog.pg_roles AS r
            WHERE r.rolname = {literal} AND a.grantee = r.oid
        LOOP
            EXECUTE pg_catalog.format('REVOKE CONNECT ON DATABASE %I FROM %I', entered, {literal});
        END LOOP;
        IF NOT pg_catalog.pg_has_role({literal}, 'USAGE') THEN
            GRANT {name} TO CURRENT_USER;
        END IF;
        DROP OWNED BY {name};
    END IF;
END
""",
                literal=literal(name),
                name=name,
            )
        )
    )


def drop_role(name: str) -> Statement:
    """Return DROP ROLE IF EXISTS."""
    return Statement(compose("DROP ROLE IF EXISTS {name}", name=name))
