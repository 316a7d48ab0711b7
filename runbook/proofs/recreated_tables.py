"""Tables that were made anew, and columns that another has the name of now: their rows may differ.

What is dropped and made again, or changes places with another by renames, reads the same on both
sides, and the rows that were there before do not travel. A table is told by its number, a column by
its place: an upgrade, a clone and a rename keep both, so those of the two sides are the same, but
for what came later. The fact `tables.numbers` holds those, as they were when they were looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair, current_pair
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.postgres import oids
from runbook.postgres.oids import Name, Pair, Two
from runbook.proofs.schema_drift import Drift, Where
from state.records import Json

FACT = "tables.numbers"

MOST = 0.75
"""The share of numbers that must be the same for the two sides to be made one from the other."""

Kept = Mapping[str, Any]
"""By table: its two numbers, and those of its columns' places; those of the new version first."""


def kept(context: RunContext) -> dict[str, Kept]:
    """Return what is known of each database; one that nobody has looked at is not there."""
    return dict(context.fact(FACT) or {})


def looked(sides: ReplicationPair, seen: Mapping[Name, Pair], known: Kept | None) -> Kept:
    """Return what is to be kept of a database: the tables whose numbers are not the same."""
    ordered = {name: _ordered(sides, pair) for name, pair in seen.items()}
    return {
        json.dumps(name): {"numbers": list(pair.numbers), "places": _lists(pair.places)}
        for name, pair in ordered.items()
        if not pair.alike or json.dumps(name) in (known or {})
    }


def anew(
    sides: ReplicationPair, seen: Mapping[Name, Pair], known: Kept | None, drifts: Sequence[Drift]
) -> set[Name]:
    """Return the tables whose rows are others than those of the same name were.

    `drifts` is how the schemas differ now, and did at the last look: what only the publisher had or
    published was made or taken in on the subscriber since, with its rows. Where many numbers are
    not the same from the start, the two sides were not made one from the other: they tell nothing.
    """
    if known is None and sum(pair.alike for pair in seen.values()) < MOST * len(seen):
        return set()
    made = {each.names for each in drifts if each.where is Where.PUBLISHER or each.unsent}
    return {
        name
        for name, pair in seen.items()
        if name not in made and _other(name, _ordered(sides, pair), (known or {}), made)
    }


def whole(
    sides: ReplicationPair, seen: Mapping[Name, Pair], known: Kept | None, names: Iterable[Name]
) -> set[Name]:
    """Return those of the tables made anew that are others as a whole, not in a column alone."""
    return {name for name in names if _renumbered(name, _ordered(sides, seen[name]), known or {})}


async def keep(
    context: RunContext,
    watch: Watch,
    database: str,
    tables: Iterable[Name],
    *,
    column: bool = False,
) -> None:
    """Keep the numbers of tables whose rows a repair has brought: they are no others from now on.

    A repair of a `column` alone brings no row of a table that is another as a whole: the next look
    is to tell of that one yet.
    """
    known, sides = kept(context), current_pair(context)
    if database not in known:
        return
    async with (
        context.connect(sides.publisher, database) as here,
        context.connect(sides.subscriber, database) as there,
    ):
        pairs = await oids.pairs(here, there)
    seen = looked(sides, pairs, known[database])
    if column:
        among = [table for table in tables if table in pairs]
        tables = set(tables) - whole(sides, pairs, known[database], among)
    names = {json.dumps(table) for table in tables}
    value = {name: each for name, each in known[database].items() if name not in names}
    value |= {name: each for name, each in seen.items() if name in names}
    if value != known[database]:
        watch.evidence("", key=FACT, value={**known, database: value})


def _renumbered(name: Name, pair: Pair, known: Kept) -> bool:
    former = known.get(json.dumps(name))
    if former is None:
        return pair.numbers[0] != pair.numbers[1]
    return bool(list(pair.numbers) != former["numbers"])


def _other(name: Name, pair: Pair, known: Kept, made: set[tuple[str, ...]]) -> bool:
    former = known.get(json.dumps(name))
    if former is None:
        columns = {column for column in pair.places if (*name, column) not in made}
        alike = {column: pair.places[column] for column in columns}
        return not Pair(pair.numbers, alike).alike
    places = former["places"]
    return _renumbered(name, pair, known) or any(
        column in places and list(two) != places[column] for column, two in pair.places.items()
    )


def _ordered(sides: ReplicationPair, pair: Pair) -> Pair:
    if sides.publisher.identity is Role.GREEN:
        return pair
    return Pair(pair.numbers[::-1], {name: two[::-1] for name, two in pair.places.items()})


def _lists(places: Mapping[str, Two]) -> Json:
    return {name: list(two) for name, two in places.items()}
