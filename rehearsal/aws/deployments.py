"""The actions on blue/green deployments, but for the switchover."""

from __future__ import annotations

import time

from rehearsal.aws import errors
from rehearsal.aws.clusters import forget_cluster
from rehearsal.aws.control import Control
from rehearsal.aws.instances import add_instance
from rehearsal.aws.models import Cluster, Deployment, Instance, Pair, now, suffix
from rehearsal.aws.parameters import evaluate, server_settings
from rehearsal.aws.prerequisites import check_name, check_source, check_target, late_refusal
from rehearsal.aws.registry import Params, Shape, action, filters, matches, page, required, tag_map
from rehearsal.aws.shapes import deployment_shape
from rehearsal.replication import Task

_DURATIONS = {
    Task.CREATING_READ_REPLICA: "green-replica",
    Task.ENGINE_UPGRADE: "green-upgrade",
    Task.CREATE_INSTANCES: "green-instances",
}
_WATCH_S = 1.0


def find(control: Control, identifier: str) -> Deployment:
    """Return a deployment by its identifier, or raise BlueGreenDeploymentNotFoundFault."""
    for deployment in control.deployments:
        if deployment.identifier == identifier:
            return deployment
    raise errors.deployment_not_found(identifier)


@action("DescribeBlueGreenDeployments")
def describe(control: Control, params: Params) -> Shape:
    """List deployments; an unknown identifier is an error, a filter without a match is not."""
    wanted = filters(
        params,
        "blue-green-deployment-identifier",
        "blue-green-deployment-name",
        "source",
        "target",
    )
    with control.lock:
        identifier = params.get("BlueGreenDeploymentIdentifier")
        found = [find(control, identifier)] if identifier else control.deployments
        rows = [
            deployment_shape(control, each)
            for each in found
            if matches(wanted, "blue-green-deployment-identifier", each.identifier)
            and matches(wanted, "blue-green-deployment-name", each.name)
            and matches(wanted, "source", control.arn(each.source))
            and matches(wanted, "target", control.arn(each.target) if each.target else None)
        ]
    return page(params, "BlueGreenDeployments", rows)


@action("CreateBlueGreenDeployment")
def create(control: Control, params: Params) -> Shape:
    """Begin a deployment: check what AWS checks at the call, then make green in the background."""
    with control.lock:
        name = check_name(control, required(params, "BlueGreenDeploymentName"))
        source = required(params, "Source")
        if ":cluster:" not in source:
            raise errors.invalid_value(f"Source is not the ARN of a DB cluster: {source}")
        blue = control.cluster(source)
        check_source(control, blue)
        version, group, instance_group = check_target(control, blue, params)
        tasks = (
            [*_DURATIONS]
            if version != blue.version
            else [
                Task.CREATING_READ_REPLICA,
                Task.CREATE_INSTANCES,
            ]
        )
        deployment = Deployment(
            name=name,
            source=blue,
            target_version=version,
            target_group=group,
            target_instance_group=instance_group,
            tags=tag_map(params),
            tasks={task.value: "PENDING" for task in tasks},
            pairs=[Pair(blue), *(Pair(member) for member in blue.instances)],
        )
        control.deployments.append(deployment)
        shape = deployment_shape(control, deployment)
        control.background(f"create deployment {name}", lambda: _provision(control, deployment))
        return {"BlueGreenDeployment": shape}


def _provision(control: Control, deployment: Deployment) -> None:
    refusal = late_refusal(control, deployment)
    if refusal is None:
        green = _new_green(control, deployment)
        progress = _Progress(control, deployment, green)
        try:
            control.fleet.replicate(
                deployment.source.resource_id,
                green.resource_id,
                deployment.target_version,
                _green_settings(deployment),
                progress.on_task,
            )
        except Exception as error:
            deployment.target = None
            forget_cluster(control, green)
            _fail(control, deployment, f"Creation of blue/green deployment failed: {error}")
            raise
        with control.lock:
            for pair in deployment.pairs:
                pair.status = "AVAILABLE"
            deployment.status = "AVAILABLE"
            control.event(
                deployment,
                "Blue/green deployment tasks completed. You can make more modifications to the "
                "green environment databases or switch over the deployment.",
                "creation",
            )
        _watch(control, deployment)
    else:
        with control.pace.at_least("green-replica"):
            deployment.tasks[Task.CREATING_READ_REPLICA.value] = "IN_PROGRESS"
        _fail(control, deployment, refusal)


def _fail(control: Control, deployment: Deployment, reason: str) -> None:
    with control.lock:
        for name, status in deployment.tasks.items():
            if status == "IN_PROGRESS":
                deployment.tasks[name] = "FAILED"
        for pair in deployment.pairs:
            pair.target = None
        deployment.status = "INVALID_CONFIGURATION"
        deployment.details = reason
        control.event(deployment, reason, "failure")


def _new_green(control: Control, deployment: Deployment) -> Cluster:
    """Make green's record: at first a copy of blue, under a name of its own."""
    blue = deployment.source
    with control.lock:
        green = Cluster(
            identifier=f"{blue.identifier}-green-{suffix()}",
            version=blue.version,
            group=blue.group,
            master=blue.master,
            port=0,
            settings=dict(blue.settings),
            security_groups=list(blue.security_groups),
            tags=dict(blue.tags),
        )
        control.name_cluster(green, green.identifier)
        control.clusters.append(green)
        deployment.target = deployment.pairs[0].target = green
    return green


def _green_settings(deployment: Deployment) -> dict[str, str]:
    writer = deployment.source.writer
    instance_class = writer.instance_class if writer else ""
    values = dict(deployment.target_group.effective())
    if deployment.target_instance_group:
        values.update(deployment.target_instance_group.values)
    resolved = {
        name: evaluate(value, instance_class) for name, value in values.items() if value is not None
    }
    return server_settings(resolved, deployment.target_version)


class _Progress:
    """Turns what the fleet reports into tasks and states, each as long as it takes on AWS."""

    def __init__(self, control: Control, deployment: Deployment, green: Cluster) -> None:
        self._control = control
        self._deployment = deployment
        self._green = green
        self._began = 0.0

    def on_task(self, task: Task, status: str) -> None:
        """Take note of a task's status; a completed one first lasts as long as on AWS."""
        if status == "IN_PROGRESS":
            self._began = time.monotonic()
        elif task in _DURATIONS:
            whole = self._control.pace.seconds(_DURATIONS[task])
            self._control.pace.wait(max(0.0, self._began + whole - time.monotonic()))
        with self._control.lock:
            if task.value in self._deployment.tasks:
                self._deployment.tasks[task.value] = status
            self._change_states(task, status)

    def _change_states(self, task: Task, status: str) -> None:
        green, deployment = self._green, self._deployment
        match task, status:
            case Task.ENGINE_UPGRADE, "IN_PROGRESS":
                green.status = "upgrading"
                self._control.event(green, "Upgrade preparation in progress: Starting.", "upgrade")
            case Task.ENGINE_UPGRADE, "COMPLETED":
                green.version = deployment.target_version
                green.group = deployment.target_group
                green.status = "available"
                self._control.event(
                    green, "Database cluster major version has been upgraded", "maintenance"
                )
            case Task.CREATE_INSTANCES, "IN_PROGRESS":
                green.version = deployment.target_version
                green.group = deployment.target_group
                green.status = "available"
                self._add_members()
            case Task.CREATE_INSTANCES, "COMPLETED":
                for member in green.instances:
                    member.apply_groups()
                    member.status = "available"
                self._control.route(green)

    def _add_members(self) -> None:
        for pair in self._deployment.pairs[1:]:
            blue_member = pair.source
            assert isinstance(blue_member, Instance)
            version = self._deployment.target_version
            group = self._deployment.target_instance_group or self._control.fitting_group(
                None if blue_member.group.is_default else blue_member.group.name,
                version,
                cluster=False,
            )
            member = Instance(
                identifier=f"{blue_member.identifier}-green-{suffix()}",
                cluster=self._green,
                instance_class=blue_member.instance_class,
                group=group,
                port=0,
                settings=dict(blue_member.settings),
                tags=dict(blue_member.tags),
                tier=blue_member.tier,
                is_writer=blue_member.is_writer,
            )
            add_instance(self._control, member)
            pair.target = member


def _watch(control: Control, deployment: Deployment) -> None:
    """Say so when the replication degrades.

    The user guide names the state "Replication degraded" and forbids the switchover then; how
    the API shows it is not documented. Here the status stays AVAILABLE, `StatusDetails` says it,
    and the switchover's guardrails refuse.
    """
    while deployment in control.deployments and not deployment.switched:
        green = deployment.target
        if deployment.status == "AVAILABLE" and green and not green.gone:
            state = control.fleet.replication_state(
                deployment.source.resource_id, green.resource_id
            )
            if state.degraded and deployment.status == "AVAILABLE":
                deployment.details = f"Replication degraded: {state.degraded}"
                control.event(deployment, deployment.details, "notification")
                return
        control.pace.wait(_WATCH_S)


@action("DeleteBlueGreenDeployment")
def delete(control: Control, params: Params) -> Shape:
    """Delete a deployment: before the switchover with or without green, after it alone.

    After the switchover old blue's lock goes with it.
    """
    with control.lock:
        deployment = find(control, required(params, "BlueGreenDeploymentIdentifier"))
        with_target = bool(params.get("DeleteTarget"))
        if deployment.status in ("PROVISIONING", "SWITCHOVER_IN_PROGRESS", "DELETING"):
            raise errors.deployment_state(
                f"The blue/green deployment {deployment.identifier} can't be deleted in status "
                f"{deployment.status}."
            )
        if with_target and deployment.switched:
            raise errors.invalid_combination(
                "You can't specify DeleteTarget if the blue/green deployment status is "
                "SWITCHOVER_COMPLETED."
            )
        green = deployment.target
        if with_target and green and green.deletion_protection:
            raise errors.invalid_combination(
                "Cannot delete protected Cluster, please disable deletion protection and try again."
            )
        deployment.status = "DELETING"
        deployment.deleted = now()
        if with_target and green and not green.gone:
            green.status = "deleting"
            for member in green.instances:
                member.status = "deleting"
        control.background(
            f"delete deployment {deployment.name}",
            lambda: _delete(control, deployment, with_target=with_target),
        )
        return {"BlueGreenDeployment": deployment_shape(control, deployment)}


def _delete(control: Control, deployment: Deployment, *, with_target: bool) -> None:
    blue, green = deployment.source, deployment.target
    with control.pace.at_least("delete-deployment"):
        if deployment.switched:
            if not blue.gone:
                control.fleet.unlock(blue.resource_id)
        elif green and not green.gone:
            control.fleet.detach(blue.resource_id, green.resource_id)
            if with_target:
                forget_cluster(control, green)
    with control.lock:
        control.deployments.remove(deployment)
        control.event(deployment, "Blue/green deployment deleted.", "deletion")
