"""Deleting: only what this run created, seen by its tag and its recorded resource id."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.amounts import counted
from runbook.aws.facts import Cluster
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.base.step import Effect, Gate, Risk, Step, Watch, Wave
from runbook.ownership import serving
from runbook.procedure.steps.protect.blue_prime import DeleteDeployment
from runbook.procedure.steps.shared import remains
from runbook.procedure.steps.shared.deletion import (
    await_gone,
    delete_group_effect,
    deletion,
    deletion_gate,
    own,
    serves,
)
from runbook.procedure.steps.shared.parameters import target_group
from runbook.procedure.steps.upgrade.create_deployment import deployment
from state.enums import Result


class DeleteOwnDeployment(DeleteDeployment):
    """Let go of a deployment that still exists; after a switchover both clusters stay."""

    why = "Its record locks old blue, and no cluster of it can be deleted meanwhile."
    risk = Risk.DESTRUCTIVE
    undo = "None needed: no cluster goes with it."

    async def skip(self, context: RunContext) -> str:
        found = await deployment(context)
        if found is None:
            return "there is no deployment of this run"
        return (
            "" if found.status == "SWITCHOVER_COMPLETED" else "not switched over: abort deletes it"
        )

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        return () if await deployment(context) is None else await super().effects(context)


class DeleteCreated(Step):
    """Delete the clusters that this run created and that do not serve."""

    key = "delete-created"
    title = "Delete what the run created"
    why = "Each cluster left behind goes on costing money."
    risk = Risk.DESTRUCTIVE
    undo = "None: a deleted cluster is gone."

    async def _candidates(self, context: RunContext) -> list[tuple[Role, Cluster]]:
        found = []
        for role in (Role.BLUE_PRIME, Role.NEW_BLUE):
            cluster = await context.find(role)
            if cluster is None or cluster.identifier == context.plan.cluster.identifier:
                continue
            if serves(context, role):
                continue
            if cluster.tags.get(RUN_TAG) == context.run:
                found.append((role, cluster))
        return found

    async def skip(self, context: RunContext) -> str:
        return "" if await self._candidates(context) else "the run created nothing that could go"

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        found = await self._candidates(context)
        return [
            *await serving.unasked_gates(context, *(role for role, _ in found)),
            *(
                deletion_gate(cluster, role, "It cannot be undone; its data is gone.")
                for role, cluster in found
            ),
        ]

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        waves: list[list[Effect]] = []
        for role, _ in await self._candidates(context):
            cluster = await own(context, role)
            if cluster is not None:
                waves += await deletion(context, cluster, role)
        return waves

    async def verify(self, context: RunContext, watch: Watch) -> None:
        for role, _ in await self._candidates(context):
            await await_gone(context, watch, role)


class VerifyCleanup(Step):
    """Say what remains and who pays for it."""

    key = "verify-cleanup"
    title = "Verify the cleanup"
    why = "What is left must be known by name."
    rests = True

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        if context.plan.upgrade.cluster_parameter_group:
            return ()
        name = target_group(context)
        users = [c.identifier for c in await context.rds.clusters() if c.parameter_group == name]
        return () if users else [[delete_group_effect(context, name)]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        for role in (Role.OLD_BLUE, Role.NEW_BLUE, Role.BLUE_PRIME):
            cluster = await context.find(role)
            if cluster is not None:
                watch.evidence(
                    f"{cluster.identifier} ({role.value}) remains, "
                    f"{counted(len(cluster.members), 'instance')}, {cluster.engine_version}"
                )
        await remains.tell(context, watch)
        watch.result(Result.CLEANED)
