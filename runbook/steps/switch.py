"""The pivot: green becomes production."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runbook.aws import Call
from runbook.aws.facts import Deployment
from runbook.roles import Role
from runbook.step import Finding, Gate, Risk, Step, StepFailed, Watch, Wave
from runbook.steps.effects import ApiEffect, no, unknown, yes
from runbook.steps.green import AVAILABLE, deployment, required_deployment
from runbook.world import World

IN_PROGRESS = "SWITCHOVER_IN_PROGRESS"
COMPLETED = "SWITCHOVER_COMPLETED"
FAILED = "SWITCHOVER_FAILED"

STILL_AVAILABLE_S = 60.0
"""Right after the call Describe may still say AVAILABLE; within this it is not a cancellation."""


def pivot_gate(world: World) -> Gate:
    """Return the decision that stops the applications and switches over."""
    name = world.plan.cluster.identifier
    return Gate(
        key="pivot",
        question=(
            f"Stop the applications of {name} and switch it over to version "
            f"{world.plan.upgrade.target_version}. Each step until they are let in again follows "
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
    """Let AWS rename green to production."""

    key = "switchover"
    title = "Switch over"
    why = "Renames green to production; from here on undo means rollback."
    risk = Risk.PIVOT
    undo = "rollback: before traffic resumes, back to old blue; nothing is lost."

    async def gates(self, world: World) -> Sequence[Gate]:
        return (pivot_gate(world),)

    async def effects(self, world: World) -> Sequence[Wave]:
        found = await required_deployment(world)
        timeout = world.plan.upgrade.switchover_timeout_s

        async def probe() -> Finding:
            now = await deployment(world)
            if now is None:
                return unknown(f"the deployment {found.identifier} is gone")
            if now.status in (IN_PROGRESS, COMPLETED):
                return yes(f"the deployment is {now.status}")
            if now.status in (AVAILABLE, FAILED):
                return no(f"the deployment is {now.status}")
            return unknown(f"the deployment is {now.status}")

        return [
            [
                ApiEffect(
                    world.aws,
                    Call(
                        "rds",
                        "SwitchoverBlueGreenDeployment",
                        {
                            "BlueGreenDeploymentIdentifier": found.identifier,
                            "SwitchoverTimeout": timeout,
                        },
                    ),
                    key=f"{found.identifier}/switchover",
                    title=f"switch over {found.identifier}, giving up after {timeout} s",
                    probe=probe,
                    keep=lambda _: {"called_at": world.now().isoformat()},
                )
            ]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        limits = world.plan.limits
        limit = world.plan.upgrade.switchover_timeout_s + limits.switchover_grace_s
        begun = False
        async for waited in watch.until(
            limit, every_s=limits.fast_poll_s, what="the switchover to end"
        ):
            found = await required_deployment(world)
            begun = begun or found.status == IN_PROGRESS
            watch.progress(f"{found.status} {found.status_details}".strip())
            if found.status == COMPLETED:
                await self._completed(world, watch, found.identifier)
                return
            if found.status == FAILED or (
                found.status == AVAILABLE and (begun or waited > STILL_AVAILABLE_S)
            ):
                raise await self._returned(world, found)

    async def _completed(self, world: World, watch: Watch, identifier: str) -> None:
        name = world.plan.cluster.identifier
        new_blue, old_blue = await asyncio.gather(
            world.cluster(Role.NEW_BLUE), world.cluster(Role.OLD_BLUE)
        )
        if new_blue.identifier != name:
            raise StepFailed(
                f"AWS reports {COMPLETED}, but new blue ({new_blue.resource_id}) is named "
                f"{new_blue.identifier}, not {name}.",
                now="The applications are still stopped.",
                todo="Run the step again in a moment; if it stays so, look in the console.",
            )
        started = (world.done(f"{identifier}/switchover") or {}).get("called_at")
        watch.evidence(
            f"new blue is {new_blue.identifier}, version {new_blue.engine_version}; "
            f"old blue is {old_blue.identifier}, frozen",
            key="switchover",
            value={
                "called_at": started,
                "completed_at": world.now().isoformat(),
                "new_blue": new_blue.identifier,
                "old_blue": old_blue.identifier,
            },
        )

    async def _returned(self, world: World, found: Deployment) -> StepFailed:
        reason = found.status_details or await _last_event(world, found.identifier)
        return StepFailed(
            f"AWS called the switchover off ({found.status}): {reason or 'no reason was given'}.",
            now=(
                f"{world.plan.cluster.identifier} is still blue, on its old version. The "
                "applications are stopped."
            ),
            todo="Mend the cause and run the step again, or branch to abort, which starts them.",
        )


async def _last_event(world: World, identifier: str) -> str:
    events = await world.rds.events(source_type="blue-green-deployment", source=identifier)
    return events[-1].message if events else ""
