"""What a change would do to the cluster that serves, and to the way back that is held from it.

Each function tells in words what must not be, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook.aws.call import Call
from tests.guards.control import ControlPlane
from tests.guards.ledger import Ledger
from tests.guards.things import APPLICATION, PRODUCTION, Cluster
from tests.guards.universe import OLD, endpoint

STOPS = "stop-traffic"
"""The one step that may close what serves."""

FILLS = (
    "create_subscription",
    "enable_subscription",
    "set_subscription_connection",
    "set_sequences",
    "empty",
)
"""Changes after which something else than the application writes on a cluster."""

HOLDS = ("drop_slot", "drop_publication", "drop_role")
"""Changes that end a way which is held."""


def closed(
    world: ControlPlane, ledger: Ledger, cluster: Cluster, name: str, args: Sequence[Any], blue: str
) -> str:
    """Return which cluster that serves would be closed by a statement."""
    closes = (
        (name == "lock" and APPLICATION in args)
        or (name == "set_database_read_only" and bool(args[1]))
        or (name == "terminate_sessions" and APPLICATION in args[0])
    )
    if not closes or not world.in_use(cluster):
        return ""
    # Before the switchover green is closed besides blue: it is not what the applications are on.
    meant = [ledger.role(slug, blue) for slug in _locked(ledger) if slug != "green"]
    if ledger.step() == STOPS and cluster.resource_id in meant:
        return ""
    return f"{name} on {cluster.name}, which serves, by the step {ledger.step() or '?'}"


def _locked(ledger: Ledger) -> list[str]:
    """Return the roles on whose clusters LOGIN is being taken, as they stand in the keys."""
    ending = "/lock-roles"
    keys = [key for key, _ in ledger.intents()]
    return [key.removesuffix(ending) for key in keys if key.endswith(ending)]


def stopped(world: ControlPlane, ledger: Ledger, key: str, blue: str) -> str:
    """Return what serves while another cluster's applications are stopped.

    `key` begins with the slug of the role that they are stopped on: of an effect, or of a gate.
    """
    serving = world.serving()
    if serving is None or not world.in_use(serving):
        return ""
    meant = ledger.role(key, blue)
    if meant == serving.resource_id:
        return ""
    return f"the applications are stopped on {serving.name}, though {key} was meant"


def led_away(world: ControlPlane, call: Call) -> str:
    """Return which cluster that serves a call would take the name or the record from."""
    serving = world.serving()
    if serving is None or not world.in_use(serving):
        return ""
    p = call.parameters
    match call.action:
        case "ModifyDBCluster" if p.get("NewDBClusterIdentifier"):
            loses = world.named(p["DBClusterIdentifier"]) is serving
            away = loses and world.lead == endpoint(serving.name)
        case "SwitchoverBlueGreenDeployment":
            made = world.deployments.get(p["BlueGreenDeploymentIdentifier"])
            away = made is not None and made.source == serving.resource_id
        case "ChangeResourceRecordSets":
            (change,) = p["ChangeBatch"]["Changes"]
            record = change["ResourceRecordSet"]["ResourceRecords"][0]["Value"]
            away = world.dns.get(record) != serving.resource_id
        case _:
            away = False
    return f"{call.action} leads the applications away from {serving.name}" if away else ""


def overwritten(world: ControlPlane, cluster: Cluster, name: str) -> str:
    """Return which cluster that serves would be written over."""
    if name not in FILLS or not world.serves(cluster):
        return ""
    return f"{name} on {cluster.name}, which serves"


def let_go(
    world: ControlPlane, ledger: Ledger, cluster: Cluster, name: str, args: Sequence[Any], run: str
) -> str:
    """Return which way that is held from the cluster that serves would end without its gate."""
    slots = {slot: each for slot, each in cluster.slots.items() if slot.startswith("blueprime_")}
    if name == "drop_slot":
        slots = {slot: each for slot, each in slots.items() if slot in args}
    held = any(not each.lost for each in slots.values())
    # Names and records trail: where another one is open, this one has been left.
    left = any(other is not cluster for other in world.opened())
    if name not in HOLDS or not held or left or cluster is not world.serving():
        return ""
    track, variant = ledger.entry()
    old = cluster.version == OLD
    if old and (track == "cleanup" or variant == "blue-prime-for-good"):
        return ""
    gate = "finalize" if variant == "finalize" else track
    given = gate == ("finalize" if old else "commit") and (run, gate, PRODUCTION) in world.consents
    return (
        "" if given else f"{name} on {cluster.name}, which serves, in the track {track} {variant}"
    )
