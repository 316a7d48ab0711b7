"""What the rows themselves tell of writes since the fence, where the counters were reset.

Whether Aurora's switchover keeps the counters of statistics is not documented. Where it does not,
they prove nothing; ids of transactions go on all the same, and each row bears its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.postgres.comparison import row_stamps
from runbook.postgres.comparison.row_stamps import Unread
from runbook.postgres.comparison.tables import Name
from runbook.postgres.gather_all import together
from runbook.proofs import write_fence

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What the rows of some databases tell."""

    read: int
    """Tables that were read to their end."""
    touched: dict[str, tuple[Name, ...]]
    """By database: what was written to, or may have been, and is to be compared row by row."""
    unread: tuple[Unread, ...]


async def look(
    context: RunContext, watch: Watch, sides: tuple[Role, Role], databases: Collection[str]
) -> Told | None:
    """Return which tables were written to since the fence was proved, on either side.

    `sides`: the one that was closed then, and the one that may have been written since. Reads for
    half the fence's limit, so that what was written to can be compared in the other half. None:
    of one of the sides no look from inside the fence is kept.
    """
    since = [write_fence.kept_sample(context, side.identity) for side in sides]
    if since[0] is None or since[1] is None:
        return None
    there, here = [await context.target(side) for side in sides]
    watch.progress(f"reading which rows were written since the fence, on {sides[1].value}")
    found = await together(
        *(
            row_stamps.look(
                context.connector(here, database),
                context.connector(there, database),
                (since[1], since[0]),
                budget_s=context.plan.fence.limit_s / 2,
                parallel=max(1, context.plan.compare.parallel // len(databases)),
            )
            for database in databases
        )
    )
    touched = {name: each.touched for name, each in zip(databases, found, strict=True)}
    return Told(
        sum(each.read for each in found),
        {name: tables for name, tables in touched.items() if tables},
        tuple(table for each in found for table in each.unread),
    )


def words(told: Told, sides: tuple[Role, Role]) -> str:
    """Return what the proof rests on, and what is compared besides."""
    there, here = (side.value for side in sides)
    most = told.read - sum(map(len, told.touched.values()))
    text = (
        f"{counted(most, 'table')}: no row of {here} bears the id of a transaction from after the "
        f"freeze, and {there}, closed, has as many rows"
    )
    names = [f"{db}: {s}.{t}" for db, tables in told.touched.items() for s, t in tables]
    return f"{text}; written to, and compared: {', '.join(names)}" if names else text


def unread_words(tables: Collection[Unread], limit_s: float) -> str:
    """Return in one sentence which tables nothing is known of; empty where there is none."""
    if not tables:
        return ""
    largest = sorted(tables, key=lambda table: -table.size_bytes)
    named = ", ".join(
        f"{each.database}: {each.schema}.{each.table} ({each.size_bytes >> 20} MB)"
        for each in largest[:_NAMED]
    )
    more = f" and {len(largest) - _NAMED} more" if largest[_NAMED:] else ""
    size = sum(table.size_bytes for table in tables) >> 20
    return (
        f"of {counted(len(tables), 'table')} ({size} MB) it is not known whether rows were written:"
        f" the counters were reset, and they could not be read within {limit_s:g} s: {named}{more}"
    )
