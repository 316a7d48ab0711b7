"""Proves that two databases hold the same rows: counts always, contents as far as time allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.catalog import PublishedTable

Connect = Callable[[], Awaitable[AsyncConnection]]
Progress = Callable[[str, float], None]
"""Called with what was just done and the fraction of all bytes compared, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The number of rows, and an order-independent hash over all of their contents."""

    rows: int
    hash: str | None
    """None: not taken."""


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table on both sides. `rows_*` None: the side has no such table, or did not answer."""

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
    raise NotImplementedError


async def counts(connection: AsyncConnection, chosen: Sequence[PublishedTable]) -> list[int]:
    """Return the number of rows of each table, counted."""
    raise NotImplementedError


async def hash_table(connection: AsyncConnection, table: PublishedTable) -> Digest:
    """Return a table's digest, computed by the server in one scan."""
    raise NotImplementedError


async def compare_databases(
    pub_connect: Connect,
    sub_connect: Connect,
    *,
    budget_s: float,
    parallel: int = 4,
    progress: Progress | None = None,
) -> Comparison:
    """Compare one database on two servers, neither of which may be written meanwhile."""
    raise NotImplementedError
