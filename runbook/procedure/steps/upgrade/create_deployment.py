"""Green: the deployment, and the wait until AWS has made it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runbook.amounts import counted
from runbook.aws import Call
from runbook.aws.facts import Cluster, Deployment, Instance, tag_rows
from runbook.base import derived_names
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.base.step import Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused, StepFailed
from runbook.procedure.steps.shared.effects import ApiEffect, no, unknown, yes
from runbook.procedure.steps.shared.parameters import LISTED_S, target_group

AVAILABLE = "AVAILABLE"
INVALID = "INVALID_CONFIGURATION"
DELETING = "DELETING"

STEADY_LOOKS = 3
"""Looks in a row that must find green available: AWS has shown it too early."""


async def deployment(context: RunContext) -> Deployment | None:
    """Return this run's blue/green deployment as it is now, or None where there is none."""
    kept = context.fact("deployment")
    if kept is not None:
        return await context.rds.deployment(str(kept["identifier"]))
    return await _deployment_made(context)


async def _deployment_made(context: RunContext) -> Deployment | None:
    """Return the deployment that bears the run's name and tag: a name alone may be anybody's."""
    found = await context.rds.deployment_by_name(derived_names.deployment(context.run))
    return found if found is not None and found.tags.get(RUN_TAG) == context.run else None


async def required_deployment(context: RunContext) -> Deployment:
    """Return this run's deployment, or fail in words.

    Raises `StepFailed`.
    """
    found = await deployment(context)
    if found is None:
        await blue_by_its_name(context)
        name = derived_names.deployment(context.run)
        raise StepFailed(
            f"AWS has no blue/green deployment {name} of this run.",
            now="Blue serves as before, unless the switchover was made; see the clusters.",
            todo="Look in the console who deleted it. Branch to abort, and start again.",
        )
    return found


async def blue_by_its_name(context: RunContext) -> Cluster:
    """Return blue; refuse where another cluster bears its name, as after a switchover.

    The journal may know less than the world: an older copy of it was put back.

    Raises `Refused`.
    """
    blue = await context.cluster(Role.BLUE)
    if blue.identifier != context.plan.cluster.identifier:
        raise Refused(
            f"Blue is named {blue.identifier}: a switchover has happened, and this journal does "
            "not know of it.",
            todo="Put a newer backup of the journal back (blueprime journal check, then restore "
            "--backup NUMBER), or rebuild the run from what is there: blueprime adopt "
            f"{context.plan.cluster.identifier}.",
        )
    return blue


class Deletion:
    """The deletion of a deployment that AWS has accepted, look by look.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-deleting.html
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._begun = False
        self._asked = time.monotonic()

    def look(self, found: Deployment) -> None:
        """Fail where AWS has given the deletion up, or does not begin it.

        Its describes trail what it has accepted for a moment.

        Raises `StepFailed`.
        """
        if found.status == DELETING:
            self._begun = True
            return
        waited = time.monotonic() - self._asked
        if self._begun or waited > self._context.plan.limits.late_effect_s:
            what = "is not deleted any more" if self._begun else "is not being deleted"
            raise StepFailed(
                f"The deployment {found.identifier} {what}: it is {found.status}. "
                f"{found.status_details}".rstrip(),
                now="Nothing else was changed.",
                todo="Look at its events in the console and repair what they name. Then run the "
                "step again, which asks AWS once more.",
            )


class CreateDeployment(Step):
    """Ask AWS for green.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-creating.html
    """

    key = "create-deployment"
    title = "Create the blue/green deployment"
    why = "AWS copies blue, upgrades the copy, and feeds it by logical replication."
    risk = Risk.REVERSIBLE
    undo = "abort deletes the deployment and green; blue stays as it is."

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        blue = await blue_by_its_name(context)
        name = derived_names.deployment(context.run)
        plan = context.plan.upgrade
        parameters = {
            "BlueGreenDeploymentName": name,
            "Source": blue.arn,
            "TargetEngineVersion": plan.target_version,
            "TargetDBClusterParameterGroupName": target_group(context),
            "Tags": tag_rows(context.tags),
        }
        if plan.instance_parameter_group:
            parameters["TargetDBParameterGroupName"] = plan.instance_parameter_group

        async def probe() -> Finding:
            found = await context.rds.deployment_by_name(name)
            if found is None:
                return no(f"there is no deployment {name}")
            if found.tags.get(RUN_TAG) != context.run:
                return unknown(f"a deployment {name} exists that does not bear this run's tag")
            return yes(f"{name} is {found.identifier}, {found.status}", identifier=found.identifier)

        effect = ApiEffect(
            context,
            Call("rds", "CreateBlueGreenDeployment", parameters),
            key=name,
            title=f"create blue/green deployment {name} of {blue.identifier}",
            probe=probe,
            keep=lambda answer: {
                "identifier": answer["BlueGreenDeployment"]["BlueGreenDeploymentIdentifier"]
            },
        )
        return [[effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        async for _ in watch.until(LISTED_S, every_s=1, what="the deployment to be listed"):
            found = await _deployment_made(context)
            if found is not None:
                watch.evidence(
                    f"{found.name} is {found.identifier}, {found.status}",
                    key="deployment",
                    value={"identifier": found.identifier, "name": found.name},
                )
                return


class AwaitGreen(Step):
    """Wait until AWS has made green.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-viewing.html
    """

    key = "await-green"
    title = "Wait for green"
    why = "Half an hour to several hours; blue serves all the while."
    undo = "abort deletes green; waiting itself changes nothing."

    async def verify(self, context: RunContext, watch: Watch) -> None:
        limits = context.plan.limits
        steady = 0
        async for _ in watch.until(
            limits.create_deployment_s, every_s=limits.poll_s, what="green to become available"
        ):
            found = await required_deployment(context)
            refuse_invalid(found)
            busy = await self._busy(context, found)
            steady = 0 if busy else steady + 1
            if steady >= STEADY_LOOKS and await self._bind(context, watch, found):
                return
            done = sum(1 for _, status in found.tasks if status == "COMPLETED")
            watch.progress(
                f"{found.status}: {busy or 'looking once more'} "
                f"({done} of {len(found.tasks)} tasks done)",
                done / len(found.tasks) if found.tasks else None,
            )

    async def _busy(self, context: RunContext, found: Deployment) -> str:
        """Return what is not available yet, or an empty string; fail on what will not be."""
        active = next((name for name, status in found.tasks if status == "IN_PROGRESS"), "")
        if found.status != AVAILABLE or not found.target:
            return active or "waiting"
        name = found.target.rsplit(":", 1)[-1]
        green = await context.rds.cluster(name)
        if green is None:
            return f"{name} is not listed"
        instances = await context.rds.instances(green.identifier)
        members: list[Cluster | Instance] = [green, *instances]
        for each in members:
            if each.failed:
                raise StepFailed(
                    f"{each.identifier} of green is {each.status}.",
                    now="Blue serves as before.",
                    todo="Look in the console why. If it is not repaired there, branch to abort "
                    "and start again; if it is, run the step again.",
                )
        if not instances:
            return f"{name} has no instances"
        return next(
            (f"{each.identifier} is {each.status}" for each in members if not each.available), ""
        )

    async def _bind(self, context: RunContext, watch: Watch, found: Deployment) -> bool:
        green = await context.rds.cluster(found.target.rsplit(":", 1)[-1])
        if green is None:
            return False
        watch.evidence(
            f"green is {green.identifier} ({green.resource_id}), version {green.engine_version}, "
            f"{counted(len(green.members), 'instance')} available",
            key="role.green",
            value={"resource_id": green.resource_id, "name": green.identifier},
        )
        return True


def refuse_invalid(found: Deployment) -> None:
    """Fail where AWS says that nothing can come of a deployment any more.

    Raises `StepFailed`.
    """
    if found.status == INVALID:
        raise StepFailed(
            f"The deployment {found.identifier} is {INVALID}: "
            f"{found.status_details.rstrip('.') or 'AWS gives no reason'}.",
            now="Blue serves as before. AWS does not switch over to this green.",
            todo="Branch to abort, which deletes it; repair the cause, and start again.",
        )
