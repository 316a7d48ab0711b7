"""What happens to resources by itself, or by somebody else's hand, at once."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from rehearsal.aws import errors, failover, maintenance
from rehearsal.aws.clusters import forget_cluster
from rehearsal.aws.control import Control
from rehearsal.aws.models import Deployment
from rehearsal.servers.replication import SUBSCRIPTION, subscribed


def _deployment(control: Control, cluster: str) -> Deployment:
    found = control.deployment_of(control.cluster(cluster))
    if found is None:
        raise errors.deployment_not_found(f"of {cluster}")
    return found


def invalidate_deployment(control: Control, cluster: str) -> None:
    """Turn a cluster's deployment INVALID_CONFIGURATION, as promoting green by hand does."""
    with control.lock:
        deployment = _deployment(control, cluster)
        deployment.status = "INVALID_CONFIGURATION"
        deployment.details = "The green environment was promoted manually."


def lose_deployment(control: Control, cluster: str) -> None:
    """Delete a cluster's deployment, keeping both sides, as somebody else might."""
    with control.lock:
        deployment = _deployment(control, cluster)
        control.deployments.remove(deployment)
    if deployment.switched:
        control.fleet.unlock(deployment.source.resource_id)
    elif deployment.target is not None:
        control.fleet.detach(deployment.source.resource_id, deployment.target.resource_id)


def lose_cluster(control: Control, cluster: str) -> None:
    """Delete a cluster with its instances at once, as somebody else might."""
    forget_cluster(control, control.cluster(cluster))


def lose_writer(control: Control, name: str) -> None:
    """Let the host of a cluster's writer die: another member takes over, sessions end."""
    with control.lock:
        cluster = control.cluster(name)
        failover.lose_writer(control, cluster, failover.successor(cluster))


def await_maintenance(control: Control, name: str) -> None:
    """Let maintenance wait for a cluster."""
    maintenance.expect(control.cluster(name))


def set_status(control: Control, name: str, status: str) -> None:
    """Put a cluster or an instance into a status."""
    with control.lock:
        for instance in control.instances:
            if instance.identifier == name:
                instance.status = status
                return
        control.cluster(name).status = status


def follow(control: Control, cluster: str, *, on: bool) -> None:
    """Let green stop following blue, or follow again."""
    green = _deployment(control, cluster).target
    if green is None:
        raise errors.cluster_not_found(f"green of {cluster}")
    statement = sql.SQL("ALTER SUBSCRIPTION {} {}").format(
        sql.Identifier(SUBSCRIPTION), sql.SQL("ENABLE" if on else "DISABLE")
    )
    with writing_session(control, green.resource_id) as connection:
        databases = subscribed(connection)
    for database in databases:
        with writing_session(control, green.resource_id, database) as connection:
            connection.execute(statement)


def writing_session(
    control: Control, volume: str, database: str = "postgres"
) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a session of the lab's superuser, which may write where others may only read."""
    return psycopg.connect(
        control.fleet.conninfo(volume, database),
        autocommit=True,
        options="-c default_transaction_read_only=off",
    )
