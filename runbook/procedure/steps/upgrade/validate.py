"""Green before the switchover: made fit to serve, and looked at once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook.amounts import counted
from runbook.aws import Call
from runbook.aws.facts import Cluster, Instance
from runbook.base import server_names
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Effect, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused, StepFailed
from runbook.plan.model import Plan
from runbook.postgres import catalog, maintenance, replication
from runbook.postgres.replication import SlotLag
from runbook.procedure.steps.shared.application_logins import keep_logins
from runbook.procedure.steps.shared.checks import check
from runbook.procedure.steps.shared.effects import (
    GRACE_S,
    ApiEffect,
    DatabaseEffect,
    no,
    unknown,
    yes,
)
from runbook.procedure.steps.shared.objects import keep_printed, refuse_unless_alike
from runbook.procedure.steps.shared.rights import require
from runbook.procedure.steps.shared.schemas import compare_databases, compare_schemas
from runbook.procedure.steps.upgrade.create_deployment import (
    AVAILABLE,
    refuse_invalid,
    required_deployment,
)
from runbook.proofs import rights
from runbook.proofs.new_databases import HELD_DATABASES
from state.records import Json


class ValidateGreen(Step):
    """Make green fit to serve: parameters in force, statistics there, replication healthy.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_UpgradeDBInstance.PostgreSQL.html
    """

    key = "validate-green"
    title = "Validate green"
    why = "What is missing on green would be missed on production an hour later."
    risk = Risk.REVERSIBLE
    undo = "Not needed: green is not in use; abort deletes it."

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        green = await context.cluster(Role.GREEN)
        reboots: list[Effect] = [
            self._reboot(context, green, member.identifier)
            for member in sorted(green.members, key=lambda m: not m.writer)
            if member.parameter_group_status == "pending-reboot"
        ]
        analyzes: list[Effect] = []
        if context.plan.upgrade.analyze_green:
            analyzes = [
                AnalyzeEffect(context, database) for database in await context.databases(Role.GREEN)
            ]
        return [*([effect] for effect in reboots), analyzes]

    def _reboot(self, context: RunContext, green: Cluster, identifier: str) -> Effect:
        async def probe() -> Finding:
            now = await context.cluster(Role.GREEN)
            for member in now.members:
                if member.identifier == identifier:
                    status = member.parameter_group_status
                    return yes(status) if status == "in-sync" else no(status)
            return unknown(f"{identifier} is no member of {now.identifier}")

        async def settled() -> str:
            instance = await context.rds.instance(identifier)
            if instance is not None and instance.failed:
                raise StepFailed(
                    f"{identifier} of green is {instance.status} after its reboot.",
                    now="Green is not in use; blue serves.",
                    todo=f"Look at the values in {green.parameter_group}: AWS could not start with "
                    "them. Fix them and reboot it in the console, then run the step again; or "
                    "branch to abort.",
                )
            status = instance.status if instance else "not listed"
            return "" if status == "available" else f"{identifier} is {status}"

        return ApiEffect(
            context,
            Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": identifier}),
            key=f"{identifier}/reboot",
            title=f"reboot {identifier} of {green.identifier} for its static parameters",
            probe=probe,
            settled=settled,
            settle_limit_s=context.plan.limits.instance_s,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        green = await context.cluster(Role.GREEN)
        late = [m.identifier for m in green.members if m.parameter_group_status != "in-sync"]
        if late:
            raise StepFailed(
                f"Green's parameters are not in force on {', '.join(late)}.",
                now="Green is not in use; blue serves.",
                todo="Reboot these instances, then run the step again.",
            )
        databases = await compare_databases(context, watch)
        watch.evidence(
            f"version {green.engine_version}, {counted(len(databases), 'database')}, in-sync"
        )
        await compare_schemas(context, watch, databases)
        await _allowed(context, watch)
        if context.plan.upgrade.analyze_green:
            for database in databases:
                await _name_unanalyzed(context, watch, database)
        await keep_printed(context, watch, Role.BLUE, Role.GREEN)
        await _lag_known(context, watch)


class AnalyzeEffect(DatabaseEffect):
    """Statistics for one database of green: a major upgrade before version 18 loses them.

    Source: https://www.postgresql.org/docs/current/sql-analyze.html
    """

    def __init__(self, context: RunContext, database: str) -> None:
        super().__init__(context, Role.GREEN, database)
        self.key = _analyze_key(database)
        self.title = f"analyze {database} on green"

    def preview(self) -> str:
        """Return the SQL."""
        return f"{self.where}, table by table, the largest first\nANALYZE …;"

    async def probe(self) -> Finding:
        """Look whether every table with rows has statistics, and ANALYZE is known to work there."""
        async with self.connect() as connection:
            missing = await maintenance.unanalyzed(connection)
            untried = await maintenance.untried(connection)
        if missing:
            return no(
                f"{counted(len(missing), 'table has', 'tables have')} no statistics, e.g. "
                f"{missing[0]}"
            )
        if untried:
            return no(
                f"ANALYZE of {counted(len(untried), 'table')} calls functions, e.g. of {untried[0]}"
            )
        return yes("every table has statistics")

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Analyze them one by one: a lost connection loses one table's work at most.

        Between two tables the operator may stop it.
        """

        async def told(table: str, fraction: float) -> None:
            await self.context.pause(f"{self.title}: {table} is done, {fraction:.0%} of all", 0.0)

        limit_s = self.context.plan.limits.repair_s
        done = await maintenance.analyze(connection, told, limit_s=limit_s)
        return {"analyzed": len(done.done), "skipped": dict(done.skipped)}


async def _allowed(context: RunContext, watch: Watch) -> None:
    """Prove that green lets blueprime make there what the way back needs."""
    parts = {Role.GREEN: rights.parts(context, Role.GREEN)}
    await require(context, watch, parts, now="Blue serves as before; green is not in use.")


def _analyze_key(database: str) -> str:
    return f"green/{database}/analyze"


async def _name_unanalyzed(context: RunContext, watch: Watch, database: str) -> None:
    """Warn of each table of green that could not be analyzed: production would have it so."""
    key = _analyze_key(database)
    refused = dict((context.done(key) or {}).get("skipped") or {})
    async with context.connect(Role.GREEN, database) as connection:
        missing = await maintenance.unanalyzed(connection)
    refused = dict.fromkeys(missing, "it has no statistics") | refused
    reasons = "; ".join(f"{table}: {why}" for table, why in refused.items())
    words = f"{counted(len(refused), 'table')} of {database} on green could not be analyzed: "
    words += f"{reasons}. Fix what is named and ANALYZE them before the switchover: "
    words += "queries on them would be planned without what ANALYZE finds."
    watch.warning(words if refused else "", key=key)


async def _lags(context: RunContext) -> list[SlotLag]:
    """Return how far green trails blue, by the slots that AWS made on blue."""
    async with context.connect(Role.BLUE) as connection:
        slots = await catalog.replication_slots(connection)
        names = [slot.name for slot in slots if slot.slot_type == "logical"]
        return list(await replication.slot_lags(connection, names))


async def _lag_known(context: RunContext, watch: Watch) -> None:
    """Record how far green trails blue."""
    lags = await _lags(context)
    for lag in lags:
        watch.evidence(_in_words(lag))
    if not lags:
        watch.evidence("blue -> green: no logical slot is visible on blue; AWS's word is relied on")


async def _follows(context: RunContext, watch: Watch) -> None:
    """Wait until green follows blue closely: AWS's guardrails refuse a switchover otherwise."""
    limits = context.plan.limits
    async for waited in watch.until(
        limits.catch_up_s + GRACE_S, every_s=limits.poll_s, what="green to follow blue"
    ):
        late = [_in_words(lag) for lag in await _lags(context) if _trails(lag, context.plan)]
        if not late:
            await _lag_known(context, watch)
            return
        if waited >= limits.catch_up_s:
            raise Refused(
                f"Green does not follow blue after {waited:.0f} s: {'; '.join(late)}.",
                now="Nothing was asked of the applications. Blue serves, and keeps WAL for green.",
                todo="Run the step again to go on waiting. If it does not catch up, branch to "
                "abort, which deletes green, and start again.",
            )
        watch.progress("; ".join(late))


def _trails(lag: SlotLag, plan: Plan) -> bool:
    return not lag.active or lag.bytes is None or lag.bytes > plan.protection.lag_limit_bytes


def _in_words(lag: SlotLag) -> str:
    shown = f"unknown ({lag.reason})" if lag.bytes is None else f"{lag.bytes} bytes"
    idle = "" if lag.active else ", nobody reads the slot"
    return f"blue -> green, database {lag.database}: lag {shown}{idle} ({lag.slot})"


class ReadyToSwitch(Step):
    """The last look before the applications are stopped.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-switching.html
    """

    key = "ready-to-switch"
    title = "Ready to switch over"
    why = "The last moment at which nothing has been asked of the applications."

    async def verify(self, context: RunContext, watch: Watch) -> None:
        found = await required_deployment(context)
        refuse_invalid(found)
        if found.status != AVAILABLE:
            raise Refused(
                f"The deployment is {found.status}, not {AVAILABLE}. {found.status_details}",
                now="Blue serves as before.",
                todo="Wait and run the step again, or branch to abort.",
            )
        await self._both_sides_available(context, watch)
        if "degraded" in found.status_details.lower():
            raise Refused(
                f"The deployment is {found.status}, but {found.status_details.rstrip('.')}.",
                now="Blue serves as before. AWS's guardrails would refuse the switchover.",
                todo="If green was only restarting, run the step again. Otherwise branch to abort, "
                "which deletes green, and start again: a green that is degraded is not repaired.",
            )
        watch.evidence(
            f"deployment {found.identifier} is {found.status} {found.status_details}".rstrip()
        )
        await check(context, watch)
        await compare_schemas(context, watch, await compare_databases(context, watch))
        await refuse_unless_alike(
            context,
            watch,
            Role.BLUE,
            Role.GREEN,
            await context.databases(Role.GREEN),
            todo="Fix it on green: m, or blueprime repair, shows what can be made alike; then run "
            "the step again, which also lets you accept them by name.",
        )
        await _allowed(context, watch)
        await _follows(context, watch)
        await keep_logins(context, watch, Role.BLUE)
        await server_names.keep(context, watch)
        await server_names.keep_systems(context, watch)
        await server_names.keep_endpoints(context, watch, (Role.BLUE, Role.GREEN))
        watch.evidence(HELD_DATABASES)

    async def _both_sides_available(self, context: RunContext, watch: Watch) -> None:
        """Fail where a member is not available: AWS would refuse after the applications stopped."""
        for role in (Role.BLUE, Role.GREEN):
            cluster = await context.cluster(role)
            members: list[Cluster | Instance] = [cluster, *await context.instances(role)]
            late = [f"{each.identifier} is {each.status}" for each in members if not each.available]
            if late or len(members) == 1:
                raise Refused(
                    f"{role.value.capitalize()} is not ready: "
                    f"{'; '.join(late) or f'{cluster.identifier} has no instances'}.",
                    now="Nothing was asked of the applications. Blue serves as before.",
                    todo="Fix it in the console, or wait; then run the step again. Or branch to "
                    "abort.",
                )
            watch.evidence(
                f"{role.value}: {counted(len(members) - 1, 'instance')} of {cluster.identifier}"
            )
