"""What slipped in behind the fence: found, named by table and count, and never forgotten.

After the capture new blue is held against what green was inside the fence, and old blue against
its own marks. Counters that stood still are the proof. Where they moved or cannot tell, the rows of
both sides are compared: old blue cannot change and new blue is fenced, so equal rows are the proof
as well. What differs is named; going on takes a person's word, and keeps the run from being
protected until these tables are repaired.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import Refused, StepFailed
from runbook.postgres import fence_sql
from runbook.postgres.comparison import fenced as compare
from runbook.postgres.fence_sql import FenceSample
from runbook.postgres.gather_all import together
from runbook.proofs import diverged, write_fence
from runbook.proofs.diverged import Differing

UNPROVED = "fence.unproved"
"""The fact that says why it is not proved that nothing slipped in; empty once it is."""

SLIPPED = "fence.slipped"
"""The tables that differ or may, as `diverged` keeps them."""

LACKS = "old-blue.lacks"
"""The fact that says what old blue may lack, as far as it was found."""

SETTLES_S = 12.0
"""From 15 on, an idle session has handed in its counts after ten seconds."""

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of writes since the fence was proved; without `reasons` there were none."""

    reasons: tuple[str, ...] = ()
    tables: tuple[Differing, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Return it in words."""
        return "; ".join((*self.reasons, *map(words_of, self.tables)))

    @property
    def proved(self) -> bool:
        """Whether nothing was written."""
        return not self.reasons and not self.tables


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


def accept_key(what: str, words: str) -> str:
    """Return the key of a gate that accepts exactly what was found: more asks anew."""
    return f"accept-{what}-{hashlib.sha256(words.encode()).hexdigest()[:10]}"


def forget(context: RunContext, watch: Watch) -> None:
    """Begin anew behind another fence: what a former capture left open is none of its business."""
    if context.fact(UNPROVED):
        watch.evidence("", key=UNPROVED, value="")
        watch.evidence("", key=SLIPPED, value=[])


def capture_gates(context: RunContext, publisher: Role, equal_to: Role) -> Sequence[Gate]:
    """Return the decision to go on with the capture although something slipped in, or may have."""
    words = context.fact(UNPROVED)
    if not words:
        return ()
    follower = ReplicationPair.of(publisher).subscriber.value
    if context.fact(SLIPPED):
        question = (
            f"Go on: not protected until these tables are re-copied to {follower} or given up by "
            f"name: {words}"
        )
    else:
        question = (
            f"Go on although it is not proved that nothing was written before the capture: {words}"
        )
    return (
        Gate(
            key=accept_key("unproved-fence", words),
            question=question,
            reversible=(
                f"These rows stay on {publisher.value}: "
                f"{ReplicationPair.of(publisher).journey} would miss them, with lag 0 and no "
                f"error. Instead: {_instead(equal_to)}."
            ),
            must_type=context.plan.cluster.identifier,
        ),
    )


async def prove_none_slipped_in(
    context: RunContext, watch: Watch, publisher: Role, equal_to: Role
) -> None:
    """Prove after the capture that the publisher has the rows that it had when it was fenced.

    `equal_to` is the closed cluster that had the same rows then. Raises `StepFailed` naming
    databases, tables and counts when rows were written in between, until a person has accepted
    exactly that. A write after the slots were made would be kept by them; it
    is named all the same, since nothing can tell it from one before.
    """
    found = await _since_the_fence(context, watch, publisher, equal_to)
    for note in found.notes:
        watch.evidence(note)
    at = context.now().isoformat()
    fenced = {"proved": found.proved, "on": publisher.value, "at": at}
    if found.proved:
        watch.evidence(
            f"no row was written on {publisher.value} between the freeze and the capture",
            key="fence",
            value=fenced,
        )
        if context.fact(UNPROVED):
            watch.evidence("what was doubted is proved now", key=UNPROVED, value="")
        return
    watch.evidence(f"not proved: {found.words}", key="fence", value=fenced)
    if context.accepted(accept_key("unproved-fence", found.words)):
        watch.evidence(
            f"accepted by a person: {found.words}",
            key=diverged.FACT,
            value=diverged.as_json(diverged.merged(diverged.left(context), found.tables)),
        )
        return
    watch.evidence("tables that differ", key=SLIPPED, value=diverged.as_json(found.tables))
    watch.evidence(f"not proved: {found.words}", key=UNPROVED, value=found.words)
    raise StepFailed(
        f"It is not proved that nothing was written on {publisher.value} before the capture: "
        f"{found.words}.",
        now="The slots exist and keep every later write. The applications are still stopped.",
        todo=(
            f"{_instead(equal_to)}; or run the step again and accept them by name: then the run "
            "is not protected until these tables are re-copied to "
            f"{ReplicationPair.of(publisher).subscriber.value} or given up."
        ),
    )


def _instead(equal_to: Role) -> str:
    """Return what else can be done than to accept what slipped in."""
    if equal_to is Role.OLD_BLUE:
        return "Roll back to old blue, which loses just these writes"
    return f"Branch to stay on {equal_to.value}, which loses nothing that an application wrote"


def lost_gates(context: RunContext) -> Sequence[Gate]:
    """Return the decision to go back to old blue although it lacks what was found."""
    words = context.fact(LACKS) or context.fact(UNPROVED)
    if not words:
        return ()
    return (
        Gate(
            key=accept_key("lost-writes", words),
            question=f"Go back to old blue, which lacks what was written since: {words}",
            reversible="What was written stays on new blue alone, and is missing afterwards.",
            must_type=context.plan.cluster.identifier,
        ),
    )


async def refuse_if_written(context: RunContext, watch: Watch, publisher: Role) -> None:
    """Refuse to go back to old blue where it lacks what was written on new blue since the fence.

    The journal says that the applications were not let in, and may know less than the world: a
    backup of it was put back, or somebody let them in by hand. What was found is kept, so that a
    person can accept it by name.

    Raises `Refused`.
    """
    found = await _since_the_fence(context, watch, publisher, Role.OLD_BLUE, returning=True)
    if found.proved:
        watch.evidence(f"nothing was written on {publisher.value} since the fence")
        if context.fact(LACKS):
            watch.evidence("old blue lacks nothing", key=LACKS, value="")
        return
    if context.accepted(accept_key("lost-writes", found.words)):
        watch.evidence(f"accepted by a person, stays behind: {found.words}")
        return
    watch.evidence(f"not proved: {found.words}", key=LACKS, value=found.words)
    raise Refused(
        f"It is not proved that old blue has every write of {publisher.value}: {found.words}.",
        now="Old blue was not opened: this way back may lose writes.",
        todo="Branch back to the upgrade and let it finish protecting; or run the step again and "
        "accept by name that these writes stay behind.",
    )


async def _since_the_fence(
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
    doubted = _doubted(context, kept, now) | (moved_there & now.counters.keys())
    who = write_fence.who_may_write(context, kept, now)
    come_or_gone = [
        f"database {name} has {'come' if name in now.counters else 'gone'}"
        for name in sorted(kept.counters.keys() ^ now.counters.keys())
    ]
    objects = [
        f"large objects of {name} were written"
        for name in sorted(kept.counters.keys() & now.counters.keys())
        if kept.counters[name].large_objects != now.counters[name].large_objects
    ]
    words = "; ".join(verdict.reasons) or "old blue's marks have moved"
    rows = await _settle_by_rows(
        context, watch, (equal_to, publisher), sorted(doubted or now.counters.keys()), words
    )
    reasons = (*who, *come_or_gone, *(objects if returning else ()), *rows.reasons)
    notes = () if returning else tuple(f"{each}; replication carries none" for each in objects)
    return Found(reasons, rows.tables, (*rows.notes, *notes))


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


async def compare_rows(
    context: RunContext, watch: Watch, sides: tuple[Role, Role], databases: Collection[str]
) -> Found:
    """Compare the rows of two clusters, neither of which may be written meanwhile.

    `sides`: the one that may lack writes, and the one that has them. Contents that could not be
    compared within the fence's limit are named like those that differ: they may.
    """
    there, here = [await context.target(side) for side in sides]
    results = await together(
        *(
            compare.compare_databases(
                context.connector(there, database),
                context.connector(here, database),
                budget_s=context.plan.fence.limit_s,
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
