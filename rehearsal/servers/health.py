"""What can be seen of a deployment's replication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from rehearsal.servers.replication import SUBSCRIPTION, Link, large_objects
from rehearsal.servers.server import Server, ServerError


@dataclass(frozen=True, slots=True)
class DatabaseReplication:
    """One database's slot on blue and its worker on green; None is unknown."""

    database: str
    lag_bytes: int | None
    worker_alive: bool | None
    apply_errors: int | None


@dataclass(frozen=True, slots=True)
class ReplicationState:
    """What was seen of a deployment's replication, and when (aware UTC)."""

    databases: tuple[DatabaseReplication, ...]
    degraded: str | None
    """Why AWS would say "Replication degraded", or None."""
    seen_at: datetime


def look(blue: Server, green: Server, link: Link) -> ReplicationState:
    """Look at both sides; a side that cannot be reached leaves its values None."""
    lags: Mapping[str, int | None] = {}
    workers: Mapping[str, tuple[bool, int]] = {}
    trouble: str | None = None
    try:
        lags = _lags(blue)
        trouble = _degradation(blue, link)
    except (ServerError, psycopg.Error) as error:
        trouble = f"The source cannot be read: {error}"
    try:
        workers = _workers(green)
    except (ServerError, psycopg.Error) as error:
        trouble = trouble or f"The green server cannot be read: {error}"
    databases = tuple(
        DatabaseReplication(
            dbname,
            lags.get(slot),
            workers[dbname][0] if dbname in workers else None,
            workers[dbname][1] if dbname in workers else None,
        )
        for dbname, slot in link.slots.items()
    )
    failing = [each.database for each in databases if each.apply_errors]
    if not trouble and failing:
        trouble = f"Changes cannot be applied in {', '.join(failing)}."
    return ReplicationState(databases, link.degraded or trouble, datetime.now(UTC))


def _lags(blue: Server) -> dict[str, int | None]:
    with blue.connect() as connection:
        rows = connection.execute(
            "SELECT slot_name, CASE WHEN wal_status <> 'lost' THEN"
            " pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint END"
            " FROM pg_replication_slots WHERE slot_type = 'logical'"
        ).fetchall()
    # A worker may confirm what was written after the position was read.
    return {name: None if lag is None else max(lag, 0) for name, lag in rows}


def _workers(green: Server) -> dict[str, tuple[bool, int]]:
    with green.connect() as connection:
        rows = connection.execute(
            "SELECT d.datname, bool_or(w.pid IS NOT NULL), max(e.apply_error_count)"
            " FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid"
            " LEFT JOIN pg_stat_subscription AS w ON w.subid = s.oid"
            " LEFT JOIN pg_stat_subscription_stats AS e ON e.subid = s.oid"
            " WHERE s.subname = %s GROUP BY d.datname",
            [SUBSCRIPTION],
        ).fetchall()
    return {dbname: (alive, errors or 0) for dbname, alive, errors in rows}


def _degradation(blue: Server, link: Link) -> str | None:
    if link.degraded:
        return link.degraded
    for dbname in link.slots:
        with blue.connect(dbname) as connection:
            noted = connection.execute(
                "SELECT tag, object FROM rds_internal.ddl_log ORDER BY at LIMIT 1"
            ).fetchone()
            if noted:
                tag, name = noted
                link.degraded = f"{tag} {name or ''} in database {dbname}".replace("  ", " ")
            elif large_objects(connection) != link.large_objects[dbname]:
                link.degraded = f"A large object was changed in database {dbname}"
        if link.degraded:
            break
    return link.degraded
