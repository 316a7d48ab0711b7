"""Sequences: logical replication does not carry them, so they are read and set exactly.

All sequences of a database count, whatever schema they are in: standalone ones, those of serial and
identity columns, and members of extensions, since the rows of extensions' tables travel too. Only
temporary ones do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal

from runbook.postgres.catalog import Named, read_only_state
from runbook.postgres.queries import batches, fetch, load, number
from runbook.postgres.statement import Statement

_READ_AT_ONCE = 1000
"""Relations in one UNION ALL: each is a lock, and 10,000 are beyond the parser's stack."""

_ROOM = """
    SELECT greatest(500, (
        current_setting('max_locks_per_transaction')::int * (
            current_setting('max_connections')::int
            + current_setting('max_prepared_transactions')::int
            + current_setting('max_worker_processes')::int
        ) - (SELECT count(*) FROM pg_catalog.pg_locks WHERE NOT fastpath)
    )::int)
"""
"""For how many locks the server's table is sized and free. Each sequence that is set keeps one
until the statement's end; a table that overflows fails whoever comes next, the apply worker too. At
the defaults (64 locks, 100 connections) that is 6,900; 12,500 do fit on 16 and 14,600 on 18, into
memory that nobody promises. Aurora's own defaults have room for tens of thousands."""


@dataclass(frozen=True, slots=True)
class SequenceValue(Named):
    """A sequence's state and limits. `setval(s, last_value, is_called)` restores the state."""

    last_value: int
    is_called: bool
    increment: int
    min: int
    max: int
    cycle: bool


@dataclass(frozen=True, slots=True)
class Applied(Named):
    """The result of one sequence: whether it was set, else why not."""

    set: bool
    reason: str


@dataclass(frozen=True, slots=True)
class NarrowSequence(Named):
    """A sequence that comes to its end."""

    left_share: float
    """Of its range, from 0 to 1."""


async def narrow(connection: AsyncConnection, share: float) -> list[NarrowSequence]:
    """Return the sequences with less than that share of their range left, the worst first."""
    return await fetch(connection, NarrowSequence, "narrow_sequences", (share,))


async def read(connection: AsyncConnection) -> list[SequenceValue]:
    """Return every permanent sequence of the database, by schema and name; works on a standby.

    From 18 on one query says it all. Before, `pg_sequences` hides the value of a sequence that was
    set and not called, so each relation is read, a thousand a query. A sequence without SELECT
    raises psycopg's `InsufficientPrivilege`.
    """
    found = await fetch(connection, dict[str, Any], "sequences")
    unread = [each for each in found if each["last_value"] is None]
    for batch in batches(unread, _READ_AT_ONCE):
        await _read_relations(connection, batch)
    return [SequenceValue(**each) for each in found]


def apply(values: Sequence[SequenceValue]) -> Statement:
    """Return one statement that sets them all and answers with a row for each, as `Applied`.

    What this side cannot take (no such sequence, out of its bounds, no privilege) is a row with its
    reason, and hinders no other.
    """
    return Statement(
        SQL(load("apply_sequences", 0)),
        (
            [value.schema for value in values],
            [value.name for value in values],
            [value.last_value for value in values],
            [value.is_called for value in values],
        ),
    )


async def results(connection: AsyncConnection, values: Sequence[SequenceValue]) -> list[Applied]:
    """Set them and return one result a sequence: one statement, if the lock table has the room."""
    done: list[Applied] = []
    for batch in batches(values, await room(connection)):
        cursor = await apply(batch).execute(connection)
        done += [Applied(*row) for row in await cursor.fetchall()]
    return done


async def room(connection: AsyncConnection) -> int:
    """Return how many sequences one statement may set on this server now."""
    return await number(connection, _ROOM)


async def set_back_in_use(
    connection: AsyncConnection, wanted: Sequence[SequenceValue]
) -> list[SequenceValue]:
    """Return those that setting would move back although the database is open to applications.

    They would be given out a second time. While the database is read-only to new sessions nobody
    uses them, and exactly what the publisher has is right, whatever it was here.
    """
    if (await read_only_state(connection)).default_read_only:
        return []
    here = {(value.schema, value.name): value for value in await read(connection)}
    return [
        value
        for value in wanted
        if (current := here.get((value.schema, value.name))) and behind(value, current)
    ]


def behind(value: SequenceValue, other: SequenceValue) -> bool:
    """Return whether a state gives out again what another one has given out, in its direction.

    One that cycles does so by its own declaration, and has no back.
    """
    if other.cycle:
        return False
    step = 1 if other.increment > 0 else -1
    return (value.last_value * step, value.is_called) < (other.last_value * step, other.is_called)


def differences(
    publisher: Sequence[SequenceValue], subscriber: Sequence[SequenceValue]
) -> list[str]:
    """Return in words where two sides differ; an empty list means that they are equal."""
    left = {(value.schema, value.name): value for value in publisher}
    right = {(value.schema, value.name): value for value in subscriber}
    words = []
    for key in sorted(left.keys() | right.keys()):
        here, there = left.get(key), right.get(key)
        if here is None:
            words.append(f"{there} is on the subscriber only")
        elif there is None:
            words.append(f"{here} is on the publisher only")
        elif here != there:
            words.append(_difference(here, there))
    return words


def _difference(here: SequenceValue, there: SequenceValue) -> str:
    state = f"{_state(here)} on the publisher, {_state(there)} on the subscriber"
    if replace(here, last_value=0, is_called=True) == replace(there, last_value=0, is_called=True):
        return f"{here}: {state}"
    return f"{here}: {state}; {_limits(here)} against {_limits(there)}"


def _state(value: SequenceValue) -> str:
    return f"{value.last_value}{'' if value.is_called else ' (not called yet)'}"


def _limits(value: SequenceValue) -> str:
    cycle = ", cycle" if value.cycle else ""
    return f"increment {value.increment}, {value.min} to {value.max}{cycle}"


async def _read_relations(connection: AsyncConnection, batch: Sequence[dict[str, Any]]) -> None:
    """Fill in the states of some sequences."""
    query = SQL("\nUNION ALL ").join(
        SQL("SELECT {}, last_value, is_called FROM {}").format(
            Literal(place), Identifier(each["schema"], each["name"])
        )
        for place, each in enumerate(batch)
    )
    cursor = await connection.execute(query)
    for place, last_value, is_called in await cursor.fetchall():
        batch[place].update(last_value=last_value, is_called=is_called)
