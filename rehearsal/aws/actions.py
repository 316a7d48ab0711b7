"""Every module of actions, imported so that the table of actions is full."""

from rehearsal.aws import (  # noqa: F401
    bystanders,
    catalogue,
    certificates,
    clones,
    cluster_roles,
    clusters,
    custom_endpoints,
    deployments,
    failover,
    groups,
    instances,
    logs,
    maintenance,
    options,
    snapshots,
    stopping,
    switchover,
    tags,
)
from rehearsal.aws.registry import ACTIONS

__all__ = ["ACTIONS"]
