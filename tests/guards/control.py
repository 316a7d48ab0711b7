"""The simulated control plane: what AWS does when it is asked to change something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runbook.aws.errors import AccessDenied, AwsRefused
from tests.guards.things import (
    DATABASES,
    SOMEBODY,
    Cluster,
    Deployment,
    Group,
    Instance,
    Slot,
    Snapshot,
)
from tests.guards.universe import NEW, Universe

ACCOUNT, REGION = "123456789012", "us-east-1"
Parameters = Mapping[str, Any]


def arn(kind: str, name: str) -> str:
    return f"arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{name}"


def tags_of(parameters: Parameters) -> dict[str, str]:
    return {row["Key"]: row["Value"] for row in parameters.get("Tags", ())}


class ControlPlane(Universe):
    """The world, with AWS's changes on it. Each raises `AwsRefused` as AWS would."""

    def change(self, action: str, parameters: Parameters) -> dict[str, Any]:
        """Do what a call asks for, and return its answer."""
        change: Callable[[Parameters], dict[str, Any] | None] = getattr(self, f"_{action}")
        return change(parameters) or {}

    def late(self, action: str, parameters: Parameters, acting: str) -> None:
        """Do late what a call asked for; nobody hears if it is refused."""
        former, self.acting = self.acting, acting
        try:
            self.change(action, parameters)
        except AwsRefused:
            return
        finally:
            self.acting = former

    def _cluster(self, name: str) -> Cluster:
        found = self.named(name)
        if found is None:
            raise AwsRefused("DBClusterNotFoundFault", f"DBCluster {name} not found")
        return found

    def _deployment(self, identifier: str) -> Deployment:
        found = self.deployments.get(identifier)
        if found is None:
            raise AwsRefused("BlueGreenDeploymentNotFoundFault", f"{identifier} not found")
        return found

    def _made(self, kind: str, name: str) -> None:
        self.made.append((self.acting, kind, name))

    # Parameter groups.

    def _CreateDBClusterParameterGroup(self, p: Parameters) -> None:  # noqa: N802
        name = p["DBClusterParameterGroupName"]
        if name in self.groups:
            raise AwsRefused("DBParameterGroupAlreadyExists", f"{name} exists")
        family = p["DBParameterGroupFamily"]
        self.groups[name] = Group(name, family, self.acting, tags=tags_of(p))

    def _ModifyDBClusterParameterGroup(self, p: Parameters) -> None:  # noqa: N802
        name = p["DBClusterParameterGroupName"]
        if name not in self.groups:
            raise AwsRefused("DBParameterGroupNotFound", f"{name} not found")
        group = self.groups[name]
        group.values |= {r["ParameterName"]: r["ParameterValue"] for r in p["Parameters"]}

    def _DeleteDBClusterParameterGroup(self, p: Parameters) -> None:  # noqa: N802
        name = p["DBClusterParameterGroupName"]
        if name not in self.groups:
            raise AwsRefused("DBParameterGroupNotFound", f"{name} not found")
        if any(each.group == name for each in self.clusters.values()):
            raise AwsRefused("InvalidDBParameterGroupState", f"{name} is in use")
        del self.groups[name]

    # The deployment.

    def _CreateBlueGreenDeployment(self, p: Parameters) -> dict[str, Any]:  # noqa: N802
        name = p["BlueGreenDeploymentName"]
        if any(each.name == name for each in self.deployments.values()):
            raise AwsRefused("BlueGreenDeploymentAlreadyExistsFault", f"{name} exists")
        blue = self._cluster(p["Source"].rsplit(":", 1)[-1])
        group = p["TargetDBClusterParameterGroupName"]
        if group not in self.groups:
            raise AwsRefused("DBClusterParameterGroupNotFound", f"{group} not found")
        if any(blue.resource_id in (d.source, d.target) for d in self.deployments.values()):
            raise AwsRefused("SourceClusterNotSupportedFault", "it is in a deployment already")
        made = self.new_deployment(name, blue, group, self.acting, tags_of(p))
        self._made("deployment", name)
        row = {"BlueGreenDeploymentIdentifier": made.identifier}
        return {"BlueGreenDeployment": row}

    def new_deployment(
        self, name: str, blue: Cluster, group: str, made_by: str, tags: dict[str, str]
    ) -> Deployment:
        number = self.serial()
        green = self.new_cluster(f"{blue.name}-green-{number:06}", NEW, made_by, group)
        green.status, green.following = "creating", True
        green.protected, green.tags = blue.protected, dict(blue.tags)
        self.copy_data(blue, green)
        for each in DATABASES:
            blue.slots[f"rds_{each}"] = Slot(each, blue.wal, active=True)
        for database in green.databases.values():
            database.analyzed = False
        for member in self.members(blue):
            copy = self.new_instance(f"{member.name}-green-{number:06}", green)
            copy.status, copy.in_sync = "creating", False
        made = Deployment(
            f"bgd-{number:016}", name, blue.resource_id, green.resource_id, made_by, tags=tags
        )
        self.deployments[made.identifier] = made
        self.clock.later(30.0, "green_is_made", made.identifier)
        return made

    def green_is_made(self, identifier: str) -> None:
        made = self.deployments.get(identifier)
        if made is None or made.status != "PROVISIONING" or made.target not in self.clusters:
            return
        green = self.clusters[made.target]
        green.status, made.status = "available", "AVAILABLE"
        for member in self.members(green):
            member.status = "available"
        self.feed_green(made)

    def _SwitchoverBlueGreenDeployment(self, p: Parameters) -> None:  # noqa: N802
        made = self._deployment(p["BlueGreenDeploymentIdentifier"])
        if made.status != "AVAILABLE":
            raise AwsRefused("InvalidBlueGreenDeploymentStateFault", f"it is {made.status}")
        made.status = "SWITCHOVER_IN_PROGRESS"
        blue, green = self.clusters[made.source], self.clusters[made.target]
        for each in (blue, green):
            each.locked = True
            self.drop_connections(each)
        what = "switchover_returns" if self.faults.switchover_fails else "switchover_ends"
        self.faults.switchover_fails = False
        self.clock.later(4.0, what, made.identifier)

    def switchover_returns(self, identifier: str) -> None:
        made = self.deployments[identifier]
        made.status = "AVAILABLE"
        for each in (made.source, made.target):
            self.clusters[each].locked = False

    def switchover_ends(self, identifier: str) -> None:
        made = self.deployments[identifier]
        blue, green = self.clusters[made.source], self.clusters[made.target]
        self.feed_green(made)
        for name, database in blue.databases.items():
            green.databases[name].sequence = database.sequence
            blue.slots.pop(f"rds_{name}", None)
        name, number = blue.name, 1
        while self.named(f"{name}-old{number}"):
            number += 1
        members = list(zip(self.members(blue), self.members(green), strict=False))
        self.rename(blue, f"{name}-old{number}")
        self.rename(green, name)
        for ours, theirs in members:
            ours.name, theirs.name = f"{ours.name}-old{number}", ours.name
        green.locked = green.following = False
        for each in (blue, green):
            self.drop_connections(each)
        made.status = "SWITCHOVER_COMPLETED"

    def _DeleteBlueGreenDeployment(self, p: Parameters) -> None:  # noqa: N802
        made = self._deployment(p["BlueGreenDeploymentIdentifier"])
        target = bool(p.get("DeleteTarget"))
        if made.status == "SWITCHOVER_IN_PROGRESS" or (
            target and made.status == "SWITCHOVER_COMPLETED"
        ):
            raise AwsRefused("InvalidBlueGreenDeploymentStateFault", f"it is {made.status}")
        green = self.clusters.get(made.target)
        if target and green is not None and green.protected:
            raise AwsRefused("InvalidParameterCombination", f"{green.name} is protected")
        made.status = "DELETING"
        if target and green is not None:
            green.status = "deleting"
        self.clock.later(3.0, "deployment_goes", made.identifier, target)

    def deployment_goes(self, identifier: str, target: bool) -> None:
        made = self.deployments.pop(identifier, None)
        if made is None:
            return
        if made.source in self.clusters:
            blue = self.clusters[made.source]
            blue.locked = False
            for name in DATABASES:
                blue.slots.pop(f"rds_{name}", None)
        if target:
            self.remove_cluster(made.target)

    # Clusters and instances.

    def _RestoreDBClusterToPointInTime(self, p: Parameters) -> dict[str, Any]:  # noqa: N802
        name = p["DBClusterIdentifier"]
        if self.named(name):
            raise AwsRefused("DBClusterAlreadyExistsFault", f"{name} exists")
        source = self._cluster(p["SourceDBClusterIdentifier"])
        made = self.new_cluster(name, source.version, self.acting, source.group)
        made.status, made.tags = "creating", tags_of(p)
        made.protected = bool(p.get("DeletionProtection"))
        source.clone_group = made.clone_group = source.clone_group or f"group-{made.system}"
        self.copy_data(source, made)
        self.clock.later(5.0, "cluster_is_up", made.resource_id)
        self._made("clone", name)
        return {"DBCluster": {"DbClusterResourceId": made.resource_id}}

    def cluster_is_up(self, resource_id: str) -> None:
        found = self.clusters.get(resource_id)
        if found is not None and found.status != "deleting":
            found.status = "available"

    def _CreateDBInstance(self, p: Parameters) -> None:  # noqa: N802
        name = p["DBInstanceIdentifier"]
        if self.instance_named(name):
            raise AwsRefused("DBInstanceAlreadyExists", f"{name} exists")
        cluster = self._cluster(p["DBClusterIdentifier"])
        if cluster.status != "available":
            raise AwsRefused("InvalidDBClusterStateFault", f"{cluster.name} is {cluster.status}")
        made = self.new_instance(name, cluster)
        made.status, made.tags = "creating", tags_of(p)
        self.clock.later(4.0, "instance_is_up", made.resource_id)
        self._made("instance", name)

    def instance_is_up(self, resource_id: str) -> None:
        found = self.instances.get(resource_id)
        if found is not None and found.status != "deleting":
            found.status = "available"

    def _RebootDBInstance(self, p: Parameters) -> None:  # noqa: N802
        instance = self._instance(p["DBInstanceIdentifier"])
        instance.status, instance.in_sync = "rebooting", True
        cluster = self.clusters[instance.cluster]
        if self.members(cluster)[0] is instance:
            self.drop_connections(cluster)
        self.clock.later(2.0, "instance_is_up", instance.resource_id)

    def _instance(self, name: str) -> Instance:
        found = self.instance_named(name)
        if found is None:
            raise AwsRefused("DBInstanceNotFound", f"DBInstance {name} not found")
        return found

    def _DeleteDBInstance(self, p: Parameters) -> None:  # noqa: N802
        instance = self._instance(p["DBInstanceIdentifier"])
        if instance.status == "deleting":
            raise AwsRefused("InvalidDBInstanceState", f"{instance.name} is deleting")
        instance.status = "deleting"
        self.clock.later(2.0, "instance_goes", instance.resource_id)

    def instance_goes(self, resource_id: str) -> None:
        self.instances.pop(resource_id, None)

    def _DeleteDBCluster(self, p: Parameters) -> None:  # noqa: N802
        cluster = self._cluster(p["DBClusterIdentifier"])
        if cluster.protected or cluster.status == "deleting":
            raise AwsRefused("InvalidParameterCombination", f"{cluster.name} is not to be deleted")
        if any(each.status != "deleting" for each in self.members(cluster)):
            raise AwsRefused("InvalidDBClusterStateFault", f"{cluster.name} has instances")
        cluster.status = "deleting"
        self.drop_connections(cluster)
        self.clock.later(3.0, "remove_cluster", cluster.resource_id)

    def _ModifyDBCluster(self, p: Parameters) -> None:  # noqa: N802
        cluster = self._cluster(p["DBClusterIdentifier"])
        if name := p.get("NewDBClusterIdentifier"):
            if self.named(name):
                raise AwsRefused("DBClusterAlreadyExistsFault", f"{name} exists")
            self.rename(cluster, name)
        if p.get("DeletionProtection") is False:
            cluster.protected = False

    def _CreateDBClusterSnapshot(self, p: Parameters) -> None:  # noqa: N802
        name = p["DBClusterSnapshotIdentifier"]
        if name in self.snapshots:
            raise AwsRefused("DBClusterSnapshotAlreadyExistsFault", f"{name} exists")
        cluster = self._cluster(p["DBClusterIdentifier"])
        self.snapshots[name] = Snapshot(name, cluster.resource_id, self.acting)
        self.clock.later(3.0, "snapshot_is_made", name)
        self._made("snapshot", name)

    def snapshot_is_made(self, name: str) -> None:
        self.snapshots[name].status = "available"

    def _AddTagsToResource(self, p: Parameters) -> None:  # noqa: N802
        if self.tagless:
            raise AccessDenied("AccessDenied", "not authorized to perform rds:AddTagsToResource")
        self._cluster(p["ResourceName"].rsplit(":", 1)[-1]).tags.update(tags_of(p))

    def _ChangeResourceRecordSets(self, p: Parameters) -> dict[str, Any]:  # noqa: N802
        (change,) = p["ChangeBatch"]["Changes"]
        self.clock.later(1.0, "record_moves", change["ResourceRecordSet"]["ResourceRecords"][0])
        return {"ChangeInfo": {"Id": "C1"}}

    def record_moves(self, record: dict[str, str]) -> None:
        self.lead = record["Value"]

    # By hand.

    def hand_deletes(self, resource_id: str) -> None:
        """Somebody deletes a cluster that serves nobody."""
        found = self.clusters.get(resource_id)
        if found is not None and not found.open and found is not self.serving():
            self.remove_cluster(resource_id)

    def hand_lets_go(self, identifier: str) -> None:
        """Somebody deletes a deployment, keeping both clusters."""
        made = self.deployments.get(identifier)
        if made is not None and made.status in ("AVAILABLE", "SWITCHOVER_COMPLETED"):
            self.deployment_goes(identifier, False)

    def hand_loses_slots(self, resource_id: str) -> None:
        """The slots of runs keep more than they may, and are lost."""
        found = self.clusters.get(resource_id)
        for name, slot in found.slots.items() if found is not None else ():
            slot.lost |= name.startswith("blueprime_")

    def hand_renames(self, resource_id: str, name: str) -> None:
        """Somebody renames a cluster that serves nobody."""
        found = self.clusters.get(resource_id)
        if found is not None and found is not self.serving() and not self.named(name):
            self.rename(found, name)

    def hand_makes(self, name: str, tags: dict[str, str]) -> None:
        """Somebody makes a cluster of a name, with what such clusters have in them."""
        if self.named(name):
            return
        like = next(iter(self.clusters.values()))
        made = self.new_cluster(name, like.version, SOMEBODY, "blue-pg")
        made.tags = tags
        self.copy_data(like, made)
        for database in made.databases.values():
            database.rows = {}
        self.new_instance(f"{name}-x1", made)

    def hand_deploys(self, name: str) -> None:
        """Somebody makes a deployment of another cluster under a name that the run would use."""
        if any(each.name == name for each in self.deployments.values()) or self.named("other"):
            return
        self.hand_makes("other", {})
        self.new_deployment(name, self._cluster("other"), "blue-pg", SOMEBODY, {})
