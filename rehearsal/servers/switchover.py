"""The switchover's primitives, each a small change on blue, green or both.

Up to `detach` everything can be taken back with `resume`; from there it only goes forward.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from psycopg import Connection, sql

from rehearsal.servers import health, replication
from rehearsal.servers.replication import GREEN_STATE, READ_ONLY, Link
from rehearsal.servers.server import ADMIN, Server, ServerError

LAG_LIMIT_BYTES = 64 * 1024 * 1024
"""More lag than this and a switchover is not begun."""

LONG_TRANSACTION_S = 10
"""A write transaction on blue older than this is a long-running one."""

_READ_BATCH = 500
_WRITE_BATCH = 1000
"""Sequences a statement: each holds a lock until the statement ends."""


class _Session(NamedTuple):
    """A client's session; one that writes has a transaction id."""

    pid: int
    writing: bool
    age_s: int | None


def _sessions(connection: Connection[Any]) -> list[_Session]:
    rows = connection.execute(
        "SELECT pid, backend_xid IS NOT NULL, extract(epoch FROM now() - xact_start)::int"
        " FROM pg_stat_activity"
        " WHERE backend_type IN ('client backend', 'walsender') AND usename <> %s",
        [ADMIN],
    )
    return [_Session(*row) for row in rows]


Sequences = dict[tuple[str, str], tuple[int, bool]]
"""`last_value` and `is_called` by schema and name."""


def guardrails(blue: Server, green: Server, link: Link) -> list[str]:
    """Return why a switchover must not begin, one sentence each."""
    state = health.look(blue, green, link)
    reasons = [state.degraded] if state.degraded else []
    for each in state.databases:
        if not each.worker_alive:
            reasons.append(f"Replication of database {each.database} is not running.")
        elif each.lag_bytes is None or each.lag_bytes > LAG_LIMIT_BYTES:
            lag = "unknown" if each.lag_bytes is None else f"{each.lag_bytes} bytes"
            reasons.append(f"The replication lag of database {each.database} is {lag}.")
    others = replication.other_replication(blue)
    reasons += [f"The source takes part in other logical replication: {each}." for each in others]
    with blue.connect() as connection:
        reasons += _busy_on_blue(connection)
    with green.connect() as connection:
        reasons += [
            f"Session {session.pid} is writing on the green cluster."
            for session in _sessions(connection)
            if session.writing
        ]
    return reasons


def _busy_on_blue(connection: Connection[Any]) -> list[str]:
    prepared = connection.execute("SELECT gid FROM pg_prepared_xacts").fetchall()
    long = [
        session
        for session in _sessions(connection)
        if session.writing and (session.age_s or 0) > LONG_TRANSACTION_S
    ]
    ddl = connection.execute(
        "SELECT DISTINCT l.pid FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid"
        " WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted"
        " AND a.backend_type = 'client backend' AND a.usename <> %s",
        [ADMIN],
    ).fetchall()
    return [
        *(f"There is a prepared transaction on the source: {gid}." for (gid,) in prepared),
        *(f"Session {each.pid} has been writing for {each.age_s} s." for each in long),
        *(f"Session {pid} holds a lock as DDL takes it." for (pid,) in ddl),
    ]


def stop_writes(server: Server, limit_s: float) -> None:
    """Let nobody in but `rdsadmin`, and end every session with 57P01.

    The second round is for who was still giving a password when the doors closed: such a session
    starts read-only and ends too. Read-only in the first round would reach live sessions before
    their end does, with another error.
    """
    deadline = time.monotonic() + limit_s
    server.set_doors(open_=False)
    server.reload()
    end_sessions(server, deadline - time.monotonic())
    server.set_state({READ_ONLY: "on"})
    server.reload()
    end_sessions(server, deadline - time.monotonic())


def end_sessions(server: Server, limit_s: float) -> None:
    """End every client's session and wait until all are gone.

    Raises `ServerError` where one does not end.
    """
    deadline = time.monotonic() + limit_s
    with server.connect() as connection:
        while True:
            left = [session.pid for session in _sessions(connection)]
            if not left:
                return
            connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [left])
            if time.monotonic() > deadline:
                raise ServerError(f"Session {left[0]} did not end.")
            time.sleep(0.002)


def drain(blue: Server, link: Link, limit_s: float) -> None:
    """Wait until every slot has confirmed a message written after the last commit.

    Raises `ServerError` after a while.
    """
    deadline = time.monotonic() + limit_s
    with blue.connect() as connection:
        connection.execute("SELECT pg_logical_emit_message(true, 'rds_drain', '')")
        row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        assert row is not None
        behind = link.slots
        while behind:
            confirmed = {
                name
                for (name,) in connection.execute(
                    "SELECT slot_name FROM pg_replication_slots WHERE confirmed_flush_lsn >= %s",
                    [row[0]],
                )
            }
            behind = {dbname: slot for dbname, slot in behind.items() if slot not in confirmed}
            if behind and time.monotonic() > deadline:
                raise ServerError(f"Green did not catch up in database {', '.join(behind)}.")
            if behind:
                time.sleep(0.002)


def sync_sequences(blue: Server, green: Server, link: Link) -> int:
    """Carry every sequence over, prove it by reading them back, and return how many.

    Raises `ServerError` where they differ afterwards.
    """
    count = 0
    for dbname in link.slots:
        with blue.connect(dbname) as source, green.connect(dbname) as target:
            wanted = read_sequences(source)
            _set_sequences(target, wanted)
            if read_sequences(target) != wanted:
                raise ServerError(f"Sequences of database {dbname} differ after they were set.")
            count += len(wanted)
    return count


def read_sequences(connection: Connection[Any]) -> Sequences:
    """Read every lasting sequence of a database."""
    names = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'rds_internal'"
    ).fetchall()
    values: Sequences = {}
    for begin in range(0, len(names), _READ_BATCH):
        batch = names[begin : begin + _READ_BATCH]
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, last_value, is_called FROM {}").format(
                sql.Literal(number), sql.Identifier(*name)
            )
            for number, name in enumerate(batch)
        )
        for number, last_value, is_called in connection.execute(query):
            values[batch[number]] = (last_value, is_called)
    return values


def _set_sequences(connection: Connection[Any], wanted: Sequences) -> None:
    rows = [(*name, *value) for name, value in wanted.items()]
    for begin in range(0, len(rows), _WRITE_BATCH):
        columns = [list(column) for column in zip(*rows[begin : begin + _WRITE_BATCH], strict=True)]
        connection.execute(
            "SELECT count(setval(format('%%I.%%I', s, n)::regclass, v, c)) FROM"
            " unnest(%s::text[], %s::text[], %s::bigint[], %s::bool[]) AS t (s, n, v, c)",
            columns,
        )


def resume(blue: Server, green: Server) -> None:
    """Take `stop_writes` back on the servers that live: blue writable, green read-only."""
    for server, read_only in ((blue, None), (green, GREEN_STATE[READ_ONLY])):
        server.set_doors(open_=True)
        server.set_state({READ_ONLY: read_only})
        if server.alive():
            server.reload()


def open_writes(green: Server) -> None:
    """Open green for clients that write."""
    green.set_doors(open_=True)
    green.set_state(dict.fromkeys(GREEN_STATE))
    green.reload()


def lock(blue: Server) -> None:
    """Make blue a hot standby of nobody, open for reading; the deployment's objects go first.

    A clean stop keeps statistics counters, and a standby reads them when it starts.
    """
    blue.set_doors(open_=False)
    # It may have died since it was drained; nobody gets in, so it comes back as it was then.
    blue.start()
    replication.drop_slots(blue)
    replication.drop_publications(blue)
    blue.stop()
    blue.set_standby()
    blue.set_state({READ_ONLY: None})
    blue.set_doors(open_=True)
    blue.start()


def unlock(blue: Server) -> None:
    """Promote a locked server; a stopped one is writable from its next start on."""
    if blue.alive():
        with blue.connect() as connection:
            connection.execute("SELECT pg_promote(true, 60)")
        replication.await_promotion(blue)
    else:
        (blue.data / "standby.signal").unlink(missing_ok=True)
