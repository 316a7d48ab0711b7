"""Every module of actions, imported so that the table of actions is full."""

from rehearsal.aws import (  # noqa: F401
    bystanders,
    catalogue,
    clones,
    clusters,
    deployments,
    groups,
    instances,
    logs,
    snapshots,
    switchover,
    tags,
)
from rehearsal.aws.registry import ACTIONS

__all__ = ["ACTIONS"]
