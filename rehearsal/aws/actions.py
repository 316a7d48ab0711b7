"""Every module of actions, imported so that the table of actions is full."""

from rehearsal.aws import (  # noqa: F401
    bystanders,
    catalogue,
    certificates,
    clones,
    clusters,
    custom_endpoints,
    deployments,
    groups,
    instances,
    logs,
    options,
    snapshots,
    switchover,
    tags,
)
from rehearsal.aws.registry import ACTIONS

__all__ = ["ACTIONS"]
