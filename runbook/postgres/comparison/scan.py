"""Hashing and counting one side's tables: cut into pieces that several connections work at."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from psycopg import AsyncConnection, errors
from psycopg.sql import SQL, Composable, Identifier, Literal

from runbook.postgres.comparison.tables import ComparedTable

_BATCH_TABLES = 50
_BATCH_BYTES = 16 * 1024 * 1024
"""Small tables share a query: a round trip each would take longer than their rows."""

PIECE_BYTES = 64 * 1024 * 1024
"""What one query reads of a large table: about a second of work, so that little is lost when the
time is over, and progress is seen."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The number of rows, and an order-independent hash over their contents."""

    rows: int
    hash: str | None
    """None: not taken. Of no rows: an empty text."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What is asked of one table, or of a range of its blocks."""

    table: ComparedTable
    hash: Composable | None = None
    """The SQL of a row's hash. None: the rows are only counted."""
    drawn: Composable | None = None
    """The SQL of whether a row is in the sample. None: all are."""
    blocks: tuple[int, int | None] | None = None
    """From and below; None as the latter: to the end, however long the table has become."""

    def query(self, place: int) -> Composable:
        """Return the SQL that answers with the place, the number of rows and their hash."""
        digest: Composable = SQL("NULL")
        if self.hash is not None:
            kept = SQL("") if self.drawn is None else SQL(" FILTER (WHERE {})").format(self.drawn)
            digest = SQL("coalesce(sum({}){}::text, '')").format(self.hash, kept)
        return SQL("SELECT {}, count(*), {} FROM ONLY {}{}").format(
            Literal(place), digest, Identifier(self.table.schema, self.table.name), self.where
        )

    @property
    def where(self) -> Composable:
        """The SQL of the range of blocks, which a server scans as such from 14 on."""
        if self.blocks is None:
            return SQL("")
        begin, end = self.blocks
        limits = [SQL("ctid >= {}::tid").format(Literal(f"({begin},0)"))]
        if end is not None:
            limits.append(SQL("ctid < {}::tid").format(Literal(f"({end},0)")))
        return SQL(" WHERE {}").format(SQL(" AND ").join(limits))


async def digests(connection: AsyncConnection, scans: Sequence[Scan]) -> list[Digest]:
    """Return the digest of each scan, in one query."""
    if not scans:
        return []
    query = SQL("\nUNION ALL ").join(scan.query(place) for place, scan in enumerate(scans))
    cursor = await connection.execute(query)
    found = {place: Digest(rows, digest) for place, rows, digest in await cursor.fetchall()}
    return [found[place] for place in range(len(scans))]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some small tables, or a range of one table's blocks; places are those of the tables."""

    places: tuple[int, ...]
    size_bytes: int
    blocks: tuple[int, int | None] | None = None


def cut(tables: Sequence[ComparedTable], places: Iterable[int]) -> list[Piece]:
    """Cut tables into pieces of bounded number and size; best from the smallest to the largest."""
    found: list[Piece] = []
    for place in places:
        table = tables[place]
        ranges = _ranges(table)
        if len(ranges) > 1:
            size = table.size_bytes // len(ranges)
            found += [Piece((place,), size, blocks) for blocks in ranges]
        elif (
            found
            and found[-1].blocks is None
            and len(found[-1].places) < _BATCH_TABLES
            and found[-1].size_bytes + table.size_bytes <= _BATCH_BYTES
        ):
            last = found.pop()
            found.append(Piece((*last.places, place), last.size_bytes + table.size_bytes))
        else:
            found.append(Piece((place,), table.size_bytes))
    return found


def _ranges(table: ComparedTable) -> list[tuple[int, int | None]]:
    # What is stored beside the table is taken to be spread evenly over its blocks.
    number = max(1, min(table.blocks, -(-table.size_bytes // PIECE_BYTES)))
    begins = [table.blocks * n // number for n in range(number)]
    return list(zip(begins, [*begins[1:], None], strict=True))


class Side:
    """One side of a comparison: what is still to be done of its tables, and what is done."""

    def __init__(self, scans: Sequence[Scan], first: Collection[int] = ()) -> None:
        """`first` are the places of what is hashed before all else, and without a limit."""
        self.scans = scans
        tables = [scan.table for scan in scans]
        others = [place for place in range(len(scans)) if place not in first]
        urgent = cut(tables, sorted(first))
        self.pieces = deque([*urgent, *cut(tables, others)])
        self._urgent = frozenset(urgent)
        self.size_bytes = sum(piece.size_bytes for piece in self.pieces)
        self.done_bytes = 0
        self.last_done = monotonic()
        self.rows = [0] * len(self.scans)
        self._sums = [0] * len(self.scans)
        self._unhashed = [0] * len(self.scans)
        for piece in self.pieces:
            for place in piece.places:
                self._unhashed[place] += 1
        self._begun: set[int] = set()

    def hash(self, place: int) -> int | None:
        """Return a table's hash, or None where not all of it went through the hash."""
        return None if self._unhashed[place] else self._sums[place]

    async def hash_until(self, connection: AsyncConnection, ends: float) -> None:
        """Hash piece after piece until none is left or the time is over."""
        while self.pieces and (self.pieces[0] in self._urgent or monotonic() < ends):
            piece = self.pieces.popleft()
            limit_ms = max(1, int((ends - monotonic()) * 1000))
            try:
                await self._do(
                    connection,
                    piece,
                    hashing=True,
                    limit_ms=0 if piece in self._urgent else limit_ms,
                )
            except errors.QueryCanceled:
                self.pieces.append(piece)
                return

    def leave_to_count(self) -> None:
        """Put the pieces of a table of which none was hashed together: an index may do then."""
        left, self.pieces = self.pieces, deque()
        whole: dict[tuple[int, ...], int] = {}
        for piece in left:
            if piece.blocks is None or piece.places[0] in self._begun:
                self.pieces.append(piece)
            else:
                whole[piece.places] = whole.get(piece.places, 0) + piece.size_bytes
        self.pieces.extend(Piece(places, size) for places, size in whole.items())

    async def count(self, connection: AsyncConnection) -> None:
        """Count the rows of what is left, without a limit."""
        while self.pieces:
            await self._do(connection, self.pieces.popleft(), hashing=False, limit_ms=0)

    async def _do(
        self, connection: AsyncConnection, piece: Piece, *, hashing: bool, limit_ms: int
    ) -> None:
        await connection.execute(
            "SELECT set_config('statement_timeout', %s, false)", (str(limit_ms),)
        )
        scans = [replace(self.scans[place], blocks=piece.blocks) for place in piece.places]
        if not hashing:
            scans = [Scan(scan.table, blocks=piece.blocks) for scan in scans]
        for place, digest in zip(piece.places, await digests(connection, scans), strict=True):
            self.rows[place] += digest.rows
            if hashing:
                self._begun.add(place)
                self._unhashed[place] -= 1
                self._sums[place] += int(digest.hash or 0)
        self.done_bytes += piece.size_bytes
        self.last_done = monotonic()
