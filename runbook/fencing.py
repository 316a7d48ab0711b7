"""The proof that no application can write, from the freeze until the capture exists.

A write on the publisher between the freeze and the capture is lost on rollback, with lag 0 and no
error. So the fence is proved over a window on blue, green is seen to have caught up and to stand
still, and after the capture new blue is held against what green was then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from psycopg import AsyncConnection
from pydantic import TypeAdapter

from runbook.postgres import catalog, compare, fence, marks, replication
from runbook.postgres.fence import FenceSample, FenceVerdict
from runbook.postgres.together import together
from runbook.roles import Role
from runbook.step import Refused, StepFailed, Watch
from runbook.world import World

_SAMPLE = TypeAdapter(FenceSample)

LACKS = "old-blue.lacks"
"""The fact that says what old blue may lack, as far as it was found."""

Connections = Mapping[str, AsyncConnection]


@asynccontextmanager
async def connections(world: World, role: Role) -> AsyncIterator[Connections]:
    """Lend one connection to each database of a role's cluster."""
    databases = await world.databases(role)
    async with AsyncExitStack() as stack:
        opened = await together(
            *(stack.enter_async_context(world.connect(role, name)) for name in databases)
        )
        yield dict(zip(databases, opened, strict=True))


async def warm(world: World, roles: tuple[Role, ...]) -> None:
    """Open the connections that the proof will need, while the applications still run."""
    async with AsyncExitStack() as stack:
        await together(*(stack.enter_async_context(connections(world, role)) for role in roles))


async def prove(world: World, watch: Watch, on: Role, followers: tuple[Role, ...]) -> None:
    """Prove over a window that nothing writes on a cluster, and that its followers stand still.

    Keeps the marks of the frozen cluster and the last look at each follower as facts. Raises
    `StepFailed` naming who writes, once the plan's limit is over.
    """
    plan = world.plan.fence
    reasons: tuple[str, ...] = ()
    async with AsyncExitStack() as stack:
        roles = (on, *followers)
        opened = dict(
            zip(
                roles,
                await together(
                    *(stack.enter_async_context(connections(world, role)) for role in roles)
                ),
                strict=True,
            )
        )
        before = await _look(opened)
        floor = await _slots(opened[on], world)
        try:
            async for _ in watch.until(
                plan.limit_s, every_s=plan.window_s, what="every write to cease"
            ):
                if not reasons:
                    await asyncio.sleep(plan.window_s)
                after = await _look(opened)
                reasons = await _why_not(world, before, after, floor, opened, on)
                if not reasons:
                    await _keep(world, watch, on, after, opened)
                    return
                watch.progress("fence not proved: " + "; ".join(reasons[:3]))
                before = after
        except StepFailed as failure:
            raise StepFailed(
                f"The fence on {on.value} is not proved: {'; '.join(reasons) or failure.what}",
                now="The applications are stopped as far as blueprime was told to; nothing else "
                "was changed.",
                todo="Stop what is named, then run the step again; or branch.",
            ) from failure


async def _look(opened: Mapping[Role, Connections]) -> dict[Role, FenceSample]:
    samples = await together(*(fence.sample(each) for each in opened.values()))
    return dict(zip(opened, samples, strict=True))


async def _slots(on: Connections, world: World) -> dict[str, int]:
    """Return where WAL ends now, for each slot that feeds a follower."""
    connection = on[world.plan.credentials.maintenance_database]
    names = [
        s.name for s in await catalog.replication_slots(connection) if s.slot_type == "logical"
    ]
    lags = await replication.slot_lags(connection, names)
    return {lag.slot: lag.current_lsn for lag in lags if lag.current_lsn is not None}


async def _why_not(
    world: World,
    before: Mapping[Role, FenceSample],
    after: Mapping[Role, FenceSample],
    floor: Mapping[str, int],
    opened: Mapping[Role, Connections],
    on: Role,
) -> tuple[str, ...]:
    verdict = fence.compare_samples(
        before[on], after[on], application_roles=world.plan.traffic.application_roles or None
    )
    reasons = list(_reasons(verdict))
    for role in after:
        if role is not on and not _same_rows(before[role], after[role]):
            reasons.append(f"{role.value} is still receiving")
    if len(after) > 1:
        connection = opened[on][world.plan.credentials.maintenance_database]
        for slot, lsn in floor.items():
            if await replication.confirmed_past(connection, slot, lsn) is not True:
                reasons.append(f"slot {slot} has not confirmed the last write")
    return tuple(reasons)


def _reasons(verdict: FenceVerdict) -> tuple[str, ...]:
    if verdict.proved:
        return ()
    return verdict.reasons or ("it cannot be told",)


def _same_rows(before: FenceSample, after: FenceSample) -> bool:
    return {name: c.user_tables for name, c in before.counters.items()} == {
        name: c.user_tables for name, c in after.counters.items()
    }


async def _keep(
    world: World,
    watch: Watch,
    on: Role,
    samples: Mapping[Role, FenceSample],
    opened: Mapping[Role, Connections],
) -> None:
    frozen = await marks.take(opened[on])
    watch.evidence(f"marks of {on.value} taken", key=f"marks.{on.slug}", value=frozen.as_json())
    for role, sample in samples.items():
        if role is not on:
            watch.evidence(
                f"{role.value} has received everything and stands still",
                key=f"fence.{role.slug}",
                value=_dump(sample),
            )
    watch.evidence(
        f"fence proved on {on.value}: no application session, no write in "
        f"{world.plan.fence.window_s:g} s, every counter at a standstill",
        key="fence",
        value={"proved": True, "on": on.value, "at": world.now().isoformat()},
    )


async def prove_none_slipped_in(world: World, watch: Watch, publisher: Role) -> None:
    """Prove after the capture that new blue has the rows that green had when it was fenced.

    Raises `StepFailed` naming databases and counts when rows were written in between. Where the
    statistics cannot tell (a restart reset them), a person must accept that by name.
    """
    accepted = world.accepted("accept-unproved-fence")
    verdict = await _since_the_fence(world, watch, publisher)
    if verdict.proved:
        watch.evidence(
            f"no row was written on {publisher.value} between the freeze and the capture",
            key="fence",
            value={"proved": True, "on": publisher.value, "at": world.now().isoformat()},
        )
        return
    words = "; ".join(_reasons(verdict))
    if accepted:
        watch.evidence(f"accepted by a person, not proved: {words}")
        return
    watch.evidence(f"not proved: {words}", key="fence.unproved", value=words)
    raise StepFailed(
        f"It is not proved that nothing was written on {publisher.value} before the capture: "
        f"{words}.",
        now="The slots exist and keep every later write. The applications are still stopped.",
        todo=(
            "Roll back to old blue (loses what was written in between), or run the step again "
            "and accept by name that these writes would be missing after a rollback."
        ),
    )


async def refuse_if_written(world: World, watch: Watch, publisher: Role) -> None:
    """Refuse to go back to old blue where it lacks what was written on new blue since the fence.

    The journal says that the applications were not let in, and may know less than the world: a
    backup of it was put back, or somebody let them in by hand. What was found is kept, so that a
    person can accept it by name.
    """
    verdict = await _since_the_fence(world, watch, publisher)
    if verdict.proved:
        watch.evidence(f"nothing was written on {publisher.value} since the fence")
        return
    words = "; ".join(_reasons(verdict))
    watch.evidence(f"not proved: {words}", key=LACKS, value=words)
    raise Refused(
        f"It is not proved that old blue has every write of {publisher.value}: {words}.",
        now="Nothing was changed. The way back was to lose nothing, and this one may.",
        todo="Branch back to the upgrade and let it finish protecting; or run the step again and "
        "accept by name that these writes stay behind.",
    )


async def _since_the_fence(world: World, watch: Watch, publisher: Role) -> FenceVerdict:
    """Hold new blue against what green was inside the fence, or against old blue's rows."""
    kept = world.fact(f"fence.{publisher.identity.slug}")
    if kept is None:
        doubt = FenceVerdict(None, ("no look at green from before the switchover is kept",))
        databases = await world.databases(publisher)
        return await _settle_by_rows(world, watch, publisher, databases, doubt)
    before = _SAMPLE.validate_python(kept)
    async with connections(world, publisher) as opened:
        now = await fence.sample(opened)
    verdict = _held(world, before, now)
    if not verdict.proved and _held(world, replace(before, counters=now.counters), now).proved:
        moved = [n for n, c in now.counters.items() if c != before.counters.get(n)]
        return await _settle_by_rows(world, watch, publisher, moved, verdict)
    return verdict


def _held(world: World, before: FenceSample, now: FenceSample) -> FenceVerdict:
    return fence.compare_samples(
        before,
        now,
        application_roles=world.plan.traffic.application_roles or None,
        own_changes=True,
    )


async def _settle_by_rows(
    world: World, watch: Watch, publisher: Role, databases: Sequence[str], doubt: FenceVerdict
) -> FenceVerdict:
    """Compare the rows with frozen old blue's where the counters alone leave a doubt.

    An apply worker reports its counts up to a second late, so that green's may move after it has
    received everything. Old blue cannot change, and new blue is fenced: equal rows are the proof.
    """
    watch.evidence(f"not told by counters ({'; '.join(doubt.reasons)}): comparing the rows")
    left, right = await world.target(Role.OLD_BLUE), await world.target(publisher)
    results = await together(
        *(
            compare.compare_databases(
                world.connector(left, database),
                world.connector(right, database),
                budget_s=world.plan.fence.limit_s,
                parallel=max(1, world.plan.compare.parallel // len(databases)),
                progress=lambda what, fraction: watch.progress(f"comparing rows: {what}", fraction),
            )
            for database in databases
        )
    )
    differ = [
        f"{each.database}: {t.schema}.{t.table}: old blue {t.rows_left} rows, here {t.rows_right}"
        for each in results
        for t in each.different
    ]
    uncertain = [
        f"{each.database}: {t.schema}.{t.table}" for each in results for t in each.unproved
    ]
    if differ:
        return FenceVerdict(False, tuple(differ))
    if uncertain:
        return FenceVerdict(None, (f"not compared in time: {', '.join(uncertain[:5])}",))
    watch.evidence(f"every row in {', '.join(databases)} equals frozen old blue's")
    return FenceVerdict(True, ())


def _dump(sample: FenceSample) -> Any:
    return _SAMPLE.dump_python(sample, mode="json")
