"""The calls that make blue prime out of old blue, with every setting carried over.

RestoreDBClusterToPointInTime gives a default to each setting that the call omits (the engine's
default parameter group, the VPC's default security group, no IAM authentication, ...), so nothing
that the source says of itself is omitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runbook.aws.call import Call
from runbook.aws.facts import Cluster, Instance, Raw, tag_rows
from runbook.aws.rds import ENGINE

_Value = Callable[[Raw], Any]


def _key(name: str) -> _Value:
    return lambda raw: raw.get(name)


def _security_groups(raw: Raw) -> list[str]:
    return [row["VpcSecurityGroupId"] for row in raw.get("VpcSecurityGroups", ())]


def _roles(raw: Raw) -> list[dict[str, str]]:
    return [
        {key: row[key] for key in ("RoleArn", "FeatureName") if row.get(key)}
        for row in raw.get("AssociatedRoles", ())
    ]


def _domain(key: str) -> _Value:
    return lambda raw: (raw.get("DomainMemberships") or [{}])[0].get(key)


def _serverless_v2(raw: Raw) -> dict[str, Any]:
    scaling = raw.get("ServerlessV2ScalingConfiguration") or {}
    return {k: scaling[k] for k in ("MinCapacity", "MaxCapacity") if k in scaling} | {
        k: scaling[k] for k in ("SecondsUntilAutoPause",) if scaling.get(k)
    }


def _only_if(condition: str, name: str) -> _Value:
    return lambda raw: raw.get(name) if raw.get(condition) else None


_WATCHED: Mapping[str, _Value] = {
    "MonitoringInterval": _only_if("MonitoringInterval", "MonitoringInterval"),
    "MonitoringRoleArn": _only_if("MonitoringInterval", "MonitoringRoleArn"),
    "EnablePerformanceInsights": _only_if(
        "PerformanceInsightsEnabled", "PerformanceInsightsEnabled"
    ),
    "PerformanceInsightsKMSKeyId": _only_if(
        "PerformanceInsightsEnabled", "PerformanceInsightsKMSKeyId"
    ),
    "PerformanceInsightsRetentionPeriod": _only_if(
        "PerformanceInsightsEnabled", "PerformanceInsightsRetentionPeriod"
    ),
}
"""How AWS watches a cluster, or an instance."""

_CLUSTER: Mapping[str, _Value] = {
    "DBSubnetGroupName": _key("DBSubnetGroup"),
    "VpcSecurityGroupIds": _security_groups,
    "DBClusterParameterGroupName": _key("DBClusterParameterGroup"),
    "Port": _key("Port"),
    "EnableIAMDatabaseAuthentication": _key("IAMDatabaseAuthenticationEnabled"),
    "EnableCloudwatchLogsExports": _key("EnabledCloudwatchLogsExports"),
    "DeletionProtection": _key("DeletionProtection"),
    "CopyTagsToSnapshot": _key("CopyTagsToSnapshot"),
    "KmsKeyId": _key("KmsKeyId"),
    "StorageType": _key("StorageType"),
    "NetworkType": _key("NetworkType"),
    "ServerlessV2ScalingConfiguration": _serverless_v2,
    "BackupRetentionPeriod": _key("BackupRetentionPeriod"),
    "PreferredBackupWindow": _key("PreferredBackupWindow"),
    **_WATCHED,
    "EngineLifecycleSupport": _key("EngineLifecycleSupport"),
    "Domain": _domain("Domain"),
    "DomainIAMRoleName": _domain("IAMRoleName"),
    "AssociatedRoles": _roles,
}
"""Parameter of the restore call -> where the source's own answer has its value."""

_NOT_CARRIED: Mapping[str, _Value] = {
    "PreferredMaintenanceWindow": _key("PreferredMaintenanceWindow"),
    "EnableHttpEndpoint": lambda raw: bool(raw.get("HttpEndpointEnabled")),
    "DatabaseInsightsMode": _key("DatabaseInsightsMode"),
}
"""Settings that the restore call has no parameter for: compared, and shown where they differ."""


def _first_group(raw: Raw) -> Any:
    return (raw.get("DBParameterGroups") or [{}])[0].get("DBParameterGroupName")


_INSTANCE: Mapping[str, _Value] = {
    "DBInstanceClass": _key("DBInstanceClass"),
    "DBParameterGroupName": _first_group,
    "PubliclyAccessible": _key("PubliclyAccessible"),
    "PromotionTier": _key("PromotionTier"),
    "AvailabilityZone": _key("AvailabilityZone"),
    "PreferredMaintenanceWindow": _key("PreferredMaintenanceWindow"),
    "AutoMinorVersionUpgrade": _key("AutoMinorVersionUpgrade"),
    "CACertificateIdentifier": _key("CACertificateIdentifier"),
    **_WATCHED,
    # An instance is told so even where it is off.
    "EnablePerformanceInsights": _key("PerformanceInsightsEnabled"),
}


def clone_call(source: Cluster, identifier: str, tags: Mapping[str, str]) -> Call:
    """Return the call that clones a cluster copy-on-write, with its settings and tags.

    The source needs an instance. The engine version, master user and password are inherited.
    Deletion protection is carried over too: lift it before deleting the clone.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBClusterToPointInTime.html
    """
    return Call(
        "rds",
        "RestoreDBClusterToPointInTime",
        {
            "DBClusterIdentifier": identifier,
            "SourceDBClusterIdentifier": source.identifier,
            "RestoreType": "copy-on-write",
            "UseLatestRestorableTime": True,
            **_settings(_CLUSTER, source.raw),
            "Tags": tag_rows(_own_tags(source.tags) | dict(tags)),
        },
    )


def clone_instance_call(
    instance: Instance, identifier: str, cluster: str, tags: Mapping[str, str]
) -> Call:
    """Return the call that gives a clone an instance like one of the source.

    AWS takes it only once the cluster is `available`.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    return Call(
        "rds",
        "CreateDBInstance",
        {
            "DBInstanceIdentifier": identifier,
            "DBClusterIdentifier": cluster,
            "Engine": ENGINE,
            **_settings(_INSTANCE, instance.raw),
            "Tags": tag_rows(_own_tags(instance.tags) | dict(tags)),
        },
    )


_PINS = {
    "InsufficientDBInstanceCapacity": "AvailabilityZone",
    "CertificateNotFound": "CACertificateIdentifier",
}
"""AWS's refusal of an instance -> the setting that it can be made without."""


def without_pin(call: Call, code: str) -> tuple[Call, str] | None:
    """Return the call without what AWS refused it for, and that in words; None: nothing helps.

    AWS chooses the Availability Zone, and the certificate authority, that a request leaves open.
    """
    pin = _PINS.get(code)
    if pin is None or pin not in call.parameters:
        return None
    left = {name: value for name, value in call.parameters.items() if name != pin}
    return Call(call.service, call.action, left), f"{pin} {call.parameters[pin]}"


def carried_differences(old: Cluster, new: Cluster) -> list[str]:
    """Return each setting in which a clone differs from its source, as `name: old -> new`."""
    lines = []
    for name, value in {**_CLUSTER, **_NOT_CARRIED}.items():
        before, after = _comparable(value(old.raw)), _comparable(value(new.raw))
        if before != after:
            lines.append(f"{name}: {_shown(before)} -> {_shown(after)}")
    missing = sorted(set(_own_tags(old.tags)) - set(new.tags))
    return [*lines, *(f"tag {key}: missing" for key in missing)]


def _settings(table: Mapping[str, _Value], raw: Raw) -> dict[str, Any]:
    values = {name: value(raw) for name, value in table.items()}
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags without AWS's own: nobody else may set a key that begins with `aws:`."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(value, key=str)
    return None if value in ("", {}, False) else value


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "(none)"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)
