"""The clusters of the run, as AWS tells of them."""

from __future__ import annotations

from runbook.aws import budget
from runbook.aws.facts import Cluster
from runbook.base.pair import current_pair
from runbook.base.roles import Role
from runbook.failures import StepFailed
from runbook.ownership import serving
from runbook.ownership.holder import LEFT_BEHIND
from runbook.procedure.steps.upgrade.create_deployment import CreateDeployment, deployment
from runbook.protection import given_up
from runbook.protection.dashboard import ClusterView
from runbook.watch.listing import Listing, WatchContext

GONE = "gone"

GONE_LOOKS = 3
"""After so many looks in a row that do not find a deployment it is not asked for any more: AWS's
describes may trail a change, and none that was deleted comes back."""


class DeploymentProbe:
    """Looks at the run's blue/green deployment as long as there is one."""

    def __init__(self, context: WatchContext) -> None:
        self._context = context
        self._missed = 0
        self._of: object = None

    async def status(self) -> str:
        """Return its status in AWS's words; empty where there is none."""
        kept = self._context.fact("deployment")
        if kept != self._of:
            self._of, self._missed = kept, 0
        if kept is None and not self._context.begun(CreateDeployment.key):
            return ""
        if kept is not None and self._missed >= GONE_LOOKS:
            return ""
        found = await deployment(self._context)
        self._missed = 0 if found is not None else self._missed + 1
        return "" if found is None else found.status


LEAST_S = 0.1
"""A shorter pause may be none to the clock."""


class ClustersProbe:
    """Looks at the clusters and the deployment as often as the budget of calls lets it."""

    def __init__(self, context: WatchContext) -> None:
        self._context = context
        self._deployment = DeploymentProbe(context)
        self.rest_s = 0.0
        """How many seconds it is to rest."""

    async def look(self, *, acting: bool) -> tuple[Listing, str] | None:
        """Return what AWS says, with the deployment's status; None: it is not asked yet.

        `acting`: a step is performed. Raises what AWS says where it cannot be asked.
        """
        spender = budget.spender()
        self.rest_s = spender.budget.rest_s(0.0, shown=True)
        if self._context.listing is not None and self.rest_s:
            # Something has called for it, and too much was asked lately.
            self.rest_s = max(self.rest_s, LEAST_S)
            return None
        limits = self._context.plan.limits
        every_s = max(1.0, limits.poll_s if acting else limits.watch_every_s)
        try:
            return await self._context.look_anew(), await self._deployment.status()
        finally:
            self.rest_s = spender.rest_s(every_s)


def views(context: WatchContext, listing: Listing) -> tuple[ClusterView, ...]:
    """Return each cluster that plays a part now.

    Raises `StepFailed` where AWS lists none of them: that is another account, region or endpoint
    sooner than a night in which all were deleted.
    """
    bound = [(role, context.bound(role)) for role in serving.roles_of_now(context)]
    found = [
        _view(context, role, listing, listing.cluster(each))
        for role, each in bound
        if each is not None
    ]
    if found and all(view.status == GONE for view in found):
        raise StepFailed(
            f"AWS lists no cluster of this run in {context.plan.cluster.region}.",
            now="Nothing is known of them.",
            todo="Check the credentials, the region and AWS_ENDPOINT_URL of this terminal.",
        )
    return tuple(found)


def _view(
    context: WatchContext, role: Role, listing: Listing, cluster: Cluster | None
) -> ClusterView:
    if cluster is None:
        return ClusterView(role.value, "", "", GONE, 0, 0, at=listing.at)
    instances = listing.instances[cluster.identifier]
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
        at=listing.at,
    )
