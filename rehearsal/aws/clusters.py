"""The actions on clusters: describe, create, modify, rename, delete."""

from __future__ import annotations

import secrets
from typing import Any

from botocore import xform_name

from rehearsal.aws import errors, limits, network
from rehearsal.aws.control import Control, check_identifier
from rehearsal.aws.models import Cluster, Snapshot
from rehearsal.aws.registry import Params, Shape, action, filters, matches, page, required, tag_map
from rehearsal.aws.settings import cluster_defaults, cluster_settings
from rehearsal.aws.shapes import cluster_shape
from rehearsal.aws.snapshots import take_snapshot
from rehearsal.aws.versions import ENGINE

_QUOTA = 40

_AT_ONCE = frozenset({
    "db_cluster_identifier", "apply_immediately", "deletion_protection", "copy_tags_to_snapshot",
    "backup_retention_period", "preferred_backup_window", "preferred_maintenance_window",
    "auto_minor_version_upgrade",
})  # fmt: skip
"""Changes to records alone: the cluster stays `available`. A request lists its names like this."""

_FAILED = (
    "cloning-failed",
    "failed",
    "incompatible-restore",
    "inaccessible-encryption-credentials",
)
"""The statuses that only a deletion ends; protection from it can be lifted before."""


@action("DescribeDBClusters")
def describe(control: Control, params: Params) -> Shape:
    """List clusters; an unknown identifier is an error, a filter without a match is not."""
    wanted = filters(
        params, "db-cluster-id", "db-cluster-resource-id", "engine", "clone-group-id", "domain"
    )
    with control.lock:
        name = params.get("DBClusterIdentifier")
        found = [control.cluster(name)] if name else control.clusters
        rows = [
            cluster_shape(control, cluster)
            for cluster in found
            if matches(wanted, "db-cluster-id", cluster.identifier, control.arn(cluster))
            and matches(wanted, "db-cluster-resource-id", cluster.resource_id)
            and matches(wanted, "engine", ENGINE)
            and matches(wanted, "clone-group-id", cluster.clone_group)
            and matches(wanted, "domain")
        ]
    return page(params, "DBClusters", rows)


def check_quota(control: Control) -> None:
    """Refuse a cluster beyond the quota of 40 a Region.

    Raises `RdsFault`.
    """
    if len(control.clusters) >= _QUOTA:
        raise errors.RdsFault(
            "DBClusterQuotaExceededFault", f"Cannot create more than {_QUOTA} DB clusters"
        )


def new_cluster(control: Control, identifier: str, params: Params, version: str) -> Cluster:
    """Make the record of a cluster with AWS's defaults for all that the request omits."""
    check_identifier(identifier, "DBClusterIdentifier")
    control.claim_cluster_name(identifier.lower())
    check_quota(control)
    limits.check_cluster(control, params)
    subnets = params.get("DBSubnetGroupName") or network.DEFAULT_SUBNET_GROUP
    security_groups = network.place(control, subnets, params.get("VpcSecurityGroupIds"))
    group = control.fitting_group(params.get("DBClusterParameterGroupName"), version, cluster=True)
    cluster = Cluster(
        identifier=identifier.lower(),
        version=version,
        group=group,
        master=params.get("MasterUsername") or "postgres",
        port=0,
        settings={
            **cluster_defaults(),
            **cluster_settings(params),
            "DBSubnetGroup": subnets.lower(),
        },
        security_groups=security_groups,
        tags=tag_map(params),
    )
    if params.get("DatabaseName"):
        cluster.settings["DatabaseName"] = params["DatabaseName"]
    control.name(cluster, cluster.identifier)
    return cluster


@action("CreateDBCluster")
def create(control: Control, params: Params) -> Shape:
    """Create an empty cluster; its server starts with its first instance."""
    if required(params, "Engine") != ENGINE:
        raise errors.invalid_value(f"The rehearsal lab has only the engine {ENGINE}")
    served = control.catalogue.served
    version = params.get("EngineVersion") or served[0]
    if version not in served:
        raise errors.invalid_combination(f"Cannot find version {version} for {ENGINE}")
    password = params.get("MasterUserPassword") or secrets.token_urlsafe(24)
    with control.lock:
        cluster = new_cluster(control, required(params, "DBClusterIdentifier"), params, version)
        cluster.managed_secret = bool(params.get("ManageMasterUserPassword"))
        control.clusters.append(cluster)

        def work() -> None:
            with control.pace.at_least("create-cluster"):
                control.fleet.create(
                    cluster.resource_id,
                    version,
                    {},
                    master_user=cluster.master,
                    master_password=password,
                )
                control.fleet.stop(cluster.resource_id)
            cluster.status = "available"
            control.event(cluster, "DB cluster created.", "creation")

        control.background(f"create cluster {cluster.identifier}", work, of=cluster)
        return {"DBCluster": cluster_shape(control, cluster)}


def modifiable(control: Control, name: str, *, records_only: bool) -> Cluster:
    """Return a cluster that may be changed now; a switchover or other work refuses it.

    One that failed takes changes to its record: how else would its deletion protection go.
    """
    cluster = control.cluster(name)
    deployment = control.deployment_of(cluster)
    if deployment and deployment.status == "SWITCHOVER_IN_PROGRESS":
        raise errors.cluster_state(
            f"You can't modify DB cluster {cluster.identifier} during a blue/green switchover."
        )
    if cluster.status != "available" and not (cluster.status in _FAILED and records_only):
        raise errors.cluster_not_available(cluster.identifier, cluster.status)
    return cluster


@action("ModifyDBCluster")
def modify(control: Control, params: Params) -> Shape:
    """Change settings, the parameter group (then `pending-reboot`), the password or the name."""
    with control.lock:
        records_only = not {xform_name(name) for name in params} - _AT_ONCE
        cluster = modifiable(
            control, required(params, "DBClusterIdentifier"), records_only=records_only
        )
        _refuse_upgrade(cluster, params)
        limits.check_changes(control, params)
        new_name = _new_name(control, cluster, params)
        if name := params.get("DBClusterParameterGroupName"):
            cluster.group = control.fitting_group(name, cluster.version, cluster=True)
        before = dict(cluster.settings)
        cluster.settings.update(cluster_settings(params))
        _change_log_exports(cluster, params.get("CloudwatchLogsExportConfiguration") or {})
        if wanted := params.get("VpcSecurityGroupIds"):
            cluster.security_groups = network.place(
                control, cluster.settings["DBSubnetGroup"], wanted
            )
        if params.get("ManageMasterUserPassword") is not None:
            cluster.managed_secret = params["ManageMasterUserPassword"]
        if new_name and not params.get("ApplyImmediately"):
            cluster.pending["DBClusterIdentifier"] = new_name
        elif new_name:
            _rename(control, cluster, new_name)
        elif not records_only:
            _settle(control, cluster, params, before)
        return {"DBCluster": cluster_shape(control, cluster)}


def _refuse_upgrade(cluster: Cluster, params: Params) -> None:
    version = params.get("EngineVersion")
    if version and version != cluster.version:
        raise errors.invalid_combination(
            f"Cannot upgrade {ENGINE} from {cluster.version} to {version}: the rehearsal lab "
            "upgrades by blue/green deployments only."
        )


def _change_log_exports(cluster: Cluster, change: dict[str, Any]) -> None:
    exports = set(cluster.settings["EnabledCloudwatchLogsExports"])
    exports |= set(change.get("EnableLogTypes") or ())
    exports -= set(change.get("DisableLogTypes") or ())
    cluster.settings["EnabledCloudwatchLogsExports"] = sorted(exports)


def _new_name(control: Control, cluster: Cluster, params: Params) -> str | None:
    name = params.get("NewDBClusterIdentifier")
    if not name or name.lower() == cluster.identifier:
        return None
    name = check_identifier(name, "NewDBClusterIdentifier")
    control.claim_cluster_name(name)
    return name


def _rename(control: Control, cluster: Cluster, new_name: str) -> None:
    cluster.status = "renaming"
    cluster.pending["DBClusterIdentifier"] = new_name

    def work() -> None:
        with control.pace.at_least("rename-cluster"):
            pass
        with control.lock:
            old_name = cluster.identifier
            control.release(cluster)
            control.name(cluster, new_name)
            control.route(cluster)
            del cluster.pending["DBClusterIdentifier"]
            cluster.status = "available"
            control.event(
                cluster, f"Renamed cluster from {old_name} to {new_name}.", "notification"
            )

    control.background(f"rename {cluster.identifier} to {new_name}", work, of=cluster)


def _settle(control: Control, cluster: Cluster, params: Params, before: dict[str, Any]) -> None:
    """Pass through the status that the change has on AWS, doing what reaches the server."""
    password = params.get("MasterUserPassword")
    iam = "IAMDatabaseAuthenticationEnabled"
    if password:
        cluster.status = "resetting-master-credentials"
    elif before[iam] != cluster.settings[iam]:
        cluster.status = "configuring-iam-database-auth"
    else:
        cluster.status = "modifying"

    def work() -> None:
        with control.pace.at_least("modify-cluster"):
            if password:
                control.fleet.set_password(cluster.resource_id, cluster.master, password)
        cluster.status = "available"

    control.background(f"modify {cluster.identifier}", work, of=cluster)


@action("DeleteDBCluster")
def delete(control: Control, params: Params) -> Shape:
    """Delete a cluster whose members are all gone or going, with or without a final snapshot."""
    with control.lock:
        cluster = control.cluster(required(params, "DBClusterIdentifier"))
        snapshot = params.get("FinalDBSnapshotIdentifier")
        skip = bool(params.get("SkipFinalSnapshot"))
        if skip and snapshot:
            raise errors.invalid_combination(
                "FinalDBSnapshotIdentifier can not be specified when deleting a cluster with "
                "SkipFinalSnapshot."
            )
        if not skip and not snapshot:
            raise errors.invalid_combination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
        if cluster.deletion_protection:
            raise errors.invalid_combination(
                "Cannot delete protected Cluster, please disable deletion protection and try again."
            )
        if any(member.status != "deleting" for member in cluster.instances):
            raise errors.cluster_state(
                "Cluster cannot be deleted, it still contains DB instances in non-deleting state."
            )
        if cluster.status not in ("available", *_FAILED):
            raise errors.cluster_not_available(cluster.identifier, cluster.status)
        last = take_snapshot(control, cluster, snapshot, {}) if snapshot else None
        return _delete(control, cluster, last)


def _delete(control: Control, cluster: Cluster, last: Snapshot | None) -> Shape:
    """Delete a cluster once its last snapshot, if there is to be one, has its data."""
    cluster.status = "deleting"

    def work() -> None:
        with control.pace.at_least("delete-cluster"):
            while last is not None and last.status == "creating":
                control.pace.wait(0.02)
            while cluster.instances:
                control.pace.wait(0.02)
        forget_cluster(control, cluster)

    control.background(f"delete {cluster.identifier}", work, of=cluster)
    return {"DBCluster": cluster_shape(control, cluster)}


def forget_cluster(control: Control, cluster: Cluster) -> None:
    """Remove a cluster with its volume, its members and its endpoints."""
    try:
        control.fleet.destroy(cluster.resource_id)
    finally:
        _forget_record(control, cluster)


def _forget_record(control: Control, cluster: Cluster) -> None:
    with control.lock:
        for member in cluster.instances:
            member.gone = True
            control.release(member)
        cluster.instances.clear()
        for endpoint in cluster.endpoints:
            endpoint.gone = True
            control.release(endpoint)
        cluster.endpoints.clear()
        cluster.gone = True
        control.release(cluster)
        if cluster in control.clusters:
            control.clusters.remove(cluster)
        control.event(cluster, "DB cluster deleted.", "deletion")
