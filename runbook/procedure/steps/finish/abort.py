"""Before the switchover: everything that was made goes, and blue is as it was."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runbook.aws import Call
from runbook.base import step_keys
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Effect, Gate, Impact, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused
from runbook.procedure.steps.shared import remains
from runbook.procedure.steps.shared.deletion import delete_group_effect, unprotect
from runbook.procedure.steps.shared.effects import ApiEffect, no, yes
from runbook.procedure.steps.shared.parameters import LISTED_S, target_group
from runbook.procedure.steps.traffic import keep_traffic, letting_in
from runbook.procedure.steps.upgrade.create_deployment import Deletion, deployment
from state.enums import Result

SWITCHING = ("SWITCHOVER_IN_PROGRESS", "SWITCHOVER_COMPLETED")


class AssessAbort(Step):
    """Make sure that the pivot has not happened."""

    key = "assess"
    title = "Assess the abort"
    why = "After the switchover there is nothing to abort: the way back is a rollback."

    async def verify(self, context: RunContext, watch: Watch) -> None:
        found = await deployment(context)
        if found is not None and found.status in SWITCHING:
            raise Refused(
                f"The deployment is {found.status}.",
                todo="Branch to rollback instead.",
            )
        blue = await context.cluster(Role.BLUE)
        if blue.identifier != context.plan.cluster.identifier:
            raise Refused(
                f"Blue is named {blue.identifier}: a switchover has happened.",
                todo="Branch to rollback instead.",
            )
        watch.evidence(
            f"{blue.identifier} is blue on {blue.engine_version}; the deployment is "
            + (found.status if found else "not there")
        )


class ReopenBlue(Step):
    """Let the applications in again, first of all."""

    key = step_keys.REOPEN_BLUE
    title = "Let the applications in on blue"
    why = "If they were stopped, every second until here was downtime."
    risk = Risk.REVERSIBLE
    undo = "stop-traffic."

    async def skip(self, context: RunContext) -> str:
        # Without evidence as well: a crash may have come between the stopping and its proof.
        return "" if context.begun(step_keys.STOP_TRAFFIC) else "the traffic was never stopped"

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        return letting_in(context, Role.BLUE)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        keep_traffic(context, watch, "the applications may write on blue", on=Role.BLUE)


class DeleteGreen(Step):
    """Delete the deployment and green with it.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-deleting.html
    """

    key = "delete-green"
    title = "Delete the deployment and green"
    why = "Green is billed like production, and its slot keeps WAL on blue."
    risk = Risk.DESTRUCTIVE
    undo = "Start again: create-deployment makes a new green."

    async def skip(self, context: RunContext) -> str:
        return "" if await deployment(context) is not None else "there is no deployment"

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        found = await deployment(context)
        if found is None:
            return ()
        name = context.plan.cluster.identifier
        return (
            Gate(
                key="delete-green",
                question=(
                    f"Delete the deployment {found.identifier} of {name} and the green cluster "
                    f"{found.target.rsplit(':', 1)[-1] or '(not made yet)'}."
                ),
                reversible="Blue stays and serves. A new green takes as long as this one took.",
                must_type=name,
            ),
        )

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        found = await deployment(context)
        if found is None:
            return ()
        waves: list[list[Effect]] = []
        green = await context.rds.cluster(found.target.rsplit(":", 1)[-1]) if found.target else None
        if green is not None and green.deletion_protection:
            # Green copies blue's deletion protection, and would refuse to go.
            waves.append([unprotect(context, green, Role.GREEN)])

        async def probe() -> Finding:
            now = await context.rds.deployment(found.identifier)
            if now is None or now.status == "DELETING":
                return yes("it is gone" if now is None else now.status)
            return no(f"it is {now.status}")

        effect = ApiEffect(
            context,
            Call(
                "rds",
                "DeleteBlueGreenDeployment",
                {"BlueGreenDeploymentIdentifier": found.identifier, "DeleteTarget": True},
            ),
            key=f"{found.identifier}/delete",
            title=f"delete deployment {found.identifier} with green",
            probe=probe,
            stakes=ClusterImpact(Impact.DELETE, Role.GREEN),
            # AWS may not let go of a green that it is still making.
            patience_s=context.plan.limits.delete_deployment_s,
        )
        return [*waves, [effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        limits, deletion = context.plan.limits, Deletion(context)
        kept_since: float | None = None
        async for _ in watch.until(
            limits.delete_deployment_s, every_s=limits.poll_s, what="green to be gone"
        ):
            found = await deployment(context)
            bound = context.bound(Role.GREEN)
            green = await context.rds.cluster_by_resource_id(bound) if bound else None
            if found is None and green is None:
                watch.evidence("the deployment and green are gone")
                return
            going = found is not None or green is None or green.status == "deleting"
            kept_since = None if going else kept_since or time.monotonic()
            if kept_since and time.monotonic() - kept_since > limits.late_effect_s:
                watch.evidence("the deployment is gone; green stays, by somebody's hand")
                return
            state = f"{found.status} {found.status_details}".rstrip() if found else "gone"
            watch.progress(f"deployment {state}, green {green.status if green else 'gone'}")
            if found is not None:
                deletion.look(found)


class DeleteParameterGroup(Step):
    """Delete the group that was made for green."""

    key = "delete-parameter-group"
    title = "Delete green's parameter group"
    why = "Nothing uses it any more."
    risk = Risk.DESTRUCTIVE
    undo = "prepare-parameters makes it again."

    async def skip(self, context: RunContext) -> str:
        if context.plan.upgrade.cluster_parameter_group:
            return "the plan's own group stays"
        name = target_group(context)
        if await context.rds.cluster_parameter_group(name) is None:
            return "there is no group of this run"
        users = [c.identifier for c in await context.rds.clusters() if c.parameter_group == name]
        return f"{', '.join(users)} still uses {name}" if users else ""

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        return [[delete_group_effect(context, target_group(context))]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        name = target_group(context)
        async for _ in watch.until(
            LISTED_S, every_s=context.plan.limits.poll_s, what=f"{name} to be gone"
        ):
            if await context.rds.cluster_parameter_group(name) is None:
                watch.evidence(f"{name} is gone")
                return


class VerifyAborted(Step):
    """Say that blue is as it was."""

    key = "verify-end"
    title = "Verify the end"
    why = "Nothing of the run is left."
    rests = True

    async def verify(self, context: RunContext, watch: Watch) -> None:
        blue = await context.cluster(Role.BLUE)
        watch.evidence(f"{blue.identifier} serves on {blue.engine_version}, as before")
        green = await context.find(Role.GREEN)
        if green is not None:
            watch.evidence(
                f"green, {green.identifier}, is still there and billed: it went out of its "
                "deployment by somebody's hand and does not bear this run's tag, so it is not "
                "deleted here. If it is to go, delete its instances and the cluster by hand."
            )
        await remains.tell(context, watch)
        watch.result(Result.ABORTED)
