"""A 64-bit hash of a row, computed by the server: equal on 13 to 18 where the row's text is equal.

Each column's hash is seeded with that of the column before it, so that values that change places
change the hash, within a row and, since nothing in it is linear, between rows; a table's hash is
the sum over its rows. The hash functions are those that hash partitioning relies on, so they are
the same in every version. They are used only where they tell all values apart that have different
texts: PostgreSQL's own for numeric, jsonb, arrays or `char(n)` do not (1.0 and 1.00, 5 and -5,
trailing blanks), and that for bigint and timestamps folds 64 bits into 32. Every other type goes by
what its output function writes, which is also what logical replication sends.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from runbook.postgres.comparison.tables import ComparedTable

_CHAIN = 64
"""Columns in one nested expression: the server's stack bounds how deep it may be."""

_BEYOND_INT = 1 << 40
"""NULL among numbers of at most 32 bits."""


@dataclass(frozen=True, slots=True)
class Salt:
    """Random values of one comparison: where the hashes begin, and what stands for NULL.

    No value of a table can equal what is drawn afterwards, but by a chance of one in 2^64 or less.
    """

    seed: int = field(default_factory=lambda: secrets.randbits(64) - (1 << 63))
    number: int = field(default_factory=lambda: secrets.randbits(64) - (1 << 63))
    word: str = field(default_factory=lambda: secrets.token_hex(16))


def row_hash(
    table: ComparedTable,
    alike: Collection[str],
    salt: Salt,
    *,
    columns: Sequence[str] | None = None,
) -> Composed:
    """Return the SQL of the hash of a row of a table, or of some columns of it, in that order.

    `alike` are the columns that have the same type on both sides; the others go by their text.
    """
    names = table.columns if columns is None else columns
    kinds = dict(zip(table.columns, table.types, strict=True))
    out = _outputs(table)
    found = SQL("{}").format(_number(salt.seed))
    for begin in range(0, len(names), _CHAIN):
        chain = SQL("{}").format(_number(salt.seed))
        for name in names[begin : begin + _CHAIN]:
            kind = kinds[name] if name in alike else ""
            chain = _column(name, kind, out[name], chain, salt)
        if len(names) <= _CHAIN:
            return chain
        found = SQL("hashint4extended({}, {} # {})").format(Literal(begin), chain, found)
    return found


def texts(table: ComparedTable, columns: Sequence[str], alias: str) -> Composed:
    """Return the SQL of an array with the texts of some columns of a row."""
    out = _outputs(table)
    return SQL("ARRAY[{}]::text[]").format(
        SQL(", ").join(_text(Identifier(alias, name), out[name]) for name in columns)
    )


def _outputs(table: ComparedTable) -> dict[str, tuple[str, str]]:
    functions = zip(table.output_schemas, table.outputs, strict=True)
    return dict(zip(table.columns, functions, strict=True))


def _text(value: Composable, output: tuple[str, str]) -> Composed:
    if not output[1]:
        return SQL("textin(record_out(ROW({})))").format(value)
    return SQL("textin({}({}))").format(Identifier(*output), value)


_NUMBERS: dict[str, LiteralString] = {
    "pg_catalog.int2": "{value}::int8",
    "pg_catalog.int4": "{value}::int8",
    "pg_catalog.oid": "{value}::int8",
    "pg_catalog.bool": "{value}::int4::int8",
}

_TEXTS = frozenset({"pg_catalog.text", "pg_catalog.varchar"})

_SENT: dict[str, LiteralString] = {
    "pg_catalog.date": "date_send",
    "pg_catalog.time": "time_send",
    "pg_catalog.timetz": "timetz_send",
    "pg_catalog.timestamp": "timestamp_send",
    "pg_catalog.timestamptz": "timestamptz_send",
}
"""Types whose binary form is as exact as their text, and faster."""

_FLOATS: dict[str, LiteralString] = {
    "pg_catalog.float4": "hashfloat4extended",
    "pg_catalog.float8": "hashfloat8extended",
}


def _column(
    name: str, kind: str, output: tuple[str, str], before: Composed, salt: Salt
) -> Composed:
    """Return the hash of one column, seeded with the hash of what comes before it."""
    value = Identifier(name)
    if kind == "pg_catalog.int8" or kind in _NUMBERS:
        # As part of the seed all 64 bits count, and NULL finds room beside those of 32 bits.
        number = SQL(_NUMBERS.get(kind, "{value}")).format(value=value)
        null = salt.number if kind == "pg_catalog.int8" else _BEYOND_INT
        return SQL("hashint4extended(0, coalesce({}, {}) # {})").format(
            number, _number(null), before
        )
    if kind in _FLOATS:
        # These functions take 0 and -0 for the same, and give back the seed for either.
        return SQL(
            "{hash}(CASE WHEN {value} <> 0 THEN {value} ELSE 1 END,"
            " CASE WHEN {value} <> 0 THEN 0 WHEN {value} IS NULL THEN 1"
            " WHEN {text} = '0' THEN 2 ELSE 3 END # {h})"
        ).format(hash=SQL(_FLOATS[kind]), value=value, text=_text(value, output), h=before)
    if kind == "pg_catalog.uuid":
        return SQL("uuid_hash_extended(coalesce({}, {}::uuid), {})").format(
            value, Literal(str(uuid.UUID(salt.word))), before
        )
    if kind == "pg_catalog.bytea":
        return SQL("hash_array_extended(ARRAY[coalesce({}, {}::bytea)], {})").format(
            value, Literal(f"\\x{salt.word}"), before
        )
    if kind in _TEXTS:
        text = SQL("{}").format(value)
    elif kind in _SENT:
        text = SQL("encode({}({}), 'hex')").format(SQL(_SENT[kind]), value)
    else:
        text = _text(value, output)
    return SQL('hashtextextended(coalesce({}, {}) COLLATE "C", {})').format(
        text, Literal(salt.word), before
    )


def _number(value: int) -> Composed:
    return SQL("{}::int8").format(Literal(str(value)))
