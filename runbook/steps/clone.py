"""Blue prime comes to be: the deployment ends, old blue is held still, and is cloned."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection

from runbook.aws import Call
from runbook.aws.clone import carried_differences, clone_call, clone_instance_call
from runbook.aws.facts import Instance
from runbook.postgres import catalog, fence
from runbook.roles import Role
from runbook.step import Effect, Finding, Gate, Risk, Step, StepFailed, Watch, Wave
from runbook.steps import freeze
from runbook.steps.effects import ApiEffect, SqlEffect, no, unknown, yes
from runbook.steps.freeze import compare_marks
from runbook.steps.green import deployment
from runbook.world import RUN_TAG, World


class DeleteDeployment(Step):
    """Let go of the deployment; both clusters stay."""

    key = "delete-deployment"
    title = "Delete the blue/green deployment"
    why = "AWS's lock on old blue ends with it; both clusters stay and are billed."
    risk = Risk.REVERSIBLE
    undo = "Not needed: only the deployment's record goes, no cluster."

    async def effects(self, world: World) -> Sequence[Wave]:
        kept = world.fact("deployment")
        if kept is None:
            raise StepFailed(
                "This run has no record of its deployment.",
                now="Nothing was changed.",
                todo="Delete the deployment by hand, then mark this step's effect as done.",
            )
        identifier = str(kept["identifier"])

        async def probe() -> Finding:
            found = await world.rds.deployment(identifier)
            if found is None:
                return yes(f"there is no deployment {identifier} any more")
            return (yes if found.status == "DELETING" else no)(f"it is {found.status}")

        return [
            [
                ApiEffect(
                    world.aws,
                    Call(
                        "rds",
                        "DeleteBlueGreenDeployment",
                        {"BlueGreenDeploymentIdentifier": identifier},
                    ),
                    key=f"{identifier}/delete",
                    title=f"delete blue/green deployment {identifier}, keeping both clusters",
                    probe=probe,
                )
            ]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        limits = world.plan.limits
        async for _ in watch.until(
            limits.delete_deployment_s, every_s=limits.poll_s, what="the deployment to be gone"
        ):
            found = await deployment(world)
            if found is None:
                watch.evidence("the deployment is gone; AWS's lock on old blue has ended")
                return
            watch.progress(f"deployment {found.status}")


class HoldOldBlue(Step):
    """Keep old blue as it was at the freeze."""

    key = "hold-old-blue"
    title = "Hold old blue still"
    why = "The slot starts from exactly this state; a write here would be missing or double later."
    risk = Risk.REVERSIBLE
    undo = "ALTER DATABASE … RESET default_transaction_read_only on old blue."

    async def gates(self, world: World) -> Sequence[Gate]:
        return freeze.gates(world)

    async def effects(self, world: World) -> Sequence[Wave]:
        return [
            [
                read_only_effect(world, Role.OLD_BLUE, database, on=True)
                for database in await world.databases(Role.OLD_BLUE)
            ]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        await compare_marks(world, watch, "before the clone")


def read_only_effect(world: World, role: Role, database: str, *, on: bool) -> Effect:
    """Return the effect that makes a database read-only to clients, or lifts that.

    The setting does not stop apply workers (proved on PostgreSQL 15 to 18).
    """

    async def probe(connection: AsyncConnection) -> Finding:
        setting = (await catalog.read_only_state(connection)).database_setting
        held = setting == "on"
        return (yes if held is on else no)(f"{database} is {'' if held else 'not '}read-only")

    return SqlEffect(
        world,
        role,
        database,
        [fence.set_database_read_only(database, on)],
        key=f"{role.slug}/{database}/{'read-only' if on else 'writable'}",
        title=f"make database {database} of {role.value} "
        + ("read-only to clients" if on else "writable again"),
        probe=probe,
    )


def blue_prime_name(world: World) -> str:
    """Return the identifier of the rollback cluster."""
    return f"{world.plan.cluster.identifier[:40]}-prime-{world.run}"


class Clone(Step):
    """Clone old blue."""

    key = "clone"
    title = "Clone old blue to blue prime"
    why = "A copy-on-write clone is made in minutes whatever the size, with every setting kept."
    risk = Risk.REVERSIBLE
    undo = "cleanup deletes blue prime."

    async def gates(self, world: World) -> Sequence[Gate]:
        return freeze.gates(world)

    async def effects(self, world: World) -> Sequence[Wave]:
        old_blue = await world.cluster(Role.OLD_BLUE)
        name = blue_prime_name(world)

        async def probe() -> Finding:
            found = await world.rds.cluster(name)
            if found is None:
                return no(f"there is no cluster {name}")
            if found.tags.get(RUN_TAG) != world.run:
                return unknown(f"a cluster {name} exists that does not bear this run's tag")
            return yes(f"{name} is {found.status}", resource_id=found.resource_id)

        return [
            [
                ApiEffect(
                    world.aws,
                    clone_call(old_blue, name, world.tags),
                    key=name,
                    title=f"clone {old_blue.identifier} to {name}",
                    probe=probe,
                    keep=lambda answer: {"resource_id": answer["DBCluster"]["DbClusterResourceId"]},
                )
            ]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        name = blue_prime_name(world)
        limits = world.plan.limits
        async for _ in watch.until(
            limits.clone_s, every_s=limits.poll_s, what="the clone to become available"
        ):
            found = await world.rds.cluster(name)
            if found is None:
                watch.progress(f"{name} is not listed yet")
                continue
            if world.bound(Role.BLUE_PRIME) != found.resource_id:
                watch.evidence(
                    f"blue prime is {name} ({found.resource_id})",
                    key="role.blue-prime",
                    value={"resource_id": found.resource_id, "name": name},
                )
            watch.progress(f"{name} {found.status}", found.percent_progress)
            if found.status in ("cloning-failed", "failed", "incompatible-restore"):
                raise StepFailed(
                    f"The clone {name} ended in {found.status}.",
                    now="Old blue is held still, new blue serves, the slots keep every write.",
                    todo=f"Delete {name} in the console, then run the step again.",
                )
            if found.available:
                old_blue = await world.cluster(Role.OLD_BLUE)
                for difference in carried_differences(old_blue, found):
                    watch.evidence(f"differs from old blue: {difference}")
                await compare_marks(world, watch, "after the clone")
                return


class CloneInstances(Step):
    """Give blue prime the instances that old blue has."""

    key = "clone-instances"
    title = "Create blue prime's instances"
    why = "A rollback must find the capacity that production had."
    risk = Risk.REVERSIBLE
    undo = "cleanup deletes them with blue prime."

    async def effects(self, world: World) -> Sequence[Wave]:
        return [
            [
                self._create(world, instance, f"{blue_prime_name(world)}-{number}")
                for number, instance in enumerate(await world.instances(Role.OLD_BLUE), start=1)
            ]
        ]

    def _create(self, world: World, like: Instance, identifier: str) -> Effect:
        async def probe() -> Finding:
            found = await world.rds.instance(identifier)
            if found is None:
                return no(f"there is no instance {identifier}")
            if found.cluster != blue_prime_name(world):
                return unknown(f"{identifier} exists, but belongs to {found.cluster}")
            return yes(f"{identifier} is {found.status}")

        return ApiEffect(
            world.aws,
            clone_instance_call(like, identifier, blue_prime_name(world), world.tags),
            key=identifier,
            title=f"create instance {identifier} ({like.instance_class})",
            probe=probe,
        )

    async def verify(self, world: World, watch: Watch) -> None:
        limits = world.plan.limits
        expected = len(await world.rds.instances((await world.cluster(Role.OLD_BLUE)).identifier))
        async for _ in watch.until(
            limits.instance_s, every_s=limits.poll_s, what="blue prime's instances"
        ):
            instances = await world.instances(Role.BLUE_PRIME)
            ready = [instance for instance in instances if instance.available]
            watch.progress(
                f"{len(ready)} of {expected} instances available", len(ready) / max(expected, 1)
            )
            broken = [i for i in instances if i.status.startswith(("incompatible", "failed"))]
            if broken:
                raise StepFailed(
                    f"Instance {broken[0].identifier} ended in {broken[0].status}.",
                    now="New blue serves; the slots keep every write.",
                    todo="Delete that instance in the console, then run the step again.",
                )
            if len(ready) >= expected:
                break
        async with world.connect(Role.BLUE_PRIME) as connection:
            watch.evidence(
                f"blue prime answers at {connection.info.host}:{connection.info.port}, "
                f"PostgreSQL {connection.info.server_version // 10000}"
            )
