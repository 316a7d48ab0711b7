"""The master's rights: Aurora's, on servers that know superusers and nothing between.

On Aurora the master is no superuser but a member of `rds_superuser`, and PostgreSQL is patched so
that members may publish all tables, subscribe, add extensions. What a plain server can lend, it
lends: predefined roles, a parameter, functions. For the rest there are event triggers, in
`pg_catalog` and rdsadmin's own; pg_upgrade cannot carry them, so they go before it and come back.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any, LiteralString

from psycopg import Connection, sql

from rehearsal.servers.server import ADMIN, Server

AURORA, SUPERUSER = "aurora", "superuser"
RIGHTS = (AURORA, SUPERUSER)
"""Whose rights the master has: a member's of `rds_superuser`, or all of them."""

GROUPS = ("rds_superuser", "rds_replication", "rds_password", "rds_iam")

_LENT = {
    "pg_monitor": 10,
    "pg_signal_backend": 10,
    "rds_replication": 10,
    "rds_password": 10,
    "pg_checkpoint": 15,
    "pg_create_subscription": 16,
    "pg_use_reserved_connections": 16,
}
"""Roles that `rds_superuser` is a member of and may grant, each with the major that brought it.

AWS's list lacks `pg_create_subscription`, and shows the master subscribe all the same.
"""

_GRANTED = "pg_read_all_data"
"""What a master on RDS 16 grants without ADMIN OPTION, as was reported, and below 16 by CREATEROLE
(https://github.com/gravitational/teleport/pull/48897). It lacks it itself: it reads no pg_authid.
"""

ADMINISTERS_SINCE = 16
"""From this major on whoever makes a role administers it; below, CREATEROLE does for every role."""

START, END = "ddl_command_start", "ddl_command_end"


@dataclass(frozen=True, slots=True)
class _Watch:
    """An event trigger that calls the function of its name; without tags, at every command."""

    name: str
    event: LiteralString
    tags: tuple[str, ...] = ()


def _watches(major: int) -> tuple[_Watch, ...]:
    """Return the event triggers of a server. From 16 on `pg_create_subscription` suffices to
    subscribe, and whoever replicates may let others.
    """
    raised = ("CREATE PUBLICATION", "CREATE EXTENSION", "ALTER EXTENSION")
    older = major < ADMINISTERS_SINCE
    subscribes = ("CREATE SUBSCRIPTION",) if older else ()
    return (
        _Watch("rds_before_command", START, raised + subscribes),
        _Watch("rds_after_command", END, raised + subscribes),
        *((_Watch("rds_before_table", START, ("CREATE TABLE",)),) if older else ()),
        *((_Watch("rds_after_any", END),) if older else ()),
    )


def master_attributes(rights: str) -> str:
    """Return the attributes of CREATE ROLE for the master.

    Aurora's has NOREPLICATION, and lets members of `rds_replication` replicate; a plain server
    knows the attribute alone.
    """
    return (
        "SUPERUSER CREATEDB CREATEROLE"
        if rights == SUPERUSER
        else "NOSUPERUSER CREATEDB CREATEROLE REPLICATION VALID UNTIL 'infinity'"
    )


def make_groups(server: Server) -> None:
    """Make Aurora's own roles."""
    with server.connect() as connection:
        for group in GROUPS:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group)))


def lend(server: Server) -> None:
    """Let members of `rds_superuser` do what Aurora lets them, in every database and later ones.

    Made anew on a server that pg_upgrade has made: of what lies in `pg_catalog` it carries nothing.
    """
    with server.connect() as connection:
        lent = [role for role, since in _LENT.items() if since <= server.major]
        connection.execute(
            sql.SQL("GRANT {} TO rds_superuser WITH ADMIN OPTION").format(
                sql.SQL(", ").join(map(sql.Identifier, lent))
            )
        )
        if server.major >= ADMINISTERS_SINCE:
            connection.execute(
                sql.SQL(
                    "GRANT {} TO rds_superuser WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
                ).format(sql.Identifier(_GRANTED))
            )
        if server.major >= 15:
            connection.execute("GRANT SET ON PARAMETER session_replication_role TO rds_superuser")
    for connection in everywhere(server):
        connection.execute(_script("aurora.sql"))
        connection.execute(_script("rights.sql"))
        if server.major < ADMINISTERS_SINCE:
            connection.execute(_script("replicating.sql"))
        for watch in _watches(server.major):
            _set_up(connection, watch)


def take_back(server: Server) -> None:
    """Drop the event triggers, as pg_upgrade needs it: it would miss their functions."""
    for connection in everywhere(server):
        for watch in _watches(server.major):
            connection.execute(
                sql.SQL("DROP EVENT TRIGGER IF EXISTS {}").format(sql.Identifier(watch.name))
            )


def everywhere(server: Server) -> Iterator[Connection[Any]]:
    """Yield a session in every database, the templates too: later databases are their copies."""
    for dbname in ("template1", ADMIN, *server.databases()):
        with server.connect(dbname) as connection:
            yield connection
    with _entered(server, "template0"), server.connect("template0") as connection:
        yield connection


@contextmanager
def _entered(server: Server, template: str) -> Iterator[None]:
    """Let sessions into a template that is closed to all."""
    name = sql.Identifier(template)
    with server.connect() as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
        yield
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))


def _set_up(connection: Connection[Any], watch: _Watch) -> None:
    """Make an event trigger anew that fires in every session, whatever role replication plays."""
    parts = {
        "name": sql.Identifier(watch.name),
        "function": sql.Identifier("pg_catalog", watch.name),
        "event": sql.SQL(watch.event),
        "filter": sql.SQL("WHEN TAG IN ({})").format(
            sql.SQL(", ").join(map(sql.Literal, watch.tags))
        )
        if watch.tags
        else sql.SQL(""),
    }
    for statement in (
        "DROP EVENT TRIGGER IF EXISTS {name}",
        "CREATE EVENT TRIGGER {name} ON {event} {filter} EXECUTE FUNCTION {function}()",
        "ALTER EVENT TRIGGER {name} ENABLE ALWAYS",
    ):
        connection.execute(sql.SQL(statement).format(**parts))


def _script(name: str) -> bytes:
    return resources.files("rehearsal").joinpath("sql", name).read_bytes()
