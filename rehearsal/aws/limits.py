"""What AWS refuses in the settings of clusters and instances, whichever action they come with.

The texts are AWS's where they are known; limits are those of the API reference
(https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBClusterToPointInTime.html,
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from moto.kms.models import kms_backends

from rehearsal.aws import certificates, errors, options
from rehearsal.aws.catalogue import orderable
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster
from rehearsal.aws.registry import Params
from rehearsal.aws.versions import ENGINE

_NOT_FOR_AURORA = (
    "AllocatedStorage", "Iops", "StorageThroughput", "DBClusterInstanceClass",
    "CharacterSetName", "MaxAllocatedStorage", "TdeCredentialArn", "Timezone",
    "DedicatedLogVolume",
)  # fmt: skip

_OF_THE_CLUSTER = {
    "MasterUsername": "master user name",
    "MasterUserPassword": "master user password",
    "BackupRetentionPeriod": "backup retention period",
    "PreferredBackupWindow": "backup window",
    "DBName": "database name",
    "Port": "database endpoint port",
    "VpcSecurityGroupIds": "vpc security group",
    "DBSubnetGroupName": "DB subnet group",
    "StorageEncrypted": "storage encryption",
    "KmsKeyId": "KMS key",
    "DeletionProtection": "deletion protection",
    "EnableIAMDatabaseAuthentication": "IAM database authentication",
    "EnableCloudwatchLogsExports": "CloudWatch Logs exports",
    "MultiAZ": "availability zones",
}
"""What an instance's request may not name: its cluster has it. `DBSubnetGroupName` may be equal."""

_LOG_TYPES = ("postgresql", "instance", "iam-db-auth-error")
_STORAGE = ("aurora", "aurora-iopt1")
_NETWORKS = ("IPV4", "DUAL")
_LIFECYCLES = (
    "open-source-rds-extended-support",
    "open-source-rds-extended-support-disabled",
)
_MONITORED_S = (0, 1, 5, 10, 15, 30, 60)
_PORTS = range(1150, 65536)
_RETENTION_D = range(1, 36)
_TIERS = range(16)
_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_WEEKLY = re.compile(rf"{_DAY}:([01]\d|2[0-3]):[0-5]\d-{_DAY}:([01]\d|2[0-3]):[0-5]\d", re.I)


def check_cluster(control: Control, params: Params) -> None:
    """Refuse a new cluster's settings that AWS would refuse; raise `RdsFault`."""
    check_changes(control, params)
    _check_watching(params)


def check_changes(control: Control, params: Params) -> None:
    """Refuse changes to a cluster's settings that AWS would refuse; raise `RdsFault`."""
    for name in _NOT_FOR_AURORA:
        if params.get(name) is not None:
            raise errors.invalid_combination(
                f"The parameter {name} is not applicable to engine {ENGINE}."
            )
    for name, (fits, words) in _CLUSTER.items():
        value = params.get(name)
        if value is not None and not fits(value):
            raise errors.invalid_value(f"Invalid value for {name}: {value}. {words}")
    if option_group := params.get("OptionGroupName"):
        options.find(option_group)
    if domain := params.get("Domain"):
        raise errors.RdsFault("DomainNotFoundFault", f"Domain {domain} not found.")
    for name in ("KmsKeyId", "PerformanceInsightsKMSKeyId"):
        _check_key(control, params.get(name))
    _check_capacity(params.get("ServerlessV2ScalingConfiguration"))


def check_instance(control: Control, cluster: Cluster, params: Params) -> None:
    """Refuse a new instance's settings that AWS would refuse for a member of a cluster.

    Raises `RdsFault`.
    """
    check_instance_changes(control, cluster, params)
    _check_watching(params)


def check_instance_changes(control: Control, cluster: Cluster, params: Params) -> None:
    """Refuse changes to an instance's settings that AWS would refuse; raise `RdsFault`."""
    for name in _NOT_FOR_AURORA:
        if params.get(name) is not None:
            raise errors.invalid_combination(
                f"The parameter {name} is not applicable to engine {ENGINE}."
            )
    for name, words in _OF_THE_CLUSTER.items():
        value = params.get(name)
        same = name == "DBSubnetGroupName" and value == cluster.settings["DBSubnetGroup"]
        if value is not None and not same:
            raise errors.invalid_combination(
                "The requested DB Instance will be a member of a DB Cluster. "
                f"Set {words} for the DB Cluster."
            )
    for name, (fits, words) in _INSTANCE.items():
        value = params.get(name)
        if value is not None and not fits(value):
            raise errors.invalid_value(f"Invalid value for {name}: {value}. {words}")
    zone = params.get("AvailabilityZone")
    if zone is not None and zone not in [f"{control.region}{letter}" for letter in "abc"]:
        raise errors.RdsFault(
            "InvalidVPCNetworkStateFault",
            f"DB subnet group {cluster.settings['DBSubnetGroup']} has no subnet in {zone}.",
        )
    if authority := params.get("CACertificateIdentifier"):
        certificates.find(authority)
    _check_class(cluster, params)
    _check_key(control, params.get("PerformanceInsightsKMSKeyId"))


def _check_class(cluster: Cluster, params: Params) -> None:
    wanted = params.get("DBInstanceClass")
    if wanted is None:
        return
    if not re.fullmatch(r"db\.([a-z0-9-]+\.[a-z0-9-]+|serverless)", wanted):
        raise errors.invalid_value(f"Invalid DB Instance class: {wanted}")
    if not orderable(wanted, cluster.version):
        raise errors.invalid_combination(
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={wanted}, Engine={ENGINE}, EngineVersion={cluster.version}, "
            "LicenseModel=postgresql-license. For supported combinations of instance class and "
            "database engine version, see the documentation."
        )
    if wanted == "db.serverless" and not cluster.settings.get("ServerlessV2ScalingConfiguration"):
        raise errors.cluster_state(
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating "
            "a Serverless v2 DB instance."
        )


def _check_key(control: Control, key: str | None) -> None:
    """Refuse a KMS key that is not there, or is not enabled."""
    if key is None:
        return
    kms = kms_backends[control.account][control.region]
    alias = key.rpartition(":")[2].startswith("alias/")
    identifier = kms.get_key_id_from_alias(key) if alias else kms.get_key_id(key)
    found = kms.keys.get(identifier) if identifier else None
    if found is None or not found.enabled:
        raise errors.RdsFault(
            "KMSKeyNotAccessibleFault",
            f"The specified KMS key [{key}] does not exist, is not enabled or you do not have "
            "permissions to access it.",
        )


def _check_watching(params: Params) -> None:
    interval = params.get("MonitoringInterval")
    if interval and not params.get("MonitoringRoleArn"):
        raise errors.invalid_combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other "
            "than 0."
        )
    if params.get("MonitoringRoleArn") and not interval:
        raise errors.invalid_combination(
            "A MonitoringInterval value other than 0 is required if you specify a "
            "MonitoringRoleARN value."
        )
    watched = params.get("EnablePerformanceInsights")
    days = params.get("PerformanceInsightsRetentionPeriod")
    if days is not None and not watched:
        raise errors.invalid_combination(
            "To set PerformanceInsightsRetentionPeriod, EnablePerformanceInsights must be true."
        )
    # 7 days, 31 days times 1 to 23 months, or two years.
    if days is not None and days not in (7, 731, *range(31, 31 * 24, 31)):
        raise errors.invalid_value(f"Invalid PerformanceInsightsRetentionPeriod: {days}")


def _check_capacity(scaling: Params | None) -> None:
    if scaling is None:
        return
    least, most = scaling.get("MinCapacity"), scaling.get("MaxCapacity")
    for value in (least, most):
        if value is not None and not (0 <= value <= 256 and value * 2 == int(value * 2)):
            raise errors.invalid_value(f"Serverless v2 capacity {value} isn't valid.")
    if least is None or most is None or least > most or most < 1:
        raise errors.invalid_combination(
            "Serverless v2 maximum capacity must be at least 1 and not below the minimum capacity."
        )


_Check = tuple[Callable[..., bool], str]

_BOTH: dict[str, _Check] = {
    "PreferredMaintenanceWindow": (
        lambda text: _WEEKLY.fullmatch(text) is not None,
        "It must be in the form ddd:hh24:mi-ddd:hh24:mi.",
    ),
    "MonitoringInterval": (
        lambda seconds: seconds in _MONITORED_S,
        "It must be 0, 1, 5, 10, 15, 30 or 60 seconds.",
    ),
}

_CLUSTER: dict[str, _Check] = {
    **_BOTH,
    "Port": (lambda port: port in _PORTS, "The port must be in the range 1150-65535."),
    "BackupRetentionPeriod": (
        lambda days: days in _RETENTION_D,
        "Retention period must be between 1 and 35.",
    ),
    "PreferredBackupWindow": (
        lambda text: _WINDOW.fullmatch(text) is not None,
        "It must be in the form hh24:mi-hh24:mi.",
    ),
    "EnableCloudwatchLogsExports": (
        lambda types: set(types) <= set(_LOG_TYPES),
        f"Log types of {ENGINE} are {', '.join(_LOG_TYPES)}.",
    ),
    "StorageType": (lambda kind: kind in _STORAGE, f"Storage types are {', '.join(_STORAGE)}."),
    "NetworkType": (lambda kind: kind in _NETWORKS, f"It is {' or '.join(_NETWORKS)}."),
    "EngineLifecycleSupport": (
        lambda kind: kind in _LIFECYCLES,
        f"It is {' or '.join(_LIFECYCLES)}.",
    ),
}

_INSTANCE: dict[str, _Check] = {
    **_BOTH,
    "PromotionTier": (lambda tier: tier in _TIERS, "Promotion tier must be between 0 and 15."),
}
