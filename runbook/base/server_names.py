"""What a cluster's servers may call themselves: their instances' names, now and before the pivot.

A switchover renames instances, and a server was seen to go on by its former name long after it
(reported of Aurora MySQL). Names move, an instance's resource id never does: so what an instance
was named before the pivot is kept by that id, and a server that says so is known for this one's.
The former names of blue's instances are new blue's since; but those two are never of one version.
"""

from __future__ import annotations

from typing import Protocol

from runbook.aws.facts import Instance
from runbook.base.roles import Role
from state.records import Json

FACT = "instances.before"
"""The names of blue's and green's instances right before the pivot, by their resource ids."""


class Instances(Protocol):
    """What is asked of a run's context here."""

    def fact(self, key: str) -> Json | None:
        """Return the latest value kept under a key, or None."""

    async def instances(self, role: Role) -> list[Instance]:
        """Return the instances of the role's cluster."""


class Recorder(Protocol):
    """What takes what was seen."""

    def evidence(self, text: str, *, key: str = "", value: Json = None) -> None:
        """Keep what was seen."""


async def keep(context: Instances, watch: Recorder) -> None:
    """Keep how the instances of both sides are named now."""
    found = {
        each.resource_id: each.identifier
        for role in (Role.BLUE, Role.GREEN)
        for each in await context.instances(role)
    }
    watch.evidence(f"instances: {', '.join(sorted(found.values()))}", key=FACT, value=found)


async def of(context: Instances, role: Role) -> frozenset[str]:
    """Return the names of a cluster's instances as AWS lists them now, and their former ones."""
    former = context.fact(FACT) or {}
    now = await context.instances(role)
    names = {each.identifier for each in now}
    return frozenset(
        names | {former[each.resource_id] for each in now if each.resource_id in former}
    )
