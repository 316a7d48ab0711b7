"""The subscribing end: the subscription and its apply worker."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Composed

from runbook.postgres.catalog import Table
from runbook.postgres.queries import fetch, number
from runbook.postgres.statement import MASK, Statement, compose, literal, with_private


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription of this database and its apply worker."""

    name: str
    enabled: bool
    slot_name: str | None
    publications: list[str]
    worker_pid: int | None
    """The apply worker's, or None: it does not run."""
    apply_error_count: int | None
    """Since the statistics were reset; None below 15, which does not count them."""
    copying: int
    """Tables whose rows are still copied: they do not go with the others yet."""

    @property
    def applying(self) -> bool:
        """Whether its apply worker runs."""
        return self.enabled and self.worker_pid is not None


@dataclass(frozen=True, slots=True)
class Worker:
    """How one database's subscription does, as any database of the server can tell."""

    database: str
    enabled: bool
    worker_pid: int | None
    """The apply worker's, or None: it does not run."""
    silent_s: float | None
    """Since it last heard anything of the publisher, by the server's own clock; None: never."""
    apply_error_count: int | None
    """Since the statistics were reset; None below 15, which does not count them."""
    missing_rows: int
    """Updates and deletes that found no row to change; 0 below 18, which does not count them."""


def subscriber_conninfo(
    *,
    host: str,
    port: int,
    dbname: str,
    user: str,
    password: str,
    sslmode: str,
    sslrootcert: str = "",
) -> str:
    """Return the connection string that the subscriber's worker uses. It holds the password.

    `sslrootcert` is a path on the subscriber's machine. From 17 on Aurora refuses plain
    connections by default (`rds.force_ssl`), so `sslmode` is at least `require` there.
    """
    return make_conninfo(
        host=host,
        port=port,
        dbname=dbname,
        user=user,
        password=password,
        sslmode=sslmode,
        sslrootcert=sslrootcert or None,
        connect_timeout=10,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )


def create_subscription(
    name: str,
    conninfo: str,
    publication: str,
    slot_name: str,
    *,
    server_major: int,
    enabled: bool = False,
    copy_data: bool = False,
    run_as_owner: bool = False,
) -> Statement:
    """Return CREATE SUBSCRIPTION onto a slot that exists, copying nothing unless told to.

    `server_major` is the subscriber's. `origin = none` (16) keeps what was itself applied from
    going round.

    `disable_on_error` (15) makes a conflict a clear stop instead of a loop. But a lost connection
    is an error to it too: a restart or failover of the publisher, even an orderly one, disables the
    subscription for good, and the slot fills the publisher's disk. So it is off: a conflict shows
    in `apply_error_count` and in lag, and the worker returns by itself to a publisher that does.

    `run_as_owner` (16) lets apply write as the subscription's owner, not as each table's.
    """
    options: dict[str, str | bool] = {
        "connect": True,
        "enabled": enabled,
        "create_slot": False,
        "copy_data": copy_data,
        "slot_name": slot_name,
    }
    if server_major >= 14:
        options["streaming"] = "on"
    if server_major >= 15:
        options["disable_on_error"] = False
    if server_major >= 16:
        options["origin"] = "none"
        if run_as_owner:
            options["run_as_owner"] = True
    return _with_conninfo(
        compose("CREATE SUBSCRIPTION {name} CONNECTION ", name=name),
        conninfo,
        compose(
            " PUBLICATION {publication} WITH ({options})",
            publication=publication,
            options=SQL(", ").join(
                SQL("{} = {}").format(SQL(key), literal(value)) for key, value in options.items()
            ),
        ),
    )


def unconnected_subscription(name: str) -> Statement:
    """Return CREATE SUBSCRIPTION without a slot that asks no publisher: what a proof makes.

    From 16 on the connection string of whoever is no superuser must have a password.

    Source: https://www.postgresql.org/docs/current/sql-createsubscription.html
    """
    conninfo = make_conninfo(
        host="localhost", user=name, dbname=name, password=secrets.token_urlsafe(32)
    )
    return _with_conninfo(
        compose("CREATE SUBSCRIPTION {name} CONNECTION ", name=name),
        conninfo,
        compose(
            " PUBLICATION {name} WITH (connect = false, slot_name = NONE)",
            name=name,
        ),
    )


def set_subscription_connection(name: str, conninfo: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... CONNECTION."""
    return _with_conninfo(
        compose("ALTER SUBSCRIPTION {name} CONNECTION ", name=name), conninfo, Composed([])
    )


def enable_subscription(name: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... ENABLE."""
    return Statement(compose("ALTER SUBSCRIPTION {name} ENABLE", name=name))


def disable_subscription(name: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... DISABLE."""
    return Statement(compose("ALTER SUBSCRIPTION {name} DISABLE", name=name))


def refresh_publication(name: str, *, copy_data: bool) -> Statement:
    """Return ALTER SUBSCRIPTION ... REFRESH PUBLICATION: tables made since are taken in.

    With `copy_data` their rows so far are copied; without, only later ones arrive.
    """
    return Statement(
        compose(
            "ALTER SUBSCRIPTION {name} REFRESH PUBLICATION WITH (copy_data = {copy})",
            name=name,
            copy=literal(copy_data),
        ),
        transactional=not copy_data,
    )


def detach_slot(name: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... SET (slot_name = NONE); it must be disabled before."""
    return Statement(compose("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)", name=name))


def drop_subscription(name: str) -> tuple[Statement, ...]:
    """Return disable, detach, drop: for one transaction, and none of them asks the publisher.

    The slot stays on the publisher; `drop_slot` removes it there.
    """
    return (
        disable_subscription(name),
        detach_slot(name),
        Statement(compose("DROP SUBSCRIPTION {name}", name=name)),
    )


async def subscription(connection: AsyncConnection, name: str) -> Subscription | None:
    """Return the subscription of this database, or None."""
    found = await fetch(connection, Subscription, "subscription", (name,))
    return found[0] if found else None


async def workers(connection: AsyncConnection, name: str) -> list[Worker]:
    """Return the subscriptions of that name in all databases of the server, by database."""
    return await fetch(connection, Worker, "workers", (name,))


def _with_conninfo(before: Composed, conninfo: str, after: Composed) -> Statement:
    """Return a statement that keeps its connection string, which holds a password, to itself."""
    shown = conninfo
    if password := str(conninfo_to_dict(conninfo).get("password") or ""):
        shown = make_conninfo(conninfo, password=MASK)
    return with_private(before, conninfo, after, shown=shown, secret=password)


async def applying(connection: AsyncConnection) -> int:
    """Return how many apply workers of the server are amid a transaction."""
    return await number(
        connection,
        "SELECT count(*) FROM pg_catalog.pg_stat_activity "
        "WHERE backend_type LIKE 'logical replication %' AND xact_start IS NOT NULL "
        "AND backend_type <> 'logical replication launcher'",
    )


@dataclass(frozen=True, slots=True)
class SubscribedTable(Table):
    """A table that a subscription takes."""

    state: str
    """`i`, `d`, `f` and `s` while it is copied, `r` from when it is ready."""


async def subscribed_tables(connection: AsyncConnection, name: str) -> list[SubscribedTable]:
    """Return the tables that a subscription of this database takes."""
    return await fetch(connection, SubscribedTable, "subscribed_tables", (name,))


async def copy_errors(connection: AsyncConnection, name: str) -> int:
    """Return how often the copy of a table has failed; 0 below 15, which does not count."""
    if connection.info.server_version < 150000:
        return 0
    return await number(
        connection,
        "SELECT coalesce(sum(sync_error_count), 0)::bigint "
        "FROM pg_catalog.pg_stat_subscription_stats WHERE subname = %s",
        (name,),
    )


HEARS_S = 35.0
"""A publisher that has nothing to send says so every 30 s (half of `wal_sender_timeout`): one that
was heard of within this time runs, as far as its subscriber can tell."""
