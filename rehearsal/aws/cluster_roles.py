"""IAM roles of clusters, which no deployment and no clone copies.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddRoleToDBCluster.html
"""

from __future__ import annotations

import re

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster
from rehearsal.aws.registry import Params, Shape, action, required

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_FEATURES = ("", "s3Import", "s3Export", "Lambda")
_QUOTA = 5


def _named(control: Control, params: Params) -> tuple[Cluster, str, str]:
    cluster = control.cluster(required(params, "DBClusterIdentifier"))
    if cluster.status != "available":
        raise errors.cluster_not_available(cluster.identifier, cluster.status)
    arn, feature = required(params, "RoleArn"), params.get("FeatureName") or ""
    if not _ROLE.fullmatch(arn):
        raise errors.invalid_value(f"The IAM role ARN value is invalid or does not exist: {arn}")
    if feature not in _FEATURES:
        raise errors.invalid_value(f"The feature-name parameter must be one of {_FEATURES[1:]}.")
    return cluster, arn, feature


@action("AddRoleToDBCluster")
def add(control: Control, params: Params) -> Shape:
    """Give a cluster a role for a feature."""
    with control.lock:
        cluster, arn, feature = _named(control, params)
        if cluster.roles.get(arn) == feature:
            raise errors.RdsFault(
                "DBClusterRoleAlreadyExists",
                f"Role ARN {arn} already exists for DB cluster {cluster.identifier}.",
            )
        if len(cluster.roles) >= _QUOTA:
            raise errors.RdsFault(
                "DBClusterRoleQuotaExceeded", f"A DB cluster can have {_QUOTA} roles at most."
            )
        cluster.roles[arn] = feature
    return {}


@action("RemoveRoleFromDBCluster")
def remove(control: Control, params: Params) -> Shape:
    """Take a role from a cluster."""
    with control.lock:
        cluster, arn, feature = _named(control, params)
        if cluster.roles.get(arn) != feature:
            raise errors.RdsFault(
                "DBClusterRoleNotFound",
                f"Role ARN {arn} cannot be found for DB cluster {cluster.identifier}.",
            )
        del cluster.roles[arn]
    return {}
