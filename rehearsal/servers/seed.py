"""What production looks like: databases, roles, and tables of every awkward kind.

The master user is a superuser here, which on Aurora it is not: Aurora patches PostgreSQL so that
members of `rds_superuser` may make publications for all tables, end other sessions and so on, and
a superuser is the nearest that a plain server has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from psycopg import Connection, sql

from rehearsal.servers import names
from rehearsal.servers.server import ADMIN, Server

DATABASES = ("orders", 'Ærø "shop" 100%', "Billing & Søn")
"""Names of application databases, in the order in which `--databases N` takes them."""

APPLICATION = "app"
READER = "App Reader"
COURIER = 'Kurér "🚚"'
ROLES = (APPLICATION, READER, COURIER)
"""Names of application roles; all write but the reader."""

GROUPS = ("rds_superuser", "rds_replication", "rds_password", "rds_iam")

_BATCH = 200
"""Tables a transaction: each holds locks until it ends."""


@dataclass(frozen=True, slots=True)
class Seed:
    """How much production there is to be.

    `databases` are application databases beside `postgres` and `rdsadmin`; `roles` are application
    roles with their passwords, which reach servers only as SCRAM verifiers; `tables` plain tables
    are added to each application database.
    """

    databases: tuple[str, ...] = DATABASES[:2]
    roles: Mapping[str, str] = field(default_factory=dict, repr=False)
    tables: int = 0
    hostile_names: bool = False
    """Whether objects of every name in `rehearsal.servers.names` are added to each of them."""


def databases(count: int, *, hostile: bool = False) -> tuple[str, ...]:
    """Return the names of `count` application databases, the hostile ones first if asked for."""
    if hostile:
        return (*names.DATABASES, *databases(count))[:count]
    more = (f"Shop {number}" for number in range(len(DATABASES) + 1, count + 1))
    return (*DATABASES[:count], *more)


def install_functions(server: Server) -> None:
    """Put the functions of Aurora into every database, and into template1 for later ones."""
    for dbname in ("template1", ADMIN, *server.databases()):
        with server.connect(dbname) as connection:
            connection.execute(_script("aurora.sql"))


def set_password(server: Server, role: str, password: str) -> None:
    """Set a role's password; statement and log see a SCRAM verifier only."""
    with server.connect() as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                sql.Identifier(role), _verifier(connection, role, password)
            )
        )


def plant(server: Server, master_user: str, master_password: str, seed: Seed) -> None:
    """Make a new server look like production: Aurora's own objects, then the application's."""
    with server.connect() as connection:
        for group in GROUPS:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group)))
        # Of PostgreSQL's own roles those that the version has: pg_checkpoint came with 15.
        lent = ["pg_monitor", "pg_signal_backend", "rds_replication", "rds_password"]
        if server.major >= 15:
            lent.append("pg_checkpoint")
        connection.execute(
            sql.SQL("GRANT {} TO rds_superuser WITH ADMIN OPTION").format(
                sql.SQL(", ").join(map(sql.Identifier, lent))
            )
        )
        _create_role(connection, master_user, master_password, "SUPERUSER CREATEDB CREATEROLE")
        master = sql.Identifier(master_user)
        connection.execute(sql.SQL("GRANT rds_superuser TO {}").format(master))
        connection.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(master))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(ADMIN)))
    install_functions(server)
    with server.connect() as connection:
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(master))
        for role, password in seed.roles.items():
            _create_role(connection, role, password, "")
        for name in seed.databases:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    for name in seed.databases:
        with server.connect(name) as connection:
            connection.execute("SET search_path = public")
            connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(master))
            _fill(connection, seed)


def _fill(connection: Connection[Any], seed: Seed) -> None:
    connection.execute(_script("production.sql"))
    for begin in range(1, seed.tables + 1, _BATCH):
        with connection.transaction():
            for number in range(begin, min(begin + _BATCH, seed.tables + 1)):
                connection.execute(
                    sql.SQL(
                        "CREATE TABLE {} (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
                        " value text, changed_at timestamptz DEFAULT now())"
                    ).format(sql.Identifier(f"plain_{number:05}"))
                )
    schemas = ["public", "Lager & Søn"]
    if seed.hostile_names:
        schemas += names.plant(connection)
    for role in seed.roles:
        tables = "SELECT" if role == READER else "SELECT, INSERT, UPDATE, DELETE, TRUNCATE"
        sequences = "SELECT" if role == READER else "SELECT, USAGE, UPDATE"
        for schema in schemas:
            for statement in (
                "GRANT USAGE ON SCHEMA {schema} TO {role}",
                f"GRANT {tables} ON ALL TABLES IN SCHEMA {{schema}} TO {{role}}",
                f"GRANT {sequences} ON ALL SEQUENCES IN SCHEMA {{schema}} TO {{role}}",
                "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}"
                f" GRANT {tables} ON TABLES TO {{role}}",
            ):
                connection.execute(
                    sql.SQL(statement).format(
                        schema=sql.Identifier(schema), role=sql.Identifier(role)
                    )
                )
    connection.execute("ANALYZE")


def _create_role(connection: Connection[Any], role: str, password: str, attributes: str) -> None:
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
            sql.Identifier(role),
            sql.SQL(attributes),
            _verifier(connection, role, password),
        )
    )


def _verifier(connection: Connection[Any], role: str, password: str) -> sql.Literal:
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return sql.Literal(hashed.decode())


def _script(name: str) -> bytes:
    return resources.files("rehearsal").joinpath("sql", name).read_bytes()
