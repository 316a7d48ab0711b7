"""Sequences moved ahead where nobody can be asked how far they have come.

The rows that a sequence has numbered tell up to where; what was numbered and has not arrived is
behind by no more than a margin. A sequence that numbers no column has the margin alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook.postgres.queries import fetch, one_value
from runbook.postgres.sequences import SequenceValue, read

MARGIN = 1_000_000
"""So many values are passed over."""

LEAST_SHARE = 2
"""Where less is left than twice the margin, one part in so many of what is left is passed over."""


@dataclass(frozen=True, slots=True)
class _Column:
    sequence_schema: str
    sequence: str
    schema: str
    relation: str
    column: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A sequence as it is to be, and whether the rows tell how far it had come."""

    value: SequenceValue
    told_by_rows: bool


async def ahead(connection: AsyncConnection) -> list[Moved]:
    """Return every sequence of the database as it is to be; only looks.

    Raises psycopg's errors, but for a column that cannot be read in time: it tells nothing.
    """
    columns = await fetch(connection, _Column, "sequence_columns")
    moved = []
    for value in await read(connection):
        ours = [c for c in columns if (c.sequence_schema, c.sequence) == (value.schema, value.name)]
        furthest = [await _furthest(connection, each, value) for each in ours]
        told = [each for each in furthest if each is not None]
        moved.append(Moved(beyond(value, told), bool(told)))
    return moved


def beyond(value: SequenceValue, known: Iterable[int]) -> SequenceValue:
    """Return a sequence moved ahead of itself and of values known to be used, in its direction."""
    step = 1 if value.increment > 0 else -1
    reached = max((value.last_value * step, *(each * step for each in known)))
    end = value.max if step > 0 else -value.min
    reached = min(reached, end)
    jump = min(MARGIN * abs(value.increment), (end - reached) // LEAST_SHARE)
    return replace(value, last_value=(reached + jump) * step, is_called=True)


async def _furthest(
    connection: AsyncConnection, column: _Column, value: SequenceValue
) -> int | None:
    """Return the furthest value of a column, or None where it has none or cannot be read."""
    query = SQL("SELECT {}({})::bigint FROM {}").format(
        SQL("max" if value.increment > 0 else "min"),
        Identifier(column.column),
        Identifier(column.schema, column.relation),
    )
    try:
        furthest: int | None = await one_value(connection, query)
    except (psycopg.errors.QueryCanceled, psycopg.errors.InsufficientPrivilege):
        return None
    return furthest
