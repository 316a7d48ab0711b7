"""What CloudWatch shows of a server, read from it and from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rehearsal.servers.server import ADMIN, Server

_QUERY = """
    WITH written AS (
        SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
               ELSE pg_current_wal_lsn() END AS lsn
    ), sessions AS (
        SELECT state FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND usename <> %s
    )
    SELECT
        (SELECT count(*) FROM sessions),
        (SELECT count(*) FROM sessions WHERE state = 'active'),
        (SELECT coalesce(max(pg_wal_lsn_diff(lsn, coalesce(confirmed_flush_lsn, restart_lsn))), -1)
         FROM written, pg_replication_slots),
        (SELECT max(age(datfrozenxid)) FROM pg_database),
        (SELECT sum(pg_database_size(oid)) FROM pg_database),
        current_setting('wal_level') = 'logical'
"""


def read(server: Server) -> Mapping[str, float]:
    """Return metric -> value, under CloudWatch's names and in its units.

    Bytes, counts and transactions; -1 where there is nothing to measure, as on AWS: no slot, or no
    logical replication. Source:
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html

    Raises `ServerError` or `psycopg.Error` where the server does not answer.
    """
    with server.connect() as connection:
        row = connection.execute(_QUERY, [ADMIN]).fetchone()
    assert row is not None
    sessions, active, lag, age, size, logical = row
    return {
        "DatabaseConnections": sessions,
        "DBLoad": active,
        "OldestReplicationSlotLag": float(lag),
        "ReplicationSlotDiskUsage": _size(server.data / "pg_replslot") if logical else -1,
        "TransactionLogsDiskUsage": _size(server.data / "pg_wal") if logical else -1,
        "MaximumUsedTransactionIDs": age,
        "VolumeBytesUsed": float(size),
    }


def _size(folder: Path) -> float:
    """Return the size of a folder's files; those that go meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
