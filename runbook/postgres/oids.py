"""What tells a table, and a column of it, from another of the same name: their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.sql import SQL

from runbook.postgres.gather_all import together
from runbook.postgres.queries import fetch, load, one_value

Name = tuple[str, str]
"""Schema and name."""
Two = tuple[int, int]
"""A number on one side and on the other."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A table that both sides have under one name."""

    numbers: Two
    places: Mapping[str, Two]
    """Of the columns that both have."""

    @property
    def alike(self) -> bool:
        """Whether relation and columns have the same numbers on both sides."""
        return all(here == there for here, there in (self.numbers, *self.places.values()))


@dataclass(frozen=True, slots=True)
class _Row:
    schema: str
    name: str
    number: int
    places: dict[str, int]


async def pairs(here: AsyncConnection, there: AsyncConnection) -> dict[Name, Pair]:
    """Return the tables of both sides; none, without reading any, where all have one number."""
    if len(set(await together(_digest(here), _digest(there)))) == 1:
        return {}
    left, right = await together(_read(here), _read(there))
    return {
        name: Pair(
            (ours.number, theirs.number),
            {
                column: (place, theirs.places[column])
                for column, place in ours.places.items()
                if column in theirs.places
            },
        )
        for name, ours in left.items()
        if (theirs := right.get(name)) is not None
    }


async def _read(connection: AsyncConnection) -> dict[Name, _Row]:
    return {(row.schema, row.name): row for row in await fetch(connection, _Row, "table_numbers")}


async def _digest(connection: AsyncConnection) -> str:
    query = SQL(
        "SELECT md5(coalesce(string_agg(line::text, '' ORDER BY line.number), ''))\n"
        "FROM (\n{}\n) AS line"
    ).format(SQL(load("table_numbers", connection.info.server_version)))
    return str(await one_value(connection, query))
