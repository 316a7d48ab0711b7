"""One change that makes the subscriber's schema that of the publisher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.sql import Composable

from runbook.postgres.schema_ddl import Parts

RETYPED_BY_HAND = (
    "By hand: ALTER TABLE … ALTER COLUMN … TYPE, once every row that was written before has "
    "arrived (lag 0); then compare the table's rows."
)
"""What is done about a column of another type that holds values."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change on the subscriber. Without statements it is by hand, in the words of `note`."""

    kind: str
    """E.g. `enum`, `enum-value`, `sequence`, `column`, `constraint`, `drop-column`."""
    name: tuple[str, ...]
    """Schema, object, and its part where it has one."""
    title: str
    statements: Sequence[Composable] = ()
    note: str = ""
    """What a person has to know of it."""
    destructive: bool = False
    reads: tuple[str, str] = ("", "")
    """How it reads on both sides, the publisher first, as far as that is text."""
    replaces: bool = False
    """Whether it puts something in the place of what may refuse rows of the publisher."""

    @property
    def mark(self) -> list[str]:
        """Return what tells this difference from another of the same kind and name."""
        return [*self.reads, *(statement.as_string(None) for statement in self.statements)]

    @property
    def alone(self) -> bool:
        """Whether it must not run within a transaction: an enum's new value is used after it."""
        return self.kind == "enum-value"


def only_there(ours: Parts, theirs: Parts) -> str:
    """Return what a person has to know of what only the subscriber has."""
    return (
        f"Only {theirs.side} has it: {ours.side} dropped it, or somebody added it here first, so "
        "that rows with it may come. What it holds is gone with it."
    )
