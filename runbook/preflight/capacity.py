"""Room in the account for what the run makes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.preflight.check import Check, check
from runbook.preflight.look import Look
from runbook.preflight.result import Result, block, passed, warn

_LAST_CHEAP_CLONE = 15


@check(
    "capacity.quotas",
    why="Green and blue prime come on top of blue: two clusters and twice its instances.",
)
async def quotas(look: Look) -> AsyncIterator[Result]:
    """A quota of the account is nearly used up."""
    found = await look.quotas()
    instances = len(await look.instances())
    done = await look.own_deployment_stands()
    needed = {
        "DBClusters": 1 if done else 2,
        "DBInstances": instances * (1 if done else 2),
        "DBClusterParameterGroups": 0 if done or look.plan.upgrade.cluster_parameter_group else 1,
    }
    short = [
        (name, found[name].limit - found[name].used, need)
        for name, need in needed.items()
        if name in found and found[name].limit - found[name].used < need
    ]
    for name, free, need in short:
        yield block(
            name,
            f"{need} more are needed, {free} are free of {found[name].limit}.",
            "Raise the quota in Service Quotas, or delete what is no longer used.",
        )
    if not short:
        yield passed(look.plan.cluster.account, "room for green and blue prime")


@check(
    "capacity.clones",
    why="After 15 copy-on-write clones of one volume the next is a full copy, which takes hours.",
)
async def clones(look: Look) -> AsyncIterator[Result]:
    """Blue's volume has so many clones that blue prime would be copied in full."""
    shared = await look.clones()
    subject = look.plan.cluster.identifier
    if shared > _LAST_CHEAP_CLONE:
        yield warn(
            subject,
            f"{shared} clusters share its volume; blue prime would be a full copy.",
            "Delete clones that are no longer used.",
        )
    else:
        others = f"{shared - 1} other clusters share" if shared > 1 else "no other cluster shares"
        yield passed(subject, f"{others} its volume; a clone is quick")


CHECKS: tuple[Check, ...] = (quotas, clones)
