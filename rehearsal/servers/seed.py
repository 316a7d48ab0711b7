"""What production looks like: databases, roles, owners, and tables of every awkward kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, LiteralString

from psycopg import Connection, sql

from rehearsal.servers import contrib, names, rights
from rehearsal.servers.server import ADMIN, Server

DATABASES = ("orders", 'Ærø "shop" 100%', "Billing & Søn")
"""Names of application databases, in the order in which `--databases N` takes them."""

APPLICATION = "app"
READER = "App Reader"
COURIER = 'Kurér "🚚"'
ROLES = (APPLICATION, READER, COURIER)
"""Names of application roles; all write but the reader."""

OWNER = "shop_owner"
STOREKEEPER = 'Lager "Ejer"'
AUDITOR = "auditor"
OWNERS = (OWNER, STOREKEEPER, AUDITOR)
"""Roles that own what the applications use, and log in nowhere. The master, who made them, is a
member of each; some tables are its own."""

SHUT = 1
"""Which of the databases belongs to `OWNER`, and lets in nobody who was not told to come."""

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
    rights: str = rights.AURORA
    """The master's, one of `rehearsal.servers.rights.RIGHTS`."""
    extensions: bool = False
    """Whether each has those of `rehearsal.servers.contrib`."""


def databases(count: int, *, hostile: bool = False) -> tuple[str, ...]:
    """Return the names of `count` application databases, the hostile ones first if asked for."""
    if hostile:
        return (*names.DATABASES, *databases(count))[:count]
    more = (f"Shop {number}" for number in range(len(DATABASES) + 1, count + 1))
    return (*DATABASES[:count], *more)


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
    master = sql.Identifier(master_user)
    rights.make_groups(server)
    with server.connect() as connection:
        attributes = rights.master_attributes(seed.rights)
        _create_role(connection, master_user, master_password, attributes)
        connection.execute(sql.SQL("GRANT rds_superuser TO {} WITH ADMIN OPTION").format(master))
        connection.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(master))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(ADMIN)))
    rights.lend(server)
    with server.connect() as connection:
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(master))
        for role, password in seed.roles.items():
            _create_role(connection, role, password, "")
        for role in OWNERS:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        _join(connection, master, OWNERS)
        if server.major < rights.ADMINISTERS_SINCE:
            _join(connection, master, seed.roles, "WITH ADMIN OPTION")
        for number, name in enumerate(seed.databases):
            _create_database(connection, name, seed.roles, shut=number == SHUT)
    for name in seed.databases:
        with server.connect(name) as connection:
            connection.execute("SET search_path = public")
            if seed.extensions:
                contrib.install(connection)
            connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(master))
            _fill(connection, seed)


def _join(
    connection: Connection[Any],
    master: sql.Identifier,
    roles: Iterable[str],
    how: LiteralString = "",
) -> None:
    for role in roles:
        connection.execute(sql.SQL("GRANT {} TO {} " + how).format(sql.Identifier(role), master))


def _create_database(
    connection: Connection[Any], name: str, roles: Iterable[str], *, shut: bool
) -> None:
    """Make a database; one that is `shut` belongs to another, and lets in those who need it."""
    database = sql.Identifier(name)
    if not shut:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        return
    owner = sql.Identifier(OWNER)
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
    connection.execute(
        sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(database)
    )
    for role in roles:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role))
        )


def _fill(connection: Connection[Any], seed: Seed) -> None:
    connection.execute(_script("production.sql"))
    if seed.extensions:
        contrib.plant(connection)
    connection.execute(_script("owners.sql"))
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
        _grant(connection, sql.Identifier(role), schemas, reads_only=role == READER)
    connection.execute("ANALYZE")


def _grant(
    connection: Connection[Any], role: sql.Identifier, schemas: list[str], *, reads_only: bool
) -> None:
    """Let an application's role use what is in the schemas, and what an owner will make there."""
    tables = "SELECT" if reads_only else "SELECT, INSERT, UPDATE, DELETE, TRUNCATE"
    sequences = "SELECT" if reads_only else "SELECT, USAGE, UPDATE"
    owners = sql.SQL(", ").join([sql.SQL("CURRENT_USER"), *map(sql.Identifier, OWNERS)])
    for schema in schemas:
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT {tables} ON ALL TABLES IN SCHEMA {{schema}} TO {{role}}",
            f"GRANT {sequences} ON ALL SEQUENCES IN SCHEMA {{schema}} TO {{role}}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {owners} IN SCHEMA {schema}"
            f" GRANT {tables} ON TABLES TO {{role}}",
        ):
            connection.execute(
                sql.SQL(statement).format(schema=sql.Identifier(schema), role=role, owners=owners)
            )
    connection.execute(sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON payment FROM {}").format(role))


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
