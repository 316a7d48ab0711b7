"""What a cluster's servers may call themselves: their instances' names, now and before the pivot.

A switchover renames instances, and a server was seen to go on by its former name long after it
(reported of Aurora MySQL). Names move, an instance's resource id never does: so what an instance
was named before the pivot is kept by that id, and a server that says so is known for this one's.
The former names of blue's instances are new blue's since; but those two are never of one version.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from psycopg import AsyncConnection

from runbook.aws.facts import Cluster, Instance
from runbook.base.roles import Role
from runbook.postgres import identity
from state.records import Json

ENDPOINTS = "endpoints.borne"
"""The endpoints that each cluster was seen to bear, by its resource id, the last one first."""

SYSTEMS = "systems.before"
"""The system identifiers of blue and green right before the pivot, by cluster resource ids."""

FACT = "instances.before"
"""The names of blue's and green's instances right before the pivot, by their resource ids."""


class Instances(Protocol):
    """What is asked of a run's context here."""

    def fact(self, key: str) -> Json | None:
        """Return the latest value kept under a key, or None."""

    async def instances(self, role: Role) -> list[Instance]:
        """Return the instances of the role's cluster."""

    def bound(self, role: Role) -> str | None:
        """Return the resource id that the run bound to a role, or None."""


class Clusters(Instances, Protocol):
    """What also knows clusters."""

    async def cluster(self, role: Role) -> Cluster:
        """Return the cluster of a role as it is now."""


class Connecting(Instances, Protocol):
    """What can also be connected to."""

    def resource_id(self, role: Role) -> str:
        """Return the resource id of the role's cluster."""

    def connect(self, role: Role) -> AbstractAsyncContextManager[AsyncConnection]:
        """Lend a connection to the role's cluster."""


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


async def keep_endpoints(context: Clusters, watch: Recorder, roles: Iterable[Role]) -> None:
    """Keep the endpoints of clusters beside those that they bore before.

    Certificates trail a rename and may do so until the cluster is stopped and started.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html
    """
    known = dict(context.fact(ENDPOINTS) or {})
    now = [await context.cluster(role) for role in roles]
    for each in now:
        others = [name for name in known.get(each.resource_id, ()) if name != each.endpoint]
        known[each.resource_id] = [each.endpoint, *others]
    words = f"endpoints: {', '.join(each.endpoint for each in now)}"
    watch.evidence(words, key=ENDPOINTS, value=known)


def endpoints_of(context: Instances, role: Role) -> tuple[str, ...]:
    """Return the endpoints that a role's cluster was seen to bear in this run, the last first.

    Blue's became new blue's with the switchover.
    """
    known = context.fact(ENDPOINTS) or {}
    sides = (role, Role.BLUE) if role is Role.NEW_BLUE else (role,)
    return tuple(name for side in sides for name in known.get(context.bound(side), ()))


async def keep_systems(context: Connecting, watch: Recorder) -> None:
    """Keep the system identifiers of both sides, where their servers tell them.

    pg_upgrade has given green one of its own (postgresql.org/docs, "pg_upgrade"): whatever the
    names say, from the pivot on it tells new blue from every other cluster of the run.
    """
    found = {}
    for role in (Role.BLUE, Role.GREEN):
        async with context.connect(role) as connection:
            found[context.resource_id(role)] = await identity.system_identifier(connection)
    told = ", ".join(filter(None, found.values())) or "not told"
    watch.evidence(f"system identifiers: {told}", key=SYSTEMS, value=found)


def systems_of_others(context: Instances, role: Role) -> frozenset[str]:
    """Return the system identifiers that other clusters had before the pivot, and this one not.

    A clone may have its origin's or one of its own, so none is asked of blue prime: only what is
    known to be the other side's tells anything.
    """
    systems = dict(context.fact(SYSTEMS) or {})
    origin = Role.BLUE if role is Role.BLUE_PRIME else role
    own = systems.pop(context.bound(origin), "")
    return frozenset(systems.values()) - {own, ""}


async def of(context: Instances, role: Role) -> frozenset[str]:
    """Return the names of a cluster's instances as AWS lists them now, and their former ones."""
    former = context.fact(FACT) or {}
    now = await context.instances(role)
    names = {each.identifier for each in now}
    return frozenset(
        names | {former[each.resource_id] for each in now if each.resource_id in former}
    )
