"""Counts of rows written, as the server has them by now."""

from __future__ import annotations

from time import monotonic

from psycopg import AsyncConnection

from runbook.postgres.queries import one_value, says

SHARED_SINCE = 15
"""From this major on sessions count in shared memory; below it they tell a collector process."""

_INTERVAL_S = 0.5
"""`PGSTAT_STAT_INTERVAL`: what the collector hands out may be so old."""

_PATIENCE_S = 30.0


async def await_reported(connection: AsyncConnection) -> None:
    """Wait until who reads the statistics reads whatever was reported to the server before now.

    Raises `TimeoutError` where the collector does not answer.

    Source: https://www.postgresql.org/docs/14/monitoring-stats.html
    """
    if connection.info.server_version >= SHARED_SINCE * 10000:
        return
    ends = monotonic() + _PATIENCE_S
    asked = await one_value(connection, "SELECT pg_catalog.clock_timestamp()")
    # Each database has a file of its own, whose age no function tells: one that is read so much
    # later is younger than the question.
    await connection.execute("SELECT pg_catalog.pg_sleep(%s)", (_INTERVAL_S,))
    while not await says(
        connection, "SELECT pg_catalog.pg_stat_get_snapshot_timestamp() >= %s", (asked,)
    ):
        if monotonic() > ends:
            raise TimeoutError(
                "the statistics collector of the server does not answer, so nobody can tell which "
                "rows were written"
            )
