"""The rows of both sides, compared while the applications run: before a rollback needs it to hold.

It reads on connections of its own and writes nothing to either side. Who holds the run may keep
what it found in the journal; anybody else only looks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.pair import captured_databases, current_pair, detached, slot_name
from runbook.base.roles import Role
from runbook.failures import StepFailed
from runbook.postgres.comparison.confirmation import Patience
from runbook.postgres.comparison.differences import LiveComparison, TableDifference
from runbook.postgres.comparison.live import differing_keys
from runbook.postgres.statement import quoted
from runbook.proofs import diverged, unreplicated
from runbook.proofs.diverged import Differing
from runbook.proofs.unreplicated import Evidence, OriginPositions
from state.records import Json

FACT = "compare.live"
"""The latest comparison while baking: when, and what it found of each database."""

WAIT_S = 60.0
"""How long subscribers are waited for in vain, in all, and one table's rows to stand still."""

KEYS_KEPT = 100
"""Of each table, so many keys at most go into the journal, and never whole rows."""

Tell = Callable[[str, float], None]
"""Hears in words how far it is, and as a fraction of all databases."""


async def compare_live(
    context: RunContext,
    *,
    databases: Collection[str] = (),
    tell: Tell | None = None,
    wait_s: float = WAIT_S,
) -> list[LiveComparison]:
    """Compare the sides of the way that is held, one database after the other.

    `databases` are some of the captured ones, empty: all. Raise `StepFailed` where nothing
    follows, or a database is not captured.
    """
    sides = current_pair(context)
    if (
        context.fact("capture") is None
        or detached(context, sides.subscriber)
        or context.fact("slots") == []
    ):
        raise StepFailed(
            "No cluster follows another one: there is nothing to compare while it moves.",
            now="Nothing was looked at, and nothing was changed.",
            todo=f"Compare once {sides.subscriber.value} is subscribed, and before {sides.journey} "
            "drops its subscriptions.",
        )
    captured = await captured_databases(context, sides.publisher)
    if unknown := [name for name in databases if name not in captured]:
        raise StepFailed(
            f"The capture covers no database {', '.join(map(quoted, unknown))}.",
            now="Nothing was looked at, and nothing was changed.",
            todo=f"It covers {', '.join(map(quoted, captured))}.",
        )
    chosen = [name for name in captured if not databases or name in databases]
    patience = Patience(wait_s)
    left, right = await context.target(sides.publisher), await context.target(sides.subscriber)
    found = []
    for place, database in enumerate(chosen):

        def told(words: str, fraction: float, place: int = place, name: str = database) -> None:
            if tell:
                tell(f"{name}: {words}", (place + fraction) / len(chosen))

        found.append(
            await differing_keys(
                context.connector(left, database, read_only=True),
                context.connector(right, database, read_only=True),
                slot=slot_name(context, captured, database),
                wait_s=wait_s,
                patience=patience,
                progress=told,
            )
        )
    return found


async def position(context: RunContext, publisher: Role) -> OriginPositions:
    """Return where a publisher stands: what is compared afterwards covers it."""
    async with context.connect(publisher) as connection:
        return await unreplicated.mark(connection)


def record(
    context: RunContext,
    results: Sequence[LiveComparison],
    evidence: Evidence,
    *,
    since: OriginPositions | None = None,
) -> list[Differing]:
    """Keep the results, and the tables that are known to differ now; only the run's holder may.

    All tables of each result's database were compared: what was known to differ and does not any
    more is struck out. `since` is what `position` said before. Returns the tables that are left.
    """
    left = diverged.left(context)
    lost = {each.name for each in diverged.given_up(context)}
    for result in results:
        found = [
            Differing(each.database, each.schema, each.table, None, None, "comparison")
            for each in result.different
            if (each.database, each.schema, each.table) not in lost
        ]
        unproved = {(schema, table) for schema, table, _ in result.undecided}
        left = diverged.after(left, result.database, found, unproved)
    evidence(
        "compared while it moves: " + "; ".join(map(words, results)),
        key=FACT,
        value={
            "at": context.now().isoformat(),
            "databases": [as_json(each, most=KEYS_KEPT) for each in results],
        },
    )
    captured = (context.fact("capture") or {}).get("databases", ())
    all_equal = all(each.same and not each.undecided for each in results)
    if since and all_equal and {each.database for each in results} >= set(captured):
        unreplicated.proved(context, evidence, since)
    if left != diverged.left(context):
        evidence(
            f"tables known to differ: {len(left)}",
            key=diverged.FACT,
            value=diverged.as_json(left),
        )
    return left


def words(result: LiveComparison) -> str:
    """Say what was found of one database."""
    parts = [
        f"{result.database}: {counted(result.tables, 'table')}, {counted(result.rows, 'row')} "
        "hashed"
    ]
    parts += [difference_words(each) for each in result.different]
    parts += [
        f"not known of {quoted(schema)}.{quoted(table)}: {reason}"
        for schema, table, reason in result.undecided
    ]
    return "; ".join(parts if len(parts) > 1 else [*parts, "no row differs for good"])


def difference_words(each: TableDifference) -> str:
    """Say how one table differs, with its first rows."""
    name = f"{quoted(each.schema)}.{quoted(each.table)}"
    if each.note:
        return f"{name} differs: {each.note}"
    count = f"{'' if each.complete else 'at least '}{len(each.keys)}"
    rows = "row differs" if count == "1" else "rows differ"
    if not each.unique:
        return f"{name}: {count} {rows}; it has no key to name them by"
    columns = ", ".join(map(quoted, each.key))
    first = ", ".join(
        f"({', '.join('NULL' if v is None else repr(v) for v in key.values)}) {key.kind.value}"
        for key in each.keys[:3]
    )
    return f"{name}: {count} {rows}, by ({columns}): {first}{' …' if len(each.keys) > 3 else ''}"


def as_json(result: LiveComparison, *, most: int | None = None) -> Json:
    """Return the result of one database as a JSON object.

    With `most`, as the journal keeps it: so many rows of each table, told by keys alone.
    """
    return {
        "database": result.database,
        "equal": result.same,
        "tables": result.tables,
        "rows": result.rows,
        "seconds": round(result.seconds, 3),
        "different": [
            {
                "schema": each.schema,
                "table": each.table,
                "note": each.note,
                "key": list(each.key),
                "unique": each.unique,
                "complete": each.complete,
                "count": len(each.keys),
                "rows": [
                    {"key": list(k.values), "kind": k.kind.value}
                    for k in each.keys[:most]
                    if each.unique or most is None
                ],
            }
            for each in result.different
        ],
        "undecided": [
            {"schema": schema, "table": table, "reason": reason}
            for schema, table, reason in result.undecided
        ],
    }
