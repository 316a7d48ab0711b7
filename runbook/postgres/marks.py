"""Marks on a frozen cluster, by which it is later seen whether anything has changed.

They are read-only to take, on a primary as on a hot standby, and outlive a promotion. What changes
a cluster leaves a trace in one of them: any transaction that writes takes an id; rows written are
counted; TRUNCATE and rewrites give a table a new file; sequences are read out.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from time import monotonic
from typing import Any, Self

from psycopg import AsyncConnection
from pydantic import TypeAdapter

from runbook.postgres import sequences
from runbook.postgres.catalog import prepared_transactions
from runbook.postgres.cluster_moment import ClusterMoment
from runbook.postgres.fence_sql import LATE, ClientSession, none_ended
from runbook.postgres.gather_all import for_each, of_the_cluster
from runbook.postgres.queries import fetch, fetch_one
from runbook.postgres.reported_counts import await_reported
from runbook.postgres.statement import quoted

_POLL_S = 0.2

Counts = tuple[int, int, int, int]
"""Rows inserted, updated and deleted since the statistics began, and the number of its file."""


@dataclass(frozen=True, slots=True)
class DatabaseMarks:
    """The marks of one database."""

    tables: dict[str, Counts]
    """By quoted name."""
    stats_reset: datetime | None
    sequences: str
    """A digest of every sequence's state."""
    large_objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMarks(ClusterMoment):
    """The marks of a cluster at one time."""

    databases: dict[str, DatabaseMarks]
    unsettled: tuple[str, ...] = ()
    """Sessions, of any role, in these databases that may yet hand in counts of written rows."""
    prepared: tuple[str, ...] = ()
    """Prepared transactions: a clone would carry them, and they can be committed there."""

    def as_json(self) -> Any:
        """Return the marks as plain JSON values, fit for a journal."""
        return _MARKS.dump_python(self, mode="json")

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Return the marks that `as_json` gave."""
        marks: Self = _MARKS.validate_python(data)  # type: ignore[assignment]
        return marks


_MARKS = TypeAdapter(ClusterMarks)


@dataclass(frozen=True, slots=True)
class MarkVerdict:
    """Whether a cluster is as it was. None: it cannot be told, and `changed` says why."""

    same: bool | None
    changed: tuple[str, ...]
    """Database, table and counts of what changed."""
    proof: str
    """What the answer rests on."""
    late: bool = False
    """Whether waiting some seconds may settle it."""


@dataclass(frozen=True, slots=True)
class _Table:
    table: str
    inserted: int
    updated: int
    deleted: int
    file: int


@dataclass(frozen=True, slots=True)
class _Database:
    stats_reset: datetime | None
    large_objects: int


async def take(connections: Mapping[str, AsyncConnection]) -> ClusterMarks:
    """Take the marks through one connection to each database.

    Source: https://www.postgresql.org/docs/current/functions-info.html
    """
    first = of_the_cluster(connections)
    moment = await fetch_one(first, ClusterMoment, "fence_cluster")
    # Before the counts: a session that is gone by then has handed in its own.
    sessions = await fetch(first, ClientSession, "client_sessions", ([], None))
    prepared = await prepared_transactions(first)
    await await_reported(first)
    taken = await for_each(connections, lambda name: _take(connections[name]))
    return ClusterMarks(
        **asdict(moment),
        databases=taken,
        unsettled=tuple(
            str(session)
            for session in sessions
            if session.database in connections and not session.settled
        ),
        prepared=tuple(map(str, prepared)),
    )


async def compare_now(
    before: ClusterMarks, connections: Mapping[str, AsyncConnection], *, patience_s: float = 15.0
) -> MarkVerdict:
    """Return whether the cluster has changed since the marks were taken.

    Where the only doubt are counts that may come late, it looks again until they must be in.
    """
    ends = monotonic() + patience_s
    while True:
        verdict = compare(before, await take(connections))
        if not verdict.late or monotonic() > ends:
            return verdict
        await asyncio.sleep(_POLL_S)


def compare(before: ClusterMarks, after: ClusterMarks) -> MarkVerdict:
    """Return whether the cluster has changed between two takings."""
    if before.system_identifier != after.system_identifier:
        return MarkVerdict(None, ("the marks are of different clusters",), "")
    changed = [*after.prepared, *_other_changes(before, after)]
    if none_ended(before, after):
        return MarkVerdict(
            not changed, tuple(changed), "no transaction has taken an id since; sequences are equal"
        )
    kept = _statistics_kept(before, after)
    if kept:
        changed += _row_changes(before, after)
    if changed:
        return MarkVerdict(False, tuple(changed), "the counts of rows, files and sequences")
    if not kept:
        return MarkVerdict(
            None,
            ("transactions have ended, and the statistics were reset or lost (restart, crash)",),
            "",
        )
    if after.unsettled:
        return MarkVerdict(None, (f"{LATE}: {', '.join(after.unsettled)}",), "", late=True)
    return MarkVerdict(
        True,
        (),
        "no row was written in any table; files, sequences and large objects are equal",
    )


def moved(before: ClusterMarks, after: ClusterMarks) -> list[str]:
    """Return the databases in which something has changed between two takings, or may have.

    Counts that only come late say nothing yet, and do not count.
    """

    def only(marks: ClusterMarks, name: str) -> ClusterMarks:
        return replace(marks, databases={name: marks.databases[name]}, prepared=())

    def may_have(name: str) -> bool:
        verdict = compare(only(before, name), only(after, name))
        return not verdict.same and not verdict.late

    return [name for name, _, _ in _both(before, after) if may_have(name)]


async def _take(connection: AsyncConnection) -> DatabaseMarks:
    found = await fetch_one(connection, _Database, "database_marks")
    tables = await fetch(connection, _Table, "table_counters")
    values = await sequences.read(connection)
    digest = hashlib.sha256()
    for value in values:
        digest.update(f"{value} {value.last_value} {value.is_called}\n".encode())
    return DatabaseMarks(
        tables={
            each.table: (each.inserted, each.updated, each.deleted, each.file) for each in tables
        },
        stats_reset=found.stats_reset,
        sequences=digest.hexdigest(),
        large_objects=found.large_objects,
    )


def _other_changes(before: ClusterMarks, after: ClusterMarks) -> Iterator[str]:
    """Name what has changed outside of the statistics."""
    for name in sorted(before.databases.keys() ^ after.databases.keys()):
        yield f"database {quoted(name)} has {'come' if name in after.databases else 'gone'}"
    # Where a server comes up from its log, sequences stand up to 32 values ahead: no write, and a
    # rollback carries each one over.
    restarted = before.postmaster_started != after.postmaster_started
    for name, old, new in _both(before, after):
        if old.sequences != new.sequences and not restarted:
            yield f"database {quoted(name)}: sequences have moved"
        if old.large_objects != new.large_objects:
            yield (
                f"database {quoted(name)}: {old.large_objects} large objects before, "
                f"{new.large_objects} now"
            )
        for table in sorted(old.tables.keys() ^ new.tables.keys()):
            how = "come" if table in new.tables else "gone"
            yield f"database {quoted(name)}, table {table}: has {how}"
        for table in sorted(old.tables.keys() & new.tables.keys()):
            if old.tables[table][3] != new.tables[table][3]:
                yield f"database {quoted(name)}, table {table}: truncated or rewritten"


def _row_changes(before: ClusterMarks, after: ClusterMarks) -> Iterator[str]:
    for name, old, new in _both(before, after):
        for table in sorted(old.tables.keys() & new.tables.keys()):
            inserted, updated, deleted = (
                now - then
                for then, now in zip(old.tables[table][:3], new.tables[table][:3], strict=True)
            )
            if inserted or updated or deleted:
                yield (
                    f"database {quoted(name)}, table {table}: {inserted} inserted, "
                    f"{updated} updated, {deleted} deleted"
                )


def _statistics_kept(before: ClusterMarks, after: ClusterMarks) -> bool:
    """Return whether the counts of both takings belong to one unbroken count.

    A server that was shut down properly keeps its statistics over a restart, and a crash loses all
    of them at once: counts that were not zero and have not fallen were kept. Those of a table that
    has its file still do not fall by themselves.
    """
    pairs = [(old, new) for _, old, new in _both(before, after)]
    if any(old.stats_reset != new.stats_reset for old, new in pairs):
        return False
    if any(
        now < then
        for old, new in pairs
        for table in old.tables.keys() & new.tables.keys()
        if old.tables[table][3] == new.tables[table][3]
        for then, now in zip(old.tables[table][:3], new.tables[table][:3], strict=True)
    ):
        return False
    if before.postmaster_started == after.postmaster_started:
        return True
    return any(sum(counts[:3]) for old, _ in pairs for counts in old.tables.values())


def _both(
    before: ClusterMarks, after: ClusterMarks
) -> Iterator[tuple[str, DatabaseMarks, DatabaseMarks]]:
    for name in sorted(before.databases.keys() & after.databases.keys()):
        yield name, before.databases[name], after.databases[name]
