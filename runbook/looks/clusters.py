"""The clusters of the run, as AWS tells of them."""

from __future__ import annotations

from runbook.board import ClusterView
from runbook.roles import Role
from runbook.sides import held
from runbook.step import StepFailed
from runbook.world import World

GONE = "gone"


async def views(world: World) -> tuple[ClusterView, ...]:
    """Return each cluster that plays a part now.

    Raises `StepFailed` where AWS lists none of them: that is another account, region or endpoint
    sooner than a night in which all were deleted.
    """
    switched = world.fact("switchover") is not None
    roles = (Role.NEW_BLUE, Role.OLD_BLUE, Role.BLUE_PRIME) if switched else (Role.BLUE, Role.GREEN)
    found = [await _view(world, role) for role in roles if world.bound(role) is not None]
    if found and all(view.status == GONE for view in found):
        raise StepFailed(
            f"AWS lists no cluster of this run in {world.plan.cluster.region}.",
            now="Nothing is known of them.",
            todo="Check the credentials, the region and AWS_ENDPOINT_URL of this terminal.",
        )
    return tuple(found)


async def _view(world: World, role: Role) -> ClusterView:
    now = world.now()
    cluster = await world.find(role)
    if cluster is None:
        return ClusterView(role.value, "", "", GONE, 0, 0, at=now)
    instances = await world.rds.instances(cluster.identifier)
    traffic = world.fact("traffic") or {"open": True, "on": Role.BLUE.value}
    led = (world.fact("endpoint") or {}).get("on")
    serves = (
        cluster.identifier == world.plan.cluster.identifier
        if led is None
        else Role(led).identity is role.identity
    )
    open_here = bool(traffic.get("open")) and traffic.get("on") == role.value
    return ClusterView(
        role=role.value,
        name=cluster.identifier,
        version=cluster.engine_version,
        status=cluster.status,
        instances=len(instances),
        instances_available=sum(1 for instance in instances if instance.available),
        percent=cluster.percent_progress,
        serves=serves,
        publishes=held(world).publisher is role and bool(world.fact("slots")),
        frozen=not open_here,
        at=now,
    )
