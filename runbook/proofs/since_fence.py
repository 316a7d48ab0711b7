"""What was written since the fence was proved: told by counters, by the rows' stamps, or by rows.

Counters that stood still are the proof. Where they moved, the rows of both sides are compared: the
closed cluster cannot change and the other one is fenced, so equal rows are the proof as well. Where
the counters were reset, the rows' own stamps tell first which tables need that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.postgres import fence_sql
from runbook.postgres.comparison import fenced as compare
from runbook.postgres.comparison.row_stamps import Unread
from runbook.postgres.comparison.tables import Name
from runbook.postgres.fence_sql import FenceSample
from runbook.postgres.gather_all import for_each, together
from runbook.postgres.queries import one_value
from runbook.proofs import diverged, row_stamps, write_fence
from runbook.proofs.diverged import Differing

SETTLED = "fence.settled"
"""What the rows told where the counters were reset, and the counters since; see `_keep_settled`."""

SETTLES_S = 12.0
"""From 15 on, an idle session has handed in its counts after ten seconds."""

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of writes since the fence was proved; without `reasons` there were none."""

    reasons: tuple[str, ...] = ()
    tables: tuple[Differing, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    """Tables of which it is not known, since there was no time to read them."""
    unread_words: str = ""

    @property
    def words(self) -> str:
        """Return it in words; all that is not known in one sentence, however many tables it is."""
        return "; ".join(
            filter(None, (*self.reasons, *map(words_of, self.tables), self.unread_words))
        )

    @property
    def proved(self) -> bool:
        """Whether nothing was written."""
        return not (self.reasons or self.tables or self.unread)

    @property
    def doubtful(self) -> list[Differing]:
        """Return the tables that differ or may."""
        unread = (
            Differing(each.database, each.schema, each.table, None, None, diverged.UNREAD)
            for each in self.unread
        )
        return [*self.tables, *unread]


_FOUND = TypeAdapter(Found)


def words_of(table: Differing) -> str:
    """Return a table with its rows on both sides."""
    name = f"{table.database}: {table.schema}.{table.table}"
    if table.here is not None and table.here == table.there:
        return (
            f"{name}: {counted(table.here, 'row')} on both sides, which differ or were not all "
            "compared"
        )
    here, there = (
        "no such table" if rows is None else counted(rows, "row")
        for rows in (table.here, table.there)
    )
    return f"{name}: {here} here, {there} on the other side"


async def since_the_fence(
    context: RunContext, watch: Watch, publisher: Role, equal_to: Role, *, returning: bool = False
) -> Found:
    """Hold a publisher against what it was inside the fence, else against the closed one's rows.

    `returning`: large objects count as well. Replication never carries them.
    """
    kept = write_fence.kept_sample(context, publisher.identity)
    if kept is None:
        await _moved_on_old_blue(context, watch, look=equal_to is Role.OLD_BLUE and not returning)
        doubt = f"no look at {publisher.identity.value} from inside the fence is kept"
        async with write_fence.connections(context, publisher) as opened:
            now = await fence_sql.sample(opened)
        inside = write_fence.who_may_write(context, now, now)
        rows = await _settle_by_rows(
            context, watch, (equal_to, publisher), sorted(now.counters), doubt
        )
        return Found((*inside, *rows.reasons), rows.tables, rows.notes)
    # Old blue is looked at meanwhile: it costs the fence no time of its own. On the way back to it
    # its lock may be gone; it is held against the marks from here then.
    looking = asyncio.create_task(
        _moved_on_old_blue(context, watch, look=equal_to is Role.OLD_BLUE and not returning)
    )
    try:
        now = await _settled_look(context, kept, publisher)
    finally:
        moved_there = await looking
    verdict = write_fence.compare(context, kept, now, own_changes=True)
    if verdict.proved and not moved_there:
        return Found(notes=verdict.notes)
    sides = (equal_to, publisher)
    if verdict.reset and (known := _settled_before(context, kept, now, sides)) is not None:
        watch.evidence("nothing was written since the rows were last read")
        return known
    doubted = _doubted(context, kept, now) | (moved_there & now.counters.keys())
    who = write_fence.who_may_write(context, kept, now)
    come_or_gone = [
        f"database {name} has {'come' if name in now.counters else 'gone'}"
        for name in sorted(kept.counters.keys() ^ now.counters.keys())
    ]
    objects = [
        f"large objects of {name} were written"
        for name in sorted(kept.counters.keys() & now.counters.keys())
        if now.counters[name].large_objects not in (kept.counters[name].large_objects, 0)
    ]
    words = "; ".join(verdict.reasons) or "old blue's marks have moved"
    if verdict.reset:
        rows = await _settle_by_stamps(context, watch, sides, sorted(now.counters), words)
    else:
        rows = await _settle_by_rows(
            context, watch, sides, sorted(doubted or now.counters.keys()), words
        )
    if returning and verdict.reset:
        objects += await _objects_unknown(context, publisher, now)
    reasons = (*who, *come_or_gone, *(objects if returning else ()), *rows.reasons)
    notes = () if returning else tuple(f"{each}; replication carries none" for each in objects)
    found = replace(rows, reasons=reasons, notes=(*rows.notes, *notes))
    if verdict.reset and not returning:
        _keep_settled(watch, kept, now, sides, found)
    return found


async def _moved_on_old_blue(context: RunContext, watch: Watch, *, look: bool) -> set[str]:
    return await write_fence.moved_on_old_blue(context, watch) if look else set()


async def _settled_look(context: RunContext, kept: FenceSample, role: Role) -> FenceSample:
    """Look at a cluster; again, while all that is open are counts that come some seconds late."""
    async with write_fence.connections(context, role) as opened:
        for _ in range(int(SETTLES_S / _LOOK_EVERY_S)):
            now = await fence_sql.sample(opened)
            if not write_fence.compare(context, kept, now, own_changes=True).settles:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        return now


def _doubted(context: RunContext, before: FenceSample, now: FenceSample) -> set[str]:
    """Return the databases whose rows have moved, or where somebody is who may have moved them."""
    was, rows = write_fence.rows_of(before), write_fence.rows_of(now)
    inside = {s.database for s in now.sessions if not s.settled}
    inside |= {w.database or "" for w in now.writers} | {w.database for w in now.workers}
    inside |= {p.database for p in now.prepared}
    moved = {name for name in was.keys() & rows.keys() if was[name] != rows[name]}
    return (moved | inside) & was.keys() & rows.keys()


async def _settle_by_rows(
    context: RunContext,
    watch: Watch,
    sides: tuple[Role, Role],
    databases: Collection[str],
    doubt: str,
) -> Found:
    """Compare the rows with the closed cluster's where the counters alone leave a doubt.

    An apply worker reports its counts up to a second late, so that green's may move after it has
    received everything.
    """
    watch.evidence(f"not told by counters ({doubt}): comparing the rows")
    found = await compare_rows(context, watch, sides, databases)
    if found.proved:
        watch.evidence(
            f"every row in {', '.join(databases)} equals that of {sides[0].value}, closed"
        )
    return found


async def _settle_by_stamps(
    context: RunContext,
    watch: Watch,
    sides: tuple[Role, Role],
    databases: Collection[str],
    doubt: str,
) -> Found:
    """Compare only the tables whose rows bear a stamp from after the fence; the rest is proved.

    Bounded by the fence's limit: what cannot be read within half of it is known to nobody.
    """
    began = time.monotonic()
    told = await row_stamps.look(context, watch, sides, databases)
    if told is None:
        return await _settle_by_rows(context, watch, sides, databases, doubt)
    watch.evidence(f"not told by counters ({doubt}): by the rows' own stamps")
    watch.evidence(row_stamps.words(told, sides))
    limit_s = context.plan.fence.limit_s
    rows = Found()
    if told.touched:
        left_s = max(1.0, limit_s - (time.monotonic() - began))
        rows = await compare_rows(
            context, watch, sides, sorted(told.touched), only=told.touched, budget_s=left_s
        )
    words = row_stamps.unread_words(told.unread, limit_s / 2)
    return replace(rows, unread=told.unread, unread_words=words)


async def _objects_unknown(context: RunContext, role: Role, now: FenceSample) -> list[str]:
    """Say of which databases nothing tells whether large objects were written since the fence."""
    async with write_fence.connections(context, role) as opened:
        there = await for_each(
            opened,
            lambda name: one_value(
                opened[name], "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)"
            ),
        )
    return [
        f"whether large objects of {name} were written is not known: the counters were reset"
        for name, any_there in sorted(there.items())
        if any_there and name in now.counters and not now.counters[name].large_objects
    ]


def _keep_settled(
    watch: Watch, kept: FenceSample, now: FenceSample, sides: tuple[Role, Role], found: Found
) -> None:
    """Keep what the rows have told, with the counters from before they were read.

    From there on they count again, so that nothing is read once more where they stand still.
    """
    value = {
        "fence": kept.at.isoformat(),
        "sides": [side.value for side in sides],
        "sample": write_fence.sample_json(now),
        "found": _FOUND.dump_python(found, mode="json"),
    }
    watch.evidence("", key=SETTLED, value=value)


def _settled_before(
    context: RunContext, kept: FenceSample, now: FenceSample, sides: tuple[Role, Role]
) -> Found | None:
    """Return what the rows have told behind this fence, where nothing was written since."""
    value = context.fact(SETTLED) or {}
    of_this = (value.get("fence"), value.get("sides")) == (
        kept.at.isoformat(),
        [side.value for side in sides],
    )
    if not of_this:
        return None
    then = write_fence.sample_of(value["sample"])
    if not write_fence.compare(context, then, now, own_changes=True).proved:
        return None
    return _FOUND.validate_python(value["found"])


async def compare_rows(
    context: RunContext,
    watch: Watch,
    sides: tuple[Role, Role],
    databases: Collection[str],
    *,
    only: Mapping[str, Collection[Name]] | None = None,
    budget_s: float | None = None,
) -> Found:
    """Compare the rows of two clusters, neither of which may be written meanwhile.

    `sides`: the one that may lack writes, and the one that has them. Contents that could not be
    compared within `budget_s`, or else the fence's limit, are named like those that differ: they
    may. `only`: these tables, by database.
    """
    there, here = [await context.target(side) for side in sides]
    results = await together(
        *(
            compare.compare_databases(
                context.connector(there, database),
                context.connector(here, database),
                budget_s=budget_s or context.plan.fence.limit_s,
                only=None if only is None else only[database],
                parallel=max(1, context.plan.compare.parallel // len(databases)),
                progress=lambda what, fraction: watch.progress(f"comparing rows: {what}", fraction),
            )
            for database in databases
        )
    )
    return Found(
        tables=tuple(
            Differing(each.database, t.schema, t.table, t.rows_right, t.rows_left, "fence")
            for each in results
            for t in (*each.different, *each.unproved)
        )
    )
