"""The clusters of the run, as AWS tells of them."""

from __future__ import annotations

from collections.abc import Iterable

from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.roles import Role
from runbook.failures import StepFailed
from runbook.ownership import serving
from runbook.ownership.holder import LEFT_BEHIND
from runbook.protection import given_up
from runbook.protection.dashboard import ClusterView

GONE = "gone"


async def views(context: RunContext, clusters: Iterable[Cluster]) -> tuple[ClusterView, ...]:
    """Return each cluster that plays a part now. `clusters`: those of the run that exist.

    Raises `StepFailed` where AWS lists none of them: that is another account, region or endpoint
    sooner than a night in which all were deleted.
    """
    roles = serving.roles_of_now(context)
    listed = {cluster.resource_id: cluster for cluster in clusters}
    bound = [(role, context.bound(role)) for role in roles]
    found = [
        await _view(context, role, listed.get(each)) for role, each in bound if each is not None
    ]
    if found and all(view.status == GONE for view in found):
        raise StepFailed(
            f"AWS lists no cluster of this run in {context.plan.cluster.region}.",
            now="Nothing is known of them.",
            todo="Check the credentials, the region and AWS_ENDPOINT_URL of this terminal.",
        )
    return tuple(found)


async def _view(context: RunContext, role: Role, cluster: Cluster | None) -> ClusterView:
    now = context.now()
    if cluster is None:
        return ClusterView(role.value, "", "", GONE, 0, 0, at=now)
    instances = await context.rds.instances(cluster.identifier)
    traffic = context.fact("traffic") or {"open": True, "on": Role.BLUE.value}
    led = (context.fact("endpoint") or {}).get("on")
    serves = (
        cluster.identifier == context.plan.cluster.identifier
        if led is None
        else Role(led).identity is role.identity
    )
    open_here = bool(traffic.get("open")) and traffic.get("on") == role.value
    away = given_up.of(context) is role
    return ClusterView(
        role=role.value,
        name=cluster.identifier,
        version=cluster.engine_version,
        status=cluster.status,
        instances=len(instances),
        instances_available=sum(1 for instance in instances if instance.available),
        percent=cluster.percent_progress,
        serves=serves,
        publishes=current_pair(context).publisher is role and bool(context.fact("slots")),
        # What another journal has opened or closed since is not known here; and one that was given
        # up was left as it was.
        frozen=not open_here and not away and not context.fact(LEFT_BEHIND),
        given_up=away,
        at=now,
    )
