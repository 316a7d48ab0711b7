"""Finds the rows in which a table differs between two servers, and makes them equal again.

Rows go by groups: those that share a key (the replica identity, or all columns where there is none)
and with it a 64-bit hash. A group is told by its number of rows and the sum of their hashes, as
`compare` takes them. Values pass from one server to the other by COPY alone: they stand in no
statement, no parameter and no log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from runbook.postgres.gather_all import together
from runbook.postgres.queries import batches, fetch
from runbook.postgres.statement import quoted

Groups = Mapping[int, tuple[int, str]]
"""By the hash of a key: how many rows have it, and the sum of their hashes."""

BATCH = 20_000
"""So many groups are made equal at a time: writers wait for that long only."""

MOST = 1_000_000
"""So many groups are kept in memory."""

_PER_BUCKET = 1000


class TooMany(Exception):
    """More groups differ than are worth telling apart."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as one server has it."""

    oid: int
    columns: list[str]
    stored: list[str]
    """Columns less those that the server computes."""
    key: list[str]
    """Columns of the replica identity; empty: the rows are only told apart as a whole."""
    rows: int
    """An estimate."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table that both servers have, with the columns of the publisher's."""

    schema: str
    name: str
    shape: Shape

    def __str__(self) -> str:
        return quoted_table(self.schema, self.name)

    @property
    def identifier(self) -> Identifier:
        return Identifier(self.schema, self.name)

    @property
    def group(self) -> Composed:
        """The hash by which its rows are grouped."""
        return _hash(self.shape.key or self.shape.columns)

    @property
    def row(self) -> Composed:
        return _hash(self.shape.columns)


async def shape(connection: AsyncConnection, schema: str, table: str) -> Shape | None:
    """Return a table's shape, or None where there is no ordinary table of that name."""
    found = await fetch(connection, Shape, "table_shape", (schema, table))
    return found[0] if found else None


async def suspects(here: AsyncConnection, there: AsyncConnection, table: Table) -> set[int]:
    """Return the groups that differ between two looks, taken without a lock.

    Rows that are still on their way are among them. Raises `TooMany`.
    """
    buckets = 1
    while buckets * _PER_BUCKET < table.shape.rows and buckets < 1 << 16:
        buckets *= 2
    bucket = SQL("({} & {})").format(table.group, Literal(buckets - 1))
    left, right = await together(*(_sums(side, table, bucket) for side in (here, there)))
    unlike = _unlike(left, right)
    if not unlike:
        return set()
    chosen = SQL("{} = ANY ({})").format(bucket, _array(unlike))
    left, right = await together(
        *(_sums(side, table, table.group, chosen, most=MOST) for side in (here, there))
    )
    return _unlike(left, right)


async def at(
    here: AsyncConnection, there: AsyncConnection, table: Table, groups: Collection[int]
) -> dict[int, tuple[tuple[int, str] | None, tuple[int, str] | None]]:
    """Return what both have now of those of the groups that differ, without a lock.

    Whole tables are read for it: no key is asked that a row may not have.
    """
    among = SQL("{} = ANY ({})").format(table.group, _array(groups))
    left, right = await together(
        *(_sums(side, table, table.group, among) for side in (here, there))
    )
    return {group: (left.get(group), right.get(group)) for group in _unlike(left, right)}


async def count(connection: AsyncConnection, table: Table) -> int:
    """Return a table's number of rows."""
    cursor = await connection.execute(SQL("SELECT count(*) FROM ONLY {}").format(table.identifier))
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


class Chosen:
    """Groups chosen on both servers, in parts, so that their rows are found by key again."""

    def __init__(self, here: AsyncConnection, there: AsyncConnection, table: Table) -> None:
        self.here = here
        self.there = there
        self.table = table
        self.parts = 0
        self._by_key = False

    async def choose(self, groups: Collection[int]) -> None:
        """Note the groups, and the keys that either server has for them, in temporary tables."""
        parts = [*batches(sorted(groups), BATCH)]
        self.parts = len(parts)
        for side in (self.here, self.there):
            await _renew(side, "chosen", SQL("(blueprime_kh bigint, blueprime_part integer)"))
            await _fill(side, "chosen", _rows(parts))
            await _renew(side, "wrong", SQL("(blueprime_kh bigint)"))
        self._by_key = bool(self.table.shape.key)
        if self._by_key:
            await self._note_keys()
            # Where a side has no key yet it may have rows without one, and no comparison finds NULL
            # by key: those rows would be left out of what is compared, and would stay.
            self._by_key = not await self._keyless()
        for side in (self.here, self.there):
            # Without statistics the server would read the whole table for a few keys.
            await side.execute("ANALYZE pg_temp.blueprime_chosen")
            if self._by_key:
                await side.execute("ANALYZE pg_temp.blueprime_keys")

    async def _note_keys(self) -> None:
        table, names = self.table, _names(self.table.shape.key)
        for side in (self.here, self.there):
            await side.execute("DROP TABLE IF EXISTS pg_temp.blueprime_keys")
            await side.execute(
                SQL(
                    "CREATE TEMPORARY TABLE blueprime_keys AS "
                    "SELECT 0 AS blueprime_part, {} FROM ONLY {} WITH NO DATA"
                ).format(names, table.identifier)
            )
        query = SQL(
            "COPY (SELECT DISTINCT blueprime_part, {} FROM ONLY {} "
            "JOIN pg_temp.blueprime_chosen ON blueprime_kh = {}) TO STDOUT"
        ).format(names, table.identifier, table.group)
        into = SQL("COPY pg_temp.blueprime_keys FROM STDIN")
        for side in (self.here, self.there):
            await _pass_on(side, query, [(self.here, into), (self.there, into)])

    async def _keyless(self) -> bool:
        query = SQL(
            "SELECT EXISTS (SELECT FROM pg_temp.blueprime_keys WHERE num_nulls({}) > 0)"
        ).format(_names(self.table.shape.key))
        # Both sides have noted the keys of both.
        return await (await self.here.execute(query)).fetchone() == (True,)

    async def unlike(self, part: int) -> tuple[set[int], Groups]:
        """Return the chosen groups of a part that differ now, and those that `here` has."""
        chosen = self._where(part)
        left, right = await together(
            *(_sums(side, self.table, self.table.group, chosen) for side in (self.here, self.there))
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
        for side in (self.here, self.there):
            await side.execute("TRUNCATE pg_temp.blueprime_wrong")
            await _fill(side, "wrong", ((group,) for group in wrong))
        where = SQL("{} AND {} IN (SELECT blueprime_kh FROM pg_temp.blueprime_wrong)").format(
            self._where(part), self.table.group
        )
        table, columns = self.table.identifier, _names(self.table.shape.stored)
        await self.there.execute(SQL("DELETE FROM ONLY {} WHERE {}").format(table, where))
        await _pass_on(
            self.here,
            SQL("COPY (SELECT {} FROM ONLY {} WHERE {}) TO STDOUT").format(columns, table, where),
            [(self.there, SQL("COPY {} ({}) FROM STDIN").format(table, columns))],
        )

    def _where(self, part: int) -> Composed:
        """Return the condition for the rows of a part: by key where there is one."""
        if not self._by_key:
            return SQL(
                "{} IN (SELECT blueprime_kh FROM pg_temp.blueprime_chosen "
                "WHERE blueprime_part = {})"
            ).format(self.table.group, Literal(part))
        names = _names(self.table.shape.key)
        return SQL(
            "({}) IN (SELECT {} FROM pg_temp.blueprime_keys WHERE blueprime_part = {})"
        ).format(names, names, Literal(part))


def quoted_table(schema: str, table: str) -> str:
    """Return a table's name as SQL writes it, in words and never in SQL that is run."""
    return f"{quoted(schema)}.{quoted(table)}"


async def writers_of(connection: AsyncConnection, table: Table) -> list[str]:
    """Return who holds a lock on the table with which it cannot be kept from being written."""
    cursor = await connection.execute(
        """
        SELECT format(
            'pid %%s of role %%s, open for %%s s', a.pid, a.usename,
            round(extract(epoch FROM clock_timestamp() - a.xact_start))
        )
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.relation = %s AND l.granted AND a.pid <> pg_backend_pid()
          AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock',
                         'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        ORDER BY a.xact_start
        """,
        (table.shape.oid,),
    )
    return [row[0] for row in await cursor.fetchall()]


async def _sums(
    connection: AsyncConnection,
    table: Table,
    by: Composable,
    where: Composable | None = None,
    *,
    most: int = 0,
) -> Groups:
    query = SQL("SELECT {}, count(*), sum({})::text FROM ONLY {} {} GROUP BY 1 {}").format(
        by,
        table.row,
        table.identifier,
        SQL("WHERE {}").format(where) if where else SQL(""),
        SQL("LIMIT {}").format(Literal(most + 1)) if most else SQL(""),
    )
    cursor = await connection.execute(query)
    found = {group: (number, total) for group, number, total in await cursor.fetchall()}
    if most and len(found) > most:
        raise TooMany
    return found


def _unlike(left: Groups, right: Groups) -> set[int]:
    return {group for group in left.keys() | right.keys() if left.get(group) != right.get(group)}


def _hash(columns: Iterable[str]) -> Composed:
    return SQL('hashtextextended(ROW({})::text COLLATE "C", 0)').format(_names(columns))


def _names(columns: Iterable[str]) -> Composed:
    return SQL(", ").join(map(Identifier, columns))


def _array(numbers: Iterable[int]) -> Composed:
    return SQL("{}::bigint[]").format(Literal(sorted(numbers)))


def _rows(parts: Iterable[Iterable[int]]) -> Iterator[tuple[int, int]]:
    for number, part in enumerate(parts):
        yield from ((group, number) for group in part)


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
