"""What a run may be allowed in AWS, and why: one table of actions.

`runbook.plan.policy` makes the IAM policy of a plan out of it, and a refusal is told by it.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html,
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-authorizing-access.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NEEDS_NO_PERMISSION = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
"""AWS allows these to everybody, whatever a policy says.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""


class When(StrEnum):
    """Which plans need an action."""

    ALWAYS = "always"
    MAKES_GROUP = "the plan names no cluster parameter group"
    SNAPSHOT = "commit.final_snapshot"
    ROUTE53 = 'endpoint.method = "route53"'
    SECRET = "the password is in Secrets Manager"  # noqa: S105 - it refers to one
    IAM_LOGIN = 'credentials.password = "iam"'


ANY = ("*",)
RDS = ("rds:*",)
"""Every RDS resource of the cluster's account and Region.

Green's names and those of old blue are AWS's own, and AWS takes no part of a name here.
"""


@dataclass(frozen=True, slots=True)
class Permission:
    """One action: why a run needs it, on which tracks, on what."""

    action: str
    why: str
    tracks: tuple[str, ...] = ()
    """None: all of them."""
    on: tuple[str, ...] = ANY
    """Resources: the part of an ARN after account and Region, or placeholders of the policy."""
    when: When = When.ALWAYS
    of: str = ""
    """The call that AWS makes this one for, with the caller's permissions."""
    condition: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


_CREATE, _SWITCH, _DELETE, _CLONE = (
    "rds:CreateBlueGreenDeployment",
    "rds:SwitchoverBlueGreenDeployment",
    "rds:DeleteBlueGreenDeployment",
    "rds:RestoreDBClusterToPointInTime",
)
_ENDS = ("abort", "commit", "cleanup")
_VIA_RDS = {"StringLike": {"kms:ViaService": "rds.*"}}
_VIA_SECRETS = {"StringLike": {"kms:ViaService": "secretsmanager.*"}}
_PASSED = {
    "StringEquals": {"iam:PassedToService": ["monitoring.rds.amazonaws.com", "rds.amazonaws.com"]}
}

PERMISSIONS: tuple[Permission, ...] = (
    Permission("rds:DescribeDBClusters", "follows each cluster by its resource id"),
    Permission("rds:DescribeDBInstances", "sees each cluster's instances"),
    Permission("rds:DescribeBlueGreenDeployments", "follows the deployment"),
    Permission("rds:DescribeDBEngineVersions", "asks whether the upgrade is offered", ("upgrade",)),
    Permission(
        "rds:DescribeEngineDefaultClusterParameters",
        "knows which parameters the new family has",
        ("upgrade",),
    ),
    Permission("rds:DescribeDBClusterParameterGroups", "checks the groups of blue and green"),
    Permission("rds:DescribeDBParameterGroups", "checks the instances' groups", ("upgrade",)),
    Permission("rds:DescribeDBClusterParameters", "checks and carries over parameters"),
    Permission("rds:DescribeDBClusterEndpoints", "finds custom endpoints", ("upgrade", *_ENDS)),
    Permission("rds:DescribeDBClusterSnapshots", "sees snapshots of the run", ("upgrade", *_ENDS)),
    Permission("rds:DescribeDBClusterAutomatedBackups", "names what goes on costing money", _ENDS),
    Permission("ec2:DescribeSecurityGroups", "sees that clusters reach each other", ("upgrade",)),
    Permission("logs:DescribeLogGroups", "names what goes on costing money", _ENDS),
    Permission("rds:DescribeEvents", "reads what RDS says of the switchover", ("upgrade",)),
    Permission("rds:DescribeAccountAttributes", "compares quotas", ("upgrade",)),
    Permission("rds:DescribeDBProxies", "finds proxies that would stay behind", ("upgrade",)),
    Permission("rds:DescribeDBProxyTargets", "finds proxies that would stay behind", ("upgrade",)),
    Permission("rds:DescribeIntegrations", "finds zero-ETL integrations", ("upgrade",)),
    Permission("rds:ListTagsForResource", "deletes only what bears the run's tag"),
    Permission("rds:DescribeDBLogFiles", "reads why an apply worker stopped", ("upgrade",)),
    Permission(
        "rds:DownloadDBLogFilePortion",
        "reads why an apply worker stopped",
        ("upgrade",),
        on=("db:*",),
    ),
    Permission(
        "application-autoscaling:DescribeScalableTargets",
        "finds Auto Scaling, which does not follow to green",
        ("upgrade",),
    ),
    Permission(
        "secretsmanager:GetSecretValue",
        "fetches the database password",
        on=("{secret}",),
        when=When.SECRET,
    ),
    Permission(
        "kms:Decrypt",
        "reads a secret under a customer-managed key",
        on=("{secret_keys}",),
        when=When.SECRET,
        of="secretsmanager:GetSecretValue",
        condition=_VIA_SECRETS,
    ),
    Permission(
        "rds-db:connect",
        "logs in to the database",
        on=("{database_user}",),
        when=When.IAM_LOGIN,
    ),
    Permission(
        "rds:CreateDBClusterParameterGroup",
        "makes green's parameter group",
        ("upgrade",),
        on=("cluster-pg:bp-*",),
        when=When.MAKES_GROUP,
    ),
    Permission(
        "rds:ModifyDBClusterParameterGroup",
        "carries blue's parameters over",
        ("upgrade",),
        on=("cluster-pg:bp-*",),
        when=When.MAKES_GROUP,
    ),
    Permission(
        "rds:DeleteDBClusterParameterGroup",
        "removes the group that the run made",
        ("abort", "cleanup"),
        on=("cluster-pg:bp-*",),
        when=When.MAKES_GROUP,
    ),
    Permission("rds:AddTagsToResource", "marks whose resources are, and who holds the run", on=RDS),
    Permission(
        "rds:RemoveTagsFromResource", "takes the mark of the holder off", _ENDS, on=("cluster:*",)
    ),
    Permission(_CREATE, "makes green", ("upgrade",), on=RDS),
    Permission("rds:CreateDBCluster", "makes green", ("upgrade",), on=RDS, of=_CREATE),
    Permission("rds:CreateDBClusterEndpoint", "makes green", ("upgrade",), on=RDS, of=_CREATE),
    Permission("rds:CreateDBInstanceReadReplica", "makes green", ("upgrade",), on=RDS, of=_CREATE),
    Permission(
        "rds:CreateDBInstance", "gives green and blue prime instances", ("upgrade",), on=RDS
    ),
    Permission(
        "rds:RebootDBInstance",
        "lets a parameter group take effect",
        ("upgrade",),
        on=("db:*",),
    ),
    Permission(_SWITCH, "switches over", ("upgrade",), on=RDS),
    Permission(
        "rds:ModifyDBInstance", "renames at the switchover", ("upgrade",), on=RDS, of=_SWITCH
    ),
    Permission("rds:PromoteReadReplica", "ends green's replication", on=RDS, of=_SWITCH),
    Permission("rds:PromoteReadReplicaDBCluster", "ends green's replication", on=RDS, of=_SWITCH),
    Permission(
        "rds:ModifyDBCluster", "renames clusters, lifts the protection from deletion", on=RDS
    ),
    Permission(_DELETE, "removes AWS's lock on old blue, or green", ("upgrade", *_ENDS), on=RDS),
    Permission("rds:DeleteDBClusterEndpoint", "removes green's", ("abort",), on=RDS, of=_DELETE),
    Permission("rds:DeleteDBInstance", "removes what the run made", _ENDS, on=RDS),
    Permission("rds:DeleteDBCluster", "removes what the run made", _ENDS, on=RDS),
    Permission(_CLONE, "clones old blue into blue prime", ("upgrade",), on=RDS),
    Permission(
        "iam:PassRole",
        "gives blue prime old blue's roles",
        ("upgrade",),
        on=("{roles}",),
        of=_CLONE,
        condition=_PASSED,
    ),
    Permission(
        "kms:DescribeKey",
        "clones a cluster under a customer-managed key",
        ("upgrade",),
        on=("{keys}",),
        of=_CLONE,
        condition=_VIA_RDS,
    ),
    Permission(
        "kms:CreateGrant",
        "clones a cluster under a customer-managed key",
        ("upgrade",),
        on=("{keys}",),
        of=_CLONE,
        condition=_VIA_RDS,
    ),
    Permission(
        "rds:CreateDBClusterSnapshot",
        "keeps a last snapshot of the old version",
        ("commit",),
        on=("cluster:*", "cluster-snapshot:bp-*"),
        when=When.SNAPSHOT,
    ),
    Permission(
        "route53:ListResourceRecordSets",
        "looks where the record leads",
        on=("{zone}",),
        when=When.ROUTE53,
    ),
    Permission(
        "route53:ChangeResourceRecordSets",
        "leads the applications",
        ("rollback",),
        on=("{zone}",),
        when=When.ROUTE53,
    ),
    Permission(
        "route53:GetChange",
        "waits for the record",
        ("rollback",),
        on=("{change}",),
        when=When.ROUTE53,
    ),
)
