"""Proves that two databases hold the same rows: counts always, contents as far as time allows.

A table's hash is the sum of its rows' hashes (`hashing`). Large tables are cut into ranges of
blocks, so that several connections work at one table. Each side is cut by its own blocks: after
replication the same rows lie elsewhere, and only the sums over whole tables are compared.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Literal

from runbook.amounts import counted
from runbook.postgres.comparison.hashing import Salt, row_hash
from runbook.postgres.comparison.scan import PIECE_BYTES, Scan, Side
from runbook.postgres.comparison.tables import ComparedTable, paired, tables
from runbook.postgres.gather_all import together
from runbook.postgres.statement import quoted

Connect = Callable[[], Awaitable[AsyncConnection]]
Progress = Callable[[str, float], None]
"""Called with what is done so far and the fraction of all bytes compared, 0 to 1."""

RISK = 0.01
"""The probability of missing a difference for which a sample's strength is stated."""

_DRAWS = 1 << 30
_TELL_EVERY_S = 1.0
_OLD_S = 3.0
"""From this age on, a progress says when something was last done."""


class How(StrEnum):
    """How far a table was compared."""

    HASHED = "hashed"
    SAMPLED = "sampled"
    COUNTED = "counted"
    ABSENT = "absent"
    """One side does not have it, or has it with other columns."""
    UNREAD = "unread"
    """Blueprime's user may not see every row of it, on one side at least."""


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table on both sides. `rows_*` None: that side has no such table."""

    schema: str
    table: str
    rows_left: int | None
    rows_right: int | None
    how: How
    same: bool | None
    """None: nothing differs in what was looked at, which was not every row."""
    note: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Return schema and table."""
        return self.schema, self.table


@dataclass(frozen=True, slots=True)
class Comparison:
    """One database on both sides; left is the publisher."""

    database: str
    tables: tuple[TableResult, ...]
    seconds: float
    share: float = 1.0
    """Of the rows of sampled tables, how many were hashed."""

    @property
    def same(self) -> bool | None:
        """False if any table differs; None if not every row of every table was hashed."""
        if any(table.same is False for table in self.tables):
            return False
        return True if all(table.same for table in self.tables) else None

    @property
    def different(self) -> list[TableResult]:
        """Return the tables whose rows differ."""
        return [table for table in self.tables if table.same is False]

    @property
    def unproved(self) -> list[TableResult]:
        """Tables in which no difference was seen, and of which not every row was looked at."""
        return [table for table in self.tables if table.same is None]

    def words(self) -> str:
        """Say how far what does not differ was compared; only hashed rows are called equal."""
        parts = []
        for how, verb in (
            (How.HASHED, "equal in every row"),
            (How.SAMPLED, f"without a difference in a sample of {chance(self.share)}"),
            (How.COUNTED, "with the same number of rows, their contents not looked at"),
        ):
            found = [t for t in self.tables if t.how is how and t.same is not False]
            if found:
                rows = sum(table.rows_left or 0 for table in found)
                parts.append(f"{counted(len(found), 'table')} of {counted(rows, 'row')} {verb}")
        for table in self.tables:
            if table.how is How.UNREAD:
                name = f"{quoted(table.schema)}.{quoted(table.table)}"
                parts.append(f"{name} not compared: {table.note}")
        return "; ".join(parts) or "no tables"


def chance(share: float) -> str:
    """Say what a sample of that share of the rows may miss: rows are drawn one by one, by key."""
    return (
        f"{share:.3%} of the rows (a difference in {counted(least_seen(share), 'row')} or more is "
        f"missed with a probability of at most {RISK:.0%})"
    )


def least_seen(share: float) -> int:
    """Return in how many rows a difference must be, to be missed with at most `RISK`.

    Each row that differs is in the sample with the probability `share`, whatever the others are.
    """
    return 1 if share >= 1 else math.ceil(math.log(RISK) / math.log1p(-share))


async def prepare(connection: AsyncConnection) -> None:
    """Set what a session that hashes rows needs.

    A row policy must be an error and not a gap; compiling expressions takes longer than it saves.
    """
    await connection.execute("SET row_security = off; SET jit = off")


async def compare_databases(
    pub_connect: Connect,
    sub_connect: Connect,
    *,
    budget_s: float,
    share: float = 1.0,
    first: Collection[tuple[str, str]] = (),
    only: Collection[tuple[str, str]] | None = None,
    parallel: int = 4,
    progress: Progress | None = None,
) -> Comparison:
    """Compare one database on two servers, neither of which may be written meanwhile.

    Up to `parallel` connections are opened to each side. Hashes are taken within `budget_s`
    seconds, of the smallest tables first; then the rest is counted, however long that takes.

    With a `share` below 1, of large tables that have a key only that share of the rows is hashed:
    those whose key has a hash below a threshold. So both sides take the same rows, wherever they
    lie, and each call takes others. The tables of `first`, as (schema, name), are hashed before all
    others, every row, however long that takes. `only`: no other tables than these.
    """
    began = monotonic()
    async with AsyncExitStack() as stack:

        async def opened(connect: Connect) -> AsyncConnection:
            connection = await connect()
            stack.push_async_callback(connection.close)
            await prepare(connection)
            return connection

        opening = await together(opened(pub_connect), opened(sub_connect))
        found = await together(*map(tables, opening))
        if only is not None:
            found = [[t for t in each if (t.schema, t.name) in only] for each in found]
        work = _Work(*found, share=share, first=first)
        hands = list(zip(work.sides, opening, strict=True))
        for side, connect in zip(work.sides, (pub_connect, sub_connect), strict=True):
            more = min(parallel, len(side.pieces)) - 1
            hands += [(side, c) for c in await together(*(opened(connect) for _ in range(more)))]
        async with _telling(work, progress):
            ends = began + budget_s
            await together(*(side.hash_until(connection, ends) for side, connection in hands))
            for side in work.sides:
                side.leave_to_count()
            await together(*(side.count(connection) for side, connection in hands))
        return Comparison(opening[0].info.dbname, work.results(), monotonic() - began, share)


class _Work:
    """The tables of both sides, and those that cannot be compared."""

    def __init__(
        self,
        left: Sequence[ComparedTable],
        right: Sequence[ComparedTable],
        *,
        share: float,
        first: Collection[tuple[str, str]],
    ) -> None:
        pairs = paired(left, right)
        self._absent = [_absent(table, note) for table, note in pairs.unlike]
        read = []
        for here, there in pairs.both:
            if unread := here.unread or there.unread:
                self._absent.append(_unread(here, unread))
            else:
                read.append((here, there))
        self._sampled: list[bool] = []
        rows, draws = Salt(), Salt()
        scans: tuple[list[Scan], list[Scan]] = ([], [])
        urgent = set()
        for place, (here, there) in enumerate(read):
            alike = here.alike(there)
            large = max(here.size_bytes, there.size_bytes) > PIECE_BYTES
            sampled = share < 1 and large and bool(here.key)
            if (here.schema, here.name) in first:
                urgent.add(place)
                sampled = False
            self._sampled.append(sampled)
            for table, found in zip((here, there), scans, strict=True):
                drawn = None
                if sampled:
                    drawn = _drawn(row_hash(table, alike, draws, columns=here.key), share)
                found.append(Scan(table, row_hash(table, alike, rows), drawn))
        self.sides = (Side(scans[0], urgent), Side(scans[1], urgent))
        self.began = monotonic()

    def told(self) -> tuple[str, float]:
        """Return in words and as a fraction how far it is, with the age of what was last done."""
        done = sum(side.done_bytes for side in self.sides)
        every = sum(side.size_bytes for side in self.sides)
        now = monotonic()
        words = f"{done >> 20} of {every >> 20} MB on both sides in {now - self.began:.0f} s"
        old_s = now - max(side.last_done for side in self.sides)
        if old_s >= _OLD_S and done < every:
            words += f", the last of it {old_s:.0f} s ago"
        return words, done / every if every else 1.0

    def results(self) -> tuple[TableResult, ...]:
        """Return all results by schema and table."""
        left, right = self.sides
        found = list(self._absent)
        for place, scan in enumerate(left.scans):
            rows = (left.rows[place], right.rows[place])
            hashes = (left.hash(place), right.hash(place))
            how = How.SAMPLED if self._sampled[place] else How.HASHED
            if None in hashes:
                how, hashes = How.COUNTED, (None, None)
            alike = rows[0] == rows[1] and hashes[0] == hashes[1]
            found.append(
                TableResult(
                    scan.table.schema,
                    scan.table.name,
                    *rows,
                    how,
                    same=None if alike and how is not How.HASHED else alike,
                    note="" if how is How.HASHED else f"{how.value} only",
                )
            )
        return tuple(sorted(found, key=lambda r: (r.schema, r.table)))


@asynccontextmanager
async def _telling(work: _Work, progress: Progress | None) -> AsyncIterator[None]:
    """Say every second, and at the end, how far it is."""
    if progress is None:
        yield
        return
    say = progress

    async def every_second() -> None:
        while True:
            say(*work.told())
            await asyncio.sleep(_TELL_EVERY_S)

    teller = asyncio.create_task(every_second())
    try:
        yield
        say(*work.told())
    finally:
        teller.cancel()


def _drawn(key_hash: Composable, share: float) -> Composable:
    return SQL("({} & {}) < {}").format(
        key_hash, Literal(_DRAWS - 1), Literal(max(1, round(share * _DRAWS)))
    )


def _unread(table: ComparedTable, note: str) -> TableResult:
    return TableResult(table.schema, table.name, None, None, How.UNREAD, same=None, note=note)


def _absent(table: ComparedTable, note: str) -> TableResult:
    return TableResult(table.schema, table.name, None, None, How.ABSENT, same=False, note=note)
