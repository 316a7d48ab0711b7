"""Manual cluster snapshots: real copies of the data, from which clusters are restored."""

from __future__ import annotations

from rehearsal.aws import errors
from rehearsal.aws.control import Control, check_identifier
from rehearsal.aws.models import Cluster, Snapshot, now
from rehearsal.aws.registry import (
    Params,
    Shape,
    action,
    filters,
    matches,
    page,
    required,
    tag_list,
    tag_map,
)
from rehearsal.aws.versions import ENGINE


def find(control: Control, identifier: str) -> Snapshot:
    """Return a snapshot by its identifier or ARN, or raise DBClusterSnapshotNotFoundFault."""
    for snapshot in control.snapshots:
        if identifier.lower() == snapshot.identifier or identifier == control.arn(snapshot):
            return snapshot
    raise errors.snapshot_not_found(identifier)


def _shape(control: Control, snapshot: Snapshot) -> Shape:
    return {
        **snapshot.shape,
        "DBClusterSnapshotIdentifier": snapshot.identifier,
        "DBClusterSnapshotArn": control.arn(snapshot),
        "Status": snapshot.status,
        "PercentProgress": snapshot.percent,
        "TagList": tag_list(snapshot.tags),
    }


def take_snapshot(
    control: Control, cluster: Cluster, identifier: str, tags: dict[str, str]
) -> Snapshot:
    """Start a snapshot: `creating` with its percentage, then `available`."""
    name = check_identifier(identifier, "DBClusterSnapshotIdentifier")
    if any(snapshot.identifier == name for snapshot in control.snapshots):
        raise errors.snapshot_exists(name)
    if cluster.settings["CopyTagsToSnapshot"]:
        tags = {**cluster.tags, **tags}
    snapshot = Snapshot(
        name,
        cluster,
        {
            "AvailabilityZones": [f"{control.region}{zone}" for zone in "abc"],
            "DBClusterIdentifier": cluster.identifier,
            "DbClusterResourceId": cluster.resource_id,
            "SnapshotCreateTime": now(),
            "ClusterCreateTime": cluster.created,
            "Engine": ENGINE,
            "EngineMode": "provisioned",
            "EngineVersion": cluster.version,
            "AllocatedStorage": 1,
            "Port": 0,
            "MasterUsername": cluster.master,
            "LicenseModel": "postgresql-license",
            "SnapshotType": "manual",
            "StorageEncrypted": cluster.settings["StorageEncrypted"],
            "IAMDatabaseAuthenticationEnabled": cluster.settings[
                "IAMDatabaseAuthenticationEnabled"
            ],
        },
        dict(tags),
    )
    control.snapshots.append(snapshot)

    def progress(percent: int) -> None:
        snapshot.percent = percent

    def work() -> None:
        with control.pace.at_least("snapshot", progress):
            control.fleet.clone(cluster.resource_id, snapshot.volume)
        with control.lock:
            snapshot.percent, snapshot.status = 100, "available"
            control.event(snapshot, "Manual cluster snapshot created.", "backup")
            if cluster.status == "backing-up":
                cluster.status = "available"

    def failed(_: str) -> None:
        snapshot.status = "failed"
        if cluster.status == "backing-up":
            cluster.status = "available"

    control.background(f"snapshot {name}", work, of=cluster, failed=failed)
    return snapshot


@action("CreateDBClusterSnapshot")
def create(control: Control, params: Params) -> Shape:
    """Take a manual snapshot; the cluster is `backing-up` meanwhile."""
    with control.lock:
        cluster = control.cluster(required(params, "DBClusterIdentifier"))
        if cluster.status != "available":
            raise errors.cluster_not_available(cluster.identifier, cluster.status)
        snapshot = take_snapshot(
            control, cluster, required(params, "DBClusterSnapshotIdentifier"), tag_map(params)
        )
        cluster.status = "backing-up"
        return {"DBClusterSnapshot": _shape(control, snapshot)}


@action("DescribeDBClusterSnapshots")
def describe(control: Control, params: Params) -> Shape:
    """List snapshots; an unknown snapshot identifier is an error."""
    wanted = filters(params, "db-cluster-id", "db-cluster-snapshot-id", "snapshot-type", "engine")
    with control.lock:
        name = params.get("DBClusterSnapshotIdentifier")
        found = [find(control, name)] if name else control.snapshots
        cluster = params.get("DBClusterIdentifier")
        rows = [
            _shape(control, snapshot)
            for snapshot in found
            if cluster in (None, snapshot.shape["DBClusterIdentifier"])
            and matches(wanted, "db-cluster-id", snapshot.shape["DBClusterIdentifier"])
            and matches(wanted, "db-cluster-snapshot-id", snapshot.identifier)
            and matches(wanted, "snapshot-type", "manual")
            and matches(wanted, "engine", ENGINE)
            and params.get("SnapshotType") in (None, "manual")
        ]
    return page(params, "DBClusterSnapshots", rows)


@action("DeleteDBClusterSnapshot")
def delete(control: Control, params: Params) -> Shape:
    """Delete a snapshot that is `available`, or failed.

    Raises `RdsFault` for another one.
    """
    with control.lock:
        snapshot = find(control, required(params, "DBClusterSnapshotIdentifier"))
        if snapshot.status not in ("available", "failed"):
            raise errors.RdsFault(
                "InvalidDBClusterSnapshotStateFault",
                f"Cannot delete the cluster snapshot {snapshot.identifier} because it is not in "
                "available state.",
            )
        control.snapshots.remove(snapshot)
        snapshot.status = "deleted"
        control.background(
            f"delete snapshot {snapshot.identifier}",
            lambda: control.fleet.destroy(snapshot.volume),
        )
        return {"DBClusterSnapshot": _shape(control, snapshot)}
