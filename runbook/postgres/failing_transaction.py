"""The transaction that an apply worker fails at: what it would insert, and what is in its way.

The server writes a conflict into its log alone. But while the worker is down between two tries its
slot can be read without moving it, and the change that failed is in the first transaction that was
not applied. Format: "Logical Replication Message Formats", protocol version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier, Literal

from runbook.postgres.queries import number, one_value
from runbook.postgres.replication.lag import lsn_text
from runbook.postgres.statement import Statement

MOST_CHANGES = 10_000
"""So many changes of a transaction are read, and no more of a longer one."""

MOST_WAL = 256 * 1024**2
"""So many bytes of WAL are decoded: the server writes out what it has decoded before it answers."""

_LARGEST = 1024**2
"""A message that is longer, in bytes, is not fetched, nor what comes after it."""

_BATCH = 50

Values = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Change:
    """A row that a transaction brings (`new`) or takes away (`old`: its replica identity)."""

    schema: str
    table: str
    new: Values | None
    old: Values | None


@dataclass(frozen=True, slots=True)
class Pending:
    """The first transaction that was not applied, as far as it was read."""

    changes: Sequence[Change]
    whole: bool
    """Whether these are all of its changes."""

    @property
    def tables(self) -> set[tuple[str, str]]:
        """The tables that it changes, by schema and name."""
        return {(change.schema, change.table) for change in self.changes}


@dataclass(frozen=True, slots=True)
class Stray:
    """A row of the subscriber that a pending insert collides with."""

    schema: str
    table: str
    key: dict[str, str]
    """The columns of the unique index that both rows share, as text."""
    version: str
    """Where it lies and who wrote it (ctid and xmin): no other row is taken for it."""


async def applied(connection: AsyncConnection, subscription: str) -> int:
    """Return up to where a subscription of this database has applied, in bytes; 0: nothing yet."""
    return await number(
        connection,
        "SELECT coalesce(max(o.remote_lsn - '0/0'), 0)::bigint "
        "FROM pg_catalog.pg_stat_subscription AS s "
        "JOIN pg_catalog.pg_replication_origin_status AS o ON o.external_id = 'pg_' || s.subid "
        # Whose tables are those of this database: the number itself may be read since 14 only.
        "WHERE s.subname = %s AND s.subid IN "
        "(SELECT srsubid FROM pg_catalog.pg_subscription_rel)",
        (subscription,),
    )


async def failing(
    connection: AsyncConnection, slot: str, publication: str, *, applied_lsn: int, from_lsn: int
) -> Pending:
    """Return the first transaction behind a position; the slot does not move.

    `from_lsn` is what the slot has confirmed. The server counts `upto_nchanges` at the end of a
    transaction alone, so the answer is fetched in pieces, and reading ends where enough is known.
    Raises what the server does where the slot is in use (ObjectInUse).

    Source: https://www.postgresql.org/docs/current/logical-replication-conflicts.html
    """
    reading = _Reading(applied_lsn, connection.info.encoding)
    upto = max(applied_lsn, from_lsn) + MOST_WAL
    async with connection.transaction(), connection.cursor(name="blueprime_pending") as cursor:
        await cursor.execute(
            "SELECT CASE WHEN pg_catalog.octet_length(data) <= %s THEN data END "
            "FROM pg_catalog.pg_logical_slot_peek_binary_changes("
            "%s, %s, %s, 'proto_version', '1', 'publication_names', %s)",
            (
                _LARGEST,
                slot,
                lsn_text(upto),
                MOST_CHANGES,
                Identifier(publication).as_string(None),
            ),
        )
        while rows := await cursor.fetchmany(_BATCH):
            for (message,) in rows:
                if message is None or len(reading.changes) >= MOST_CHANGES:
                    return Pending(reading.changes, whole=False)
                if reading.ends_with(message):
                    return Pending(reading.changes, whole=True)
    return Pending(reading.changes, whole=False)


async def stray(connection: AsyncConnection, changes: Sequence[Change]) -> Stray | None:
    """Return the first row of this database that is in the way of a change, or None."""
    freed: dict[tuple[str, str], list[Values]] = {}
    keys: dict[tuple[str, str], list[list[str]]] = {}
    for change in changes:
        table = (change.schema, change.table)
        if change.old is not None:
            freed.setdefault(table, []).append(change.old)
        if change.new is None:
            continue
        if table not in keys:
            keys[table] = await _unique_keys(connection, *table)
        for columns in keys[table]:
            key = {column: change.new.get(column) for column in columns}
            if None in key.values():
                continue
            known = {column: str(value) for column, value in key.items()}
            version = await _version(connection, *table, known)
            if version and not await _freed(connection, table, version, freed.get(table, ())):
                return Stray(*table, known, version)
    return None


def delete(row: Stray) -> Statement:
    """Return the deletion of exactly that row."""
    ctid, xmin = row.version.split("/")
    return Statement(
        SQL("DELETE FROM ONLY {} WHERE {} AND ctid = %s::tid AND xmin = %s::xid").format(
            Identifier(row.schema, row.table), _condition(row.key)
        ),
        (ctid, xmin),
    )


async def there(connection: AsyncConnection, row: Stray) -> bool:
    """Return whether exactly that row is there."""
    return await _version(connection, row.schema, row.table, row.key) == row.version


def _condition(key: dict[str, str]) -> Composed:
    # A literal of unknown type takes the column's: no type has to be named.
    return SQL(" AND ").join(
        SQL("{} = {}").format(Identifier(column), Literal(value)) for column, value in key.items()
    )


async def _version(
    connection: AsyncConnection, schema: str, table: str, key: dict[str, str]
) -> str:
    query = SQL("SELECT ctid::text || '/' || xmin::text FROM ONLY {} WHERE {}").format(
        Identifier(schema, table), _condition(key)
    )
    return str(await one_value(connection, query) or "")


async def _unique_keys(connection: AsyncConnection, schema: str, table: str) -> list[list[str]]:
    """Return the columns of each unique index that has neither condition nor expression."""
    cursor = await connection.execute(
        """
        SELECT ARRAY(
            SELECT a.attname FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
            ORDER BY a.attnum
        )
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s AND i.indisunique
          AND i.indpred IS NULL AND i.indexprs IS NULL
        ORDER BY i.indisprimary DESC, i.indexrelid
        """,
        (schema, table),
    )
    return [columns for (columns,) in await cursor.fetchall()]


async def _freed(
    connection: AsyncConnection, table: tuple[str, str], version: str, olds: Sequence[Values]
) -> bool:
    """Return whether the transaction has taken that very row away, or changed it, before."""
    for old in olds:
        key = {column: value for column, value in old.items() if value is not None}
        if version == await _version(connection, *table, key):
            return True
    return False


class _Reading:
    """Reads messages up to the end of the first transaction that was not applied."""

    def __init__(self, applied_lsn: int, encoding: str) -> None:
        self.changes: list[Change] = []
        self._encoding = encoding
        self._applied_lsn = applied_lsn
        self._applied = False
        self._relations: dict[int, tuple[str, str, list[str], set[str]]] = {}

    def ends_with(self, message: bytes) -> bool:
        """Take in a message; return whether it is the end of that transaction."""
        reader = _Reader(message, self._encoding)
        match reader.letter():
            case "B":
                # The position of its commit: what was applied ends behind it.
                self._applied = reader.int64() < self._applied_lsn
            case "R":
                self._relation(reader)
            case "I" | "U" | "D" as kind if not self._applied:
                self.changes.append(self._change(reader, kind))
            case "C":
                return not self._applied
        return False

    def _relation(self, reader: _Reader) -> None:
        oid, schema, table = reader.int32(), reader.text(), reader.text()
        reader.letter()
        listed = [reader.column() for _ in range(reader.int16())]
        names = [name for name, _ in listed]
        self._relations[oid] = (schema, table, names, {name for name, key in listed if key})

    def _change(self, reader: _Reader, kind: str) -> Change:
        schema, table, columns, identity = self._relations[reader.int32()]
        tuples = {}
        while (letter := reader.letter()) in ("K", "O", "N"):
            tuples[letter] = reader.tuple(columns)
        new = tuples.get("N")
        old = tuples.get("K") or tuples.get("O") or (new if kind == "U" else None)
        if old is not None:
            # An update without an old tuple has left the key as it was.
            old = {name: value for name, value in old.items() if name in identity}
        return Change(schema, table, new, old)


class _Reader:
    """Reads one message."""

    def __init__(self, message: bytes, encoding: str) -> None:
        self._message = bytes(message)
        self._encoding = encoding
        self._at = 0

    def skip(self, count: int) -> bytes:
        piece = self._message[self._at : self._at + count]
        self._at += count
        return piece

    def letter(self) -> str:
        """Return the next letter, or an empty text at the end."""
        return self.skip(1).decode("ascii")

    def int16(self) -> int:
        return int(struct.unpack("!h", self.skip(2))[0])

    def int32(self) -> int:
        return int(struct.unpack("!I", self.skip(4))[0])

    def int64(self) -> int:
        return int(struct.unpack("!Q", self.skip(8))[0])

    def text(self) -> str:
        end = self._message.index(b"\0", self._at)
        piece = self.skip(end - self._at)
        self.skip(1)
        return piece.decode(self._encoding)

    def column(self) -> tuple[str, bool]:
        """Return a column's name, and whether it is part of the replica identity."""
        key = self.skip(1) == b"\x01"
        name = self.text()
        self.skip(8)
        return name, key

    def tuple(self, columns: Sequence[str]) -> Values:
        """Return the values that are given; what is unchanged and long is left out."""
        values: Values = {}
        for column in columns[: self.int16()]:
            match self.letter():
                case "n":
                    values[column] = None
                case "t":
                    values[column] = self.skip(self.int32()).decode(self._encoding)
        return values
