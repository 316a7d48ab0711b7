"""The actions on blue/green deployments, but for the switchover."""

from __future__ import annotations

from rehearsal.aws import errors
from rehearsal.aws.clusters import forget_cluster
from rehearsal.aws.control import Control
from rehearsal.aws.models import Deployment, Pair, now
from rehearsal.aws.prerequisites import check_name, check_source, check_target
from rehearsal.aws.provisioning import provision, tasks_of
from rehearsal.aws.registry import Params, Shape, action, filters, matches, page, required, tag_map
from rehearsal.aws.shapes import deployment_shape


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
        deployment = Deployment(
            name=name,
            source=blue,
            target_version=version,
            target_group=group,
            target_instance_group=instance_group,
            tags=tag_map(params),
            tasks=tasks_of(blue, version),
            pairs=[Pair(blue), *map(Pair, blue.instances), *map(Pair, blue.endpoints)],
        )
        control.deployments.append(deployment)
        shape = deployment_shape(control, deployment)
        control.background(
            f"create deployment {name}", lambda: provision(control, deployment), of=deployment
        )
        return {"BlueGreenDeployment": shape}


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
        if with_target and green and not green.gone and green.deletion_protection:
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
            of=deployment,
            failed=lambda words: _not_deleted(deployment, words),
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


def _not_deleted(deployment: Deployment, words: str) -> None:
    """Tell by its status that a deployment stays: it may be deleted once more."""
    deployment.status, deployment.details, deployment.deleted = "INVALID_CONFIGURATION", words, None
    green = deployment.target
    if green and not green.gone:
        green.status = "available"
        for member in green.instances:
            member.status = "available"
