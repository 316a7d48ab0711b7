"""Tables whose rows are not the same on both sides, as the journal keeps them.

What finds one (the fence, the marks, a comparison) writes it down; what re-copies it, or accepts
the loss by name, strikes it out; while one is left, the run is not protected.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from runbook.base.context import RunContext
from state.records import Json

FACT = "tables.differ"

REPAIRED = "tables.mended"
"""The fact that says when rows were last copied again behind the present fence, or is empty: that
makes temporary tables, which a fence sees as a changed schema."""

CHANGE = "change"
"""What a table is found by whose schema was repaired, and whose rows could not be compared then."""

FORMER = "former"
"""What a table is found by that the publisher has made anew: the subscriber's rows are those of the
former table, until they are taken away or compared."""

UNREAD = "unread"
"""What a table is found by of which nothing told whether rows slipped in behind the fence."""

DOUBTS = (CHANGE, FORMER, UNREAD)


@dataclass(frozen=True, slots=True)
class Differing:
    """One table, with the rows counted on both sides, None where that is not known."""

    database: str
    schema: str
    table: str
    here: int | None
    """On the publisher, which has every write."""
    there: int | None
    """On the subscriber, or on what it is cloned from."""
    found_by: str
    """`fence`, `comparison` or `watch`; or one of `DOUBTS`, where nobody has found it out yet."""

    @property
    def words(self) -> str:
        """Return what is wrong with it."""
        return f"rows {'may differ' if self.found_by in DOUBTS else 'differ'}: {self}"

    @property
    def name(self) -> tuple[str, str, str]:
        """What tells it from any other table."""
        return self.database, self.schema, self.table

    def __str__(self) -> str:
        """Return table and counts, as every reason names them."""
        if self.found_by == CHANGE:
            return f"{self.schema}.{self.table} in {self.database} (not compared since it changed)"
        if self.found_by == FORMER:
            return f"{self.schema}.{self.table} in {self.database} (made anew, and not compared)"
        if self.found_by == UNREAD:
            return f"{self.schema}.{self.table} in {self.database} (not compared in the fence)"
        if self.here is None and self.there is None:
            return f"{self.schema}.{self.table} in {self.database} (found by the {self.found_by})"
        counts = " against ".join("?" if n is None else str(n) for n in (self.here, self.there))
        return f"{self.schema}.{self.table} in {self.database} ({counts} rows)"


_LIST = TypeAdapter(list[Differing])


def as_json(tables: Sequence[Differing]) -> Json:
    """Return them as the value of the fact `FACT`."""
    return _LIST.dump_python(list(tables), mode="json")


def after(
    known: Sequence[Differing],
    database: str,
    found: Sequence[Differing],
    unproved: Collection[tuple[str, str]],
) -> list[Differing]:
    """Return what is known to differ after a comparison of one database.

    `found` takes the place of what was known of it, but for the tables (schema, name) of which the
    comparison did not look at every row: it clears none of those.
    """
    again = {(each.schema, each.table) for each in found}
    kept = [
        each
        for each in known
        if each.database != database
        or ((each.schema, each.table) in unproved and (each.schema, each.table) not in again)
    ]
    return [*kept, *found]


def left(context: RunContext) -> list[Differing]:
    """Return the tables that are known to differ and were neither re-copied nor given up."""
    return _LIST.validate_python(context.fact(FACT) or [])


def former(context: RunContext) -> list[Differing]:
    """Return those of which the subscriber has the rows of a former table still."""
    return [each for each in left(context) if each.found_by == FORMER]


DIFFERENT = "compare.different"
"""The fact under which the last comparison's differing tables are kept; empty once it passed."""

GIVEN_UP = "tables.given-up"


def given_up(context: RunContext) -> list[Differing]:
    """Return the tables whose loss a person has accepted by name."""
    return _LIST.validate_python(context.fact(GIVEN_UP) or [])


def merged(known: Sequence[Differing], found: Sequence[Differing]) -> list[Differing]:
    """Return the known tables with the found ones, of which the newer finding stands."""
    by_name = {each.name: each for each in (*known, *found)}
    return list(by_name.values())
