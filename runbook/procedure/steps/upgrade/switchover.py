"""The pivot: green becomes production."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runbook.aws import Call
from runbook.aws.facts import Deployment
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Gate, Impact, Risk, Step, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.procedure.steps.shared.effects import ApiEffect, no, unknown, yes
from runbook.procedure.steps.upgrade.create_deployment import (
    AVAILABLE,
    INVALID,
    deployment,
    required_deployment,
)
from runbook.proofs import write_fence

IN_PROGRESS = "SWITCHOVER_IN_PROGRESS"
COMPLETED = "SWITCHOVER_COMPLETED"
FAILED = "SWITCHOVER_FAILED"

RETURNED = "switchover.returned"
"""The fact that AWS gave a switchover up and blue is production as before."""

STILL_AVAILABLE_S = 60.0
"""Right after the call Describe may still say AVAILABLE; within this it is not a cancellation."""


def pivot_gate(context: RunContext) -> Gate:
    """Return the decision that stops the applications and switches over."""
    name = context.plan.cluster.identifier
    return Gate(
        key="pivot",
        question=(
            f"Stop the applications of {name} and switch it over to version "
            f"{context.plan.upgrade.target_version}. Each step until they are let in again follows "
            "by itself."
        ),
        reversible=(
            "Until the switchover, abort undoes everything and loses nothing. After it, the way "
            "back is a rollback, which loses nothing either: before traffic resumes to old blue, "
            "later to blue prime."
        ),
        must_type=name,
    )


class Switchover(Step):
    """Let AWS rename green to production.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html
    """

    key = "switchover"
    title = "Switch over"
    why = "Renames green to production; from here on undo means rollback."
    risk = Risk.PIVOT
    undo = "rollback: before traffic resumes, back to old blue; nothing is lost."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        return (pivot_gate(context),)

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        kept = context.fact("deployment")
        identifier = kept["identifier"] if kept else (await required_deployment(context)).identifier
        timeout = context.plan.upgrade.switchover_timeout_s
        await self._refuse_invalid(context)
        await self._refuse_open(context)

        async def worth_waiting() -> bool:
            # AWS may refuse for minutes although it says AVAILABLE; any other status stays.
            now = await deployment(context)
            return now is not None and now.status == AVAILABLE

        async def probe() -> Finding:
            now = await deployment(context)
            if now is None:
                if await _named_as_after(context):
                    return yes(f"the deployment {identifier} is gone, and green is production")
                return unknown(f"the deployment {identifier} is gone")
            if now.status in (IN_PROGRESS, COMPLETED):
                return yes(f"the deployment is {now.status}")
            if now.status == AVAILABLE:
                return no(f"the deployment is {now.status}")
            if now.status in (FAILED, INVALID) and not await _named_as_after(context):
                return no(f"the deployment is {now.status}")
            return unknown(f"the deployment is {now.status}")

        effect = ApiEffect(
            context,
            Call(
                "rds",
                "SwitchoverBlueGreenDeployment",
                {"BlueGreenDeploymentIdentifier": identifier, "SwitchoverTimeout": timeout},
            ),
            key=f"{identifier}/switchover",
            title=f"switch over {identifier} (within {timeout} s, else AWS puts all back)",
            probe=probe,
            keep=lambda _: {"called_at": context.now().isoformat()},
            worth=worth_waiting,
            stakes=ClusterImpact(Impact.CLOSE, Role.BLUE),
        )
        return [[effect]]

    async def _refuse_open(self, context: RunContext) -> None:
        """Refuse the pivot where the fence was proved some time ago and does not stand any more.

        Once it was asked for, blue is AWS's to close.
        """
        if context.begun(self.key) and context.fact(RETURNED) is None:
            return
        found = await deployment(context)
        if found is not None and found.status == AVAILABLE:
            blue = await context.cluster(Role.BLUE)
            await write_fence.refuse_if_open(
                context,
                Role.BLUE,
                now=f"The switchover was not asked for: {blue.identifier} is blue, on "
                f"{blue.engine_version}. The applications are stopped.",
            )

    async def _refuse_invalid(self, context: RunContext) -> None:
        found = await deployment(context)
        if found is None or found.status != INVALID or await _named_as_after(context):
            return
        blue = await context.cluster(Role.BLUE)
        raise StepFailed(
            f"The deployment {found.identifier} has turned {INVALID}: "
            f"{found.status_details.rstrip('.') or 'AWS gives no reason'}.",
            now=f"{blue.identifier} is blue, on {blue.engine_version}. The applications are "
            "stopped. AWS does not switch over to this green.",
            todo="Branch to abort, which starts them and deletes green.",
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        limits = context.plan.limits
        limit = context.plan.upgrade.switchover_timeout_s + limits.switchover_grace_s
        begun = False
        async for waited in watch.until(
            limit, every_s=limits.fast_poll_s, what="the switchover to end"
        ):
            found = await deployment(context)
            if found is None and not await _named_as_after(context):
                raise await self._gone(context, watch)
            if found is None or found.status == COMPLETED:
                await self._completed(context, watch)
                return
            begun = begun or found.status == IN_PROGRESS
            watch.progress(f"{found.status} {found.status_details}".strip())
            if found.status in (FAILED, INVALID) or (
                found.status == AVAILABLE and (begun or waited > STILL_AVAILABLE_S)
            ):
                raise await self._returned(context, watch, found)

    async def _completed(self, context: RunContext, watch: Watch) -> None:
        name = context.plan.cluster.identifier
        new_blue, old_blue = await asyncio.gather(
            context.cluster(Role.NEW_BLUE), context.cluster(Role.OLD_BLUE)
        )
        if new_blue.identifier != name:
            raise StepFailed(
                f"AWS reports {COMPLETED}, but new blue ({new_blue.resource_id}) is named "
                f"{new_blue.identifier}, not {name}.",
                now="The applications are still stopped.",
                todo="Run the step again in a moment; if it stays so, look in the console.",
            )
        identifier = (context.fact("deployment") or {}).get("identifier")
        started = (context.done(f"{identifier}/switchover") or {}).get("called_at")
        watch.evidence(
            f"new blue is {new_blue.identifier}, version {new_blue.engine_version}; "
            f"old blue is {old_blue.identifier}, frozen",
            key="switchover",
            value={
                "called_at": started,
                "completed_at": context.now().isoformat(),
                "seconds": context.passed_since(f"{identifier}/switchover"),
                "new_blue": new_blue.identifier,
                "old_blue": old_blue.identifier,
            },
        )

    async def _returned(self, context: RunContext, watch: Watch, found: Deployment) -> StepFailed:
        """Say that AWS gave up, and what the clusters are named: nothing is taken for granted."""
        reason = found.status_details or await _last_event(context, found.identifier)
        blue, green = await asyncio.gather(context.cluster(Role.BLUE), context.find(Role.GREEN))
        what = (
            f"AWS called the switchover off ({found.status}): "
            f"{reason.rstrip('.') or 'no reason was given'}."
        )
        if blue.identifier != context.plan.cluster.identifier:
            return StepFailed(
                what,
                now=f"It was not undone: blue is named {blue.identifier}, green "
                f"{green.identifier if green else 'is gone'}. The applications are stopped.",
                todo="Leave them stopped, and ask AWS support what became of it; run the step "
                "again to look anew.",
            )
        self._keep_returned(context, watch, found.status)
        again = (
            "Fix the cause and run the step again, or branch to abort, which starts them."
            if found.status == AVAILABLE
            else "Branch to abort, which starts them and deletes green. Only if AWS shows the "
            "deployment as AVAILABLE again, run the step again instead."
        )
        return StepFailed(
            what,
            now=(
                f"{blue.identifier} is still blue, on {blue.engine_version}, and lost nothing. The "
                "applications are stopped."
            ),
            todo=again,
        )

    def _keep_returned(self, context: RunContext, watch: Watch, status: str) -> None:
        watch.evidence(
            f"the switchover returned ({status}); {context.plan.cluster.identifier} is blue",
            key=RETURNED,
            value={"at": context.now().isoformat(), "status": status},
        )

    async def _gone(self, context: RunContext, watch: Watch) -> StepFailed:
        blue = await context.cluster(Role.BLUE)
        if blue.identifier == context.plan.cluster.identifier:
            self._keep_returned(context, watch, "the deployment is gone")
        return StepFailed(
            "The deployment is gone, and green is not production.",
            now=f"Blue is named {blue.identifier}. The applications are stopped.",
            todo="Look in the console who deleted it. Branch to abort, which starts them.",
        )


async def _named_as_after(context: RunContext) -> bool:
    """Tell whether green bears the production name."""
    green = await context.find(Role.GREEN)
    return green is not None and green.identifier == context.plan.cluster.identifier


async def _last_event(context: RunContext, identifier: str) -> str:
    events = await context.rds.events(source_type="blue-green-deployment", source=identifier)
    return events[-1].message if events else ""
