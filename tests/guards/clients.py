"""What stands in for `runbook.aws.clients.Clients`: reads of the simulated world, and its changes.

The shapes are those of AWS's answers, so that everything above the clients is the real code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook.aws import budget
from runbook.aws.call import Call
from runbook.aws.errors import AwsRefused, AwsUnavailable
from runbook.aws.rds import ENGINE
from runbook.failures import Ambiguous
from tests.guards.clock import Killed
from tests.guards.control import ACCOUNT, ControlPlane, arn
from tests.guards.faults import AT_CHANGE, BLIND_S, LATE_S, STALE_S, Fault
from tests.guards.things import Cluster, Deployment, Instance
from tests.guards.universe import NEW, endpoint

if TYPE_CHECKING:
    from tests.guards.process import Process

Rows = dict[str, list[dict[str, Any]]]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def render(world: ControlPlane) -> Rows:
    """Return what AWS would describe now, by the kind of thing."""
    return {
        "DBClusters": [_cluster(world, each) for each in world.clusters.values()],
        "DBInstances": [_instance(world, each) for each in world.instances.values()],
        "BlueGreenDeployments": [_deployment(world, each) for each in world.deployments.values()],
        "DBClusterParameterGroups": [
            {
                "DBClusterParameterGroupName": each.name,
                "DBClusterParameterGroupArn": arn("cluster-pg", each.name),
                "DBParameterGroupFamily": each.family,
            }
            for each in world.groups.values()
        ],
        "DBClusterSnapshots": [
            {"DBClusterSnapshotIdentifier": each.name, "Status": each.status}
            for each in world.snapshots.values()
        ],
    }


def _cluster(world: ControlPlane, each: Cluster) -> dict[str, Any]:
    return {
        "DbClusterResourceId": each.resource_id,
        "DBClusterIdentifier": each.name,
        "DBClusterArn": arn("cluster", each.name),
        "Status": each.status,
        "Engine": ENGINE,
        "EngineVersion": each.version,
        "Endpoint": endpoint(each.name),
        "DBClusterParameterGroup": each.group,
        "DeletionProtection": each.protected,
        "CloneGroupId": each.clone_group,
        "TagList": tag_list(each.tags),
        "DBClusterMembers": [
            {
                "DBInstanceIdentifier": member.name,
                "IsClusterWriter": number == 0,
                "DBClusterParameterGroupStatus": "in-sync" if member.in_sync else "pending-reboot",
            }
            for number, member in enumerate(world.members(each))
        ],
    }


def _instance(world: ControlPlane, each: Instance) -> dict[str, Any]:
    cluster = world.clusters.get(each.cluster)
    return {
        "DBInstanceIdentifier": each.name,
        "DbiResourceId": each.resource_id,
        "DBInstanceStatus": each.status,
        "DBInstanceClass": "db.r6g.large",
        "DBClusterIdentifier": cluster.name if cluster else "",
        "TagList": tag_list(each.tags),
    }


def _deployment(world: ControlPlane, each: Deployment) -> dict[str, Any]:
    green = world.clusters.get(each.target)
    source = world.clusters.get(each.source)
    shown = green is not None and each.status != "PROVISIONING"
    return {
        "BlueGreenDeploymentIdentifier": each.identifier,
        "BlueGreenDeploymentName": each.name,
        "Source": arn("cluster", source.name) if source else "",
        "Target": arn("cluster", green.name) if green is not None and shown else "",
        "Status": each.status,
        "TagList": tag_list(each.tags),
    }


_NAMED_BY = {
    "DBClusterIdentifier": "DBClusterIdentifier",
    "DBInstanceIdentifier": "DBInstanceIdentifier",
    "BlueGreenDeploymentIdentifier": "BlueGreenDeploymentIdentifier",
    "DBClusterParameterGroupName": "DBClusterParameterGroupName",
    "DBClusterSnapshotIdentifier": "DBClusterSnapshotIdentifier",
    "db-cluster-resource-id": "DbClusterResourceId",
    "dbi-resource-id": "DbiResourceId",
    "db-cluster-id": "DBClusterIdentifier",
    "clone-group-id": "CloneGroupId",
    "blue-green-deployment-name": "BlueGreenDeploymentName",
    "source": "Source",
}
"""Parameter or filter -> the field of a row that it selects by."""


class SimulatedClients:
    """Reads and changes of one process; a process that was killed changes nothing any more."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        self._trailing: Rows | None = None
        self._trails_until = 0.0

    def endpoint(self, service: str) -> str:
        return "http://localhost:1"

    async def read(
        self, service: str, action: str, parameters: Mapping[str, Any], *, region: str = ""
    ) -> dict[str, Any]:
        self._look(service, action)
        match action:
            case "GetCallerIdentity":
                return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ada"}
            case "ListTagsForResource":
                return {"TagList": self._tags(parameters["ResourceName"])}
            case "GetChange":
                return {"ChangeInfo": {"Status": "INSYNC"}}
            case "ListResourceRecordSets":
                value = [{"Value": self._world.lead}]
                name = parameters["StartRecordName"]
                row = {"Name": name, "Type": "CNAME", "TTL": 5, "ResourceRecords": value}
                return {"ResourceRecordSets": [row]}
        raise NotImplementedError(f"the simulated AWS cannot be asked {action}")

    async def pages(
        self, service: str, action: str, path: str, parameters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        self._look(service, action)
        match path:
            case "DBEngineVersions":
                return [{"EngineVersion": NEW, "DBParameterGroupFamily": "aurora-postgresql18"}]
            case (
                "EngineDefaults.Parameters"
                | "Events"
                | "DBClusterEndpoints"
                | "DBClusterAutomatedBackups"
                | "logGroups"
            ):
                return []
            case "Parameters":
                group = self._world.groups.get(parameters["DBClusterParameterGroupName"])
                return [
                    {"ParameterName": name, "ParameterValue": value, "Source": "user"}
                    for name, value in (group.values if group else {}).items()
                ]
        rows = self._rows()[path]
        wanted = {key: [value] for key, value in parameters.items() if key in _NAMED_BY}
        wanted |= {row["Name"]: row["Values"] for row in parameters.get("Filters", ())}
        return [r for r in rows if all(r[_NAMED_BY[k]] in v for k, v in wanted.items())]

    async def write(self, call: Call) -> dict[str, Any]:
        process, world = self._process, self._world
        process.live()
        self._sent(call.service, call.action)
        fault = world.faults.take(*AT_CHANGE)
        if fault is Fault.KILL_AFTER_INTENT:
            raise Killed
        if fault is Fault.REFUSED:
            raise AwsRefused("Throttling", "too many calls", action=call.action)
        if fault is Fault.CALL_LOST:
            raise Ambiguous(f"{call.action} was sent, and no clear answer came")
        process.guard.before_call(call)
        if fault is Fault.LATE:
            world.clock.later(LATE_S, "late", call.action, dict(call.parameters), world.acting)
            raise Ambiguous(f"{call.action} was sent, and no clear answer came")
        if fault is Fault.STALE:
            self._trailing, self._trails_until = render(world), world.clock.now + STALE_S
        answer = world.change(call.action, call.parameters)
        world.tick(changed=True)
        process.guard.after_change()
        if fault is Fault.KILL_AFTER_CALL:
            raise Killed
        if fault is Fault.BLIND:
            world.faults.blind_until = world.clock.now + BLIND_S
        if fault in (Fault.BLIND, Fault.ANSWER_LOST):
            raise Ambiguous(f"{call.action} was sent, and no clear answer came")
        return answer

    async def database_token(self, host: str, port: int, user: str) -> str:
        return "token"

    def _tags(self, resource: str) -> list[dict[str, str]]:
        for each in self._world.groups.values():
            if arn("cluster-pg", each.name) == resource:
                return tag_list(each.tags)
        rows = self._rows()["DBClusters"]
        return next((r["TagList"] for r in rows if r["DBClusterArn"] == resource), [])

    def _sent(self, service: str, action: str) -> None:
        if service == "rds":
            budget.spender().sent()
            self._process.requests.append((self._world.clock.now, action))

    def _look(self, service: str, action: str) -> None:
        self._process.live()
        self._sent(service, action)
        if service == "rds" and self._world.clock.now < self._process.throttled_until:
            budget.spender().budget.refused()
            raise AwsRefused("Throttling", "Rate exceeded", action=action)
        self._world.tick()
        if self._world.clock.now < self._world.faults.blind_until:
            raise AwsUnavailable("AWS was not reached.", now="Nothing.", todo="Try again.")

    def _rows(self) -> Rows:
        if self._trailing is not None and self._world.clock.now < self._trails_until:
            return self._trailing
        return render(self._world)
