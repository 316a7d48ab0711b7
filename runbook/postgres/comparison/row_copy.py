"""Finds the rows in which a table differs between two servers, and makes them equal again.

Rows go by groups: those that share a key (the primary key's or the replica identity's, or all
columns where there is neither) and with it the hash of that key. A group is told by its number of
rows and the sum of their hashes, as every comparison takes them. Values pass from one server to the
other by COPY alone: they stand in no statement, no parameter and no log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier, Literal

from runbook.postgres.comparison.hashing import Salt
from runbook.postgres.comparison.look import (
    EXACT,
    MOST_BITS,
    NOTHING,
    ROWS_CUT_FINER,
    Buckets,
    RowRead,
    TableLook,
    differing,
    key_columns,
)
from runbook.postgres.comparison.tables import named
from runbook.postgres.gather_all import together
from runbook.postgres.queries import batches, number, one_value, says
from runbook.postgres.statement import quoted

BATCH = 20_000
"""So many groups are made equal at a time: writers wait for that long only."""

MOST = 1_000_000
"""So many groups are kept in memory."""

_BITS = 16
"""A table is cut into 65,536 buckets first: few rows lie in one beside a row that differs."""


class TooMany(Exception):
    """More groups differ than are worth telling apart."""


class Unpaired(Exception):
    """One side has no such table, or it has other columns there: said in its words."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One table as both servers have it."""

    here: TableLook
    there: TableLook
    stored: Sequence[str]
    """Its columns less those that the server computes."""

    @classmethod
    async def of(
        cls, here: AsyncConnection, there: AsyncConnection, schema: str, table: str
    ) -> Pair:
        """Return a table that both have, with the same columns. Raises `Unpaired`."""
        ours, theirs = await together(named(here, schema, table), named(there, schema, table))
        name = quoted_table(schema, table)
        if ours is None or theirs is None:
            side = "the publisher" if ours is None else "the subscriber"
            raise Unpaired(f"{side} has no table {name} that replication carries")
        if ours.columns != theirs.columns:
            raise Unpaired(f"{name} has other columns on each side")
        alike, key, salt = ours.alike(theirs), await key_columns(here, ours), Salt()
        return cls(
            TableLook(here, ours, alike, key, salt),
            TableLook(there, theirs, alike, key, salt),
            await stored_columns(here, schema, table) or (),
        )

    def __str__(self) -> str:
        return quoted_table(self.here.table.schema, self.here.table.name)

    @property
    def identifier(self) -> Identifier:
        """Return the table's name, for SQL."""
        return self.here.name

    @property
    def sides(self) -> tuple[TableLook, TableLook]:
        """Return both looks."""
        return self.here, self.there

    @property
    def key(self) -> list[str]:
        """The columns that tell its rows apart; empty: all of them do."""
        return [column.name for column in self.here.key]


async def stored_columns(connection: AsyncConnection, schema: str, table: str) -> list[str] | None:
    """Return the columns that COPY carries; None where there is no ordinary table of that name."""
    columns: list[str] | None = await one_value(
        connection,
        """
        SELECT ARRAY(
            SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND a.attgenerated = ''
            ORDER BY a.attnum
        )
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r'
        """,
        (schema, table),
    )
    return columns


async def suspects(pair: Pair) -> set[int]:
    """Return the groups that differ between two looks, taken without a lock.

    Rows that are still on their way are among them. Raises `TooMany`.
    """
    bits, among = _BITS, Buckets(0)
    while True:
        unlike, _ = await differing(*pair.sides, bits, among)
        if not unlike or bits == EXACT:
            return set(unlike)
        among, rows = Buckets(bits, frozenset(unlike)), sum(unlike.values())
        if rows <= MOST:
            bits = EXACT
        elif rows <= ROWS_CUT_FINER and bits < MOST_BITS:
            bits += _BITS
        else:
            raise TooMany


async def at(pair: Pair, groups: Collection[int]) -> dict[int, tuple[RowRead, RowRead]]:
    """Return what both have now of those of the groups that differ, without a lock.

    Whole tables are read for it: no key is asked that a row may not have.
    """
    among = Buckets(EXACT, frozenset(groups))
    left, right = await together(*(side.buckets(EXACT, among) for side in pair.sides))
    return {
        group: (left.get(group, NOTHING), right.get(group, NOTHING))
        for group in _unlike(left, right)
    }


async def count(look: TableLook) -> int:
    """Return a table's number of rows on one side."""
    query = SQL("SELECT count(*) FROM ONLY {}").format(look.name)
    return await number(look.connection, query)


class Chosen:
    """Groups chosen on both servers, in parts, so that their rows are found by key again."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.parts = 0
        self._here, self._there = (side.connection for side in pair.sides)
        self._by_key = False

    async def choose(self, groups: Collection[int]) -> None:
        """Note the groups, and the keys that either server has for them, in temporary tables."""
        parts = [*batches(sorted(groups), BATCH)]
        self.parts = len(parts)
        for side in (self._here, self._there):
            await _renew(side, "chosen", SQL("(blueprime_kh bigint, blueprime_part integer)"))
            await _fill(side, "chosen", _rows(parts))
            await _renew(side, "wrong", SQL("(blueprime_kh bigint)"))
        self._by_key = bool(self.pair.key)
        if self._by_key:
            await self._note_keys()
            # Where a side has no key yet it may have rows without one, and no comparison finds NULL
            # by key: those rows would be left out of what is compared, and would stay.
            self._by_key = not await self._keyless()
        for side in (self._here, self._there):
            # Without statistics the server would read the whole table for a few keys.
            await side.execute("ANALYZE pg_temp.blueprime_chosen")
            if self._by_key:
                await side.execute("ANALYZE pg_temp.blueprime_keys")

    async def _note_keys(self) -> None:
        names = _names(self.pair.key)
        for side in (self._here, self._there):
            await side.execute("DROP TABLE IF EXISTS pg_temp.blueprime_keys")
            await side.execute(
                SQL(
                    "CREATE TEMPORARY TABLE blueprime_keys AS "
                    "SELECT 0 AS blueprime_part, {} FROM ONLY {} WITH NO DATA"
                ).format(names, self.pair.identifier)
            )
        into = SQL("COPY pg_temp.blueprime_keys FROM STDIN")
        for look, side in zip(self.pair.sides, (self._here, self._there), strict=True):
            query = SQL(
                "COPY (SELECT DISTINCT blueprime_part, {} FROM ONLY {} "
                "JOIN pg_temp.blueprime_chosen ON blueprime_kh = {}) TO STDOUT"
            ).format(names, look.name, look.key_hash)
            await _pass_on(side, query, [(self._here, into), (self._there, into)])

    async def _keyless(self) -> bool:
        query = SQL(
            "SELECT EXISTS (SELECT FROM pg_temp.blueprime_keys WHERE num_nulls({}) > 0)"
        ).format(_names(self.pair.key))
        # Both sides have noted the keys of both.
        return await says(self._here, query)

    async def unlike(self, part: int) -> tuple[set[int], dict[int, RowRead]]:
        """Return the chosen groups of a part that differ now, and those that `here` has."""
        left, right = await together(
            *(side.groups(self._where(part, side)) for side in self.pair.sides)
        )
        return _unlike(left, right), left

    async def still_unlike(self) -> set[int]:
        """Return the chosen groups that differ now."""
        found: set[int] = set()
        for part in range(self.parts):
            found |= (await self.unlike(part))[0]
        return found

    async def make_equal(self, part: int, wrong: Collection[int]) -> None:
        """Give `there` the rows of `here` in the wrong groups: within the caller's transaction."""
        for side in (self._here, self._there):
            await side.execute("TRUNCATE pg_temp.blueprime_wrong")
            await _fill(side, "wrong", ((group,) for group in wrong))
        here, there = (
            SQL("{} AND {} IN (SELECT blueprime_kh FROM pg_temp.blueprime_wrong)").format(
                self._where(part, look), look.key_hash
            )
            for look in self.pair.sides
        )
        table, columns = self.pair.identifier, _names(self.pair.stored)
        await self._there.execute(SQL("DELETE FROM ONLY {} AS t WHERE {}").format(table, there))
        await _pass_on(
            self._here,
            SQL("COPY (SELECT {} FROM ONLY {} AS t WHERE {}) TO STDOUT").format(
                columns, table, here
            ),
            [(self._there, SQL("COPY {} ({}) FROM STDIN").format(table, columns))],
        )

    def _where(self, part: int, look: TableLook) -> Composed:
        """Return the condition for the rows of a part: by key where there is one."""
        if not self._by_key:
            return SQL(
                "{} IN (SELECT blueprime_kh FROM pg_temp.blueprime_chosen "
                "WHERE blueprime_part = {})"
            ).format(look.key_hash, Literal(part))
        return SQL(
            "EXISTS (SELECT FROM pg_temp.blueprime_keys AS k WHERE k.blueprime_part = {} AND {})"
        ).format(
            Literal(part),
            SQL(" AND ").join(
                column.equals(Identifier("t", column.name), Identifier("k", column.name))
                for column in look.key
            ),
        )


def quoted_table(schema: str, table: str) -> str:
    """Return a table's name as SQL writes it, in words and never in SQL that is run."""
    return f"{quoted(schema)}.{quoted(table)}"


async def writers_of(look: TableLook) -> list[str]:
    """Return who holds a lock on a table with which it cannot be kept from being written."""
    cursor = await look.connection.execute(
        """
        SELECT format(
            'pid %%s of role %%s, open for %%s s', a.pid, a.usename,
            round(extract(epoch FROM clock_timestamp() - a.xact_start))
        )
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.relation = format('%%I.%%I', %s::text, %s::text)::regclass
          AND l.granted AND a.pid <> pg_backend_pid()
          AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock',
                         'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        ORDER BY a.xact_start
        """,
        (look.table.schema, look.table.name),
    )
    return [row[0] for row in await cursor.fetchall()]


def _unlike(left: dict[int, RowRead], right: dict[int, RowRead]) -> set[int]:
    return {group for group in left.keys() | right.keys() if left.get(group) != right.get(group)}


def _names(columns: Iterable[str]) -> Composed:
    return SQL(", ").join(map(Identifier, columns))


def _rows(parts: Iterable[Iterable[int]]) -> Iterator[tuple[int, int]]:
    for place, part in enumerate(parts):
        yield from ((group, place) for group in part)


async def _renew(connection: AsyncConnection, name: LiteralString, columns: SQL) -> None:
    table = Identifier("pg_temp", f"blueprime_{name}")
    await connection.execute(SQL("DROP TABLE IF EXISTS {}").format(table))
    await connection.execute(
        SQL("CREATE TEMPORARY TABLE {} {}").format(Identifier(f"blueprime_{name}"), columns)
    )


async def _fill(
    connection: AsyncConnection, name: LiteralString, rows: Iterable[tuple[int, ...]]
) -> None:
    copying = connection.cursor().copy(
        SQL("COPY {} FROM STDIN").format(Identifier("pg_temp", f"blueprime_{name}"))
    )
    async with copying as copy:
        for row in rows:
            await copy.write_row(row)


async def _pass_on(
    source: AsyncConnection,
    query: Composed,
    targets: Sequence[tuple[AsyncConnection, SQL | Composed]],
) -> None:
    """Carry what a COPY gives to others, as it comes.

    A target that is the source itself gets it afterwards: a connection does one thing at a time.
    """
    kept: list[bytes] = []
    async with source.cursor().copy(query) as out:
        async for piece in out:
            kept.append(bytes(piece))
    for connection, into in targets:
        async with connection.cursor().copy(into) as copy:
            for piece in kept:
                await copy.write(piece)
