"""Clusters that are stopped and started, and what Aurora has another action for.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-cluster-stop-start.html
"""

from __future__ import annotations

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster
from rehearsal.aws.registry import Params, Shape, action, required
from rehearsal.aws.shapes import cluster_shape
from rehearsal.aws.versions import ENGINE


@action("StopDBCluster")
def stop(control: Control, params: Params) -> Shape:
    """Stop a cluster with its instances; one of a blue/green deployment is refused."""
    with control.lock:
        cluster = _in_status(control, params, "available")
        if control.deployment_of(cluster):
            raise errors.cluster_state(
                f"DB cluster {cluster.identifier} is part of a blue/green deployment and can't be "
                "stopped."
            )
        for member in cluster.instances:
            if member.status != "available":
                raise errors.instance_state(member.identifier)
        _set(cluster, "stopping")

        def work() -> None:
            with control.pace.at_least("stop-cluster"):
                control.fleet.stop(cluster.resource_id)
            with control.lock:
                _set(cluster, "stopped")
                control.event(cluster, "DB cluster stopped.", "notification")

        control.background(f"stop {cluster.identifier}", work, of=cluster)
        return {"DBCluster": cluster_shape(control, cluster)}


@action("StartDBCluster")
def start(control: Control, params: Params) -> Shape:
    """Start a stopped cluster: its server reads its groups."""
    with control.lock:
        cluster = _in_status(control, params, "stopped")
        _set(cluster, "starting")

        def work() -> None:
            with control.pace.at_least("start-cluster"):
                if cluster.writer:
                    control.fleet.apply_settings(cluster.resource_id, control.settings(cluster))
                    control.fleet.start(cluster.resource_id)
                    control.identify(cluster)
            control.endpoints.renew(cluster.resource_id)
            with control.lock:
                for member in cluster.instances:
                    member.apply_groups()
                _set(cluster, "available")
                control.event(cluster, "DB cluster started.", "notification")

        control.background(f"start {cluster.identifier}", work, of=cluster)
        return {"DBCluster": cluster_shape(control, cluster)}


def _in_status(control: Control, params: Params, status: str) -> Cluster:
    cluster = control.cluster(required(params, "DBClusterIdentifier"))
    if cluster.status != status:
        raise errors.cluster_state(
            f"DbCluster {cluster.identifier} is not in {status} state. Status: {cluster.status}"
        )
    return cluster


def _set(cluster: Cluster, status: str) -> None:
    cluster.status = status
    for member in cluster.instances:
        member.status = status


@action("RebootDBCluster")
def reboot(control: Control, params: Params) -> Shape:
    """Refuse: it is for Multi-AZ clusters that are not Aurora's, whose instances are rebooted."""
    with control.lock:
        cluster = control.cluster(required(params, "DBClusterIdentifier"))
        raise errors.cluster_state(
            f"RebootDBCluster isn't supported for DB cluster {cluster.identifier} of engine "
            f"{ENGINE}. Use RebootDBInstance."
        )


@action("PromoteReadReplicaDBCluster")
def promote(control: Control, params: Params) -> Shape:
    """Make green a cluster of its own, which ends its deployment; any other is no replica."""
    with control.lock:
        cluster = control.cluster(required(params, "DBClusterIdentifier"))
        deployment = control.deployment_of(cluster)
        if deployment is None or deployment.target is not cluster or deployment.switched:
            raise errors.cluster_state(
                f"DB cluster {cluster.identifier} is not a read replica of another DB cluster."
            )
        if deployment.status != "AVAILABLE" or cluster.status != "available":
            raise errors.cluster_not_available(cluster.identifier, cluster.status)
        cluster.status = "promoting"
        deployment.status = "INVALID_CONFIGURATION"
        deployment.details = "The green environment was promoted manually."
        blue = deployment.source

        def work() -> None:
            with control.pace.at_least("modify-cluster"):
                control.fleet.detach(blue.resource_id, cluster.resource_id)
            cluster.status = "available"

        control.background(f"promote {cluster.identifier}", work, of=cluster)
        return {"DBCluster": cluster_shape(control, cluster)}
