"""What replication did not carry of a table's rows: they may differ.

A column that is added on the publisher, or gets another type, has values there in rows that nobody
writes any more; on the subscriber they are missing, whoever makes the column there and how. So the
table counts among those that differ from the moment the difference is seen until its rows were
compared, or until the publisher takes the change back. What is written while a table is unlogged
never travels either; and of one that was made anew see `recreated_tables`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.postgres import existence
from runbook.proofs import diverged
from runbook.proofs.diverged import Differing
from runbook.proofs.schema_drift import Drift

Table = tuple[str, str, str]
"""Database, schema, name."""


def tables(found: Sequence[Drift]) -> set[Table]:
    """Return the tables with such a column, or without a log."""
    return {_table(each) for each in found if each.unsent}


async def counted(
    context: RunContext,
    publisher: Role,
    before: Sequence[Drift],
    now: Sequence[Drift],
    anew: Collection[Table] = (),
    former: Collection[Table] = (),
) -> list[Differing] | None:
    """Return the tables that are known to differ after a comparison, or None: as before it.

    `before` is what the last comparison found; `anew` are the tables that were made anew since,
    or a column of them; `former` are those of them that are other tables as a whole: whatever else
    they are known for, all their rows on the subscriber are those of the former ones.
    """
    known = diverged.left(context)
    late = tables(now)
    given_up = {each.name for each in diverged.given_up(context)}
    counts = given_up.union(each.name for each in known if each.name not in former)
    new = [
        Differing(*table, None, None, diverged.FORMER if table in former else diverged.CHANGE)
        for table in sorted(late.union(anew) - counts)
    ]
    gone = [
        each
        for each in before
        if each.unsent and each.kind == "column" and _table(each) not in late
    ]
    back = {_table(each) for each in gone} - {
        _table(each) for each in gone if await _there(context, publisher, each)
    }
    replaced = {each.name for each in new}
    kept = [
        each
        for each in known
        if each.name not in replaced and (each.name not in back or each.found_by != diverged.CHANGE)
    ]
    return [*kept, *new] if new or len(kept) < len(known) else None


def _table(drift: Drift) -> Table:
    return drift.database, drift.names[0], drift.names[1]


async def _there(context: RunContext, publisher: Role, drift: Drift) -> bool:
    """Return whether the publisher has the column."""
    async with context.connect(publisher, drift.database) as connection:
        return await existence.has_column(connection, *drift.names[:3])
