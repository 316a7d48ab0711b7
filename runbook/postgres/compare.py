"""Proves that two databases hold the same rows: counts always, contents as far as time allows.

A table's hash is the sum of a 64-bit hash of each row's text. The text is that of a row constructor
(NULL and an empty string differ in it), under settings that every blueprime session shares; the
hash function is the one that hash partitioning relies on, so it is the same in every version.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic

from psycopg import AsyncConnection, errors
from psycopg.sql import SQL, Composed, Identifier, Literal

from runbook.postgres.catalog import PublishedTable, published_tables
from runbook.postgres.together import together

Connect = Callable[[], Awaitable[AsyncConnection]]
Progress = Callable[[str, float], None]
"""Called with what was just done and the fraction of all bytes compared, 0 to 1."""

_BATCH_TABLES = 50
_BATCH_BYTES = 16 * 1024 * 1024
"""Small tables share a query: a round trip each would take longer than their rows."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The number of rows, and an order-independent hash over all of their contents."""

    rows: int
    hash: str | None
    """None: not taken. Of an empty table: an empty text."""


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table on both sides. `rows_*` None: that side has no such table."""

    schema: str
    table: str
    rows_left: int | None
    rows_right: int | None
    hashed: bool
    same: bool | None
    """None: only counts were compared, and they agree."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One database on both sides; left is the publisher."""

    database: str
    tables: tuple[TableResult, ...]
    seconds: float

    @property
    def same(self) -> bool | None:
        """False if any table differs; None if some were compared by count alone."""
        if any(table.same is False for table in self.tables):
            return False
        return True if all(table.same for table in self.tables) else None

    @property
    def different(self) -> list[TableResult]:
        return [table for table in self.tables if table.same is False]

    @property
    def counts_only(self) -> list[TableResult]:
        return [table for table in self.tables if table.same is None]


async def tables(connection: AsyncConnection) -> list[PublishedTable]:
    """Return the tables that replication carries, the smallest first."""
    return await published_tables(connection)


async def counts(connection: AsyncConnection, chosen: Sequence[PublishedTable]) -> list[int]:
    """Return the number of rows of each table, counted."""
    return [digest.rows for digest in await _digests(connection, chosen, with_hash=False)]


async def hash_table(connection: AsyncConnection, table: PublishedTable) -> Digest:
    """Return a table's digest, computed by the server in one scan."""
    (digest,) = await _digests(connection, [table], with_hash=True)
    return digest


async def compare_databases(
    pub_connect: Connect,
    sub_connect: Connect,
    *,
    budget_s: float,
    parallel: int = 4,
    progress: Progress | None = None,
) -> Comparison:
    """Compare one database on two servers, neither of which may be written meanwhile.

    Up to `parallel` connections are opened to each side. Hashes are taken within `budget_s`
    seconds, of the smallest tables first; then the rest is counted, however long that takes.
    """
    began = monotonic()
    async with AsyncExitStack() as stack:

        async def opened(connect: Connect) -> AsyncConnection:
            connection = await connect()
            stack.push_async_callback(connection.close)
            return connection

        async def open_pair() -> _Pair:
            left, right = await together(opened(pub_connect), opened(sub_connect))
            return left, right

        pairs = [await open_pair()]
        ours, theirs = await together(*map(tables, pairs[0]))
        work = _Work(ours, theirs, progress)
        more = min(parallel, work.batches) - 1
        pairs += await together(*(open_pair() for _ in range(more)))
        await together(*(work.hash_until(pair, began + budget_s) for pair in pairs))
        await together(*(work.count(pair) for pair in pairs))
        return Comparison(pairs[0][0].info.dbname, work.results(), monotonic() - began)


_Pair = tuple[AsyncConnection, AsyncConnection]


class _Work:
    """The tables of a comparison that are still to be done, and those that are."""

    def __init__(
        self,
        left: Sequence[PublishedTable],
        right: Sequence[PublishedTable],
        progress: Progress | None,
    ) -> None:
        self._progress = progress
        self._done: dict[str, TableResult] = {}
        others = {str(table): table for table in right}
        todo = []
        for table in left:
            other = others.pop(str(table), None)
            if other is None:
                self._keep(table, None, None, same=False, note="the subscriber has no such table")
            elif sorted(other.columns) != sorted(table.columns):
                self._keep(table, None, None, same=False, note="the columns differ")
            else:
                todo.append(table)
        for table in others.values():
            self._keep(table, None, None, same=False, note="the publisher has no such table")
        self._all_bytes = sum(table.size_bytes for table in todo) or 1
        self._done_bytes = 0
        self._batches = deque(_batched(todo))

    @property
    def batches(self) -> int:
        """The number of queries that are left, on each side."""
        return len(self._batches)

    async def hash_until(self, pair: _Pair, ends: float) -> None:
        """Hash batch after batch on both sides until none is left or the time is over."""
        while self._batches and (left_s := ends - monotonic()) > 0:
            batch = self._batches.popleft()
            try:
                left, right = await _on_both(pair, batch, with_hash=True, limit_s=left_s)
            except errors.QueryCanceled:
                self._batches.append(batch)
                return
            for table, here, there in zip(batch, left, right, strict=True):
                self._keep(table, here, there, same=here == there)
            self._said(batch, "hashed")

    async def count(self, pair: _Pair) -> None:
        """Count the rows of what is left, on both sides, without a limit."""
        while self._batches:
            batch = self._batches.popleft()
            left, right = await _on_both(pair, batch, with_hash=False, limit_s=0)
            for table, here, there in zip(batch, left, right, strict=True):
                same = None if here.rows == there.rows else False
                self._keep(table, here, there, same=same, note="counts only")
            self._said(batch, "counted")

    def results(self) -> tuple[TableResult, ...]:
        """Return all results by schema and table."""
        return tuple(sorted(self._done.values(), key=lambda r: (r.schema, r.table)))

    def _keep(
        self,
        table: PublishedTable,
        left: Digest | None,
        right: Digest | None,
        *,
        same: bool | None,
        note: str = "",
    ) -> None:
        self._done[str(table)] = TableResult(
            schema=table.schema,
            table=table.name,
            rows_left=left.rows if left else None,
            rows_right=right.rows if right else None,
            hashed=left is not None and left.hash is not None,
            same=same,
            note=note,
        )

    def _said(self, batch: Sequence[PublishedTable], how: str) -> None:
        self._done_bytes += sum(table.size_bytes for table in batch)
        if self._progress:
            words = str(batch[0]) if len(batch) == 1 else f"{len(batch)} tables"
            self._progress(f"{words} {how}", self._done_bytes / self._all_bytes)


def _batched(ordered: Sequence[PublishedTable]) -> list[list[PublishedTable]]:
    """Cut tables, the smallest first, into batches of bounded number and size."""
    found: list[list[PublishedTable]] = []
    room = 0
    for table in ordered:
        if not found or len(found[-1]) >= _BATCH_TABLES or table.size_bytes > room:
            found.append([])
            room = _BATCH_BYTES
        found[-1].append(table)
        room -= table.size_bytes
    return found


async def _on_both(
    pair: _Pair, batch: Sequence[PublishedTable], *, with_hash: bool, limit_s: float
) -> tuple[list[Digest], list[Digest]]:
    limit = str(max(int(limit_s * 1000), 1)) if limit_s else "0"

    async def one(connection: AsyncConnection) -> list[Digest]:
        await connection.execute("SELECT set_config('statement_timeout', %s, false)", (limit,))
        return await _digests(connection, batch, with_hash=with_hash)

    left, right = await together(*map(one, pair))
    return left, right


async def _digests(
    connection: AsyncConnection, chosen: Sequence[PublishedTable], *, with_hash: bool
) -> list[Digest]:
    if not chosen:
        return []
    query = SQL("\nUNION ALL ").join(
        SQL("SELECT {}, count(*), {} FROM ONLY {}").format(
            Literal(place),
            _hash(table) if with_hash else SQL("NULL"),
            Identifier(table.schema, table.name),
        )
        for place, table in enumerate(chosen)
    )
    cursor = await connection.execute(query)
    digests = {place: Digest(rows, digest) for place, rows, digest in await cursor.fetchall()}
    return [digests[place] for place in range(len(chosen))]


def _hash(table: PublishedTable) -> Composed:
    # Sorted by name, as the order of columns may differ between the sides.
    columns = SQL(", ").join(Identifier(column) for column in sorted(table.columns))
    return SQL(
        """coalesce(sum(hashtextextended(ROW({})::text COLLATE "C", 0))::text, '')"""
    ).format(columns)
