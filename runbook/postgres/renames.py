"""What was renamed on the publisher: told from what was dropped there, and something else added.

A rename changes no data, and replication does not carry it. Taken for a drop and an addition it
costs every value that the subscriber has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from typing import Any, TypeVar

from runbook.postgres.schema_ddl import Definition, Name, Part, Parts, around_name

Key = TypeVar("Key", bound=Hashable)

_MADE_BY = ("type", "collation", "generated", "identity")
_KIND = ("kind", "persistence", "partition_key", "parent", "bound")


def tables(ours: Parts, theirs: Parts) -> dict[Name, Name]:
    """Return the tables that only the publisher names so, with how the subscriber names each.

    They are made alike, column by column. Of several that are, the relation's number decides: an
    upgrade and a clone keep it, a rename does too.
    """
    missing = _made(ours, ours.tables.keys() - theirs.tables.keys())
    spare = _made(theirs, theirs.tables.keys() - ours.tables.keys())
    pairs = _only_candidates(missing, spare)
    for name, made in missing.items():
        for other, made_there in spare.items():
            same = ours.tables[name]["number"] == theirs.tables[other]["number"]
            if same and made == made_there and other not in pairs.values():
                pairs.setdefault(name, other)
    return pairs


def columns(ours: Parts, theirs: Parts) -> dict[Part, str]:
    """Return the columns that only the publisher names so, with how the subscriber names each.

    Where both sides number the columns that they share alike, a column's number tells: it stays
    with it, and no other gets it. Elsewhere two count as one that are the only ones made alike.
    """
    here, there = _by_table(ours), _by_table(theirs)
    return {
        (*table, column): former
        for table in here.keys() & there.keys()
        for column, former in _of_table(here[table], there[table]).items()
    }


def sequences(ours: Parts, theirs: Parts) -> dict[Name, Name]:
    """Return the sequences that only the publisher names so, with how the subscriber names each."""

    def made(parts: Parts, others: Parts) -> dict[Name, Hashable]:
        return {
            name: (
                tuple(made["owned"] or ()),
                *(made[key] for key in ("type", "start", "increment", "min", "max", "cycle")),
            )
            for name, made in parts.sequences.items()
            if name not in others.sequences
        }

    return _only_candidates(made(ours, theirs), made(theirs, ours))


def constraints(ours: Parts, theirs: Parts) -> dict[Part, str]:
    """Return the constraints that the subscriber has under other names, with these.

    A constraint holds no rows: of several that are made alike any may take another's name.
    """

    def made(parts: Parts) -> dict[Part, Hashable]:
        return {
            part: (*part[:2], made["type"], made["definition"])
            for part, made in parts.constraints.items()
        }

    return _pairs(made(ours), made(theirs))


def indexes(ours: Parts, theirs: Parts) -> dict[Part, str]:
    """Return the unique indexes that the subscriber has under other names, with these."""

    def made(parts: Parts) -> dict[Part, Hashable]:
        return {
            part: (*part[:2], *around_name(part[2], made["definition"]))
            for part, made in parts.indexes.items()
            if made["unique"]
        }

    return _pairs(made(ours), made(theirs))


def _by_table(parts: Parts) -> dict[Name, dict[str, Definition]]:
    found: dict[Name, dict[str, Definition]] = defaultdict(dict)
    for (schema, table, column), made in parts.columns.items():
        found[schema, table][column] = made
    return found


def _of_table(ours: Mapping[str, Definition], theirs: Mapping[str, Definition]) -> dict[str, str]:
    added = {name: made for name, made in ours.items() if name not in theirs}
    gone = {name: made for name, made in theirs.items() if name not in ours}
    shared = ours.keys() & theirs.keys()
    if shared and all(ours[name]["position"] == theirs[name]["position"] for name in shared):
        by_number = {made["position"]: name for name, made in gone.items()}
        return {
            name: by_number[made["position"]]
            for name, made in added.items()
            if made["position"] in by_number
        }
    return _only_candidates(
        {name: tuple(made[key] for key in _MADE_BY) for name, made in added.items()},
        {name: tuple(made[key] for key in _MADE_BY) for name, made in gone.items()},
    )


def _made(parts: Parts, names: Collection[Name]) -> dict[Name, tuple[Any, ...]]:
    """Return what tables are made of, their names aside."""
    columns = _by_table(parts) if names else {}
    found = {}
    for name in names:
        made, own = parts.tables[name], columns.get(name, {})
        found[name] = (
            *(str(made[key]) for key in _KIND),
            *(
                (column, *(own[column][key] for key in _MADE_BY))
                for column in sorted(own, key=lambda each: own[each]["position"])
            ),
        )
    return found


def _pairs(here: Mapping[Part, Hashable], there: Mapping[Part, Hashable]) -> dict[Part, str]:
    """Pair what is made alike and not named alike."""
    spare: dict[Hashable, list[str]] = defaultdict(list)
    for part in sorted(there, reverse=True):
        if here.get(part) != there[part]:
            spare[there[part]].append(part[2])
    return {
        part: spare[made].pop()
        for part, made in sorted(here.items(), key=lambda item: item[0])
        if there.get(part) != made and spare[made]
    }


def _only_candidates(here: Mapping[Key, Hashable], there: Mapping[Key, Hashable]) -> dict[Key, Key]:
    """Return the pairs of which each is the only one made so on its side."""
    by_made: dict[Hashable, tuple[list[Key], list[Key]]] = defaultdict(lambda: ([], []))
    for side, names in enumerate((here, there)):
        for name, made in names.items():
            by_made[made][side].append(name)
    return {
        ours[0]: theirs[0] for ours, theirs in by_made.values() if len(ours) == len(theirs) == 1
    }
