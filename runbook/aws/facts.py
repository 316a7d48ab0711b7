"""What AWS said about clusters, instances and deployments, as values.

Each has a `parse` from the answer's own shape. `raw` keeps the whole answer of a cluster or an
instance, so that every setting can be carried over to a clone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Raw = Mapping[str, Any]

_FAILED = ("failed", "incompatible-", "inaccessible-encryption-credentials", "restore-error")
_CLUSTER_FAILED = (*_FAILED, "cloning-failed", "migration-failed", "upgrade_failed")
_INSTANCE_FAILED = (*_FAILED, "insufficient-capacity")
"""How the statuses begin that do not pass by themselves."""


def tags_of(rows: Any) -> dict[str, str]:
    """Return AWS's list of Key and Value pairs as a dict."""
    return {row["Key"]: row.get("Value", "") for row in rows or ()}


def tag_rows(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a dict as AWS's list of Key and Value pairs."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials belong to."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class Member:
    """An instance as its cluster lists it."""

    identifier: str
    writer: bool
    parameter_group_status: str
    """`in-sync` or `pending-reboot`, against the cluster's parameter group."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """An Aurora cluster. Only `resource_id` never changes.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBCluster.html
    """

    resource_id: str
    identifier: str
    arn: str
    status: str
    engine: str
    engine_version: str
    engine_mode: str
    endpoint: str
    port: int
    members: tuple[Member, ...]
    parameter_group: str
    data_api: bool
    deletion_protection: bool
    backup_retention_days: int
    clone_group_id: str
    percent_progress: float | None
    master_username: str
    master_secret_arn: str
    """Empty unless RDS manages the master password in Secrets Manager."""
    tags: Mapping[str, str]
    created_at: datetime | None
    associated_roles: tuple[str, ...]
    """ARNs of the IAM roles attached to the cluster; a deployment does not copy them."""
    global_write_forwarding: str
    raw: Raw = field(repr=False, compare=False)

    @property
    def writer(self) -> Member | None:
        """Return the member that takes writes, or None."""
        return next((member for member in self.members if member.writer), None)

    @property
    def major(self) -> int:
        """Return the major version, e.g. 16."""
        return int(self.engine_version.split(".")[0])

    @property
    def available(self) -> bool:
        """Whether AWS says that it is."""
        return self.status == "available"

    @property
    def failed(self) -> bool:
        """Whether it is in a status that waiting does not end."""
        return self.status.startswith(_CLUSTER_FAILED)

    @classmethod
    def parse(cls, raw: Raw) -> Cluster:
        """Return what a row of DescribeDBClusters says."""
        percent = str(raw.get("PercentProgress") or "").rstrip("%")
        return cls(
            resource_id=raw["DbClusterResourceId"],
            identifier=raw["DBClusterIdentifier"],
            arn=raw["DBClusterArn"],
            status=raw["Status"],
            engine=raw.get("Engine", ""),
            engine_version=raw["EngineVersion"],
            engine_mode=raw.get("EngineMode", "provisioned"),
            endpoint=raw.get("Endpoint", ""),
            port=int(raw.get("Port") or 5432),
            members=tuple(
                Member(
                    row["DBInstanceIdentifier"],
                    bool(row.get("IsClusterWriter")),
                    row.get("DBClusterParameterGroupStatus", ""),
                )
                for row in raw.get("DBClusterMembers", ())
            ),
            parameter_group=raw.get("DBClusterParameterGroup", ""),
            data_api=bool(raw.get("HttpEndpointEnabled")),
            deletion_protection=bool(raw.get("DeletionProtection")),
            backup_retention_days=int(raw.get("BackupRetentionPeriod") or 0),
            clone_group_id=raw.get("CloneGroupId", ""),
            percent_progress=float(percent) if percent.replace(".", "", 1).isdigit() else None,
            master_username=raw.get("MasterUsername", ""),
            master_secret_arn=(raw.get("MasterUserSecret") or {}).get("SecretArn", ""),
            tags=tags_of(raw.get("TagList")),
            created_at=raw.get("ClusterCreateTime"),
            associated_roles=tuple(row["RoleArn"] for row in raw.get("AssociatedRoles", ())),
            global_write_forwarding=raw.get("GlobalWriteForwardingStatus", ""),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a cluster. Only `resource_id` never changes.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    """

    identifier: str
    resource_id: str
    status: str
    instance_class: str
    engine_version: str
    cluster: str
    parameter_group: str
    tags: Mapping[str, str]
    raw: Raw = field(repr=False, compare=False)

    @property
    def available(self) -> bool:
        """Whether AWS says that it is."""
        return self.status == "available"

    @property
    def failed(self) -> bool:
        """Whether it is in a status that waiting does not end."""
        return self.status.startswith(_INSTANCE_FAILED)

    @classmethod
    def parse(cls, raw: Raw) -> Instance:
        """Return what a row of DescribeDBInstances says."""
        groups = raw.get("DBParameterGroups") or [{}]
        return cls(
            identifier=raw["DBInstanceIdentifier"],
            resource_id=raw.get("DbiResourceId", ""),
            status=raw.get("DBInstanceStatus", ""),
            instance_class=raw.get("DBInstanceClass", ""),
            engine_version=raw.get("EngineVersion", ""),
            cluster=raw.get("DBClusterIdentifier", ""),
            parameter_group=groups[0].get("DBParameterGroupName", ""),
            tags=tags_of(raw.get("TagList")),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class SwitchoverRow:
    """One cluster, instance or custom endpoint of a deployment, by ARN.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_SwitchoverDetail.html
    """

    source: str
    target: str
    """Empty while green is being made."""
    status: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A blue/green deployment. Its statuses have no enumeration in AWS's own model.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_BlueGreenDeployment.html
    """

    identifier: str
    name: str
    source: str
    target: str
    """ARN of green, empty while green is being made."""
    status: str
    status_details: str
    tasks: tuple[tuple[str, str], ...]
    """Name and status, in AWS's order."""
    switchover: tuple[SwitchoverRow, ...]
    tags: Mapping[str, str]
    created_at: datetime | None

    @classmethod
    def parse(cls, raw: Raw) -> Deployment:
        """Return what a row of DescribeBlueGreenDeployments says."""
        return cls(
            identifier=raw["BlueGreenDeploymentIdentifier"],
            name=raw.get("BlueGreenDeploymentName", ""),
            source=raw.get("Source", ""),
            target=raw.get("Target", ""),
            status=raw.get("Status", ""),
            status_details=raw.get("StatusDetails") or "",
            tasks=tuple((row["Name"], row.get("Status", "")) for row in raw.get("Tasks", ())),
            switchover=tuple(
                SwitchoverRow(
                    row.get("SourceMember", ""), row.get("TargetMember", ""), row.get("Status", "")
                )
                for row in raw.get("SwitchoverDetails", ())
            ),
            tags=tags_of(raw.get("TagList")),
            created_at=raw.get("CreateTime"),
        )


@dataclass(frozen=True, slots=True)
class UpgradeTarget:
    """A version that an engine version can be upgraded to."""

    version: str
    is_major: bool


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """A version of Aurora PostgreSQL as the region offers it.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBEngineVersion.html
    """

    version: str
    family: str
    """Family of its parameter groups, e.g. `aurora-postgresql16`."""
    status: str
    """`available` or `deprecated`."""
    upgrade_targets: tuple[UpgradeTarget, ...]

    @classmethod
    def parse(cls, raw: Raw) -> EngineVersion:
        """Return what a row of DescribeDBEngineVersions says."""
        return cls(
            version=raw["EngineVersion"],
            family=raw.get("DBParameterGroupFamily", ""),
            status=raw.get("Status", "available"),
            upgrade_targets=tuple(
                UpgradeTarget(row["EngineVersion"], bool(row.get("IsMajorVersionUpgrade")))
                for row in raw.get("ValidUpgradeTarget", ())
            ),
        )


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """A parameter group of a cluster or an instance."""

    name: str
    family: str
    arn: str

    @property
    def default(self) -> bool:
        """Whether it is one of AWS's own, which cannot be modified."""
        return self.name.startswith("default.")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a group; `value` may be a formula, so compare through `pg_settings`.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html
    """

    name: str
    value: str | None
    source: str
    """`user`, `system` or `engine-default`."""
    apply_type: str
    """`static` (takes a reboot) or `dynamic`."""
    modifiable: bool
    apply_method: str

    @classmethod
    def parse(cls, raw: Raw) -> Parameter:
        """Return what a row of DescribeDBClusterParameters says."""
        return cls(
            name=raw["ParameterName"],
            value=raw.get("ParameterValue"),
            source=raw.get("Source", ""),
            apply_type=raw.get("ApplyType", ""),
            modifiable=bool(raw.get("IsModifiable", True)),
            apply_method=raw.get("ApplyMethod", ""),
        )


@dataclass(frozen=True, slots=True)
class RdsEvent:
    """One event; AWS gives no identifier here, so it is known by its message alone."""

    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of a cluster.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBClusterSnapshot.html
    """

    identifier: str
    status: str
    kind: str
    """`manual` or `automated`, or a name of another service."""
    cluster_id: str
    """Resource id of the cluster that it was taken of."""
    tags: Mapping[str, str]

    @classmethod
    def parse(cls, raw: Raw) -> Snapshot:
        """Return what a row of DescribeDBClusterSnapshots says."""
        return cls(
            identifier=raw["DBClusterSnapshotIdentifier"],
            status=raw.get("Status", ""),
            kind=raw.get("SnapshotType", ""),
            cluster_id=raw.get("DbClusterResourceId", ""),
            tags=tags_of(raw.get("TagList")),
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a limit of the account is in use, in the region."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class CustomEndpoint:
    """An endpoint that somebody added to a cluster."""

    identifier: str
    endpoint: str
    kind: str
    """`READER` or `ANY`."""
