"""What a comparison of moving data finds: rows that differ and stand still."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runbook.postgres.comparison.look import Key


class Kind(StrEnum):
    """How a row differs, as the subscriber has it."""

    CHANGED = "changed"
    MISSING = "missing"
    """The publisher has it, the subscriber does not."""
    EXTRA = "extra"
    """The subscriber has it, the publisher does not."""


@dataclass(frozen=True, slots=True)
class DifferingKey:
    """One row that differs and stands still."""

    values: Key
    """Those of `TableDifference.key`, as text that casts to their types."""
    kind: Kind


@dataclass(frozen=True, slots=True)
class TableDifference:
    """A table with rows that differ for good."""

    database: str
    schema: str
    table: str
    key: tuple[str, ...]
    """The columns that `DifferingKey.values` are of: those of the primary key, else of the replica
    identity's index, else all columns, by name."""
    unique: bool
    """Whether `key` is a key: without one, each differing row is told as missing or extra."""
    keys: tuple[DifferingKey, ...]
    complete: bool
    """Whether `keys` are all that differ; otherwise the table has more, not counted."""
    note: str = ""
    """Why the table as a whole differs: one side lacks it, or it has other columns there."""


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """One database, compared while it moves."""

    database: str
    tables: int
    rows: int
    """Of the publisher, as many as were hashed."""
    different: tuple[TableDifference, ...]
    undecided: tuple[tuple[str, str, str], ...]
    """Tables of which it cannot be told, each as schema, name and reason."""
    seconds: float

    @property
    def same(self) -> bool | None:
        """False if rows differ for good; None if something could not be told."""
        if self.different:
            return False
        return None if self.undecided else True
