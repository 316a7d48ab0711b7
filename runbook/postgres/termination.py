"""Ending sessions, and waiting until they are gone."""

from __future__ import annotations

from datetime import timedelta

from psycopg.sql import Composed

from runbook.postgres.statement import Statement, block, compose, literal

_PATIENCE = timedelta(seconds=5)


def end_sessions(which: Composed) -> Statement:
    """Return what ends sessions and waits until they are gone, five seconds at most.

    `which` is a query whose first column, `pid`, holds their process ids; it is asked again while
    they last. `pg_terminate_backend` waits by itself since 14 only.

    Source: https://www.postgresql.org/docs/current/functions-admin.html
    """
    return Statement(
        block(
            compose(
                """
DECLARE
    ends timestamptz := pg_catalog.clock_timestamp() + {patience};
BEGIN
    PERFORM pg_catalog.pg_terminate_backend(session.pid) FROM ({which}) AS session;
    WHILE EXISTS ({which}) AND pg_catalog.clock_timestamp() < ends LOOP
        PERFORM pg_catalog.pg_sleep(0.01);
        PERFORM pg_catalog.pg_stat_clear_snapshot();
    END LOOP;
END
""",
                which=which,
                patience=literal(_PATIENCE),
            )
        ),
        shown=compose(
            "SELECT pg_catalog.pg_terminate_backend(session.pid) FROM (\n{which}\n) AS session",
            which=which,
        ),
    )
