"""Constraints, unique indexes and replica identities: what has to change on the subscriber.

In the order in which it can be made: names first, then what takes away, then what adds, and foreign
keys once the keys that they refer to are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from psycopg.sql import SQL, Composed, Identifier

from runbook.postgres import renames, schema_ddl
from runbook.postgres.change import Change, only_there
from runbook.postgres.schema_ddl import Part, Parts, alter_table, shown

_RENAMED = "The two are made alike, and only their names differ: nothing is built anew."
_INDEXED = ("p", "u", "x")
"""Types of constraints that are kept by an index of the same name."""

_FITS = "It fails where rows on {} do not fit: once the lag is 0."


def renamed(ours: Parts, theirs: Parts) -> Iterator[Change]:
    """Yield the new names of what the subscriber has under others."""
    for part, former in sorted(renames.constraints(ours, theirs).items()):
        rename = alter_table(part, "RENAME CONSTRAINT {} TO {}", former, part[2])
        title = f"Rename the constraint {shown([former])} of {shown(part[:2])} to {shown(part[2:])}"
        indexed = theirs.constraints[*part[:2], former]["type"] in _INDEXED
        statements = [*_aside(part, theirs, indexed=indexed), rename]
        yield Change("rename-constraint", part, title, statements, _RENAMED)
    for part, former in sorted(renames.indexes(ours, theirs).items()):
        rename = SQL("ALTER INDEX {} RENAME TO {}").format(
            Identifier(part[0], former), Identifier(part[2])
        )
        title = f"Rename the unique index {shown([former])} to {shown(part[2:])}"
        yield Change(
            "rename-index", part, title, [*_aside(part, theirs, indexed=True), rename], _RENAMED
        )


def dropped(ours: Parts, theirs: Parts) -> Iterator[Change]:
    """Yield what only the subscriber has, less a primary key that another takes the place of."""
    note = only_there(ours, theirs)
    renamed = {(*part[:2], former) for part, former in renames.constraints(ours, theirs).items()}
    spare = theirs.constraints.keys() - ours.constraints.keys() - renamed
    # A foreign key rests on the key of another table.
    for part in sorted(spare, key=lambda part: (theirs.constraints[part]["type"] != "f", part)):
        if part[:2] in ours.tables and not _gives_way(part, ours, theirs):
            title = f"Drop the constraint {shown(part[2:])} of {shown(part[:2])}"
            yield Change("drop-constraint", part, title, [*_drop_constraint(part, theirs)], note)
    renamed = {(*part[:2], former) for part, former in renames.indexes(ours, theirs).items()}
    for part in sorted(theirs.indexes.keys() - ours.indexes.keys() - renamed):
        if part[:2] in ours.tables and theirs.indexes[part]["unique"]:
            drop = [*_resting(part, theirs), _drop_index(part)]
            yield Change("drop-index", part, f"Drop the unique index {shown(part[2:])}", drop, note)


def added(ours: Parts, theirs: Parts) -> Iterator[Change]:
    """Yield the constraints and unique indexes that are missing or others, less foreign keys."""
    yield from _constraints(ours, theirs, foreign=False)
    missing = renames.indexes(ours, theirs)
    for part, made in sorted(ours.indexes.items()):
        other = theirs.indexes.get(part)
        if part[:2] not in theirs.tables or part in missing or not made["unique"]:
            continue
        if other is None or other["definition"] != made["definition"]:
            drop = [*_resting(part, theirs), _drop_index(part)] if other else []
            yield Change(
                "index", part, f"Give {shown(part[:2])} the unique index {shown(part[2:])}",
                [*drop, schema_ddl.create_index(part[2], made["definition"])],
                "Apply waits for the table while it is built.",
                reads=(made["definition"], other["definition"] if other else ""),
                replaces=bool(other),
            )  # fmt: skip
    for name, table in sorted(ours.tables.items()):
        there = theirs.tables.get(name)
        if there is None or there["identity"] == table["identity"]:
            continue
        identity = [*schema_ddl.replica_identity(name, ours)] or [
            alter_table(name, "REPLICA IDENTITY DEFAULT")
        ]
        yield Change("identity", name, f"Tell the rows of {shown(name)} apart alike", identity)


def foreign(ours: Parts, theirs: Parts) -> Iterator[Change]:
    """Yield the foreign keys that are missing or others."""
    yield from _constraints(ours, theirs, foreign=True)


def _constraints(ours: Parts, theirs: Parts, *, foreign: bool) -> Iterator[Change]:
    missing = renames.constraints(ours, theirs)
    for part, made in sorted(ours.constraints.items()):
        if part[:2] not in theirs.tables or part in missing or (made["type"] == "f") != foreign:
            continue
        other = theirs.constraints.get(part)
        if other and all(other[key] == made[key] for key in ("type", "definition")):
            continue
        former = [part] if other else []
        if made["type"] == "p" and (key := _primary(part, theirs)) and key != part:
            former.append(key)
        drops = [drop for each in former for drop in _drop_constraint(each, theirs)]
        yield Change(
            "constraint", part, f"Give {shown(part[:2])} the constraint {shown(part[2:])}",
            [*drops, schema_ddl.add_constraint(part, made)],
            _FITS.format(theirs.side),
            reads=(made["definition"], other["definition"] if other else ""),
            replaces=bool(former),
        )  # fmt: skip


def _primary(part: Part, found: Parts) -> Part | None:
    """Return the primary key of the table of that part, or None."""
    keys = found.of(found.constraints, part[:2])
    return next(((*part[:2], name) for name, made in keys.items() if made["type"] == "p"), None)


def _gives_way(part: Part, ours: Parts, theirs: Parts) -> bool:
    """Return whether it is a primary key whose place another one takes: a table has but one."""
    return theirs.constraints[part]["type"] == "p" and _primary(part, ours) is not None


def _resting(part: Part, found: Parts) -> Iterator[Composed]:
    """Drop the foreign keys that rest on a key: where they are to stay, they are missing then."""
    for each, made in sorted(found.constraints.items()):
        if made["rests_on"] == list(part) and each != part:
            yield _drop(each)


def _drop_constraint(part: Part, found: Parts) -> Iterator[Composed]:
    yield from _resting(part, found)
    yield _drop(part)


def _drop(part: Part) -> Composed:
    return alter_table(part, "DROP CONSTRAINT {}", part[2])


def _drop_index(part: Part) -> Composed:
    return SQL("DROP INDEX {}").format(Identifier(part[0], part[2]))


def _aside(part: Part, theirs: Parts, *, indexed: bool) -> Iterator[Composed]:
    """Take its name from another constraint or index, so that it is free.

    Where two have changed names, each has the other's; tables that have changed places by renames
    keep the names of their indexes.
    """
    schema, _, name = part
    taken = _index_names(theirs) | {(each[0], each[2]) for each in theirs.constraints}
    free = next(
        Identifier(each)
        for number in count(1)
        if (schema, each := f"{_short(name)}_{number}") not in taken
    )
    if part in theirs.constraints:
        yield alter_table(part, "RENAME CONSTRAINT {} TO {}", name, free)
    elif indexed and (schema, name) in _index_names(theirs):
        yield SQL("ALTER INDEX {} RENAME TO {}").format(Identifier(schema, name), free)


def _index_names(found: Parts) -> set[tuple[str, str]]:
    """Return the names of all indexes, those of constraints among them, by schema."""
    return {
        *((schema, name) for schema, _, name in found.indexes),
        *(
            (schema, name)
            for (schema, _, name), made in found.constraints.items()
            if made["type"] in _INDEXED
        ),
    }


def _short(name: str) -> str:
    """Return a name with room for a number behind it: longer ones are cut by the server."""
    return name.encode()[:56].decode(errors="ignore")
