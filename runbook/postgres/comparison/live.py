"""Finds the rows that differ between two databases while one of them is written to.

Replication moves rows while they are compared, so a difference that is seen once says nothing. What
differed is looked at again, after the subscriber has confirmed past a position that was taken after
the look at the publisher, until only those rows are left that stand still and differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from time import monotonic

from psycopg import AsyncConnection, errors

from runbook.amounts import counted
from runbook.postgres.catalog import Table
from runbook.postgres.comparison.confirmation import Confirmation, NotConfirmed, Patience
from runbook.postgres.comparison.differences import (
    DifferingKey,
    Kind,
    LiveComparison,
    TableDifference,
)
from runbook.postgres.comparison.fenced import Connect, Progress
from runbook.postgres.comparison.hashing import Salt, row_hash
from runbook.postgres.comparison.look import (
    MOST_BITS,
    NOTHING,
    ROWS_CUT_FINER,
    Buckets,
    Key,
    Row,
    RowRead,
    TableLook,
    bound_queries,
    differing,
    key_columns,
)
from runbook.postgres.comparison.scan import PIECE_BYTES, Scan, cut, digests
from runbook.postgres.comparison.tables import ComparedTable, paired, tables
from runbook.postgres.gather_all import together
from runbook.postgres.queries import fetch
from runbook.postgres.statement import quoted

_BITS = 12
"""A large table is cut into 4,096 buckets: each query answers with as many rows at most."""

_LOOKS_AGAIN = 3
"""Where more rows lie in differing buckets than are cut finer, the buckets are looked at again so
often, until the subscriber has caught up, and at last only some of them."""

_ROWS_AT_ONCE = 50_000
"""Rows of differing buckets that are fetched, key by key; more of them are cut finer first."""

_KEYS_SETTLED = 10_000
"""Rows of one table that are looked at again one by one; a table with more is told in part."""

_APART_S = 1.0
"""Between the two looks that find a row standing still and different. What is committed
asynchronously is seen before it is in the WAL, for three times `wal_writer_delay`: 0.6 s."""

_LOOK_ERRORS = (
    errors.QueryCanceled,
    errors.LockNotAvailable,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InsufficientPrivilege,
)
"""What leaves one table undecided: it is too slow, locked, gone, changed or hidden by a policy."""


async def differing_keys(
    pub_connect: Connect,
    sub_connect: Connect,
    *,
    slot: str,
    wait_s: float = 60.0,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> LiveComparison:
    """Compare one database on two servers, of which the publisher may be written meanwhile.

    `slot` is the publisher's slot that feeds the subscriber. `wait_s` bounds how long rows that
    change at every look are looked at, and, unless a `patience` is shared with other databases, all
    waits in vain for the subscriber. Only reads, one short query at a time on each side.

    A row is told as different if, in two looks at least a second apart, the publisher's did not
    change while the subscriber confirmed past a position taken after reading it, and the
    subscriber's was not the same.
    """
    began = monotonic()
    async with AsyncExitStack() as stack:

        async def opened(connect: Connect) -> AsyncConnection:
            connection = await connect()
            stack.push_async_callback(connection.close)
            await bound_queries(connection)
            return connection

        left, right = await together(opened(pub_connect), opened(sub_connect))
        work = _Live(left, right, slot, wait_s, patience or Patience(wait_s), progress)
        await work.compare()
        return LiveComparison(
            database=left.info.dbname,
            tables=work.compared,
            rows=work.rows,
            different=tuple(sorted(work.different, key=lambda t: (t.schema, t.table))),
            undecided=tuple(sorted(work.undecided)),
            seconds=monotonic() - began,
        )


_Pair = tuple[ComparedTable, ComparedTable]


class _Live:
    """A comparison under way."""

    def __init__(
        self,
        left: AsyncConnection,
        right: AsyncConnection,
        slot: str,
        wait_s: float,
        patience: Patience,
        progress: Progress | None,
    ) -> None:
        self._left = left
        self._right = right
        self._confirmation = Confirmation(left, right, slot, patience, self._tell)
        self._wait_s = wait_s
        self._progress = progress
        self._salt = Salt()
        self._done_bytes = 0
        self._all_bytes = 1
        self.compared = 0
        self.rows = 0
        self.different: list[TableDifference] = []
        self.undecided: list[tuple[str, str, str]] = []

    async def compare(self) -> None:
        """Look at every table once, and again at what differed."""
        ours, theirs = await together(tables(self._left), tables(self._right))
        being_copied = await fetch(self._right, Table, "tables_being_copied")
        copied = {(table.schema, table.name) for table in being_copied}
        found, pairs = paired(ours, theirs), []
        for table, note in found.unlike:
            self._differs(table, note=note)
        for here, there in found.both:
            if (here.schema, here.name) in copied:
                self._cannot_tell(here, "the subscriber is still copying it")
            else:
                pairs.append((here, there))
        self.compared = len(pairs)
        self._all_bytes = sum(here.size_bytes for here, _ in pairs) or 1
        suspects = []
        for piece in cut([here for here, _ in pairs], range(len(pairs))):
            batch = [pairs[place] for place in piece.places]
            if piece.blocks is None:
                suspects += await self._digested(batch)
            elif piece.blocks[0] == 0:
                await self._resolve(batch[0])
        for pair in suspects:
            await self._resolve(pair, again=True)

    async def _digested(self, batch: Sequence[_Pair]) -> list[_Pair]:
        """Return those of some small tables whose hashes differ now."""
        sides: tuple[list[Scan], list[Scan]] = ([], [])
        for pair in batch:
            for table, scans in zip(pair, sides, strict=True):
                scans.append(Scan(table, row_hash(table, pair[0].alike(pair[1]), self._salt)))
        try:
            ours, theirs = await together(
                digests(self._left, sides[0]), digests(self._right, sides[1])
            )
        except _LOOK_ERRORS as error:
            if len(batch) == 1:
                self._cannot_tell(batch[0][0], _first_line(error))
                return []
            return [pair for each in batch for pair in await self._digested([each])]
        self._did(batch, "")
        self.rows += sum(digest.rows for digest in ours)
        return [
            pair for pair, here, there in zip(batch, ours, theirs, strict=True) if here != there
        ]

    async def _resolve(self, pair: _Pair, *, again: bool = False) -> None:
        """Find the rows of one table that differ, and those of them that differ for good."""
        here, there = pair
        try:
            key = await key_columns(self._left, here)
            alike = here.alike(there)
            looks = (
                TableLook(self._left, here, alike, key, self._salt, self._moving(here, again)),
                TableLook(self._right, there, alike, key, self._salt),
            )
            if again:
                await self._confirmation.of_all_flushed()
            rows, complete = await self._candidates(looks, again=again)
            await self._settle(looks, rows, complete=complete)
        except _LOOK_ERRORS as error:
            self._cannot_tell(here, _first_line(error))
        except NotConfirmed as error:
            self._cannot_tell(here, str(error))
        if not again:
            self._did([pair], quoted(here.name))

    async def _candidates(
        self, looks: tuple[TableLook, TableLook], *, again: bool
    ) -> tuple[dict[int, Key], bool]:
        """Return keys of rows that are not the same on both sides now, and whether that is all.

        Buckets that differ are cut finer until their rows are few enough to be fetched. Between two
        cuts the subscriber catches up, so that rows that were on their way fall out.
        """
        left, right = looks
        among = Buckets(0)
        bits = 0 if again and left.table.size_bytes <= PIECE_BYTES else _BITS
        first, looked, complete = not again, 0, True
        while True:
            differ, rows = await differing(left, right, bits, among)
            if first:
                self.rows += rows
                first = False
            if not differ:
                return {}, True
            await self._confirmation.of_all_flushed()
            among = Buckets(bits, frozenset(differ))
            if (rows := sum(differ.values())) <= _ROWS_AT_ONCE:
                break
            if rows <= ROWS_CUT_FINER and bits < MOST_BITS:
                bits += _BITS
            elif looked < _LOOKS_AGAIN:
                looked += 1
            else:
                among, complete = Buckets(bits, frozenset(_first_of(differ))), False
                break
        mine, other = await together(left.rows(among), right.rows(among))
        found = {
            key: (mine.get(key) or other[key]).key
            for key in mine.keys() | other.keys()
            if _seen(mine, key) != _seen(other, key)
        }
        return found, complete

    async def _settle(
        self, looks: tuple[TableLook, TableLook], rows: dict[int, Key], *, complete: bool
    ) -> None:
        """Look at rows again until each is the same, or different and standing still."""
        left, right = looks
        if len(rows) > _KEYS_SETTLED:
            rows, complete = dict(list(rows.items())[:_KEYS_SETTLED]), False
        waiting, once, found = dict(rows), dict[int, float](), dict[int, Kind]()
        ends = monotonic() + self._wait_s
        while waiting and monotonic() < ends:
            looked = monotonic()
            before = await left.look_up(waiting)
            await self._confirmation.of_all_flushed()
            there = await right.look_up(waiting)
            after = await left.look_up(waiting)
            for key in list(waiting):
                first, second, third = (s.get(key, NOTHING) for s in (before, there, after))
                if second in (first, third):
                    del waiting[key]
                elif not first.stood_still(third):
                    once.pop(key, None)
                elif looked - once.setdefault(key, looked) >= _APART_S:
                    del waiting[key]
                    found[key] = _kind(third, second)
            self._tell(
                f"{quoted(left.table.name)}: {counted(len(waiting), 'row is', 'rows are')} "
                "looked at again"
            )
            if waiting:
                await asyncio.sleep(max(0.0, min(_APART_S, looked + _APART_S - monotonic())))
        if waiting:
            self._cannot_tell(
                left.table,
                f"{counted(len(waiting), 'row was', 'rows were')} never seen standing still "
                f"within {self._wait_s:.0f} s",
            )
        elif not complete and not found:
            self._cannot_tell(left.table, "it changes in more places than can be looked at again")
        if found:
            keys = sorted(
                (DifferingKey(rows[key], kind) for key, kind in found.items()),
                key=lambda each: (str(each.values), each.kind),
            )
            self._differs(left.table, look=left, keys=keys, complete=complete and not waiting)

    def _differs(
        self,
        table: ComparedTable,
        *,
        look: TableLook | None = None,
        keys: Sequence[DifferingKey] = (),
        complete: bool = False,
        note: str = "",
    ) -> None:
        self.different.append(
            TableDifference(
                database=self._left.info.dbname,
                schema=table.schema,
                table=table.name,
                key=tuple(look.told_by if look else table.key),
                unique=bool(look and look.key),
                keys=tuple(keys),
                complete=complete,
                note=note,
            )
        )

    def _cannot_tell(self, table: ComparedTable, reason: str) -> None:
        self.undecided.append((table.schema, table.name, reason))

    def _moving(self, table: ComparedTable, again: bool) -> Callable[[float], None]:
        def moved(fraction: float) -> None:
            done = self._done_bytes + (0 if again else int(fraction * table.size_bytes))
            self._tell(f"{quoted(table.name)}", done)

        return moved

    def _did(self, batch: Sequence[_Pair], words: str) -> None:
        self._done_bytes += sum(here.size_bytes for here, _ in batch)
        self._tell(words or f"{counted(len(batch), 'table')}")

    def _tell(self, words: str, done: int | None = None) -> None:
        if self._progress:
            fraction = (self._done_bytes if done is None else done) / self._all_bytes
            self._progress(words, min(fraction, 1.0))


def _seen(rows: dict[int, Row], key: int) -> RowRead:
    row = rows.get(key)
    return row.seen if row else NOTHING


def _kind(here: RowRead, there: RowRead) -> Kind:
    if here.rows == there.rows:
        return Kind.CHANGED
    return Kind.MISSING if here.rows > there.rows else Kind.EXTRA


def _first_of(rows: dict[int, int]) -> Iterator[int]:
    """Return the first buckets that together have few enough rows, one at least."""
    total = 0
    for bucket, count in sorted(rows.items()):
        total += count
        if total > _ROWS_AT_ONCE and total > count:
            return
        yield bucket


def _first_line(error: errors.Error) -> str:
    return str(error).strip().splitlines()[0]
