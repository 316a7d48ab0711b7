"""What is tied to clusters: proxies, integrations and global databases of others; backups."""

from __future__ import annotations

from rehearsal.aws.control import Control
from rehearsal.aws.errors import RdsFault
from rehearsal.aws.models import Cluster, now
from rehearsal.aws.registry import Params, Shape, action, filters, matches, page, required
from rehearsal.aws.versions import ENGINE


@action("DescribeDBProxies")
def proxies(control: Control, params: Params) -> Shape:
    """List the RDS proxies."""
    wanted = params.get("DBProxyName")
    rows: list[Shape] = [
        {"DBProxyName": name, "Status": "available", "EngineFamily": "POSTGRESQL"}
        for name in control.proxies
        if wanted in (None, name)
    ]
    return page(params, "DBProxies", rows)


@action("DescribeDBProxyTargets")
def proxy_targets(control: Control, params: Params) -> Shape:
    """List what a proxy leads to.

    Raises `RdsFault` for a proxy that is not there.
    """
    name = required(params, "DBProxyName")
    if name not in control.proxies:
        raise RdsFault("DBProxyNotFoundFault", f"DBProxy {name} not found.")
    cluster = control.proxies[name]
    row: Shape = {"RdsResourceId": cluster, "TrackedClusterId": cluster, "Type": "TRACKED_CLUSTER"}
    return page(params, "Targets", [row])


@action("DescribeIntegrations")
def integrations(control: Control, params: Params) -> Shape:
    """List the zero-ETL integrations."""
    rows: list[Shape] = [
        {"IntegrationName": name, "SourceArn": source, "Status": "active"}
        for name, source in control.integrations.items()
    ]
    return page(params, "Integrations", rows)


@action("DescribeGlobalClusters")
def global_clusters(control: Control, params: Params) -> Shape:
    """List the global databases.

    Raises `RdsFault` for one that is not there.
    """
    name = params.get("GlobalClusterIdentifier")
    if name and name not in control.global_clusters:
        raise RdsFault("GlobalClusterNotFoundFault", f"Global cluster {name} not found.")
    rows: list[Shape] = [
        {
            "GlobalClusterIdentifier": each,
            "GlobalClusterArn": f"arn:aws:rds::{control.account}:global-cluster:{each}",
            "Status": "available",
            "Engine": ENGINE,
            "EngineVersion": member.version,
            "GlobalClusterMembers": [
                {"DBClusterArn": control.arn(member), "Readers": [], "IsWriter": True}
            ],
        }
        for each, member in control.global_clusters.items()
        if name in (None, each)
    ]
    return page(params, "GlobalClusters", rows)


@action("DescribeDBClusterAutomatedBackups")
def automated_backups(control: Control, params: Params) -> Shape:
    """List the automated backups of the clusters that are there; the lab retains none of others."""
    wanted = filters(params, "status", "db-cluster-id", "db-cluster-resource-id")
    only = params.get("DbClusterResourceId"), params.get("DBClusterIdentifier")
    with control.lock:
        rows = [
            _backup(control, cluster)
            for cluster in control.clusters
            if only[0] in (None, cluster.resource_id)
            and only[1] in (None, cluster.identifier)
            and matches(wanted, "status", "active")
            and matches(wanted, "db-cluster-id", cluster.identifier)
            and matches(wanted, "db-cluster-resource-id", cluster.resource_id)
        ]
    return page(params, "DBClusterAutomatedBackups", rows)


def _backup(control: Control, cluster: Cluster) -> Shape:
    kept: Shape = {
        name: cluster.settings[name]
        for name in ("BackupRetentionPeriod", "StorageEncrypted", "StorageType", "KmsKeyId")
        if name in cluster.settings
    }
    return {
        **kept,
        "Engine": ENGINE,
        "EngineVersion": cluster.version,
        "EngineMode": "provisioned",
        "DBClusterAutomatedBackupsArn": (
            f"arn:aws:rds:{control.region}:{control.account}:cluster-auto-backup:"
            f"{cluster.resource_id.lower()}"
        ),
        "DBClusterIdentifier": cluster.identifier,
        "DbClusterResourceId": cluster.resource_id,
        "DBClusterArn": control.arn(cluster),
        "Region": control.region,
        "LicenseModel": "postgresql-license",
        "Status": "active",
        "MasterUsername": cluster.master,
        "Port": cluster.port,
        "AllocatedStorage": 1,
        "AvailabilityZones": [f"{control.region}{zone}" for zone in "abc"],
        "ClusterCreateTime": cluster.created,
        "RestoreWindow": {"EarliestTime": cluster.created, "LatestTime": now()},
        "IAMDatabaseAuthenticationEnabled": cluster.settings["IAMDatabaseAuthenticationEnabled"],
    }
