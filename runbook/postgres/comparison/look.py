"""Looks at the rows of one table on one side, in queries that are each over soon.

A query that runs for long holds back vacuum on the whole server, so a table is read in ranges of
blocks, and the ranges are cut to the time that the last one took.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from psycopg import AsyncConnection, errors
from psycopg.sql import SQL, Composable, Identifier, Literal

from runbook.postgres.catalog import Table
from runbook.postgres.comparison.hashing import Salt, row_hash, texts
from runbook.postgres.comparison.tables import ComparedTable
from runbook.postgres.gather_all import together
from runbook.postgres.queries import batches, fetch

Key = tuple[str | None, ...]
"""The values of a row's key, or of all its columns where it has none, as text."""

LONGEST_MS = 10_000
"""No query may take longer; then it is tried with fewer blocks."""

_TARGET_S = 0.5
_FIRST_BLOCKS = 1024
_LEAST_BLOCKS = 16
_KEYS_AT_ONCE = 500

MOST_BITS = 48
"""Beyond it, buckets are cut no finer: two rows share one by a chance of one in 2^48."""

ROWS_CUT_FINER = 5_000_000
"""Rows of differing buckets up to which those are cut finer: a query may answer with as many rows
as it has read then."""


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of a key, with what it takes to look it up."""

    name: str
    type: str
    """As SQL writes it."""
    operator_schema: str
    operator: str

    def equals(self, left: Composable, right: Composable) -> Composable:
        """Return the SQL by which its index knows two values as equal, whatever the search path."""
        return SQL("{} OPERATOR({}.{}) {}").format(
            left, Identifier(self.operator_schema), SQL(self.operator), right
        )


@dataclass(frozen=True, slots=True)
class RowRead:
    """The rows of one key as one look found them: none, one, or several without a unique key."""

    rows: int = 0
    hash: int = 0
    version: str = field(default="", compare=False)
    """Tells whether a row was written between two looks, even to what it was; empty: not known."""

    def stood_still(self, later: RowRead) -> bool:
        """Return whether nothing was written to the rows between two looks."""
        return self == later and self.version == later.version


NOTHING = RowRead()


@dataclass(frozen=True, slots=True)
class Row:
    """A row's key and what was seen of it."""

    key: Key
    seen: RowRead


@dataclass(frozen=True, slots=True)
class Buckets:
    """Rows by the lowest bits of their key's hash; `chosen` None: all of them."""

    bits: int
    chosen: frozenset[int] | None = None

    def within(self, key_hash: Composable) -> Composable:
        """Return the SQL condition that a row is in one of the chosen buckets."""
        if self.chosen is None:
            return SQL("true")
        return SQL("({} & {}) = ANY({}::int8[])").format(
            key_hash, _mask(self.bits), Literal(sorted(self.chosen))
        )


EXACT = 64
"""As `Buckets.bits`: the whole hash."""


def _mask(bits: int) -> Composable:
    return SQL("{}::int8").format(Literal(str(-1 if bits >= EXACT else (1 << bits) - 1)))


async def bound_queries(connection: AsyncConnection) -> None:
    """Bound every query of a session, and spare the server's processors."""
    await connection.execute(
        "SELECT set_config(name, value, false) FROM (VALUES"
        " ('statement_timeout', %s), ('lock_timeout', '1s'), ('row_security', 'off'),"
        " ('jit', 'off'), ('max_parallel_workers_per_gather', '0')) AS s (name, value)",
        (str(LONGEST_MS),),
    )


async def key_columns(connection: AsyncConnection, table: Table) -> list[KeyColumn]:
    """Return the columns of a table's key, in the index's order."""
    names = {"schema": table.schema, "table": table.name}
    return await fetch(connection, KeyColumn, "key_operators", names)


@dataclass(frozen=True, slots=True)
class TableLook:
    """One table on one side. `key` is the publisher's, and the same for both sides."""

    connection: AsyncConnection
    table: ComparedTable
    alike: Collection[str]
    key: Sequence[KeyColumn]
    salt: Salt
    moved: Callable[[float], None] = lambda fraction: None
    """Told how far a look through the whole table is."""

    @property
    def row_hash(self) -> Composable:
        """Return the SQL that hashes a row."""
        return row_hash(self.table, self.alike, self.salt)

    @property
    def key_hash(self) -> Composable:
        if not self.key:
            return self.row_hash
        names = [column.name for column in self.key]
        return row_hash(self.table, self.alike, self.salt, columns=names)

    @property
    def told_by(self) -> list[str]:
        """The columns that `Row.key` holds."""
        return [column.name for column in self.key] or self.table.columns

    async def buckets(self, bits: int, among: Buckets) -> dict[int, RowRead]:
        """Return rows and hash of each bucket of `bits`, among those of a coarser cut."""
        found: dict[int, RowRead] = {}

        async def look(where: Composable) -> None:
            query = SQL("SELECT ({} & {}), count(*), sum({}) FROM ONLY {} {} GROUP BY 1").format(
                self.key_hash, _mask(bits), self.row_hash, self.name, where
            )
            for bucket, rows, digest in await self._rows(query):
                _add(found, bucket, RowRead(rows, int(digest)))

        await self._through(look, among)
        return found

    async def rows(self, among: Buckets) -> dict[int, Row]:
        """Return the rows of some buckets, by the hash of their key."""
        keys: dict[int, Key] = {}
        found: dict[int, RowRead] = {}

        async def look(where: Composable) -> None:
            query = SQL("SELECT {}, {}, {} FROM ONLY {} AS t {}").format(
                self.key_hash,
                self.row_hash,
                texts(self.table, self.told_by, "t"),
                self.name,
                where,
            )
            for key_hash, digest, key in await self._rows(query):
                keys[key_hash] = tuple(key)
                _add(found, key_hash, RowRead(1, digest))

        await self._through(look, among)
        return {key_hash: Row(keys[key_hash], seen) for key_hash, seen in found.items()}

    async def groups(self, where: Composable) -> dict[int, RowRead]:
        """Return rows and hash of each key among the rows of a condition on the table `t`."""
        query = SQL("SELECT {}, count(*), sum({}) FROM ONLY {} AS t WHERE {} GROUP BY 1").format(
            self.key_hash, self.row_hash, self.name, where
        )
        return {
            group: RowRead(rows, int(digest)) for group, rows, digest in await self._rows(query)
        }

    async def look_up(self, rows: dict[int, Key]) -> dict[int, RowRead]:
        """Look for rows anew: by key through the index, else by their hash through the table."""
        if not self.key:
            again = await self.rows(Buckets(EXACT, frozenset(rows)))
            return {key_hash: row.seen for key_hash, row in again.items()}
        found = {}
        # Without fresh statistics a whole scan a key may seem cheaper than the index.
        await self.connection.execute("SET enable_seqscan = off")
        try:
            for batch in batches(list(rows.items()), _KEYS_AT_ONCE):
                for place, count, digest, version in await self._rows(self._by_keys(batch)):
                    if count:
                        found[batch[place - 1][0]] = RowRead(count, int(digest), version)
        finally:
            await self.connection.execute("RESET enable_seqscan")
        return found

    def _by_keys(self, batch: Sequence[tuple[int, Key]]) -> Composable:
        columns = range(len(self.key))
        values = SQL(", ").join(
            SQL("{}::text[]").format(Literal([key[n] for _, key in batch])) for n in columns
        )
        named = SQL(", ").join(Identifier(f"k{n}") for n in columns)
        equal = SQL(" AND ").join(
            column.equals(
                Identifier("t", column.name),
                SQL("{}::{}").format(Identifier("v", f"k{n}"), SQL(column.type)),
            )
            for n, column in enumerate(self.key)
        )
        return SQL(
            "SELECT v.place, f.rows, f.hash, f.version"
            " FROM unnest({}) WITH ORDINALITY AS v ({}, place)"
            " CROSS JOIN LATERAL (SELECT count(*), sum({}),"
            " string_agg(t.xmin::text || t.ctid::text, ' ')"
            " FROM ONLY {} AS t WHERE {}) AS f (rows, hash, version)"
        ).format(values, named, self.row_hash, self.name, equal)

    @property
    def name(self) -> Identifier:
        """The table, as SQL names it."""
        return Identifier(self.table.schema, self.table.name)

    async def _rows(self, query: Composable) -> list[tuple[Any, ...]]:
        cursor = await self.connection.execute(SQL("{}").format(query))
        return await cursor.fetchall()

    async def _through(self, look: Callable[[Composable], Awaitable[None]], among: Buckets) -> None:
        """Look at a table range by range. Raises `QueryCanceled` where few blocks take long."""
        within = among.within(self.key_hash)
        begin, step = 0, _FIRST_BLOCKS
        while True:
            last = begin + step >= self.table.blocks
            limits = [SQL("ctid >= {}::tid").format(Literal(f"({begin},0)"))]
            if not last:
                limits.append(SQL("ctid < {}::tid").format(Literal(f"({begin + step},0)")))
            began = monotonic()
            try:
                await look(SQL("WHERE {}").format(SQL(" AND ").join([*limits, within])))
            except errors.QueryCanceled:
                if step <= _LEAST_BLOCKS:
                    raise
                step = max(_LEAST_BLOCKS, step // 8)
                continue
            if last:
                return
            begin += step
            self.moved(begin / self.table.blocks)
            if (took := monotonic() - began) > _TARGET_S:
                step = max(_LEAST_BLOCKS, step // 2)
            elif took < _TARGET_S / 4:
                step *= 2


async def differing(
    left: TableLook, right: TableLook, bits: int, among: Buckets
) -> tuple[dict[int, int], int]:
    """Return the buckets that differ now, each with the rows of its fuller side, and all rows.

    All rows are the left side's, of the buckets that were looked at.
    """
    ours, theirs = await together(left.buckets(bits, among), right.buckets(bits, among))
    unlike = {
        bucket: max(side.get(bucket, NOTHING).rows for side in (ours, theirs))
        for bucket in ours.keys() | theirs.keys()
        if ours.get(bucket) != theirs.get(bucket)
    }
    return unlike, sum(seen.rows for seen in ours.values())


def _add(found: dict[int, RowRead], key: int, seen: RowRead) -> None:
    before = found.get(key, NOTHING)
    found[key] = RowRead(before.rows + seen.rows, before.hash + seen.hash)
