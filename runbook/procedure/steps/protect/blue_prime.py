"""Blue prime comes to be: the deployment ends, old blue is frozen, and is cloned."""

from __future__ import annotations

import time
from collections.abc import Sequence

from psycopg import AsyncConnection

from runbook.aws import Call
from runbook.aws.clone import carried_differences, clone_call, clone_instance_call, without_pin
from runbook.aws.facts import Cluster, Instance
from runbook.base import derived_names
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.base.step import Effect, Gate, Impact, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused, StepFailed
from runbook.postgres import catalog, fence_sql
from runbook.procedure.steps.protect.slot_consumed import refuse_if_read
from runbook.procedure.steps.shared import recreate_failed
from runbook.procedure.steps.shared.by_hand import after_clone, made_lesser
from runbook.procedure.steps.shared.deletion import delete_instance_effect, deletion
from runbook.procedure.steps.shared.effects import (
    GRACE_S,
    ApiEffect,
    Settled,
    SqlEffect,
    no,
    unknown,
    yes,
)
from runbook.procedure.steps.upgrade import old_blue as freeze
from runbook.procedure.steps.upgrade.create_deployment import (
    Deletion,
    deployment,
    required_deployment,
)
from runbook.procedure.steps.upgrade.old_blue import compare_marks


class DeleteDeployment(Step):
    """Let go of the deployment; both clusters stay.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-deleting.html
    """

    key = "delete-deployment"
    title = "Delete the blue/green deployment"
    why = "AWS's lock on old blue ends with it; both clusters stay and are billed."
    risk = Risk.REVERSIBLE
    undo = "Not needed: only the deployment's record goes, no cluster."

    async def skip(self, context: RunContext) -> str:
        if context.fact("deployment") is None and await deployment(context) is None:
            return f"there is no deployment {derived_names.deployment(context.run)}"
        return ""

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        kept = context.fact("deployment")
        identifier = kept["identifier"] if kept else (await required_deployment(context)).identifier

        async def probe() -> Finding:
            found = await context.rds.deployment(identifier)
            if found is None:
                return yes(f"there is no deployment {identifier} any more")
            return (yes if found.status == "DELETING" else no)(f"it is {found.status}")

        parameters = {"BlueGreenDeploymentIdentifier": identifier}
        effect = ApiEffect(
            context,
            Call("rds", "DeleteBlueGreenDeployment", parameters),
            key=f"{identifier}/delete",
            title=f"delete blue/green deployment {identifier}, keeping both clusters",
            probe=probe,
        )
        return [[effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        limits, going = context.plan.limits, Deletion(context)
        async for _ in watch.until(
            limits.delete_deployment_s, every_s=limits.poll_s, what="the deployment to be gone"
        ):
            found = await deployment(context)
            if found is None:
                watch.evidence("the deployment is gone; AWS's lock on old blue has ended")
                return
            watch.progress(f"deployment {found.status} {found.status_details}".rstrip())
            going.look(found)


class FreezeOldBlue(Step):
    """Keep old blue as it was at the freeze.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-deleting.html
    """

    key = "freeze-old-blue"
    title = "Freeze old blue"
    why = "The slot starts from exactly this state; a write here would be missing or double later."
    risk = Risk.REVERSIBLE
    undo = "ALTER DATABASE … RESET default_transaction_read_only on old blue."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        return freeze.gates(context)

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        databases = await context.databases(Role.OLD_BLUE)
        return [read_only_wave(context, Role.OLD_BLUE, databases, on=True)]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await compare_marks(context, watch, "before the clone")


def read_only_wave(context: RunContext, role: Role, databases: Sequence[str], *, on: bool) -> Wave:
    """Return what makes databases of a cluster read-only to clients, or lifts that."""
    return [_read_only_effect(context, role, database, on=on) for database in databases]


def _read_only_effect(context: RunContext, role: Role, database: str, *, on: bool) -> Effect:
    """Return the effect that makes a database read-only to clients, or lifts that.

    The setting does not stop apply workers (proved on PostgreSQL 15 to 18).

    Source: https://www.postgresql.org/docs/current/runtime-config-client.html
    """

    async def probe(connection: AsyncConnection) -> Finding:
        setting = (await catalog.read_only_state(connection)).database_setting
        held = setting == "on"
        return (yes if held is on else no)(f"{database} is {'' if held else 'not '}read-only")

    return SqlEffect(
        context,
        role,
        database,
        [fence_sql.set_database_read_only(database, on)],
        key=f"{role.slug}/{database}/{'read-only' if on else 'writable'}",
        stake=Impact.CLOSE if on else Impact.OPEN,
        lasting=True,
        title=f"make database {database} of {role.value} "
        + ("read-only to clients" if on else "writable again"),
        probe=probe,
    )


def blue_prime_name(context: RunContext) -> str:
    """Return the identifier of the rollback cluster."""
    return derived_names.blue_prime(context.plan.cluster.identifier, context.run)


class Clone(Step):
    """Clone old blue.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Managing.Clone.html
    """

    key = "clone"
    title = "Clone old blue to blue prime"
    why = "A copy-on-write clone is made in minutes whatever the size, with every setting kept."
    risk = Risk.REVERSIBLE
    undo = "cleanup deletes blue prime."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        failed = await recreate_failed.failed_clone(context)
        return (*freeze.gates(context), *recreate_failed.gates([failed] if failed else []))

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        failed = await recreate_failed.failed_clone(context)
        removal = (
            await deletion(context, failed, Role.BLUE_PRIME, until_gone=True) if failed else ()
        )
        return [*removal, [await _clone_effect(context)]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await _await_clone(context, watch)


async def _clone_effect(context: RunContext, *, settled: Settled | None = None) -> Effect:
    old_blue = await context.cluster(Role.OLD_BLUE)
    name = blue_prime_name(context)
    await _refuse_renamed(context, name)
    if await context.rds.cluster(name) is None:
        await refuse_if_read(context, Role.NEW_BLUE)

    async def probe() -> Finding:
        found = await context.rds.cluster(name)
        if found is None:
            return no(f"there is no cluster {name}")
        if doubt := await _not_ours(context, found):
            return unknown(doubt)
        return yes(f"{name} is {found.status}", resource_id=found.resource_id)

    return ApiEffect(
        context,
        clone_call(old_blue, name, context.tags),
        key=name,
        title=f"clone {old_blue.identifier} to {name}",
        probe=probe,
        keep=lambda answer: {"resource_id": answer["DBCluster"]["DbClusterResourceId"]},
        settled=settled,
        settle_limit_s=context.plan.limits.clone_s,
    )


async def _not_ours(context: RunContext, found: Cluster) -> str:
    """Return why a cluster of blue prime's name is not this run's clone, or an empty string.

    Names and tags may be anybody's. A clone shares its clone group with what it was cloned from.
    """
    name = found.identifier
    made = (context.done(name) or {}).get("resource_id")
    if made == found.resource_id:
        return ""
    if found.tags.get(RUN_TAG) != context.run:
        return f"a cluster {name} exists that does not bear this run's tag"
    group = (await context.cluster(Role.OLD_BLUE)).clone_group_id
    if not found.clone_group_id or group not in ("", found.clone_group_id):
        return f"a cluster {name} exists that bears this run's tag and is no clone of old blue"
    return ""


async def _refuse_renamed(context: RunContext, name: str) -> None:
    """Refuse to clone once more where this run's clone was given another name by somebody."""
    others = {context.bound(Role.BLUE), context.bound(Role.GREEN)}
    for each in await context.rds.clusters():
        ours = each.tags.get(RUN_TAG) == context.run and each.resource_id not in others
        if ours and each.identifier != name and each.status != "deleting":
            raise Refused(
                f"The clone that this run made is named {each.identifier}, not {name}.",
                now="Nothing was changed: a second clone would be billed, and nobody's.",
                todo=f"Rename it to {name}, or delete it; then run the step again.",
            )


async def _await_clone(context: RunContext, watch: Watch) -> None:
    """Bind blue prime and wait until it is available; then prove that old blue stood still."""
    name = blue_prime_name(context)
    limits = context.plan.limits
    seen: float | None = None
    async for _ in watch.until(
        limits.clone_s, every_s=limits.poll_s, what="the clone to become available"
    ):
        found = await context.rds.cluster(name)
        if found is None:
            _refuse_vanished(context, name, since=seen)
            watch.progress(f"{name} is not listed yet")
            continue
        seen = time.monotonic()
        if doubt := await _not_ours(context, found):
            raise StepFailed(
                f"Instead of the clone, {doubt}.",
                now="Old blue is frozen, new blue serves, the slots keep every write.",
                todo=f"Find out whose it is. Once the name {name} is free, run the step again.",
            )
        if context.bound(Role.BLUE_PRIME) != found.resource_id:
            watch.evidence(
                f"blue prime is {name} ({found.resource_id})",
                key="role.blue-prime",
                value={"resource_id": found.resource_id, "name": name},
            )
        percent = found.percent_progress
        watch.progress(f"{name} {found.status}", None if percent is None else percent / 100)
        if found.failed:
            raise _clone_failed(name, found.status)
        if found.available:
            old_blue = await context.cluster(Role.OLD_BLUE)
            for difference in carried_differences(old_blue, found):
                watch.evidence(f"differs from old blue: {difference}")
            for todo in after_clone(context, old_blue, found):
                watch.evidence(todo)
            await compare_marks(context, watch, "after the clone")
            return


def _clone_failed(name: str, status: str) -> StepFailed:
    return StepFailed(
        f"The clone {name} ended in {status}.",
        now="Old blue is frozen, new blue serves, the slots keep every write.",
        todo=f"Run the step again: it asks whether to delete {name}, which this run made, and "
        "clones anew.",
    )


def _refuse_vanished(context: RunContext, name: str, *, since: float | None) -> None:
    """Fail where a clone that was listed is not any more, for longer than describes trail."""
    if since is None or time.monotonic() - since < context.plan.limits.late_effect_s:
        return
    raise StepFailed(
        f"The clone {name} was listed and is gone.",
        now="Old blue is frozen, new blue serves, the slots keep every write.",
        todo="Look in the console who deleted it. Run the step again: it clones anew.",
    )


class CloneInstances(Step):
    """Give blue prime the instances that old blue has."""

    key = "clone-instances"
    title = "Create blue prime's instances"
    why = "A rollback must find the capacity that production had."
    risk = Risk.REVERSIBLE
    undo = "cleanup deletes them with blue prime."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        if await context.find(Role.BLUE_PRIME) is None:
            return freeze.gates(context)
        return recreate_failed.gates(await recreate_failed.failed_instances(context))

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        failed, prime = await recreate_failed.failed_instances(context), blue_prime_name(context)
        return [
            *await self._clone_anew(context),
            [
                delete_instance_effect(context, each, Role.BLUE_PRIME, until_gone=True)
                for each in failed
            ],
            [
                self._create(context, instance, derived_names.member(prime, number))
                for number, instance in enumerate(await context.instances(Role.OLD_BLUE), start=1)
            ],
        ]

    async def _clone_anew(self, context: RunContext) -> Sequence[Wave]:
        """Return the clone once more where blue prime is gone: somebody deleted it meanwhile."""
        if await context.find(Role.BLUE_PRIME) is not None:
            return ()
        name = blue_prime_name(context)

        async def settled() -> str:
            found = await context.rds.cluster(name)
            if found is not None and found.failed:
                raise _clone_failed(name, found.status)
            status = found.status if found else "not listed yet"
            return "" if status == "available" else f"{name} is {status}"

        return [[await _clone_effect(context, settled=settled)]]

    def _create(self, context: RunContext, like: Instance, identifier: str) -> Effect:
        async def probe() -> Finding:
            found = await context.rds.instance(identifier)
            if found is None:
                return no(f"there is no instance {identifier}")
            if found.cluster != blue_prime_name(context):
                return unknown(f"{identifier} exists, but belongs to {found.cluster}")
            return yes(f"{identifier} is {found.status}")

        return ApiEffect(
            context,
            clone_instance_call(like, identifier, blue_prime_name(context), context.tags),
            key=identifier,
            title=f"create instance {identifier} ({like.instance_class})",
            probe=probe,
            without=without_pin,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        limits = context.plan.limits
        if await context.find(Role.BLUE_PRIME) is None:
            await _await_clone(context, watch)
        expected = len(
            await context.rds.instances((await context.cluster(Role.OLD_BLUE)).identifier)
        )
        async for waited in watch.until(
            limits.instance_s + GRACE_S, every_s=limits.poll_s, what="blue prime's instances"
        ):
            instances = await context.instances(Role.BLUE_PRIME)
            ready = [instance for instance in instances if instance.available]
            late = [f"{i.identifier} is {i.status}" for i in instances if not i.available]
            watch.progress(
                f"{len(ready)} of {expected} instances available"
                + (f"; {', '.join(late)}" if late else ""),
                len(ready) / max(expected, 1),
            )
            broken = [f"{i.identifier} ended in {i.status}" for i in instances if i.failed]
            if broken:
                raise StepFailed(
                    f"Instance {', '.join(broken)}.",
                    now="New blue serves; the slots keep every write.",
                    todo="Run the step again: it asks whether to delete what this run made and "
                    "AWS let fail, and makes it anew.",
                )
            if len(ready) >= expected:
                break
            if waited >= limits.instance_s:
                raise StepFailed(
                    f"After {waited:.0f} s {len(ready)} of {expected} instances of blue prime are "
                    f"available; {', '.join(late) or 'the others are not listed'}.",
                    now="New blue serves; the slots keep every write, and WAL meanwhile.",
                    todo="Run the step again to go on waiting. If AWS does not make it, delete "
                    "that instance in the console and run the step again: it is made anew.",
                )
        for words in made_lesser(context, instances):
            watch.evidence(words)
        watch.progress("every instance is available; connecting to blue prime")
        async with context.connect(Role.BLUE_PRIME) as connection:
            watch.evidence(
                f"blue prime answers at {connection.info.host}:{connection.info.port}, "
                f"PostgreSQL {connection.info.server_version // 10000}"
            )
        await freeze.name_later_writes(context, watch)
