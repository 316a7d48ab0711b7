"""The world as the watch sees it: what AWS said last of the run's clusters, with its age.

All clusters of the run and their instances are asked for in two calls, and everything that the
watch looks at goes by that answer until the next one. Nothing is decided by it: whoever makes a
change asks AWS itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook.aws.facts import Cluster, Instance
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.failures import StepFailed
from runbook.ownership import serving

ANEW_S = 10.0
"""So long after AWS could not be asked, only the look at the clusters asks it again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What AWS said at one time."""

    clusters: tuple[Cluster, ...]
    """Those of the run that exist."""
    instances: Mapping[str, Sequence[Instance]]
    """By the name of their cluster."""
    asked: frozenset[str]
    """The resource ids that were asked for."""
    at: datetime

    def cluster(self, resource_id: str) -> Cluster | None:
        """Return a cluster, or None where AWS has none of that id."""
        return next((each for each in self.clusters if each.resource_id == resource_id), None)


async def ask(context: RunContext) -> Listing:
    """Return the clusters of the run and their instances as they are now: two calls."""
    at, asked = context.now(), frozenset(serving.bound_clusters(context))
    clusters = await context.rds.clusters_of(asked)
    found = await context.rds.instances(*(each.identifier for each in clusters))
    instances: dict[str, list[Instance]] = {each.identifier: [] for each in clusters}
    for instance in found:
        instances.setdefault(instance.cluster, []).append(instance)
    return Listing(tuple(clusters), instances, asked, at)


class WatchContext(RunContext):
    """A world whose looks share what AWS said last. It is the monitor's alone."""

    listing: Listing | None = None
    _failed: tuple[float, StepFailed] | None = None
    _asking: asyncio.Lock | None = None

    async def look_anew(self) -> Listing:
        """Ask AWS, and go by its answer from now on.

        Raises what AWS says; what it said before stands then, as of when it did.
        """
        try:
            self.listing, self._failed = await ask(self), None
        except StepFailed as failure:
            self._failed = time.monotonic(), failure
            raise
        return self.listing

    async def find(self, role: Role) -> Cluster | None:
        """Return the cluster of a role as AWS described it last, or None where it had none."""
        bound = self.bound(role)
        return None if bound is None else (await self._listed(bound)).cluster(bound)

    async def instances_of(self, cluster: Cluster) -> list[Instance]:
        """Return the instances of a cluster as AWS listed them last, by name."""
        listing = await self._listed(cluster.resource_id)
        now = listing.cluster(cluster.resource_id)
        return [] if now is None else list(listing.instances[now.identifier])

    async def _listed(self, resource_id: str) -> Listing:
        """Return what AWS said last; ask first where it was not asked for this cluster."""
        self._asking = self._asking or asyncio.Lock()
        async with self._asking:
            if self.listing is not None and resource_id in self.listing.asked:
                return self.listing
            if self._failed is not None and time.monotonic() - self._failed[0] < ANEW_S:
                raise self._failed[1]
            return await self.look_anew()
