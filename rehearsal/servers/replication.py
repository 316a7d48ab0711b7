"""The replication of a deployment: blue's changes, from an exact point on, into green.

How the start is exact, with one slot a database and writers that never pause. Each slot is created
first; its creation waits until every transaction that was running has ended, so a transaction that
commits later is decoded whole. Then a restore point T is written to blue's WAL, and the copy
recovers just past it: it holds the transactions whose commit record lies before T and no others.
Each subscription's origin is set to T, and a walsender that is asked to start at T sends the
transactions whose commit record lies at or after T and no others. So every transaction arrives
once, one that was open at T included: its commit lies after T, and its slot is older than T.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from typing import Any

import psycopg
from psycopg import Connection, sql

from rehearsal.servers.server import Server, ServerError

PUBLICATION = "rds_publication"
SUBSCRIPTION = "rds_subscription"
STANDBY_SLOT = "rds_standby"
RESTORE_POINT = "rds_blue_green"
OURS = r"rds\_%"
"""LIKE pattern of the names of a deployment's own objects."""

READ_ONLY = "default_transaction_read_only"
GREEN_STATE = {
    READ_ONLY: "on",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "500ms",
}
"""Green's settings while it follows blue; apply workers write in spite of the first."""

PROMOTION_S = 60.0
IN_USE_S = 10.0
"""How long a slot may stay in use by readers that are ended."""
SLOT_S = 60
"""How long open write transactions on blue may hold up the creation of a slot."""


class Task(StrEnum):
    """The tasks of a deployment, in their order, in AWS's words."""

    CREATING_READ_REPLICA = "CREATING_READ_REPLICA_OF_SOURCE"
    ENGINE_UPGRADE = "DB_ENGINE_VERSION_UPGRADE"
    CREATE_INSTANCES = "CREATE_DB_INSTANCES_FOR_CLUSTER"
    CREATE_ENDPOINTS = "CREATE_CUSTOM_ENDPOINTS"


LargeObjects = tuple[int, int, int, int]
"""Counts and sums of `xmin` of the two catalogs; any change to a large object changes one."""


@dataclass(slots=True)
class Link:
    """What is remembered of a deployment: its databases and what blue looked like at T."""

    slots: dict[str, str]
    """The slot of each database."""
    large_objects: dict[str, LargeObjects] = field(default_factory=dict)
    degraded: str | None = None
    """Once degraded, a deployment stays so."""


def publish(blue: Server) -> Link:
    """Make the publication and the DDL watch in every database of blue."""
    slots = {}
    for dbname in blue.databases():
        with blue.connect(dbname) as connection:
            connection.execute(
                sql.SQL("CREATE PUBLICATION {} FOR ALL TABLES").format(sql.Identifier(PUBLICATION))
            )
            connection.execute(
                resources.files("rehearsal").joinpath("sql", "watch.sql").read_bytes()
            )
            query = "SELECT oid FROM pg_database WHERE datname = current_database()"
            slots[dbname] = f"rds_{_one(connection, query)}"
    return Link(slots)


def create_slots(blue: Server, link: Link) -> None:
    """Create the logical slots; each waits for the write transactions that are open.

    Raises `ServerError` where one waits for too long.
    """
    for dbname, slot in link.slots.items():
        with blue.connect(dbname) as connection:
            connection.execute(f"SET statement_timeout = '{SLOT_S}s'")
            try:
                connection.execute(
                    "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot]
                )
            except psycopg.errors.QueryCanceled:
                raise ServerError(
                    f"An open transaction kept the slot of database {dbname} from being created."
                ) from None


def copy_to_point(blue: Server, green: Server, link: Link) -> str:
    """Let green's copy of blue recover to T and open; return T.

    `green` holds a base backup of blue, streams from the slot `rds_standby`, and is left running
    with nobody let in. A copy that stopped elsewhere than at T raises `ServerError`.
    """
    with blue.connect() as connection:
        point = _one(connection, f"SELECT pg_create_restore_point('{RESTORE_POINT}')::text")
    green.configure(
        "state",
        {
            "primary_conninfo": blue.address("postgres", passfile=str(blue.ground.passfile)),
            "primary_slot_name": STANDBY_SLOT,
            "recovery_target_name": RESTORE_POINT,
            "recovery_target_action": "promote",
            "max_logical_replication_workers": "0",
        },
    )
    green.set_doors(open_=False)
    green.set_standby()
    green.start()
    await_promotion(green)
    reached = green.value("SELECT pg_last_wal_replay_lsn()::text")
    if reached != point:
        raise ServerError(f"The copy stopped at {reached}, not at {point}.")
    for dbname in link.slots:
        with green.connect(dbname) as copy, blue.connect(dbname) as source:
            link.large_objects[dbname] = large_objects(copy)
            _forget_ddl_before(source, copy)
    return str(point)


def await_promotion(server: Server) -> None:
    """Wait until a server has left recovery.

    Raises `ServerError` after a while.
    """
    deadline = time.monotonic() + PROMOTION_S
    with server.connect() as connection:
        while _one(connection, "SELECT pg_is_in_recovery()"):
            if time.monotonic() > deadline:
                raise ServerError("The copy did not reach the point at which it should open.")
            time.sleep(0.005)


def _forget_ddl_before(source: Connection[Any], copy: Connection[Any]) -> None:
    """Forget noted DDL that the copy holds: a transaction it knows as committed came before T."""
    noted = source.execute("SELECT DISTINCT xact::text FROM rds_internal.ddl_log").fetchall()
    held = [
        xact
        for (xact,) in noted
        if _one(
            copy,
            "SELECT CASE WHEN %(x)s::xid8 < pg_snapshot_xmax(pg_current_snapshot())"
            " THEN pg_xact_status(%(x)s::xid8) = 'committed' ELSE false END",
            {"x": xact},
        )
    ]
    source.execute("DELETE FROM rds_internal.ddl_log WHERE xact::text = ANY(%s)", [held])


def subscribe(blue: Server, green: Server, link: Link, point: str) -> None:
    """Subscribe every database of green to blue, from T on."""
    for dbname, slot in link.slots.items():
        with green.connect(dbname) as connection:
            connection.execute(
                sql.SQL(
                    "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH (slot_name = {},"
                    " create_slot = false, copy_data = false, enabled = false, streaming = off,"
                    " synchronous_commit = 'local')"
                ).format(
                    sql.Identifier(SUBSCRIPTION),
                    sql.Literal(_source(blue, dbname)),
                    sql.Identifier(PUBLICATION),
                    sql.Literal(slot),
                )
            )
            connection.execute(
                "SELECT pg_replication_origin_advance('pg_' || s.oid, %s)"
                " FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid"
                " WHERE d.datname = current_database() AND s.subname = %s",
                [point, SUBSCRIPTION],
            )
            connection.execute(
                sql.SQL("ALTER SUBSCRIPTION {} ENABLE").format(sql.Identifier(SUBSCRIPTION))
            )


def greet(blue: Server, green: Server, link: Link) -> None:
    """Let the subscriptions find blue after it started again, on another port perhaps.

    The connections that it broke count as apply errors; they are forgotten, and real ones recur.
    """
    for dbname in link.slots:
        with green.connect(dbname) as connection:
            connection.execute(
                sql.SQL("ALTER SUBSCRIPTION {} CONNECTION {}").format(
                    sql.Identifier(SUBSCRIPTION), sql.Literal(_source(blue, dbname))
                )
            )
    with green.connect() as connection:
        connection.execute("SELECT pg_stat_reset_subscription_stats(NULL)")


def _source(blue: Server, dbname: str) -> str:
    return blue.address(dbname, passfile=str(blue.ground.passfile))


def other_replication(server: Server) -> list[str]:
    """Name publications, subscriptions and logical slots that no deployment of the lab made."""
    found = []
    with server.connect() as connection:
        slots = "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical'"
        found += [
            f"slot {name}"
            for (name,) in connection.execute(f"{slots} AND slot_name NOT LIKE %s", [OURS])
        ]
        found += [
            f"subscription {name} in {dbname}"
            for name, dbname in connection.execute(
                "SELECT subname, datname FROM pg_subscription AS s"
                " JOIN pg_database AS d ON d.oid = s.subdbid WHERE subname NOT LIKE %s",
                [OURS],
            )
        ]
    for dbname in server.databases():
        with server.connect(dbname) as connection:
            names = "SELECT pubname FROM pg_publication WHERE pubname NOT LIKE %s"
            found += [
                f"publication {name} in {dbname}" for (name,) in connection.execute(names, [OURS])
            ]
    return found


def large_objects(connection: Connection[Any]) -> LargeObjects:
    """Return how many large objects and pages there are, and what moves when one is changed."""
    row = connection.execute(
        "SELECT m.*, p.* FROM"
        " (SELECT count(*), coalesce(sum(xmin::text::bigint), 0)::bigint"
        "  FROM pg_largeobject_metadata) AS m,"
        " (SELECT count(*), coalesce(sum(xmin::text::bigint), 0)::bigint"
        "  FROM pg_largeobject) AS p"
    ).fetchone()
    assert row is not None
    return (row[0], row[1], row[2], row[3])


QUIETLY = "SET session_replication_role = replica"
"""The users' event triggers do not fire on what AWS takes away."""


def subscribed(connection: Connection[Any]) -> list[str]:
    """Return the databases of a green that have the deployment's subscription."""
    query = (
        "SELECT datname FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid"
        " WHERE s.subname = %s"
    )
    return [dbname for (dbname,) in connection.execute(query, [SUBSCRIPTION])]


def drop_subscriptions(green: Server) -> None:
    """Drop the deployment's subscriptions without asking blue, which may be gone."""
    name = sql.Identifier(SUBSCRIPTION)
    with green.connect() as connection:
        databases = subscribed(connection)
    for dbname in databases:
        with green.connect(dbname) as connection:
            connection.execute(QUIETLY)
            connection.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(name))
            connection.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(name))
            connection.execute(sql.SQL("DROP SUBSCRIPTION {}").format(name))


def drop_publications(server: Server) -> None:
    """Drop the deployment's publications and DDL watch from every database."""
    for dbname in server.databases():
        with server.connect(dbname) as connection:
            connection.execute(QUIETLY)
            connection.execute(
                "DROP EVENT TRIGGER IF EXISTS rds_note_command;"
                "DROP EVENT TRIGGER IF EXISTS rds_note_drop;"
                "DROP SCHEMA IF EXISTS rds_internal CASCADE;"
            )
            connection.execute(
                sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(PUBLICATION))
            )


def drop_slots(blue: Server) -> None:
    """Drop the deployment's slots, ending what still reads from them.

    Raises `ServerError` where one stays in use.
    """
    deadline = time.monotonic() + IN_USE_S
    with blue.connect() as connection:
        while True:
            left = connection.execute(
                "SELECT slot_name, active_pid FROM pg_replication_slots WHERE slot_name LIKE %s",
                [OURS],
            ).fetchall()
            for name, pid in left:
                if pid is not None:
                    connection.execute("SELECT pg_terminate_backend(%s)", [pid])
                    continue
                try:
                    connection.execute("SELECT pg_drop_replication_slot(%s)", [name])
                except psycopg.errors.ObjectInUse:
                    # Its reader came back between the two statements; it is ended next time round.
                    continue
            if not left:
                return
            if time.monotonic() > deadline:
                raise ServerError(f"The slot {left[0][0]} stays in use.")
            time.sleep(0.005)


def _one(
    connection: Connection[Any], query: str, parameters: Mapping[str, Any] | None = None
) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def scrub(copy: Server) -> None:
    """Remove from a stopped copy what a deployment put into its source, before anybody gets in."""
    copy.set_doors(open_=False)
    copy.start({"max_logical_replication_workers": "0"})
    drop_subscriptions(copy)
    drop_publications(copy)
    copy.stop()
    copy.set_doors(open_=True)
