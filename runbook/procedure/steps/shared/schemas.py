"""Green against blue while nothing is stopped: the same databases, and the same schemas in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import Refused
from runbook.postgres import schema
from runbook.postgres.gather_all import together
from runbook.postgres.schema import Line
from runbook.proofs import schema_drift, schemas_equal
from runbook.proofs.schema_drift import Drift, Where
from runbook.proofs.schemas_equal import Alike

SIDES = ReplicationPair(Role.BLUE, Role.GREEN)
NAMED = 10
VALID_S = 7 * 86400.0
"""A decision is about exactly these differences, and others ask anew."""


async def compare_databases(context: RunContext, watch: Watch) -> list[str]:
    """Return the databases that blue and green have now, and keep them; fail where they differ.

    Raises `Refused`.
    """
    blue, green = [sorted(await context.databases(role)) for role in (Role.BLUE, Role.GREEN)]
    if blue == green:
        if blue != sorted(context.fact("databases") or ()):
            words = f"databases, of blue and of green: {', '.join(blue)}"
            watch.evidence(words, key="databases", value=blue)
        return green
    missing = [name for name in blue if name not in green]
    spare = [name for name in green if name not in blue]
    where = [
        f"only {side} has {', '.join(names)}"
        for side, names in (("blue", missing), ("green", spare))
        if names
    ]
    todo = [
        f"{', '.join(missing)} came to blue after green was made, and no row of it gets to green: "
        "branch to abort and start again, or drop it on blue if it is not needed."
        if missing
        else "",
        f"{', '.join(spare)} is gone from blue: DROP DATABASE on green too, then run the step "
        "again."
        if spare
        else "",
    ]
    raise Refused(
        f"Blue and green do not have the same databases: {'; '.join(where)}.",
        now="Green is not in use; blue serves.",
        todo=" ".join(filter(None, todo)),
    )


async def compare_schemas(context: RunContext, watch: Watch, databases: Sequence[str]) -> None:
    """Compare green's schemas with blue's, and keep what is written otherwise and is the same.

    pg_upgrade makes green's from what blue's server prints of its own, so green's server reads both
    the same; where it does not, somebody changed one of them, and a person decides.

    Raises `Refused` for the rest, unless a person accepts it.
    """
    known: list[Alike] = []
    open_: list[Alike] = []
    found: list[Drift] = []
    for database in databases:
        made, unproved, drifts = await _compare(context, database)
        known, open_, found = [*known, *made], [*open_, *unproved], [*found, *drifts]
    if set(known) - set(schemas_equal.kept(context)):
        watch.evidence(
            f"{counted(len(known), 'part of the schemas is', 'parts of the schemas are')} "
            "written otherwise "
            "on green, and the same",
            key=schemas_equal.FACT,
            value=schemas_equal.with_more(context, known),
        )
    if not found:
        watch.evidence("green's schemas are those of blue")
        return
    if not await watch.passes(_gate(found)):
        raise Refused(
            f"Green's schemas are not those of blue: {_named(found)}.",
            now="Green is not in use; blue serves.",
            todo="Undo the change on blue, or make it on green too; then run the step again. Or "
            "branch to abort, and start again.",
        )
    if open_:
        names = "; ".join(f"{each.kind} {'.'.join(each.names)}" for each in open_[:NAMED])
        watch.evidence(
            f"taken for the same by a person: {names}",
            key=schemas_equal.FACT,
            value=schemas_equal.with_more(context, open_),
        )


async def _compare(
    context: RunContext, database: str
) -> tuple[list[Alike], list[Alike], list[Drift]]:
    """Return what is the same, what differs in expressions alone, and all that differs."""
    async with (
        context.connect(Role.BLUE, database) as blue,
        context.connect(Role.GREEN, database) as green,
    ):
        here, there = await together(schema.lines(blue), schema.lines(green))
        pairs = schema.unlike(here, there)
        same = await schemas_equal.same(context, database, green, pairs)
    drifts = [
        each for each in schema_drift.compare(database, SIDES, here, there, same) if each.breaks
    ]
    left = {(each.kind, each.names) for each in drifts if each.where is Where.BOTH}
    unproved = (pairs[key] for key in left if _expressions_alone(pairs[key]))
    return _kept(database, (pairs[key] for key in same)), _kept(database, unproved), drifts


def _kept(database: str, pairs: Iterable[tuple[Line, Line]]) -> list[Alike]:
    return sorted((Alike.of(database, pair) for pair in pairs), key=lambda each: each.names)


def _expressions_alone(pair: tuple[Line, Line]) -> bool:
    return pair[0].frame == pair[1].frame


def _named(found: Sequence[Drift]) -> str:
    more = f"; and {len(found) - NAMED} more" if found[NAMED:] else ""
    return "; ".join(each.words for each in found[:NAMED]) + more


def _gate(found: Sequence[Drift]) -> Gate:
    digest = sha256("\n".join(each.words for each in found).encode()).hexdigest()[:12]
    return Gate(
        key=f"green-differs/{digest}",
        question="\n".join(
            ["Go on although green differs from blue:", *(f"· {each.words}" for each in found)]
        ),
        reversible="After the switchover production is as green is. Where only an expression is "
        "written otherwise, both count as the same from now on. Any other difference leaves the "
        "run unprotected until it is repaired.",
        valid_s=VALID_S,
        yes="They may differ",
        by_person=True,
    )
