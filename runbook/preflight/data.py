"""Data that logical replication does not carry: the plan must accept each kind by name."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.postgres import catalog
from runbook.preflight.check import Check, check
from runbook.preflight.look import Look, Unseen
from runbook.preflight.result import Result, block, passed, unknown, warn

KINDS = {
    "sequences": "their positions do not replicate; a rollback carries them over inside its fence",
    "large_objects": "they do not replicate: what is written to them after the switchover is lost "
    "by a rollback, and any change on blue degrades the deployment",
    "unlogged_tables": "they do not replicate: a rollback finds them as of the switchover",
    "materialized_views": "a rollback refreshes them; REFRESH on blue may break the deployment",
}
"""Kind -> what becomes of it."""


@check(
    "data.acknowledged",
    why="What replication does not carry would be missed after a rollback, with a lag of 0 and "
    "no error.",
)
async def acknowledged(look: Look) -> AsyncIterator[Result]:
    """A kind of data is present that the plan does not acknowledge."""
    accepted = set(look.plan.acknowledge)
    clear = True
    for database, found in (await look.databases(catalog.data_kinds)).items():
        if isinstance(found, Unseen):
            clear = False
            yield unknown(database, found.error)
            continue
        for kind, fate in KINDS.items():
            count: int = getattr(found, kind)
            if not count:
                continue
            clear = False
            words = f"{kind.replace('_', ' ')} ({count}): {fate}."
            if kind in accepted:
                yield warn(f"{database}/{kind}", words)
            else:
                yield block(
                    f"{database}/{kind}", words, f'Add "{kind}" to acknowledge in the plan.'
                )
    if clear:
        yield passed(look.plan.cluster.identifier, "everything replicates")


CHECKS: tuple[Check, ...] = (acknowledged,)
