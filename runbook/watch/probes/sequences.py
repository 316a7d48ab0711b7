"""Sequences that come to their end, on both sides: a rollback takes their values along."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.postgres import sequences

NARROW_SHARE = 0.1
"""Less of its range than this being left is an alarm."""

NAMED = 5
"""So many sequences of a database are named, the narrowest first."""


async def look(context: RunContext, databases: Sequence[str]) -> ProbeResult:
    """Return the sequences of both sides that have little of their range left."""
    sides, now = current_pair(context), context.now()
    alarms = []
    for role in (sides.publisher, sides.subscriber):
        if role is sides.subscriber and context.bound(role) is None:
            continue
        for database in databases:
            async with context.connect(role, database) as connection:
                found = await sequences.narrow(connection, NARROW_SHARE)
            alarms += [
                Alert(
                    Cause.SEQUENCE,
                    database,
                    f"{role.slug} {each}",
                    f"sequence {each} in {database} of {role.value} has "
                    f"{100 * each.left_share:.1f} % of its range left",
                    False,
                    now,
                )
                for each in found[:NAMED]
            ]
    return ProbeResult(now, tuple(alarms), "")
