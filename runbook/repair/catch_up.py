"""Waits until blue prime has applied everything that new blue had at one moment."""

from __future__ import annotations

import asyncio
import time

from runbook.base.context import RunContext
from runbook.base.pair import (
    ReplicationPair,
    captured_slots,
    current_pair,
)
from runbook.base.step import Watch
from runbook.failures import StepFailed
from runbook.postgres import replication
from runbook.procedure.steps.protect.verify import require_slot

LOOK_EVERY_S = 0.05

APPLIED_S = 30.0
"""How long apply may take to go on once nothing is in its way."""


async def caught_up(
    context: RunContext,
    sides: ReplicationPair,
    database: str,
    *,
    limit_s: float,
    only_look: bool = False,
) -> bool:
    """Wait until the subscriber has confirmed past a position taken now; tell whether it has.

    The position is behind every commit so far; with `only_look` nothing is written for it, and
    commits that do not wait for the disk may be left out. Fails where the slot is gone.
    """
    slot = (await captured_slots(context, sides.publisher))[database]
    deadline = time.monotonic() + limit_s
    async with context.connect(sides.publisher, database) as connection:
        await require_slot(connection, sides.publisher, slot, database)
        take = replication.flushed if only_look else replication.emit_barrier
        lsn = await take(connection)
        while await replication.confirmed_past(connection, slot, lsn) is not True:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
    return True


async def goes_on(context: RunContext, watch: Watch, database: str, past: str, done: str) -> None:
    """See that apply has gone on past what stood in its way, or fail in words.

    `done` says what was done about it, as the beginning of a sentence.

    Raises `StepFailed`.
    """
    if await caught_up(context, current_pair(context), database, limit_s=APPLIED_S):
        watch.evidence(f"{database}: apply has gone on past {past}")
        return
    raise StepFailed(
        f"{done}, and apply in {database} has not caught up within {APPLIED_S:.0f} s.",
        now="The slot keeps every write.",
        todo="Look at the repairs again: what apply stands at is named there.",
    )


async def catch_up(
    context: RunContext, sides: ReplicationPair, database: str, *, limit_s: float
) -> None:
    """Wait for it, or fail in words.

    Raises `StepFailed` after `limit_s` seconds.
    """
    if not await caught_up(context, sides, database, limit_s=limit_s):
        raise StepFailed(
            f"{sides.subscriber.value} did not confirm within {limit_s:.0f} s what "
            f"{sides.publisher.value} had written in {database}.",
            now="Nothing was changed by this wait.",
            todo="Look at the lag and at the apply worker, then try again.",
        )
