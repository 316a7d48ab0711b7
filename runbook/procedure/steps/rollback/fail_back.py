"""The cluster that has every write takes over: old from new in a rollback, or new from old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook.amounts import counted
from runbook.aws import Call
from runbook.aws.facts import tag_rows
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.pair import (
    ReplicationPair,
    captured_databases,
    captured_slots,
    current_pair,
    detached,
    subscription,
)
from runbook.base.roles import Role
from runbook.base.step import Gate, Risk, Step, Watch, Wave
from runbook.failures import Finding, Refused
from runbook.ownership.slot_consumers import name_consumers
from runbook.postgres import catalog, maintenance
from runbook.postgres.right_proof import Part
from runbook.procedure.steps.protect.blue_prime import read_only_wave
from runbook.procedure.steps.protect.verify import require_slot, serves
from runbook.procedure.steps.shared.application_logins import keep_logins
from runbook.procedure.steps.shared.effects import ApiEffect, DatabaseEffect, no, yes
from runbook.procedure.steps.shared.objects import LEFT, refuse_unless_alike
from runbook.procedure.steps.shared.rights import require
from runbook.procedure.steps.upgrade.create_deployment import deployment
from runbook.procedure.steps.upgrade.switchover import COMPLETED
from runbook.proofs import cutover, drain, late_writes, new_databases
from state.enums import Result
from state.records import Json


class Assess(Step):
    """Say what this goes to, and what it would lose."""

    key = "assess"
    why = "Before anything is touched: where the run stands and what the way costs."

    def __init__(self, away: Role, to: Role, *, protects: bool = False) -> None:
        """Take the cluster that serves, the one to take over, and whether that is captured."""
        self.away = away
        self.to = to
        self.protects = protects
        self.title = f"Assess the way {'forward' if to is Role.NEW_BLUE else 'back'}"

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        return late_writes.lost_gates(context) if self.to is Role.OLD_BLUE else drain.gates(context)

    async def verify(self, context: RunContext, watch: Watch) -> None:
        found = await deployment(context)
        if found is not None and found.status != COMPLETED:
            raise Refused(
                f"The deployment is {found.status}: the switchover has not been completed.",
                todo="Wait for it to end; if AWS called it off, go on with the upgrade, or abort.",
            )
        serving = await context.cluster(self.away)
        target = await context.cluster(self.to)
        if not target.available:
            raise Refused(
                f"{self.to.value} ({target.identifier}) is {target.status}.",
                now=f"{serves(self.away)} as before.",
                todo="Wait until it is available, then run the step again.",
            )
        watch.evidence(
            f"from {serving.identifier} {serving.engine_version} "
            f"to {target.identifier} {target.engine_version}"
        )
        await name_consumers(
            context,
            watch,
            self.away,
            todo=f"It is not on {self.to.value}: make it anew there before the applications start, "
            "or its reader misses what they write.",
        )
        if self.to is not Role.OLD_BLUE:
            await self._subscribed(context, watch)
        else:
            await late_writes.refuse_if_written(context, watch, self.away)
        if self.protects:
            await self._can_publish(context)
        if self.to is not Role.OLD_BLUE:
            captured = await captured_databases(context, self.away)
            await new_databases.refuse_or_name(
                context, watch, ReplicationPair(self.away, self.to), captured
            )
            publishes = frozenset({Part.PUBLISHER} if self.protects else ())
            follows = frozenset({Part.SUBSCRIBER} if self.protects else ())
            parts = {self.to: publishes, self.away: follows}
            await require(
                context, watch, parts, now=f"{serves(self.away)} as before.", databases=captured
            )
            await refuse_unless_alike(
                context,
                watch,
                self.away,
                self.to,
                captured,
                todo="Fix it first: m, or blueprime repair, shows what can be made alike; then run "
                "the step again, which also lets you accept them by name.",
            )
        await keep_logins(context, watch, self.away)

    async def _subscribed(self, context: RunContext, watch: Watch) -> None:
        if detached(context, self.to):
            watch.evidence(
                f"{self.to.value} was drained behind this fence, and its subscriptions are gone; "
                "compare proves again that it has every row"
            )
            return
        slots = await captured_slots(context, self.away)
        async with context.connect(self.away) as connection:
            for database, slot in slots.items():
                await require_slot(connection, self.away, slot, database)
        for database in slots:
            found = await subscription(context, self.to, database)
            if found is None or not found.enabled or found.worker_pid is None or found.copying:
                state = "missing" if found is None else "not running"
                if found is not None and found.copying:
                    state = f"still copying {counted(found.copying, 'table')}"
                raise Refused(
                    f"The subscription of database {database} on {self.to.value} is {state}.",
                    now=f"{serves(self.away)} as before. {self.to.value.capitalize()} does not "
                    "have every write.",
                    todo="Take the way that finishes protecting first, or repair the subscription.",
                )
        watch.evidence("every subscription runs; draining inside the fence will lose nothing")
        if (context.fact("traffic") or {}).get("open", True):
            now = f"Nothing was changed: {serves(self.away)} as before."
            await drain.refuse_if_slow(context, watch, self.away, self.to, now=now)

    async def _can_publish(self, context: RunContext) -> None:
        """Refuse where the capture would fail inside the fence, with the applications down."""
        databases = await context.databases(self.to)
        async with context.connect(self.to) as connection:
            settings = await catalog.settings(connection, ("wal_level", "max_replication_slots"))
            found = await catalog.replication_slots(connection)
        # The watch's own are temporary, and gone with the subscriptions.
        slots = [slot for slot in found if not slot.temporary]
        free = int(settings["max_replication_slots"].value) - len(slots)
        own = sum(slot.name.startswith(context.sql_name()) for slot in slots)
        lacks = []
        if settings["wal_level"].value != "logical":
            lacks.append(f"wal_level is {settings['wal_level'].value}, not logical")
        if free + own < len(databases):
            lacks.append(f"{counted(free, 'slot is', 'slots are')} free, {len(databases)} needed")
        if lacks:
            raise Refused(
                f"{self.to.value.capitalize()} cannot feed another cluster: {'; '.join(lacks)}.",
                now=f"{serves(self.away)} as before.",
                todo="Fix its parameter group and reboot it; or branch to the way that rolls back "
                "for good, which needs no slot there.",
            )


class CloseCluster(Step):
    """Close a cluster to applications: traffic opens on one cluster at a time."""

    why = "A client that still finds it must not be able to write there."
    risk = Risk.REVERSIBLE
    undo = "ALTER DATABASE … RESET default_transaction_read_only."

    def __init__(self, role: Role, successor: Role | None = None) -> None:
        """Take the cluster, and the one that takes over from it and must have all its rows."""
        self.role = role
        self.successor = successor
        self.key = f"close-{role.slug}"
        self.title = f"Close {role.value}"

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        if self.successor is None:
            return ()
        if self.successor is Role.OLD_BLUE:
            return late_writes.lost_gates(context)
        return cutover.closed_gates(context)

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        databases = await context.databases(self.role)
        return [read_only_wave(context, self.role, databases, on=True)]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        watch.evidence(f"every database of {self.role.value} is read-only to clients")
        # The last look before another cluster is opened: what is written from here on stays here.
        if self.successor is Role.OLD_BLUE:
            await late_writes.refuse_if_written(context, watch, self.role)
        elif self.successor is not None:
            await cutover.prove_closed(context, watch, self.role, self.successor)


class OpenCluster(Step):
    """Make the cluster that takes over writable, with fresh materialized views."""

    why = "It was kept read-only to everyone but replication."
    risk = Risk.REVERSIBLE
    undo = "ALTER DATABASE … SET default_transaction_read_only = on."

    def __init__(self, role: Role) -> None:
        self.role = role
        self.key = f"open-{role.slug}"
        self.title = f"Open {role.value}"

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        databases = await context.databases(self.role)
        return [
            read_only_wave(context, self.role, databases, on=False),
            [RefreshViews(context, self.role, database) for database in databases],
        ]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        watch.evidence(f"every database of {self.role.value} is writable; roles are still locked")
        for database in await context.databases(self.role):
            name_stale_views(context, watch, self.role, database)


def refresh_key(role: Role, database: str) -> str:
    """Return the key of the effect that refreshes a database's materialized views."""
    return f"{role.slug}/{database}/refresh"


def name_stale_views(context: RunContext, watch: Watch, role: Role, database: str) -> None:
    """Warn of each materialized view that was not refreshed: it shows what it showed before."""
    key = refresh_key(role, database)
    skipped = dict((context.done(key) or {}).get("skipped") or {})
    reasons = "; ".join(f"{view}: {why}" for view, why in skipped.items())
    views = counted(len(skipped), "materialized view was", "materialized views were")
    words = f"{views} not refreshed in {database} on {role.value}: {reasons}. What is "
    words += "not refreshed shows what it showed before: REFRESH it by hand."
    watch.warning(words if skipped else "", key=key)


class RefreshViews(DatabaseEffect):
    """One database's materialized views: replication does not carry them.

    Source: https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html
    """

    def __init__(self, context: RunContext, role: Role, database: str) -> None:
        super().__init__(context, role, database)
        self.key = refresh_key(role, database)
        self.title = f"refresh the materialized views of {database}"

    def preview(self) -> str:
        """Return the SQL."""
        return f"{self.where}, each in dependency order\nREFRESH MATERIALIZED VIEW …;"

    async def probe(self) -> Finding:
        """Say no: whether a view is fresh cannot be seen, and refreshing again harms nothing."""
        return no("freshness cannot be seen; refreshing again harms nothing")

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Refresh them, within the fence's limit: the applications wait for it."""
        limit_s = self.context.plan.fence.limit_s
        done = await maintenance.refresh_materialized_views(connection, limit_s=limit_s)
        return {"refreshed": list(done.done), "skipped": dict(done.skipped)}


async def name_serving(context: RunContext, watch: Watch, on: Role) -> None:
    """Say which cluster serves at the end, on which version and where."""
    cluster = await context.cluster(on)
    async with context.connect(on) as connection:
        watch.evidence(
            f"{cluster.identifier} serves on {cluster.engine_version} at "
            f"{connection.info.host}:{connection.info.port}"
        )


class VerifyRolledBack(Step):
    """Say how it ended, and mark what is left."""

    key = "verify-end"
    title = "Verify the end"
    why = "The night is over; what remains costs money until it is removed."
    risk = Risk.REVERSIBLE
    undo = "Nothing to undo."
    rests = True

    def __init__(self, on: Role) -> None:
        self.on = on

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        new_blue = await context.cluster(Role.NEW_BLUE)

        async def probe() -> Finding:
            tags = await context.rds.tags(new_blue.arn)
            marked = tags.get(RUN_TAG) == context.run
            return (yes if marked else no)(
                f"{new_blue.identifier} is {'' if marked else 'not '}marked"
            )

        mark = Call(
            "rds",
            "AddTagsToResource",
            {"ResourceName": new_blue.arn, "Tags": tag_rows(context.tags)},
        )
        effect = ApiEffect(
            context,
            mark,
            key=f"{new_blue.resource_id}/mark",
            title=f"mark {new_blue.identifier} as made by this run, for cleanup",
            probe=probe,
            patience_s=0.0,
        )
        return [[effect]]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await name_serving(context, watch, self.on)
        # Old blue is gone back to uncompared: what was accepted is of another side.
        for words in context.fact(LEFT) or () if self.on is not Role.OLD_BLUE else ():
            watch.evidence(f"as accepted before: {words}")
        if current_pair(context).publisher is self.on and context.fact("slots"):
            watch.evidence(
                "new blue follows, closed: going forward again would lose nothing. Until you go, "
                "or finalize, slots on blue prime hold the way open"
            )
        watch.result(Result.ROLLED_BACK)
