"""The proof that no application can write, from the freeze until the capture exists.

A write on the publisher between the freeze and the capture is lost on rollback, with lag 0 and no
error. So the fence is proved over a window on blue, green is seen to have caught up and to stand
still, and both are looked at once more right before the pivot. After the capture new blue is held
against what green was then (`since_fence.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from pydantic import TypeAdapter

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.failures import StepFailed
from runbook.postgres import catalog, fence_sql, marks, replication
from runbook.postgres.connect import UNREACHABLE
from runbook.postgres.fence_sql import FenceSample, FenceVerdict
from runbook.postgres.gather_all import for_each
from runbook.postgres.marks import ClusterMarks
from runbook.proofs import diverged, observations

_SAMPLE = TypeAdapter(FenceSample)

STILL_WINDOWS = 3
"""How often a fence that was proved before and has been written behind is looked at anew."""

OLD_BLUE_S = 5.0
"""How long the applications wait, being down, for old blue to answer."""

OLD_BLUE_MARKS = "marks.old-blue"
"""The fact that holds old blue's marks from after the switchover."""

_AT_ONCE_S = 0.001
"""The pause between two windows of the proof: the window itself is the wait."""

Connections = Mapping[str, AsyncConnection]


@asynccontextmanager
async def connections(context: RunContext, role: Role) -> AsyncIterator[Connections]:
    """Lend one connection to each database of a role's cluster."""
    databases = await context.databases(role)
    async with AsyncExitStack() as stack:
        yield await for_each(
            databases, lambda name: stack.enter_async_context(context.connect(role, name))
        )


async def warm(context: RunContext, roles: tuple[Role, ...]) -> None:
    """Open the connections that the proof will need, while the applications still run."""
    async with AsyncExitStack() as stack:
        await for_each(roles, lambda role: stack.enter_async_context(connections(context, role)))


async def prove(context: RunContext, watch: Watch, on: Role, followers: tuple[Role, ...]) -> None:
    """Prove over a window that nothing writes on a cluster, and that its followers stand still.

    Keeps the marks of the frozen cluster and the last look at each as facts. Raises `StepFailed`
    naming who writes, or what was written, once the plan's limit is over.
    """
    plan = context.plan.fence
    # What was proved before says nothing of what is written now.
    watch.evidence("", key="fence", value={"proved": False, "on": on.value})
    reasons: tuple[str, ...] = ()
    async with AsyncExitStack() as stack:
        opened = await for_each(
            (on, *followers),
            lambda role: stack.enter_async_context(connections(context, role)),
        )
        before = await _look(opened)
        floor = await _slots(opened[on], context)
        try:
            async for _ in watch.until(
                plan.limit_s, every_s=_AT_ONCE_S, what="every write to cease"
            ):
                # Taken while the window passes: once it is proved, they hold for its end as well.
                frozen = await _within(plan.window_s, marks.take(opened[on]))
                after = await _look(opened)
                reasons = await _why_not(context, before, after, floor, opened, on)
                if not reasons:
                    _keep(context, watch, on, after, frozen)
                    return
                reasons = (*await _written(frozen, opened[on]), *reasons)
                watch.progress("fence not proved: " + "; ".join(reasons[:3]))
                before = after
        except StepFailed as failure:
            raise StepFailed(
                f"The fence on {on.value} is not proved: {'; '.join(reasons) or failure.what}",
                now="The applications are stopped as far as blueprime was told to; nothing else "
                "was changed.",
                todo="Stop what is named, then run the step again; or branch.",
            ) from failure


async def _within(window_s: float, work: Awaitable[ClusterMarks]) -> ClusterMarks:
    """Return what the work gives, not before the window is over."""
    _, found = await asyncio.gather(asyncio.sleep(window_s), work)
    return found


async def _written(since: ClusterMarks, opened: Connections) -> tuple[str, ...]:
    """Name the tables that have been written in a window that was not proved."""
    verdict = marks.compare(since, await marks.take(opened))
    return verdict.changed if verdict.same is False else ()


async def refuse_if_open(context: RunContext, on: Role, *, now: str) -> None:
    """Look once more, right before what rests on it, whether a fence that was proved stands.

    One look where nothing has moved since the proof. Otherwise, and where no look of the proof is
    kept, a window of the plan's length must be quiet: what was written before the pivot is carried
    to green like any other write. Raises `StepFailed` naming who writes; `now` says in words what
    is true then.
    """
    kept = kept_sample(context, on)
    verdict = FenceVerdict(None, ("no look from inside the fence is kept",))
    written: tuple[str, ...] = ()
    async with connections(context, on) as opened:
        if kept is not None:
            verdict = compare(context, kept, await fence_sql.sample(opened))
        for _ in range(STILL_WINDOWS):
            if verdict.proved:
                return
            before = await fence_sql.sample(opened)
            frozen = await _within(context.plan.fence.window_s, marks.take(opened))
            after = await fence_sql.sample(opened)
            verdict = compare(context, before, after)
            written = () if verdict.proved else await _written(frozen, opened)
    if verdict.proved:
        return
    does_not = "was proved, and does not stand any more" if kept else "does not stand"
    raise StepFailed(
        f"The fence on {on.value} {does_not}: {'; '.join((*written, *reasons_of(verdict)))}.",
        now=now,
        todo="Stop what is named, then run the step again; or branch.",
    )


async def moved_on_old_blue(context: RunContext, watch: Watch) -> set[str]:
    """Return the databases of old blue that moved since the fence; mark it anew where in doubt.

    What was written on blue between the fence and AWS's own freeze was carried to green: the marks
    from before would take it for a change of old blue. AWS's lock stands, so marks taken now hold.
    """
    kept = kept_sample(context, Role.BLUE)
    try:
        async with asyncio.timeout(OLD_BLUE_S), connections(context, Role.OLD_BLUE) as opened:
            await observations.lock_of_old_blue(next(iter(opened.values())), watch)
            now = await fence_sql.sample(opened)
            if kept is not None and compare(context, kept, now, own_changes=True).proved:
                return set()
            taken = await marks.take(opened)
    except (TimeoutError, *UNREACHABLE) as error:
        watch.evidence(f"old blue does not answer; its marks from before stand: {error}")
        return set()
    watch.evidence("marks of old blue taken anew", key=OLD_BLUE_MARKS, value=taken.as_json())
    before = context.fact(f"marks.{Role.BLUE.slug}")
    if before is None:
        # Without marks from inside the fence nothing tells which has moved.
        return set(now.counters)
    return set(marks.moved(ClusterMarks.from_json(before), taken))


def kept_sample(context: RunContext, role: Role) -> FenceSample | None:
    """Return the look at a cluster that the last proof of the fence kept."""
    kept = context.fact(f"fence.{role.slug}")
    return None if kept is None else sample_of(kept)


def compare(
    context: RunContext, before: FenceSample, now: FenceSample, *, own_changes: bool = False
) -> FenceVerdict:
    """Return whether two looks prove that no application of the plan wrote between them."""
    roles = context.plan.traffic.application_roles or None
    return fence_sql.compare_samples(before, now, application_roles=roles, own_changes=own_changes)


def who_may_write(context: RunContext, before: FenceSample, now: FenceSample) -> list[str]:
    """Return who was seen at either look that may write, by the plan's roles."""
    roles = context.plan.traffic.application_roles or None
    against, _ = fence_sql.named(before, now, application_roles=roles)
    return against


def sample_of(value: Any) -> FenceSample:
    """Return the look that `sample_json` gave."""
    return _SAMPLE.validate_python(value)


def sample_json(sample: FenceSample) -> Any:
    """Return a look as the journal keeps it."""
    return _SAMPLE.dump_python(sample, mode="json")


async def _look(opened: Mapping[Role, Connections]) -> dict[Role, FenceSample]:
    return await for_each(opened, lambda role: fence_sql.sample(opened[role]))


async def _slots(on: Connections, context: RunContext) -> dict[str, int]:
    """Return where WAL ends now, for each slot that feeds a follower."""
    connection = on[context.plan.credentials.maintenance_database]
    names = [
        s.name for s in await catalog.replication_slots(connection) if s.slot_type == "logical"
    ]
    lags = await replication.slot_lags(connection, names)
    return {lag.slot: lag.current_lsn for lag in lags if lag.current_lsn is not None}


async def _why_not(
    context: RunContext,
    before: Mapping[Role, FenceSample],
    after: Mapping[Role, FenceSample],
    floor: Mapping[str, int],
    opened: Mapping[Role, Connections],
    on: Role,
) -> tuple[str, ...]:
    reasons = list(reasons_of(compare(context, before[on], after[on])))
    for role in after:
        if role is on:
            continue
        against = who_may_write(context, before[role], after[role])
        reasons += [f"on {role.value}: {words}" for words in against]
        if rows_of(before[role]) != rows_of(after[role]):
            reasons.append(f"{role.value} is still receiving")
    if len(after) > 1:
        connection = opened[on][context.plan.credentials.maintenance_database]
        for slot, lsn in floor.items():
            if await replication.confirmed_past(connection, slot, lsn) is not True:
                reasons.append(f"slot {slot} has not confirmed the last write")
    return tuple(reasons)


def reasons_of(verdict: FenceVerdict) -> tuple[str, ...]:
    """Return why it is not proved; empty when it is."""
    if verdict.proved:
        return ()
    return verdict.reasons or ("it cannot be told",)


def rows_of(sample: FenceSample) -> dict[str, tuple[int, int, str]]:
    """Return, for each database, what moves when rows are written or truncated."""
    return {name: (c.user_tables, c.large_objects, c.files) for name, c in sample.counters.items()}


def _keep(
    context: RunContext,
    watch: Watch,
    on: Role,
    samples: Mapping[Role, FenceSample],
    frozen: ClusterMarks,
) -> None:
    watch.evidence(f"marks of {on.value} taken", key=f"marks.{on.slug}", value=frozen.as_json())
    watch.evidence("", key=diverged.REPAIRED, value="")
    for role, sample in samples.items():
        words = "nothing writes there" if role is on else "it has received everything"
        watch.evidence(
            f"{role.value} stands still: {words}",
            key=f"fence.{role.slug}",
            value=sample_json(sample),
        )
    watch.evidence(
        f"fence proved on {on.value}: no application session, no write in "
        f"{context.plan.fence.window_s:g} s, every counter at a standstill",
        key="fence",
        value={"proved": True, "on": on.value, "at": context.now().isoformat()},
    )
