"""Clusters made of another's data: copy-on-write clones, full copies, and out of snapshots."""

from __future__ import annotations

from rehearsal.aws import errors, operation_faults, snapshots
from rehearsal.aws.clusters import new_cluster
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, resource_id
from rehearsal.aws.registry import Params, Shape, action, required
from rehearsal.aws.shapes import cluster_shape
from rehearsal.aws.versions import ENGINE

MAX_CLONES = 15
"""After 15 copy-on-write clones of one volume the next is a full copy: much slower."""

_CARRIED_OVER = ("StorageEncrypted", "KmsKeyId", "EngineLifecycleSupport")
"""What a clone inherits; every other setting that is omitted falls back to AWS's default."""


@action("RestoreDBClusterToPointInTime")
def restore(control: Control, params: Params) -> Shape:
    """Copy a cluster's volume as it is now into a new cluster without instances."""
    restore_type = params.get("RestoreType") or "full-copy"
    if restore_type not in ("copy-on-write", "full-copy"):
        raise errors.invalid_value(f"Invalid restore type: {restore_type}")
    _check_time(params, restore_type)
    with control.lock:
        source = _source(control, params)
        if source.writer is None:
            raise errors.cluster_state(
                f"The source cluster {source.identifier} has no DB instances; it can't be cloned."
            )
        if source.status not in ("available", "backing-up"):
            raise errors.cluster_not_available(source.identifier, source.status)
        cluster = new_cluster(
            control, required(params, "DBClusterIdentifier"), params, source.version
        )
        cluster.master = source.master
        cluster.settings.update(
            {name: source.settings[name] for name in _CARRIED_OVER if name in source.settings}
        )
        clones = _clones(control, source)
        copied_on_write = restore_type == "copy-on-write" and len(clones) < MAX_CLONES
        if restore_type == "copy-on-write":
            source.clone_group = source.clone_group or resource_id("clone-group").lower()
            cluster.clone_group = source.clone_group
        control.clusters.append(cluster)
        control.background(
            f"clone {source.identifier} to {cluster.identifier}",
            lambda: _fill(
                control, source.resource_id, cluster, "clone" if copied_on_write else "full-copy"
            ),
            of=cluster,
        )
        return {"DBCluster": cluster_shape(control, cluster)}


def _check_time(params: Params, restore_type: str) -> None:
    if restore_type == "copy-on-write" and params.get("RestoreToTime"):
        raise errors.invalid_combination(
            "RestoreToTime cannot be specified with the copy-on-write restore type."
        )
    if params.get("RestoreToTime"):
        raise errors.RdsFault(
            "InvalidRestoreFault", "The rehearsal lab restores only to the latest restorable time."
        )
    if not params.get("UseLatestRestorableTime"):
        raise errors.invalid_combination(
            "Either RestoreToTime or UseLatestRestorableTime must be specified."
        )


def _source(control: Control, params: Params) -> Cluster:
    by_id = params.get("SourceDbClusterResourceId")
    if by_id:
        for cluster in control.clusters:
            if cluster.resource_id == by_id:
                return cluster
        raise errors.cluster_not_found(by_id)
    return control.cluster(required(params, "SourceDBClusterIdentifier"))


def _clones(control: Control, source: Cluster) -> list[Cluster]:
    if source.clone_group is None:
        return []
    return [
        cluster
        for cluster in control.clusters
        if cluster is not source and cluster.clone_group == source.clone_group
    ]


def _fill(control: Control, volume: str, clone: Cluster, duration: str) -> None:
    """Copy a volume's data into a new cluster's."""

    def progress(percent: int) -> None:
        clone.percent = percent

    clone.percent = 0
    with operation_faults.shown_early(control, clone), control.pace.at_least(duration, progress):
        try:
            operation_faults.clone(control, clone)
            control.fleet.clone(volume, clone.resource_id)
        except Exception as error:
            clone.status = "cloning-failed"
            control.event(clone, f"Unable to clone the DB cluster: {error}", "failure")
            raise
    clone.percent = None
    clone.status = "available"
    control.event(clone, "DB cluster created.", "creation")


@action("RestoreDBClusterFromSnapshot")
def restore_snapshot(control: Control, params: Params) -> Shape:
    """Make a cluster without instances out of a snapshot's data, on the snapshot's version."""
    if required(params, "Engine") != ENGINE:
        raise errors.invalid_value(f"The rehearsal lab has only the engine {ENGINE}")
    with control.lock:
        snapshot = snapshots.find(control, required(params, "SnapshotIdentifier"))
        if snapshot.status != "available":
            raise errors.RdsFault(
                "InvalidDBClusterSnapshotStateFault",
                f"The cluster snapshot {snapshot.identifier} is not in available state.",
            )
        version = snapshot.shape["EngineVersion"]
        if params.get("EngineVersion") not in (None, version):
            raise errors.invalid_combination(
                f"The rehearsal lab restores a snapshot on its own version, {version}."
            )
        cluster = new_cluster(control, required(params, "DBClusterIdentifier"), params, version)
        cluster.master = snapshot.shape["MasterUsername"]
        control.clusters.append(cluster)
        control.background(
            f"restore {cluster.identifier} from {snapshot.identifier}",
            lambda: _fill(control, snapshot.volume, cluster, "full-copy"),
            of=cluster,
        )
        return {"DBCluster": cluster_shape(control, cluster)}
