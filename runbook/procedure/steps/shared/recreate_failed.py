"""What this run made and AWS let fail: deleted behind a gate that names it, and made anew.

Nothing else is ever deleted here: the cluster must bear this run's tag, be the one that the run has
bound, and have failed; an instance must bear the tag, belong to that cluster, and have failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from runbook.aws.facts import Cluster, Instance
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate

DELETING = "deleting"


async def failed_clone(context: RunContext) -> Cluster | None:
    """Return blue prime where this run made it and it failed, or goes after that; else None."""
    found = await context.find(Role.BLUE_PRIME)
    if found is None or found.tags.get(RUN_TAG) != context.run:
        return None
    return found if found.failed or found.status == DELETING else None


async def failed_instances(context: RunContext) -> list[Instance]:
    """Return blue prime's instances that this run made and that failed, or go after that."""
    cluster = await context.find(Role.BLUE_PRIME)
    if cluster is None or cluster.tags.get(RUN_TAG) != context.run:
        return []
    return [
        instance
        for instance in await context.rds.instances(cluster.identifier)
        if instance.tags.get(RUN_TAG) == context.run
        and (instance.failed or instance.status == DELETING)
    ]


def gates(failed: Sequence[Cluster | Instance]) -> list[Gate]:
    """Return the decisions to delete what failed; what is going already needs none."""
    return [
        Gate(
            key=f"delete-failed/{each.resource_id}",
            question=(
                f"Delete {each.identifier}, which this run made and which ended in {each.status}, "
                "and make it anew."
            ),
            reversible="It never served and holds nothing of its own. Nothing else is deleted.",
            must_type=each.identifier,
            valid_s=600,
        )
        for each in failed
        if each.status != DELETING
    ]
