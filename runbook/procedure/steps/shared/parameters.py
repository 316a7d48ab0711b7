"""Green's parameter group, made of what was set by hand in blue's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from runbook.amounts import counted
from runbook.aws import Call
from runbook.aws.parameters import Carried, carry, create_group_call, modify_group_calls
from runbook.base import derived_names
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Effect, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused
from runbook.procedure.steps.shared.effects import ApiEffect, no, yes

LISTED_S = 120.0
"""Within this AWS shows what it has made: its describes trail its own changes."""


def target_group(context: RunContext) -> str:
    """Return the name of green's cluster parameter group."""
    return context.plan.upgrade.cluster_parameter_group or derived_names.parameter_group(
        context.run
    )


class PrepareParameters(Step):
    """Make the parameter group of the new version's family.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_WorkingWithDBClusterParamGroups.html
    """

    key = "prepare-parameters"
    title = "Prepare green's parameter group"
    why = "A major upgrade needs a group of the new family, with logical replication on."
    risk = Risk.REVERSIBLE
    undo = "abort deletes the group."

    async def skip(self, context: RunContext) -> str:
        given = context.plan.upgrade.cluster_parameter_group
        return f"the plan names {given}" if given else ""

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        name = target_group(context)
        carried, family = await self._carried(context)

        async def group_exists() -> Finding:
            group = await context.rds.cluster_parameter_group(name)
            return yes(f"{name} exists") if group else no(f"there is no group {name}")

        create = ApiEffect(
            context,
            create_group_call(name, family, f"made by blueprime run {context.run}", context.tags),
            key=name,
            title=f"create parameter group {name} of family {family}",
            probe=group_exists,
        )
        changes = modify_group_calls(name, carried.values)
        return [
            [create],
            *(
                [self._set_values(context, name, change, f"{number} of {len(changes)}")]
                for number, change in enumerate(changes, start=1)
            ),
        ]

    async def _let_settle(self, context: RunContext, watch: Watch) -> None:
        """Wait as long as AWS asks for before a new group is used for the first time."""
        made = context.fact("parameters.made")
        if made is None:
            made = context.now().isoformat()
            watch.evidence("the group is complete", key="parameters.made", value=made)
        limit = context.plan.limits.parameter_settle_s
        since = datetime.fromisoformat(str(made))
        async for waited in watch.until(limit + 60, every_s=1, what="the group to settle"):
            # The clock may be set back meanwhile: what was waited here counts all the same.
            left = limit - max(waited, (context.now() - since).total_seconds())
            if left <= 0:
                return
            watch.progress(
                f"waiting for the new group to settle, {left:.0f} s left", 1 - left / limit
            )

    async def _carried(self, context: RunContext) -> tuple[Carried, str]:
        """Return what blue's group has set by hand, as green's family takes it; and the family."""
        target = await context.rds.engine_version(context.plan.upgrade.target_version)
        if target is None:
            raise Refused(
                f"AWS knows no Aurora PostgreSQL {context.plan.upgrade.target_version}.",
                todo="Choose another target version in the plan.",
            )
        blue = await context.cluster(Role.BLUE)
        user_set, family = await asyncio.gather(
            context.rds.cluster_parameters(blue.parameter_group, source="user"),
            context.rds.family_parameters(target.family),
        )
        return carry(user_set, family), target.family

    def _set_values(self, context: RunContext, name: str, change: Call, part: str) -> Effect:
        async def values_set() -> Finding:
            wanted = {
                row["ParameterName"]: row["ParameterValue"]
                for row in change.parameters["Parameters"]
            }
            now = await context.rds.cluster_parameters(name, source="user")
            missing = [key for key in wanted if key not in now or now[key].value != wanted[key]]
            if missing:
                return no(f"not yet set in {name}: {', '.join(sorted(missing))}")
            return yes(f"{counted(len(wanted), 'value is', 'values are')} set in {name}")

        return ApiEffect(
            context,
            change,
            key=f"{name}/values-{part.split()[0]}",
            title=f"set parameters of {name}, part {part}",
            probe=values_set,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        name = target_group(context)
        limits = context.plan.limits
        async for _ in watch.until(
            LISTED_S, every_s=limits.poll_s, what=f"rds.logical_replication to be on in {name}"
        ):
            group = await context.rds.cluster_parameter_group(name)
            if group is None:
                watch.progress(f"{name} is not listed yet")
                continue
            parameters = await context.rds.cluster_parameters(name)
            logical = parameters.get("rds.logical_replication")
            value = logical.value if logical else None
            if value in ("1", "on"):
                watch.evidence(f"{name} is of family {group.family}")
                watch.evidence("rds.logical_replication = 1")
                break
            watch.progress(f"{name} is of family {group.family}, rds.logical_replication {value}")
        await self._let_settle(context, watch)
        carried, _ = await self._carried(context)
        if carried.dropped:
            watch.evidence(
                "set on blue, and unknown or fixed in the new family, so not carried over: "
                + ", ".join(carried.dropped)
            )
