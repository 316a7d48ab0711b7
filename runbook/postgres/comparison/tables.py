"""The tables that a comparison is about, and how those of two sides go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.catalog import Table
from runbook.postgres.queries import fetch

Name = tuple[str, str]
"""Schema and name of a table."""


@dataclass(frozen=True, slots=True)
class ComparedTable(Table):
    """A table of `compared_tables.sql`; `columns` and what goes with them are in order of name."""

    columns: list[str]
    types: list[str]
    """`schema.name`; a domain's is what it is made over."""
    output_schemas: list[str]
    outputs: list[str]
    """Each type's output function; empty where it cannot be called by hand."""
    key: list[str]
    """The primary key's columns, else the replica identity's; empty where there is neither."""
    size_bytes: int
    """With its TOAST data, without its indexes."""
    blocks: int
    """Of the table itself."""
    unread: str = ""
    """Why the current user cannot read every row of it; empty: it can.

    Source: https://www.postgresql.org/docs/current/ddl-rowsecurity.html
    """

    def alike(self, other: ComparedTable) -> frozenset[str]:
        """Return the columns that have the same type on another side."""
        there = dict(zip(other.columns, other.types, strict=True))
        return frozenset(
            name
            for name, kind in zip(self.columns, self.types, strict=True)
            if there.get(name) == kind
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """The tables of two sides."""

    both: list[tuple[ComparedTable, ComparedTable]]
    """The publisher's and the subscriber's, by name, with the same columns."""
    unlike: list[tuple[ComparedTable, str]]
    """Tables that cannot be compared, each with why: it differs as a whole."""


async def tables(connection: AsyncConnection) -> list[ComparedTable]:
    """Return the tables that replication carries, the smallest first."""
    return await fetch(connection, ComparedTable, "compared_tables")


async def named(connection: AsyncConnection, schema: str, name: str) -> ComparedTable | None:
    """Return one of these tables, or None where replication carries none of that name."""
    found = await tables(connection)
    return next((each for each in found if (each.schema, each.name) == (schema, name)), None)


def paired(ours: Sequence[ComparedTable], theirs: Sequence[ComparedTable]) -> Pairs:
    """Return how the tables of the publisher go with those of the subscriber."""
    found = Pairs([], [])
    others = {(each.schema, each.name): each for each in theirs}
    for here in ours:
        there = others.pop((here.schema, here.name), None)
        if there is None:
            found.unlike.append((here, "the subscriber has no such table"))
        elif there.columns != here.columns:
            found.unlike.append((here, "the columns differ"))
        else:
            found.both.append((here, there))
    found.unlike.extend((there, "the publisher has no such table") for there in others.values())
    return found
