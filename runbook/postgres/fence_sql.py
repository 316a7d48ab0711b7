"""The fence: the state in which no application can write. It is proved, never assumed.

The proof is a window between two samples of a whole cluster. It rests on facts that no session can
dodge: a transaction that changes anything takes an id, so that where no id has ended none did; and
a session hands in its counts of written rows before it leaves `pg_stat_activity` (from 15 on), so
that where no session is, unmoved counters mean that no row was written.

`nextval` alone is no write here: it may take no id, changes no row, and a rollback carries every
sequence over. Marks (`marks.py`) see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from time import monotonic

from psycopg import AsyncConnection
from psycopg.sql import SQL

from runbook.amounts import counted
from runbook.postgres.catalog import INTERNAL_ROLES, PreparedTransaction, prepared_transactions
from runbook.postgres.cluster_moment import ClusterMoment
from runbook.postgres.gather_all import for_each, of_the_cluster
from runbook.postgres.queries import fetch, fetch_one, load
from runbook.postgres.reported_counts import await_reported
from runbook.postgres.statement import Statement, block, compose, literal, quoted
from state.masking import masked

LATE = "transactions have ended, and sessions are open whose counts may come ten seconds late"

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class ClientSession:
    """A session of a role that is neither the server's nor AWS's own, nor blueprime's."""

    pid: int
    role: str
    database: str
    application: str
    client: str
    state: str | None
    age_s: float
    settled: bool = False
    """Whether its counts of written rows are surely in."""

    def __str__(self) -> str:
        application = f", {self.application}" if self.application else ""
        return (
            f"session {self.pid} of {quoted(self.role)} in {quoted(self.database)} "
            f"(from {self.client}{application}, {self.state or 'state not shown'})"
        )


@dataclass(frozen=True, slots=True)
class Writer:
    """A backend whose transaction has an id: it has written, or is about to."""

    pid: int
    role: str | None
    database: str | None
    backend_type: str
    application: str
    age_s: float
    query: str

    def __str__(self) -> str:
        return (
            f"open write transaction of {self.role or self.backend_type} (pid {self.pid}) in "
            f"{self.database}: {' '.join(masked(self.query).split())[:80]}"
        )


@dataclass(frozen=True, slots=True)
class ApplyWorker:
    """A background worker that applies another server's changes."""

    pid: int
    role: str
    database: str
    backend_type: str

    def __str__(self) -> str:
        return f"{self.backend_type} {self.pid} of {quoted(self.role)} in {quoted(self.database)}"


@dataclass(frozen=True, slots=True)
class WriteCounters:
    """Statistics of one database: rows inserted, updated and deleted since `stats_reset`."""

    database: str
    user_tables: int
    """Unlogged tables among them."""
    catalogs: int
    """In system catalogs; see `write_counters.sql`."""
    stats_reset: datetime | None
    large_objects: int = 0
    files: str = ""
    """A digest of which tables there are and of their files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceSample(ClusterMoment):
    """What one look at a whole cluster saw."""

    sessions: tuple[ClientSession, ...]
    writers: tuple[Writer, ...]
    prepared: tuple[PreparedTransaction, ...]
    counters: dict[str, WriteCounters]
    """One for each database."""
    workers: tuple[ApplyWorker, ...] = ()


@dataclass(frozen=True, slots=True)
class FenceVerdict:
    """Whether two samples prove that nothing wrote between them. None: it cannot be told."""

    proved: bool | None
    reasons: tuple[str, ...]
    """Why it is not proved; empty when it is."""
    notes: tuple[str, ...] = ()
    """What was seen and does not count against it, e.g. sessions of other roles."""
    settles: bool = False
    """Whether all that is open are counts that come some seconds late: a later look may tell."""
    reset: bool = False
    """Whether the counters began anew in between, so that they tell nothing."""


@dataclass(frozen=True, slots=True)
class Writable:
    """What new sessions of a database start with."""

    database: str
    database_setting: str | None
    """What ALTER DATABASE ... SET default_transaction_read_only says, or None."""
    in_recovery: bool
    writing_roles: list[str]
    """Roles that may log in and whose own setting turns it off, in this database or in all."""


async def sample(connections: Mapping[str, AsyncConnection]) -> FenceSample:
    """Look at a cluster through one connection to each of its databases.

    The transaction id comes first, then the sessions, the counters last: what ended before the id
    was read is gone from the sessions or still there, and if it is gone, its counts are in. The
    window between two samples is from the end of the first to the beginning of the second.

    Source: https://www.postgresql.org/docs/current/monitoring-stats.html
    """
    first = of_the_cluster(connections)
    internal = list(INTERNAL_ROLES)
    moment = await fetch_one(first, ClusterMoment, "fence_cluster")
    sessions = await fetch(first, ClientSession, "client_sessions", (internal, None))
    writers = await fetch(first, Writer, "writers", (internal,))
    workers = await fetch(first, ApplyWorker, "apply_workers")
    prepared = await prepared_transactions(first)
    await await_reported(first)
    counters = await for_each(
        connections, lambda name: fetch_one(connections[name], WriteCounters, "write_counters")
    )
    return FenceSample(
        **asdict(moment),
        sessions=tuple(sessions),
        writers=tuple(writers),
        prepared=tuple(prepared),
        counters={name: replace(each, database=name) for name, each in counters.items()},
        workers=tuple(workers),
    )


def compare_samples(
    before: FenceSample,
    after: FenceSample,
    *,
    application_roles: Collection[str] | None = None,
    own_changes: bool = False,
) -> FenceVerdict:
    """Return whether the two samples prove that no application wrote between them.

    `application_roles`: whose sessions count; None: those of every role that is not internal.
    `own_changes`: catalogs were written in between by whom they may be (blueprime's capture, AWS's
    switchover); rows, files of tables and large objects must stand still all the same.
    """
    if before.system_identifier != after.system_identifier:
        return FenceVerdict(None, ("the two looks were at different clusters",))
    against, bystanders = named(before, after, application_roles=application_roles)
    unclear: list[str] = []
    late: list[str] = []
    notes = [str(session) for session in bystanders]
    if none_ended(before, after):
        notes.append("no transaction with an id has ended in between")
    else:
        moved, doubtful, said = _counters_moved(before, after, own_changes=own_changes)
        against += moved
        against += [f"perhaps by {worker}" for worker in after.workers if moved]
        unclear += doubtful
        notes += said
        late = [str(s) for s in bystanders if not s.settled] + [str(w) for w in after.workers]
        late = [] if moved else late
    settles = bool(late) and not against and not unclear
    if late:
        unclear.append(f"{LATE}: {', '.join(late)}")
    proved = False if against else None if unclear else True
    reset = not none_ended(before, after) and not _statistics_kept(before, after)
    return FenceVerdict(proved, (*against, *unclear), tuple(notes), settles, reset)


def named(
    before: FenceSample, after: FenceSample, *, application_roles: Collection[str] | None = None
) -> tuple[list[str], list[ClientSession]]:
    """Return who may write, named by pid, role and database, and the sessions of other roles."""
    sessions = {s.pid: s for s in (*before.sessions, *after.sessions)}.values()
    prepared = {p.gid: p for p in (*before.prepared, *after.prepared)}.values()

    def counts(session: ClientSession) -> bool:
        return application_roles is None or session.role in application_roles

    against = [str(session) for session in sessions if counts(session)]
    against += {w.pid: str(w) for w in (*before.writers, *after.writers)}.values()
    against += map(str, prepared)
    return against, [session for session in sessions if not counts(session)]


def none_ended(before: ClusterMoment, after: ClusterMoment) -> bool:
    """Return whether no transaction with an id has ended between two looks at one cluster."""
    return before.next_xid == after.next_xid and tuple(before.running) == tuple(after.running)


async def client_sessions(
    connection: AsyncConnection, roles: Collection[str] | None = None
) -> list[ClientSession]:
    """Return the client sessions of the roles (None: of all but internal ones), the oldest first.

    Never blueprime's own, walsenders or apply workers.
    """
    names = None if roles is None else list(roles)
    return await fetch(connection, ClientSession, "client_sessions", (list(INTERNAL_ROLES), names))


async def open_writers(connection: AsyncConnection) -> list[Writer]:
    """Return the open write transactions of the server, but blueprime's own and workers'."""
    return await fetch(connection, Writer, "writers", (list(INTERNAL_ROLES),))


async def writable_databases(
    connection: AsyncConnection, databases: Collection[str]
) -> list[Writable]:
    """Return what new sessions of these databases start with, for all in one query."""
    params = {"databases": list(databases), "internal": list(INTERNAL_ROLES)}
    return await fetch(connection, Writable, "writable_databases", params)


def lock_roles(roles: Iterable[str]) -> tuple[Statement, ...]:
    """Return ALTER ROLE ... NOLOGIN for each; sessions that are open stay open."""
    return tuple(Statement(compose("ALTER ROLE {role} NOLOGIN", role=role)) for role in roles)


def unlock_roles(roles: Iterable[str]) -> tuple[Statement, ...]:
    """Return ALTER ROLE ... LOGIN for each."""
    return tuple(Statement(compose("ALTER ROLE {role} LOGIN", role=role)) for role in roles)


def terminate_statement(roles: Collection[str] | None = None) -> Statement:
    """Return what `terminate_sessions` runs; its rows are the sessions that were told to end."""
    # OFFSET is a fence: no session is told to end before it is known to be one of these.
    query = SQL(
        "SELECT session.*\nFROM (\n{sessions}\nOFFSET 0\n) AS session\n"
        "WHERE pg_catalog.pg_terminate_backend(session.pid)"
    ).format(sessions=SQL(load("client_sessions", 0)))
    return Statement(query, (list(INTERNAL_ROLES), None if roles is None else list(roles)))


async def terminate_sessions(
    connection: AsyncConnection, roles: Collection[str] | None = None, *, wait_s: float = 5.0
) -> list[ClientSession]:
    """End the client sessions of the roles (None: of all but internal ones); return the ended.

    Never blueprime's own, internal ones, walsenders or apply workers. Waits until they are gone,
    and with them their counts are handed in; one that is not gone after `wait_s` is not returned.
    """
    cursor = await terminate_statement(roles).execute(connection)
    told = [ClientSession(*row) for row in await cursor.fetchall()]
    left = {session.pid for session in told}
    ends = monotonic() + wait_s
    while left:
        cursor = await connection.execute(
            "SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid = ANY (%s)", (list(left),)
        )
        left = {pid for (pid,) in await cursor.fetchall()}
        if not left or monotonic() > ends:
            break
        await asyncio.sleep(_POLL_S)
    return [session for session in told if session.pid not in left]


def set_database_read_only(database: str, on: bool) -> Statement:
    """Return ALTER DATABASE ... SET or RESET default_transaction_read_only.

    It holds for sessions that open from now on, and any of them may override it. It is for the
    database's owner: for a user that may SET ROLE to him and does not inherit, it is done as him.

    Source: https://www.postgresql.org/docs/current/runtime-config-client.html
    """
    how = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
    plain = compose("ALTER DATABASE {database} {how}", database=database, how=SQL(how))
    body = compose(
        """
DECLARE
    owner oid := (SELECT datdba FROM pg_catalog.pg_database WHERE datname = {literal});
    becoming text := CASE
        WHEN pg_catalog.current_setting('server_version_num')::int < 160000 THEN 'MEMBER'
        ELSE 'SET'
    END;
BEGIN
    IF NOT pg_catalog.pg_has_role(owner, 'USAGE') AND pg_catalog.pg_has_role(owner, becoming) THEN
        EXECUTE pg_catalog.format('SET LOCAL ROLE %I', pg_catalog.pg_get_userbyid(owner));
    END IF;
    {plain};
    RESET ROLE;
END
""",
        literal=literal(database),
        plain=plain,
    )
    return Statement(block(body), shown=plain)


def _counters_moved(
    before: FenceSample, after: FenceSample, *, own_changes: bool
) -> tuple[list[str], list[str], list[str]]:
    """Return what speaks against the fence, what leaves it open, and what is worth saying."""
    moved: list[str] = []
    unclear: list[str] = []
    notes: list[str] = []
    if before.counters.keys() != after.counters.keys():
        changed = ", ".join(sorted(map(quoted, before.counters.keys() ^ after.counters.keys())))
        moved.append(f"databases have come or gone: {changed}")
    if not _statistics_kept(before, after):
        unclear.append(f"the statistics were reset or lost in between ({_how(before, after)})")
        return moved, unclear, notes
    for name in sorted(before.counters.keys() & after.counters.keys()):
        then, now = before.counters[name], after.counters[name]
        if rows := now.user_tables - then.user_tables:
            moved.append(
                f"{counted(abs(rows), 'row was', 'rows were')} written in database {quoted(name)}"
            )
        if now.files != then.files:
            moved.append(
                f"tables of database {quoted(name)} were truncated, rewritten, made or dropped"
            )
        if now.large_objects != then.large_objects:
            moved.append(f"large objects of database {quoted(name)} were written")
        if now.catalogs != then.catalogs:
            words = f"the schema of database {quoted(name)} was changed"
            (notes if own_changes else moved).append(words)
    used = counted(after.next_xid - before.next_xid, "transaction id was", "transaction ids were")
    notes.append(f"{used} used, no row written")
    return moved, unclear, notes


def _how(before: FenceSample, after: FenceSample) -> str:
    """Return by what it is seen that counters began anew."""
    if any(
        before.counters[name].stats_reset != after.counters[name].stats_reset
        for name in before.counters.keys() & after.counters.keys()
    ):
        return "stats_reset has another time"
    if before.postmaster_started != after.postmaster_started:
        return "the server has started again"
    return "counts are lower than before"


def _statistics_kept(before: FenceSample, after: FenceSample) -> bool:
    """Return whether counters of both samples belong to one unbroken count.

    A restart keeps the statistics of a server that was shut down properly, and a crash loses all of
    them at once: so a counter that has not fallen below an earlier one that was not zero was kept.
    One that has fallen while no table has come or gone was not, whatever the server says.
    """
    pairs = [
        (before.counters[name], after.counters[name])
        for name in before.counters.keys() & after.counters.keys()
    ]
    if any(old.stats_reset != new.stats_reset for old, new in pairs):
        return False
    if any(new.user_tables < old.user_tables and new.files == old.files for old, new in pairs):
        return False
    if before.postmaster_started == after.postmaster_started:
        return True
    total = sum(old.user_tables + old.catalogs for old, _ in pairs)
    return total > 0 and all(
        new.user_tables >= old.user_tables and new.catalogs >= old.catalogs for old, new in pairs
    )
