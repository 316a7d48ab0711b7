"""The settings of clusters and instances that the lab only keeps and shows.

Requests and answers name some of them differently (`EnableIAMDatabaseAuthentication` becomes
`IAMDatabaseAuthenticationEnabled`); both tables are here, with AWS's defaults when omitted.
"""

from __future__ import annotations

from typing import Any

from rehearsal.aws.registry import Params
from rehearsal.aws.versions import DEFAULT_AUTHORITY

_RENAMED = {
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "EnableHttpEndpoint": "HttpEndpointEnabled",
}

_CLUSTER_SAME = (
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "DeletionProtection",
    "CopyTagsToSnapshot",
    "StorageType",
    "NetworkType",
    "ServerlessV2ScalingConfiguration",
    "EngineLifecycleSupport",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "DatabaseInsightsMode",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "KmsKeyId",
    "AutoMinorVersionUpgrade",
)

_INSTANCE_SAME = (
    "PubliclyAccessible",
    "AutoMinorVersionUpgrade",
    "AvailabilityZone",
    "CACertificateIdentifier",
    "CopyTagsToSnapshot",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "DatabaseInsightsMode",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "PreferredMaintenanceWindow",
)


def cluster_defaults() -> dict[str, Any]:
    """Return a new cluster's settings when a request names none."""
    return {
        "BackupRetentionPeriod": 1,
        "PreferredBackupWindow": "07:27-07:57",
        "PreferredMaintenanceWindow": "sun:05:10-sun:05:40",
        "DeletionProtection": False,
        "CopyTagsToSnapshot": False,
        "IAMDatabaseAuthenticationEnabled": False,
        "EnabledCloudwatchLogsExports": [],
        "HttpEndpointEnabled": False,
        "StorageType": "aurora",
        "StorageEncrypted": True,
        "NetworkType": "IPV4",
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        "DatabaseInsightsMode": "standard",
        "PerformanceInsightsEnabled": False,
        "AutoMinorVersionUpgrade": True,
    }


def instance_defaults() -> dict[str, Any]:
    """Return a new instance's settings when a request names none."""
    return {
        "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": True,
        "CACertificateIdentifier": DEFAULT_AUTHORITY,
        "CopyTagsToSnapshot": False,
        "MonitoringInterval": 0,
        "DatabaseInsightsMode": "standard",
        "PerformanceInsightsEnabled": False,
        "PreferredMaintenanceWindow": "sun:05:10-sun:05:40",
    }


def cluster_settings(params: Params) -> dict[str, Any]:
    """Return the cluster settings that a request names, under the names of Describe."""
    return _picked(params, _CLUSTER_SAME)


def instance_settings(params: Params) -> dict[str, Any]:
    """Return the instance settings that a request names, under the names of Describe."""
    return _picked(params, _INSTANCE_SAME)


def _picked(params: Params, same: tuple[str, ...]) -> dict[str, Any]:
    found = {name: params[name] for name in same if params.get(name) is not None}
    for asked, shown in _RENAMED.items():
        if params.get(asked) is not None:
            found[shown] = params[asked]
    return found
