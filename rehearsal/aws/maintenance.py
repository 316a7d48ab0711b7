"""Maintenance that waits for a cluster, and that somebody may apply at once.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_UpgradeDBInstance.Maintenance.html
"""

from __future__ import annotations

from datetime import timedelta

from rehearsal.aws import errors
from rehearsal.aws.control import Control
from rehearsal.aws.models import Cluster, now
from rehearsal.aws.registry import Params, Shape, action, filters, matches, page, required

ACTIONS = {
    "system-update": "New Operating System update is available",
    "db-upgrade": "Upgrade to the latest minor version",
    "ca-certificate-rotation": "Rotation of the CA certificate",
}

_OPT_IN = ("immediate", "next-maintenance", "undo-opt-in")
_FORCED_AFTER = timedelta(days=60)


def expect(cluster: Cluster, name: str = "system-update") -> None:
    """Let maintenance wait for a cluster."""
    cluster.maintenance[name] = ""


@action("DescribePendingMaintenanceActions")
def describe(control: Control, params: Params) -> Shape:
    """List what waits, cluster by cluster."""
    wanted = filters(params, "db-cluster-id", "db-instance-id")
    with control.lock:
        resource = params.get("ResourceIdentifier")
        rows = [
            _shape(control, cluster)
            for cluster in control.clusters
            if cluster.maintenance
            and resource in (None, control.arn(cluster))
            and matches(wanted, "db-cluster-id", cluster.identifier, control.arn(cluster))
            and matches(wanted, "db-instance-id")
        ]
    return page(params, "PendingMaintenanceActions", rows)


def _shape(control: Control, cluster: Cluster) -> Shape:
    forced = cluster.created + _FORCED_AFTER
    return {
        "ResourceIdentifier": control.arn(cluster),
        "PendingMaintenanceActionDetails": [
            {
                "Action": name,
                "Description": ACTIONS[name],
                "CurrentApplyDate": now() if opted == "immediate" else forced,
                "ForcedApplyDate": forced,
                **({"OptInStatus": opted} if opted else {}),
            }
            for name, opted in cluster.maintenance.items()
        ],
    }


@action("ApplyPendingMaintenanceAction")
def apply(control: Control, params: Params) -> Shape:
    """Do what waits at once (its server restarts), in the next window, or not yet."""
    with control.lock:
        arn = required(params, "ResourceIdentifier")
        found = [each for each in control.clusters if control.arn(each) == arn]
        name, opted = required(params, "ApplyAction"), required(params, "OptInType")
        if not found or name not in found[0].maintenance:
            raise errors.RdsFault(
                "ResourceNotFoundFault", f"No pending maintenance action {name} for {arn}."
            )
        if opted not in _OPT_IN:
            raise errors.invalid_value(f"OptInType is one of {', '.join(_OPT_IN)}.")
        cluster = found[0]
        if cluster.status != "available":
            raise errors.cluster_not_available(cluster.identifier, cluster.status)
        cluster.maintenance[name] = "" if opted == "undo-opt-in" else opted
        shape = _shape(control, cluster)
        if opted == "immediate":
            cluster.status = "maintenance"
            control.background(
                f"maintain {cluster.identifier}", lambda: _maintain(control, cluster, name)
            )
        return {"ResourcePendingMaintenanceActions": shape}


def _maintain(control: Control, cluster: Cluster, name: str) -> None:
    with control.pace.at_least("reboot-instance"):
        if cluster.writer:
            control.fleet.restart(cluster.resource_id)
    with control.lock:
        cluster.maintenance.pop(name, None)
        cluster.status = "available"
        control.event(cluster, f"Maintenance {name} was applied.", "maintenance")
