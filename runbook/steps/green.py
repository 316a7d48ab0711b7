"""Green: the parameter group, the deployment, and whether it is fit to be switched to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from runbook.aws import Call
from runbook.aws.facts import Cluster, Deployment, tag_rows
from runbook.aws.parameters import (
    Carried,
    carry,
    create_group_call,
    modify_group_calls,
)
from runbook.postgres import catalog, maintenance, replication
from runbook.roles import Role
from runbook.step import Effect, Finding, Refused, Risk, Step, StepFailed, Watch, Wave
from runbook.steps.effects import ApiEffect, no, unknown, yes
from runbook.steps.identify import check
from runbook.world import World
from state.records import Json

PROVISIONING = "PROVISIONING"
AVAILABLE = "AVAILABLE"
INVALID = "INVALID_CONFIGURATION"


def target_group(world: World) -> str:
    """Return the name of green's cluster parameter group."""
    return world.plan.upgrade.cluster_parameter_group or world.name("pg")


async def deployment(world: World) -> Deployment | None:
    """Return this run's blue/green deployment as it is now, or None where there is none."""
    kept = world.fact("deployment")
    if kept is not None:
        return await world.rds.deployment(str(kept["identifier"]))
    return await world.rds.deployment_by_name(world.name("bgd"))


async def required_deployment(world: World) -> Deployment:
    """Return this run's deployment, or fail in words."""
    found = await deployment(world)
    if found is None:
        raise StepFailed(
            f"AWS has no blue/green deployment {world.name('bgd')} of this run.",
            now="Blue serves as before, unless the switchover was made; see the clusters.",
            todo="Run create-deployment again, or branch to abort.",
        )
    return found


class PrepareParameters(Step):
    """Make the parameter group of the new version's family."""

    key = "prepare-parameters"
    title = "Prepare green's parameter group"
    why = "A major upgrade needs a group of the new family, with logical replication on."
    risk = Risk.REVERSIBLE
    undo = "abort deletes the group."

    async def skip(self, world: World) -> str:
        given = world.plan.upgrade.cluster_parameter_group
        return f"the plan names {given}" if given else ""

    async def effects(self, world: World) -> Sequence[Wave]:
        name = target_group(world)
        carried, family = await self._carried(world)

        async def group_exists() -> Finding:
            group = await world.rds.cluster_parameter_group(name)
            return yes(f"{name} exists") if group else no(f"there is no group {name}")

        create = ApiEffect(
            world.aws,
            create_group_call(name, family, f"made by blueprime run {world.run}", world.tags),
            key=name,
            title=f"create parameter group {name} of family {family}",
            probe=group_exists,
        )
        changes = modify_group_calls(name, carried.values)
        return [
            [create],
            *(
                [self._set_values(world, name, change, f"{number} of {len(changes)}")]
                for number, change in enumerate(changes, start=1)
            ),
        ]

    async def _let_settle(self, world: World, watch: Watch) -> None:
        """Wait as long as AWS asks for before a new group is used for the first time."""
        made = world.fact("parameters.made")
        if made is None:
            made = world.now().isoformat()
            watch.evidence("the group is complete", key="parameters.made", value=made)
        limit = world.plan.limits.parameter_settle_s
        since = datetime.fromisoformat(str(made))
        async for _ in watch.until(limit + 60, every_s=1, what="the group to settle"):
            left = limit - (world.now() - since).total_seconds()
            if left <= 0:
                return
            watch.progress(f"a new group is let settle, {left:.0f} s left", 1 - left / limit)

    async def _carried(self, world: World) -> tuple[Carried, str]:
        """Return what blue's group has set by hand, as green's family takes it; and the family."""
        target = await world.rds.engine_version(world.plan.upgrade.target_version)
        if target is None:
            raise Refused(
                f"AWS knows no Aurora PostgreSQL {world.plan.upgrade.target_version}.",
                now="Nothing was changed.",
                todo="Choose another target version in the plan.",
            )
        blue = await world.cluster(Role.BLUE)
        user_set, family = await asyncio.gather(
            world.rds.cluster_parameters(blue.parameter_group, source="user"),
            world.rds.family_parameters(target.family),
        )
        return carry(user_set, family), target.family

    def _set_values(self, world: World, name: str, change: Call, part: str) -> Effect:
        async def values_set() -> Finding:
            wanted = {
                row["ParameterName"]: row["ParameterValue"]
                for row in change.parameters["Parameters"]
            }
            now = await world.rds.cluster_parameters(name, source="user")
            missing = [key for key in wanted if key not in now or now[key].value != wanted[key]]
            if missing:
                return no(f"not yet set in {name}: {', '.join(sorted(missing))}")
            return yes(f"all {len(wanted)} values are set in {name}")

        return ApiEffect(
            world.aws,
            change,
            key=f"{name}/values-{part.split()[0]}",
            title=f"set parameters of {name}, part {part}",
            probe=values_set,
        )

    async def verify(self, world: World, watch: Watch) -> None:
        name = target_group(world)
        group = await world.rds.cluster_parameter_group(name)
        if group is None:
            raise StepFailed(
                f"The parameter group {name} is not there after it was made.",
                now="Nothing else was changed.",
                todo="Run the step again.",
            )
        watch.evidence(f"{name} is of family {group.family}")
        parameters = await world.rds.cluster_parameters(name)
        logical = parameters.get("rds.logical_replication")
        if logical is None or logical.value not in ("1", "on"):
            raise StepFailed(
                f"rds.logical_replication is not on in {name}.",
                now="The group exists; nothing uses it yet.",
                todo=f"Set it to 1 in {name}, then run the step again.",
            )
        watch.evidence("rds.logical_replication = 1")
        await self._let_settle(world, watch)
        carried, _ = await self._carried(world)
        if carried.dropped:
            watch.evidence(
                "set on blue, and unknown or fixed in the new family, so not carried over: "
                + ", ".join(carried.dropped)
            )


class CreateDeployment(Step):
    """Ask AWS for green."""

    key = "create-deployment"
    title = "Create the blue/green deployment"
    why = "AWS copies blue, upgrades the copy, and feeds it by logical replication."
    risk = Risk.REVERSIBLE
    undo = "abort deletes the deployment and green; blue stays as it is."

    async def effects(self, world: World) -> Sequence[Wave]:
        blue = await world.cluster(Role.BLUE)
        name = world.name("bgd")
        plan = world.plan.upgrade
        parameters = {
            "BlueGreenDeploymentName": name,
            "Source": blue.arn,
            "TargetEngineVersion": plan.target_version,
            "TargetDBClusterParameterGroupName": target_group(world),
            "Tags": tag_rows(world.tags),
        }
        if plan.instance_parameter_group:
            parameters["TargetDBParameterGroupName"] = plan.instance_parameter_group

        async def probe() -> Finding:
            found = await world.rds.deployment_by_name(name)
            if found is None:
                return no(f"there is no deployment {name}")
            return yes(f"{name} is {found.identifier}, {found.status}", identifier=found.identifier)

        return [
            [
                ApiEffect(
                    world.aws,
                    Call("rds", "CreateBlueGreenDeployment", parameters),
                    key=name,
                    title=f"create blue/green deployment {name} of {blue.identifier}",
                    probe=probe,
                    keep=lambda answer: {
                        "identifier": answer["BlueGreenDeployment"]["BlueGreenDeploymentIdentifier"]
                    },
                )
            ]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        async for _ in watch.until(120, every_s=1, what="the deployment to be listed"):
            found = await world.rds.deployment_by_name(world.name("bgd"))
            if found is not None:
                watch.evidence(
                    f"{found.name} is {found.identifier}, {found.status}",
                    key="deployment",
                    value={"identifier": found.identifier, "name": found.name},
                )
                return


class AwaitGreen(Step):
    """Wait until AWS has made green."""

    key = "await-green"
    title = "Wait for green"
    why = "Half an hour to several hours; blue serves all the while."
    undo = "abort deletes green; waiting itself changes nothing."

    async def verify(self, world: World, watch: Watch) -> None:
        limits = world.plan.limits
        async for _ in watch.until(
            limits.create_deployment_s, every_s=limits.poll_s, what="green to become available"
        ):
            found = await required_deployment(world)
            done = sum(1 for _, status in found.tasks if status == "COMPLETED")
            active = next((name for name, status in found.tasks if status == "IN_PROGRESS"), "")
            watch.progress(
                f"{found.status}: {active or 'waiting'} ({done} of {len(found.tasks)} tasks done)",
                done / len(found.tasks) if found.tasks else None,
            )
            if found.status == INVALID:
                raise StepFailed(
                    f"AWS could not make green: {found.status_details or found.status}.",
                    now="Blue serves as before.",
                    todo="Branch to abort, mend the cause, and start again.",
                )
            if found.status == AVAILABLE and found.target and await self._bind(world, watch, found):
                return

    async def _bind(self, world: World, watch: Watch, found: Deployment) -> bool:
        """Bind green once its cluster and instances are available: AVAILABLE can be early."""
        green = await world.rds.cluster(found.target.rsplit(":", 1)[-1])
        if green is None or not green.available:
            return False
        instances = await world.rds.instances(green.identifier)
        if not instances or not all(instance.available for instance in instances):
            return False
        watch.evidence(
            f"green is {green.identifier} ({green.resource_id}), version {green.engine_version}, "
            f"{len(instances)} instances available",
            key="role.green",
            value={"resource_id": green.resource_id, "name": green.identifier},
        )
        return True


class ValidateGreen(Step):
    """Make green fit to serve: parameters in force, statistics there, replication healthy."""

    key = "validate-green"
    title = "Validate green"
    why = "What is missing on green would be missed on production an hour later."
    risk = Risk.REVERSIBLE
    undo = "Not needed: green is not in use; abort deletes it."

    async def effects(self, world: World) -> Sequence[Wave]:
        green = await world.cluster(Role.GREEN)
        reboots: list[Effect] = [
            self._reboot(world, green, member.identifier)
            for member in sorted(green.members, key=lambda m: not m.writer)
            if member.parameter_group_status == "pending-reboot"
        ]
        analyzes: list[Effect] = []
        if world.plan.upgrade.analyze_green:
            analyzes = [
                AnalyzeEffect(world, database) for database in await world.databases(Role.GREEN)
            ]
        return [*([effect] for effect in reboots), analyzes]

    def _reboot(self, world: World, green: Cluster, identifier: str) -> Effect:
        async def probe() -> Finding:
            now = await world.cluster(Role.GREEN)
            for member in now.members:
                if member.identifier == identifier:
                    status = member.parameter_group_status
                    return yes(status) if status == "in-sync" else no(status)
            return unknown(f"{identifier} is no member of {now.identifier}")

        async def settled() -> str:
            instance = await world.rds.instance(identifier)
            status = instance.status if instance else "not found"
            return "" if status == "available" else f"{identifier} is {status}"

        return ApiEffect(
            world.aws,
            Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": identifier}),
            key=f"{identifier}/reboot",
            title=f"reboot {identifier} of {green.identifier} for its static parameters",
            probe=probe,
            settled=settled,
            settle_limit_s=world.plan.limits.instance_s,
        )

    async def verify(self, world: World, watch: Watch) -> None:
        green = await world.cluster(Role.GREEN)
        late = [m.identifier for m in green.members if m.parameter_group_status != "in-sync"]
        if late:
            raise StepFailed(
                f"Green's parameters are not in force on {', '.join(late)}.",
                now="Green is not in use; blue serves.",
                todo="Reboot these instances, then run the step again.",
            )
        databases = await world.databases(Role.GREEN)
        expected = world.fact("databases") or []
        if sorted(databases) != sorted(expected):
            raise StepFailed(
                f"Green has the databases {', '.join(databases)}, blue had {', '.join(expected)}.",
                now="Green is not in use; blue serves.",
                todo="If databases came or went meanwhile, branch to abort and start again.",
            )
        watch.evidence(f"version {green.engine_version}, {len(databases)} databases, in-sync")
        await _lag_known(world, watch)


class AnalyzeEffect(Effect):
    """Statistics for one database of green: a major upgrade before version 18 loses them."""

    def __init__(self, world: World, database: str) -> None:
        self.key = f"green/{database}/analyze"
        self.title = f"analyze {database} on green"
        self._world = world
        self._database = database

    def preview(self) -> str:
        """Return the SQL."""
        return (
            f"-- on green, database {self._database}, table by table, the largest first\nANALYZE …;"
        )

    async def probe(self) -> Finding:
        """Look whether every table with rows has statistics."""
        async with self._world.connect(Role.GREEN, self._database) as connection:
            missing = await maintenance.unanalyzed(connection)
        if missing:
            return no(f"{len(missing)} tables have no statistics, e.g. {missing[0]}")
        return yes("every table has statistics")

    async def perform(self) -> Mapping[str, Json]:
        """Analyze them one by one: a lost connection loses one table's work at most."""
        async with self._world.connect(Role.GREEN, self._database) as connection:
            done = await maintenance.analyze(connection)
        return {"analyzed": len(done.done), "skipped": list(done.skipped)}


async def _lag_known(world: World, watch: Watch) -> None:
    """Record how far green trails blue, by the slots that AWS made on blue."""
    async with world.connect(Role.BLUE) as connection:
        slots = await catalog.replication_slots(connection)
        names = [slot.name for slot in slots if slot.slot_type == "logical"]
        lags = await replication.slot_lags(connection, names)
    for lag in lags:
        shown = "unknown" if lag.bytes is None else f"{lag.bytes} bytes"
        watch.evidence(f"blue -> green, database {lag.database}: lag {shown} ({lag.slot})")
    if not lags:
        watch.evidence("blue -> green: no logical slot is visible on blue; AWS's word is relied on")


class ReadyToSwitch(Step):
    """The last look before the applications are stopped."""

    key = "ready-to-switch"
    title = "Ready to switch over"
    why = "The last moment at which nothing has been asked of the applications."

    async def verify(self, world: World, watch: Watch) -> None:
        found = await required_deployment(world)
        if found.status != AVAILABLE:
            raise Refused(
                f"The deployment is {found.status}, not {AVAILABLE}. {found.status_details}",
                now="Blue serves as before.",
                todo="Wait and run the step again, or branch to abort.",
            )
        watch.evidence(f"deployment {found.identifier} is {found.status}")
        await check(world, watch)
        await _lag_known(world, watch)
