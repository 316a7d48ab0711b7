"""Which tables nobody has written to since a moment: told by the rows themselves, not by counters.

A row bears the id of the transaction that has written it (xmin), and keeps it when it is frozen. So
where no row bears an id from the moment on, none was inserted and none updated; and where the other
side, which was closed then, has as many rows, none was deleted. Reading that is a plain scan of
each side: no row is hashed, none leaves its server.

Source: https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Literal

from runbook.postgres.cluster_moment import ClusterMoment
from runbook.postgres.comparison.fenced import Connect, prepare
from runbook.postgres.comparison.scan import Scan, Side
from runbook.postgres.comparison.tables import Name, paired, tables
from runbook.postgres.gather_all import together

_FIRST_ID = 3
"""The lowest id that a transaction can have; those below are the server's own."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A table that was not read to its end within the time."""

    database: str
    schema: str
    table: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Stamped:
    """What the rows of one database tell."""

    read: int
    """How many tables were read to their end, on both sides."""
    touched: tuple[Name, ...]
    """Those that were written to, or may have been, or that only one side has."""
    unread: tuple[Unread, ...]


async def look(
    here: Connect,
    there: Connect,
    since: tuple[ClusterMoment, ClusterMoment],
    *,
    budget_s: float,
    parallel: int,
) -> Stamped:
    """Tell which tables of a database were written to since a moment of each side.

    Neither side may be written meanwhile. Up to `parallel` connections are opened to each; the
    smallest tables are read first, for `budget_s` seconds.
    """
    ends = monotonic() + budget_s
    async with AsyncExitStack() as stack:

        async def opened(connect: Connect) -> AsyncConnection:
            connection = await connect()
            stack.push_async_callback(connection.close)
            await prepare(connection)
            return connection

        opening = await together(opened(here), opened(there))
        pairs = paired(*await together(*map(tables, opening)))
        sides = [
            Side([Scan(pair[number], _stamped(since[number])) for pair in pairs.both])
            for number in (0, 1)
        ]
        hands = list(zip(sides, opening, strict=True))
        for side, connect in zip(sides, (here, there), strict=True):
            more = min(parallel, len(side.pieces)) - 1
            hands += [(side, c) for c in await together(*(opened(connect) for _ in range(more)))]
        await together(*(side.hash_until(connection, ends) for side, connection in hands))
        database = opening[0].info.dbname
    touched: list[Name] = [(table.schema, table.name) for table, _ in pairs.unlike]
    unread = []
    for place, (ours, theirs) in enumerate(pairs.both):
        stamped = [side.hash(place) for side in sides]
        if any(stamped) or (None not in stamped and sides[0].rows[place] != sides[1].rows[place]):
            touched.append((ours.schema, ours.name))
        elif None in stamped:
            size_bytes = max(ours.size_bytes, theirs.size_bytes)
            unread.append(Unread(database, ours.schema, ours.name, size_bytes))
    return Stamped(len(pairs.both) - len(unread), tuple(touched), _largest_first(unread))


def oldest_open(moment: ClusterMoment) -> int:
    """Return the lowest transaction id that could still write at a moment, in full (64 bits).

    A subtransaction's id is above its parent's, and only the parent's is told.
    """
    return min((moment.next_xid, *moment.running))


def _stamped(since: ClusterMoment) -> Composable:
    """Return the SQL that is 1 for a row that was written from a moment on, and 0 for others.

    Ids are compared by their age, since they go round; one that was frozen before the last round
    may seem to lie ahead, and is old.
    """
    first = max(_FIRST_ID, oldest_open(since) % 2**32)
    return SQL(
        "CASE WHEN pg_catalog.age(xmin) BETWEEN 0 AND pg_catalog.age({}::pg_catalog.xid)"
        " THEN 1 ELSE 0 END"
    ).format(Literal(str(first)))


def _largest_first(tables: Sequence[Unread]) -> tuple[Unread, ...]:
    return tuple(sorted(tables, key=lambda table: -table.size_bytes))
