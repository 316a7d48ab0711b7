"""Sequences: logical replication does not carry them, so they are read and set exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from runbook.postgres.statement import Statement, quoted


@dataclass(frozen=True, slots=True)
class SequenceValue:
    """A sequence's state and limits. `setval(s, last_value, is_called)` restores the state."""

    schema: str
    name: str
    last_value: int
    is_called: bool
    increment: int
    min: int
    max: int
    cycle: bool

    def __str__(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of one sequence: what it is now, or why it was not set."""

    schema: str
    name: str
    set: bool
    reason: str


async def read(connection: AsyncConnection) -> list[SequenceValue]:
    """Return every permanent sequence of the database, by schema and name."""
    raise NotImplementedError


def apply(values: Sequence[SequenceValue]) -> Statement:
    """Return one statement that sets them all and answers with a row for each."""
    raise NotImplementedError


async def results(connection: AsyncConnection, values: Sequence[SequenceValue]) -> list[Applied]:
    """Run `apply` and return one result a sequence."""
    raise NotImplementedError


def differences(
    publisher: Sequence[SequenceValue], subscriber: Sequence[SequenceValue]
) -> list[str]:
    """Return in words where two sides differ; an empty list means that they are equal."""
    raise NotImplementedError
