"""The schema as lines of text, alike on both sides where the schemas are, and cheap looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from psycopg import AsyncConnection, errors
from psycopg.sql import SQL

from runbook.postgres.queries import fetch, fetch_values, load, one_value

PUBLISHER = "publisher"
SUBSCRIBER = "subscriber"


Key = tuple[str, tuple[str, ...]]
"""The kind of a line and its names: what tells it from any other of the same database."""

_GAP = "\x00"
"""Stands where an expression was taken out of a text; no text of a server holds it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of a schema."""

    kind: str
    """table, column, constraint, index, sequence, type, trigger, extension, version, publication"""
    names: list[str]
    """Schema, relation, part, as far as there are; unquoted."""
    text: str
    """All of it, every name quoted: which of them need it differs between versions."""
    terms: list[str] = field(default_factory=list)
    """The expressions in it, each as it stands in `text`."""
    makes: str = ""
    """Of a column of rows, what its values are made by: type, collation, whether generated; of a
    table, whether it is unlogged."""
    shown: str = ""
    """All of it as people read it; empty: as `text` has it."""

    @property
    def key(self) -> Key:
        """Return by what it is found on the other side."""
        return self.kind, tuple(self.names)

    @property
    def words(self) -> str:
        """Return it as people read it."""
        return self.shown or self.text

    @property
    def frame(self) -> str:
        """Return the text without its expressions."""
        text = self.text
        for term in self.terms:
            text = text.replace(term, _GAP, 1)
        return text


async def lines(
    connection: AsyncConnection, *, side: str = "", publication: str = ""
) -> list[Line]:
    """Return the schema of this database, sorted.

    `side` is `PUBLISHER` or `SUBSCRIBER`: then what the publication publishes is among them, or
    what the subscription of the same name knows and has.
    """
    params = {"side": side, "publication": publication}
    shown = {
        line.key: line.text for line in await fetch(connection, Line, "schema_fingerprint", params)
    }
    async with connection.transaction():
        await fetch_values(connection, "quote_all")
        found = await fetch(connection, Line, "schema_fingerprint", params)
    return [replace(line, shown=shown.get(line.key, "")) for line in found]


async def digest(connection: AsyncConnection, *, side: str, publication: str) -> str:
    """Return a digest of what `lines` returns, made on the server."""
    query = SQL(
        "SELECT md5(coalesce(string_agg(text, chr(10) ORDER BY text COLLATE \"C\"), ''))\n"
        "FROM (\n{}\n) AS line"
    ).format(SQL(load("schema_fingerprint", connection.info.server_version)))
    async with connection.transaction():
        await fetch_values(connection, "quote_all")
        params = {"side": side, "publication": publication}
        return str(await one_value(connection, query, params))


def unlike(here: Sequence[Line], there: Sequence[Line]) -> dict[Key, tuple[Line, Line]]:
    """Return what both sides have, and do not write alike."""
    others = {line.key: line for line in there}
    return {
        line.key: (line, others[line.key])
        for line in here
        if line.key in others and others[line.key].text != line.text
    }


async def proved(
    connection: AsyncConnection, pairs: Mapping[Key, tuple[Line, Line]]
) -> frozenset[Key]:
    """Return which of the pairs are the same but for how their expressions are written.

    This one server reads both expressions and prints them anew: where it prints the same, they mean
    the same to it. Whatever it cannot read, or prints otherwise, is not proved. It is asked in a
    transaction that is rolled back, on temporary tables; nothing is evaluated. The connection's
    server must have the objects, as both sides do.
    """
    asked = {
        key: pair
        for key, pair in pairs.items()
        if pair[0].frame == pair[1].frame and len(pair[0].terms) == len(pair[1].terms)
    }
    wanted = sorted(
        {
            (kind, *names[:2], term)
            for (kind, names), pair in asked.items()
            for line in pair
            for term in line.terms
        }
    )
    try:
        printed = await _printed(connection, wanted) if wanted else {}
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        # No temporary tables for us there.
        return frozenset()

    def same(key: Key, left: str, right: str) -> bool:
        kind, names = key
        ours, theirs = (printed[(kind, *names[:2], term)] for term in (left, right))
        return left == right or not ours.isdisjoint(theirs)

    return frozenset(
        key
        for key, (left, right) in asked.items()
        if all(same(key, *terms) for terms in zip(left.terms, right.terms, strict=True))
    )


async def _printed(
    connection: AsyncConnection, asked: Sequence[tuple[str, ...]]
) -> dict[tuple[str, ...], frozenset[str]]:
    """Return how the server prints terms (kind, schema, name, text), in all rounds."""
    async with connection.transaction(force_rollback=True):
        await fetch_values(connection, "quote_all")
        await connection.execute(load("reprint", connection.info.server_version).encode())
        cursor = await connection.execute(
            "SELECT pg_temp.blueprime_reprint(kind, schema, name, term)\n"
            "FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
            " WITH ORDINALITY AS asked (kind, schema, name, term, place)\n"
            "ORDER BY place",
            [list(column) for column in zip(*asked, strict=True)],
        )
        rows = await cursor.fetchall()
    return {each: frozenset(rounds) for each, (rounds,) in zip(asked, rows, strict=True)}


async def stamp(connection: AsyncConnection) -> str:
    """Return what changes whenever the catalogs do, at the cost of one scan of them."""
    (found,) = await fetch_values(connection, "schema_stamp")
    return str(found)
