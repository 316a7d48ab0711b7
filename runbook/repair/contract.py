"""The contract of a repair: a step that is rebuilt from what the journal keeps under its key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, ClassVar

from runbook.base.context import RunContext
from runbook.base.step import Gate, Risk, Step
from runbook.postgres.statement import quoted
from state.enums import REPAIR

SERVES_NOBODY = "Not needed: the cluster that it changes serves nobody."


class Place(IntEnum):
    """Where a repair stands among those that are offered: what others rest on comes first."""

    NEEDED = 0
    """Roles, and functions that a column or a key may call."""
    TABLES = 1
    """The subscription, the tables and what belongs to them: as they come, unless it is said."""
    CODE = 2
    """Views, triggers, policies, grants: what rests on tables."""
    CODE_GONE = 3
    """What may hold back a column or a table that is dropped."""
    TABLES_GONE = 4
    NEEDED_GONE = 5
    ROWS = 6
    """Their copy needs the same columns on both sides."""
    ACCEPTED = 7
    """What is left, accepted by name."""


@dataclass
class Repair(Step):
    """A repair of one object, taken where it is needed and performed as any step.

    A subclass is a dataclass whose fields are JSON values: they are all that it is rebuilt from.
    It sets `what`, and in `__post_init__` key and title.
    """

    what: ClassVar[str]
    risk = Risk.REVERSIBLE
    place = Place.TABLES
    """Where it stands among the others."""
    why: str

    def named(self, *names: str) -> None:
        """Take the key that names the object."""
        self.key = f"{REPAIR}{self.what}/" + "/".join(names)

    def asking(self, question: str, reversible: str, *, typed: str = "") -> list[Gate]:
        """Return the decision to take it, which is asked anew each time."""
        return [Gate(self.key, question, reversible, must_type=typed, valid_s=0.0)]

    def as_json(self) -> dict[str, Any]:
        """Return what the journal keeps under the key."""
        return {"what": self.what, **asdict(self)}

    async def wanted(self, context: RunContext) -> bool:
        """Return whether it is still of use, for one that was begun and not brought to its end."""
        return True


@dataclass
class TableRepair(Repair):
    """A repair of one table."""

    database: str
    schema: str
    table: str

    def __post_init__(self) -> None:
        self.named(of_database(*self.name))

    @property
    def name(self) -> tuple[str, str, str]:
        """By what a table is known: database, schema and table."""
        return self.database, self.schema, self.table

    @property
    def table_name(self) -> str:
        """The table with its schema, as a person types it."""
        return f"{self.schema}.{self.table}"


def is_repair(step: str) -> bool:
    """Return whether the key of a step is a repair's."""
    return step.startswith(REPAIR)


def of_database(database: str, schema: str, table: str) -> str:
    """Return a table's name as keys and words have it."""
    return f"{quoted(database)}/{quoted(schema)}.{quoted(table)}"
