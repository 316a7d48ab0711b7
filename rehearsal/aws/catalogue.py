"""The actions that answer from fixed tables, and the event log."""

from __future__ import annotations

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.registry import Params, Shape, action, page, required
from rehearsal.aws.versions import ENGINE, family, split

INSTANCE_CLASSES = (
    "db.r6g.large", "db.r6g.xlarge", "db.r6g.2xlarge", "db.r6g.4xlarge", "db.r6i.large",
    "db.r6i.xlarge", "db.r7g.large", "db.r7g.xlarge", "db.r7g.2xlarge", "db.r8g.large",
    "db.t4g.medium", "db.t4g.large", "db.serverless",
)  # fmt: skip


def orderable(name: str, version: str) -> bool:
    """Tell whether an instance of this class can be had with a version."""
    # Graviton 4 came to Aurora with version 15; older majors cannot order it.
    return name in INSTANCE_CLASSES and not (name.startswith("db.r8g") and split(version)[0] < 15)


@action("DescribeDBEngineVersions")
def engine_versions(control: Control, params: Params) -> Shape:
    """List engine versions with their family and upgrade targets."""
    if params.get("Engine") not in (None, ENGINE):
        return {"DBEngineVersions": []}
    wanted = params.get("EngineVersion")
    found = [
        version
        for version in control.catalogue.versions
        if (wanted is None or version == wanted or version.startswith(f"{wanted}."))
        and params.get("DBParameterGroupFamily") in (None, family(version))
    ]
    if params.get("DefaultOnly"):
        found = [control.catalogue.served[0]]
    return page(params, "DBEngineVersions", [control.catalogue.shape(each) for each in found])


@action("DescribeOrderableDBInstanceOptions")
def orderable_options(control: Control, params: Params) -> Shape:
    """List the instance classes of a version."""
    if required(params, "Engine") != ENGINE:
        return {"OrderableDBInstanceOptions": []}
    version = params.get("EngineVersion")
    wanted = params.get("DBInstanceClass")
    if params.get("LicenseModel") not in (None, "postgresql-license") or params.get("Vpc") is False:
        return {"OrderableDBInstanceOptions": []}
    zones = [{"Name": f"{control.region}{zone}"} for zone in "abc"]
    rows = [
        {
            "Engine": ENGINE,
            "EngineVersion": each,
            "DBInstanceClass": name,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": zones,
            "MultiAZCapable": False,
            "ReadReplicaCapable": False,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": "aurora",
            "SupportsIAMDatabaseAuthentication": True,
            "SupportsPerformanceInsights": True,
            "SupportedEngineModes": ["provisioned"],
            "SupportedNetworkTypes": ["IPV4"],
            "SupportsGlobalDatabases": True,
            "SupportsClusters": True,
            "SupportsIops": False,
            "SupportsStorageThroughput": False,
            "SupportsStorageAutoscaling": False,
            "SupportsEnhancedMonitoring": True,
            "SupportsKerberosAuthentication": True,
            "SupportsDedicatedLogVolume": False,
            "SupportsHttpEndpoint": True,
            "OutpostCapable": False,
            "SupportedActivityStreamModes": ["sync", "async"],
        }
        for each in control.catalogue.versions
        for name in INSTANCE_CLASSES
        if version in (None, each) and wanted in (None, name) and orderable(name, each)
    ]
    return page(params, "OrderableDBInstanceOptions", rows)


@action("DescribeAccountAttributes")
def account_attributes(control: Control, params: Params) -> Shape:
    """List the account's quotas with their use."""
    with control.lock:
        used = {
            "DBInstances": (len(control.instances), 40),
            "DBClusters": (len(control.clusters), 40),
            "ManualClusterSnapshots": (len(control.snapshots), 100),
            "DBClusterParameterGroups": (_custom(control, cluster=True), 50),
            "DBParameterGroups": (_custom(control, cluster=False), 50),
            "CustomEndpointsPerDBCluster": (
                max((len(each.endpoints) for each in control.clusters), default=0),
                5,
            ),
        }
    return {
        "AccountQuotas": [
            {"AccountQuotaName": name, "Used": use, "Max": limit}
            for name, (use, limit) in used.items()
        ]
    }


def _custom(control: Control, *, cluster: bool) -> int:
    return sum(group.cluster == cluster and not group.is_default for group in control.groups)


@action("DescribeEvents")
def describe_events(control: Control, params: Params) -> Shape:
    """List events of a window; `SourceIdentifier` needs `SourceType`."""
    source = params.get("SourceIdentifier")
    if source and not params.get("SourceType"):
        raise errors.invalid_combination(
            "The parameter SourceType must be supplied with SourceIdentifier."
        )
    found = control.events.find(
        source_type=params.get("SourceType"),
        source=source,
        start=params.get("StartTime"),
        end=params.get("EndTime"),
        duration_min=params.get("Duration"),
        categories=list(params.get("EventCategories") or ()),
    )
    return page(params, "Events", found)
