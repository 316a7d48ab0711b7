"""CloudWatch's datapoints of the clusters, from their servers, every minute as on AWS.

moto keeps and aggregates them. A metric is told of the instance, of its cluster, and of the
cluster's role, by the names that they bear at that time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from moto.cloudwatch.models import cloudwatch_backends

from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, Instance, now
from rehearsal.servers.ground import ServerError

_log = logging.getLogger(__name__)

NAMESPACE = "AWS/RDS"
EVERY_S = 60.0

_OF_THE_CLUSTER = "VolumeBytesUsed"
_OF_WRITERS = (
    "OldestReplicationSlotLag",
    "ReplicationSlotDiskUsage",
    "TransactionLogsDiskUsage",
    "MaximumUsedTransactionIDs",
)
_UNITS = {
    "DatabaseConnections": "Count",
    "DBLoad": "None",
    "MaximumUsedTransactionIDs": "Count",
    "AuroraReplicaLag": "Milliseconds",
    "AuroraReplicaLagMaximum": "Milliseconds",
    "AuroraReplicaLagMinimum": "Milliseconds",
}
"""What is not in bytes."""


def keep_sampling(control: Control) -> None:
    """Sample every minute until the lab ends."""
    while True:
        sample(control)
        control.pace.wait(EVERY_S)


def sample(control: Control) -> None:
    """Put a datapoint of each metric; a cluster whose server does not answer has none."""
    with control.lock:
        clusters = [each for each in control.clusters if each.writer is not None]
    for cluster in clusters:
        try:
            seen = control.fleet.vitals(cluster.resource_id)
        except (ServerError, psycopg.Error, KeyError, OSError) as error:
            _log.debug("no metrics of %s: %s", cluster.identifier, error)
            continue
        with control.lock:
            data = list(_data(cluster, seen))
        if data:
            cloudwatch_backends[control.account][control.region].put_metric_data(NAMESPACE, data)


def _data(cluster: Cluster, seen: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    name = ("DBClusterIdentifier", cluster.identifier)
    yield _datum(_OF_THE_CLUSTER, seen[_OF_THE_CLUSTER], name)
    writer = cluster.writer
    for member in cluster.instances:
        for metric, value in _of_member(member, seen):
            role = ("Role", "WRITER" if member is writer else "READER")
            for dimensions in ((("DBInstanceIdentifier", member.identifier),), (name, role)):
                yield _datum(metric, value, *dimensions)
    if len(cluster.instances) > 1 and writer is not None:
        for metric in ("AuroraReplicaLagMaximum", "AuroraReplicaLagMinimum"):
            yield _datum(metric, 0, ("DBInstanceIdentifier", writer.identifier))
            yield _datum(metric, 0, name)


def _of_member(member: Instance, seen: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Return what is told of a member: a reader has no server of its own, nor sessions to count."""
    if member.is_writer:
        for metric in ("DatabaseConnections", "DBLoad", *_OF_WRITERS):
            yield metric, seen[metric]
    else:
        yield "AuroraReplicaLag", 0


def _datum(metric: str, value: float, *dimensions: tuple[str, str]) -> dict[str, Any]:
    return {
        "MetricName": metric,
        "Value": float(value),
        "Timestamp": now().replace(tzinfo=None),
        "Unit": _UNITS.get(metric, "Bytes"),
        "Dimensions": [{"Name": name, "Value": given} for name, given in dimensions],
    }
