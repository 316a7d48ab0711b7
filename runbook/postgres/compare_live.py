"""Finds the rows that differ between two databases while one of them is written to.

Replication moves rows while they are compared, so a difference that is seen once says nothing. What
differed is looked at again, after the subscriber has confirmed past a position that was taken after
the look at the publisher, until only those rows are left that stand still and differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from psycopg import AsyncConnection

Connect = Callable[[], Awaitable[AsyncConnection]]
Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of all that is done, 0 to 1."""


class Kind(StrEnum):
    """How a row differs, as the subscriber has it."""

    CHANGED = "changed"
    MISSING = "missing"
    """The publisher has it, the subscriber does not."""
    EXTRA = "extra"
    """The subscriber has it, the publisher does not."""


@dataclass(frozen=True, slots=True)
class DifferingKey:
    """One row that differs and stands still.

    `values` are those of `TableDifference.key`, as text that casts to their types.
    """

    values: tuple[str | None, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class TableDifference:
    """A table with rows that differ for good."""

    database: str
    schema: str
    table: str
    key: tuple[str, ...]
    """The columns that tell a row: the replica identity's, else the primary key's. Empty: the table
    has none, and `keys` hold all columns of a row, as `columns` names them."""
    columns: tuple[str, ...]
    keys: tuple[DifferingKey, ...]
    """Those that were named, at most `limit` of the call, in the order of their text."""
    rows: int
    """How many differ; more than `keys` where those were cut."""


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """One database, compared while it moves."""

    database: str
    tables: int
    rows: int
    """Rows of the publisher that were hashed."""
    different: tuple[TableDifference, ...]
    undecided: tuple[str, ...]
    """Tables of which it cannot be told, each with the reason."""
    seconds: float


async def differing_keys(
    pub_connect: Connect,
    sub_connect: Connect,
    *,
    slot: str,
    tables: Collection[tuple[str, str]] | None = None,
    limit: int = 1000,
    wait_s: float = 60.0,
    progress: Progress | None = None,
) -> LiveComparison:
    """Compare one database on two servers, of which the publisher may be written meanwhile.

    `slot` is the publisher's slot that feeds the subscriber; `tables` are (schema, name), None: all
    that replication carries. Reads only, in short queries; at most one at a time on each side.
    """
    raise NotImplementedError
