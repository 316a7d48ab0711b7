"""The replication of a deployment: blue's changes, from an exact point on, into green."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Task(StrEnum):
    """The tasks of a deployment, in their order, in AWS's words."""

    CREATING_READ_REPLICA = "CREATING_READ_REPLICA_OF_SOURCE"
    ENGINE_UPGRADE = "DB_ENGINE_VERSION_UPGRADE"
    CREATE_INSTANCES = "CREATE_DB_INSTANCES_FOR_CLUSTER"
    CREATE_ENDPOINTS = "CREATE_CUSTOM_ENDPOINTS"


@dataclass(frozen=True, slots=True)
class DatabaseReplication:
    """One database's slot on blue and its worker on green; None is unknown."""

    database: str
    lag_bytes: int | None
    worker_alive: bool | None
    apply_errors: int | None


@dataclass(frozen=True, slots=True)
class ReplicationState:
    """What was seen of a deployment's replication, and when (aware UTC)."""

    databases: tuple[DatabaseReplication, ...]
    degraded: str | None
    """Why AWS would say "Replication degraded", or None."""
    seen_at: datetime

    @property
    def lag_bytes(self) -> int | None:
        """The largest lag, or None when any is unknown."""
        lags = [each.lag_bytes for each in self.databases]
        known = [lag for lag in lags if lag is not None]
        return max(known) if known and len(known) == len(lags) else None

    @property
    def healthy(self) -> bool:
        """Whether every database is seen to be applied without errors and nothing degrades it."""
        return self.degraded is None and all(
            each.worker_alive and each.lag_bytes is not None and each.apply_errors == 0
            for each in self.databases
        )
