"""A writer that goes: another member takes over, and every session of the cluster ends.

On Aurora the members share one storage, so nothing that was committed is lost and logical slots
survive. Here one server stands for all members: it dies as in a crash, comes back, and another
member bears the writer's role.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.AuroraHighAvailability.html
"""

from __future__ import annotations

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, Instance
from rehearsal.aws.registry import Params, Shape, action, required
from rehearsal.aws.shapes import cluster_shape

_UNABLE = ("incompatible-", "failed", "deleting", "creating")
"""How the statuses begin in which a member cannot take over."""


def successor(cluster: Cluster) -> Instance | None:
    """Return the member that takes over from the writer: the lowest promotion tier wins."""
    able = [
        member
        for member in cluster.instances
        if not member.is_writer and not member.status.startswith(_UNABLE)
    ]
    return min(able, key=lambda member: member.tier, default=None)


@action("FailoverDBCluster")
def fail_over(control: Control, params: Params) -> Shape:
    """Give the writer's role to a reader, to the named one or by promotion tier."""
    with control.lock:
        cluster = control.cluster(required(params, "DBClusterIdentifier"))
        if cluster.status != "available":
            raise errors.cluster_not_available(cluster.identifier, cluster.status)
        deployment = control.deployment_of(cluster)
        if deployment and deployment.status == "SWITCHOVER_IN_PROGRESS":
            raise errors.cluster_state(
                f"DB cluster {cluster.identifier} is being switched over and can't fail over."
            )
        if (name := params.get("TargetDBInstanceIdentifier")) is not None:
            heir = _reader(cluster, name)
        elif (found := successor(cluster)) is not None:
            heir = found
        else:
            raise errors.cluster_state(
                f"DB cluster {cluster.identifier} has no DB instance to fail over to."
            )
        lose_writer(control, cluster, heir)
        return {"DBCluster": cluster_shape(control, cluster)}


def _reader(cluster: Cluster, name: str) -> Instance:
    """Return the reader that is to take over.

    The action declares no error for an instance that is not there: it is one of state.
    """
    for member in cluster.instances:
        if member.identifier == name.lower() and not member.is_writer:
            if member.status == "available":
                return member
            raise errors.instance_state(member.identifier)
    raise errors.RdsFault(
        "InvalidDBInstanceState", f"{name} is not a reader of DB cluster {cluster.identifier}."
    )


def lose_writer(control: Control, cluster: Cluster, heir: Instance | None) -> None:
    """Let the writer die, and the heir, or (None) the writer itself, serve after a while.

    Called with the lock held; the rest happens in the background.
    """
    cluster.status = "failing-over"
    same_zone = (
        heir is not None
        and cluster.writer is not None
        and heir.settings.get("AvailabilityZone") == cluster.writer.settings.get("AvailabilityZone")
    )
    if heir is not None:
        control.event(
            cluster,
            f"Started {'same' if same_zone else 'cross'} AZ failover to DB instance: "
            f"{heir.identifier}",
            "failover",
        )

    def work() -> None:
        control.fleet.kill(cluster.resource_id)
        with control.pace.at_least("failover"):
            pass
        take_over(control, cluster, heir)
        with control.lock:
            cluster.status = "available"

    def failed(_: str) -> None:
        cluster.status = "available"
        control.event(
            cluster,
            "Cluster failover failed, check the health of your cluster instances and try again.",
            "failover",
        )

    control.background(f"fail over {cluster.identifier}", work, of=cluster, failed=failed)


def take_over(control: Control, cluster: Cluster, heir: Instance | None) -> None:
    """Start the cluster's server again, under its new writer."""
    with control.lock:
        if heir is not None and not heir.gone:
            for member in cluster.instances:
                member.is_writer = member is heir
        control.route(cluster)
        serving = cluster.writer
    if serving is None:
        return
    control.fleet.apply_settings(cluster.resource_id, control.settings(cluster))
    control.fleet.start(cluster.resource_id)
    with control.lock:
        serving.apply_groups()
    control.identify(cluster)
    control.event(
        cluster,
        f"Promoting previous primary again: {serving.identifier}"
        if heir is None
        else f"Completed failover to DB instance: {serving.identifier}",
        "failover",
    )
