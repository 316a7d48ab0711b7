"""The way back: the cluster that has every write takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook import closing, slipped
from runbook.aws import Call
from runbook.aws.facts import tag_rows
from runbook.postgres import maintenance, replication
from runbook.roles import Role
from runbook.step import Effect, Finding, Gate, Refused, Risk, Step, StepFailed, Watch, Wave
from runbook.steps.capture import captured_databases, publication_name, slot_name
from runbook.steps.clone import read_only_effect
from runbook.steps.effects import ApiEffect, SqlEffect, answered, no, yes
from runbook.steps.green import deployment
from runbook.steps.logins import keep_logins
from runbook.steps.protection import require_slot
from runbook.steps.switch import COMPLETED
from runbook.world import RUN_TAG, World
from state.records import Json
from state.words import Result


class RollbackAssess(Step):
    """Say what this rollback goes back to, and what it would lose."""

    key = "assess"
    title = "Assess the way back"
    why = "Before anything is touched: where the run stands and what going back costs."

    def __init__(self, to: Role) -> None:
        self.to = to

    async def gates(self, world: World) -> Sequence[Gate]:
        return slipped.lost_gates(world) if self.to is Role.OLD_BLUE else ()

    async def verify(self, world: World, watch: Watch) -> None:
        found = await deployment(world)
        if found is not None and found.status != COMPLETED:
            raise Refused(
                f"The deployment is {found.status}: the switchover has not been completed.",
                now="Nothing was changed.",
                todo="Wait for it to end; if AWS called it off, go on with the upgrade, or abort.",
            )
        new_blue = await world.cluster(Role.NEW_BLUE)
        target = await world.cluster(self.to)
        if not target.available:
            raise Refused(
                f"{self.to.value} ({target.identifier}) is {target.status}.",
                now="New blue serves as before.",
                todo="Wait until it is available, then run the step again.",
            )
        watch.evidence(
            f"from {new_blue.identifier} {new_blue.engine_version} "
            f"to {target.identifier} {target.engine_version}"
        )
        if self.to is Role.BLUE_PRIME:
            await self._subscribed(world, watch)
        else:
            await slipped.refuse_if_written(world, watch, Role.NEW_BLUE)
        await keep_logins(world, watch, Role.NEW_BLUE)

    async def _subscribed(self, world: World, watch: Watch) -> None:
        name = publication_name(world)
        databases = await captured_databases(world, Role.NEW_BLUE)
        async with world.connect(Role.NEW_BLUE) as connection:
            for database in databases:
                slot = slot_name(world, databases, database)
                await require_slot(connection, Role.NEW_BLUE, slot, database)
        for database in databases:
            async with world.connect(Role.BLUE_PRIME, database) as connection:
                found = await replication.subscription(connection, name)
            if found is None or not found.enabled or found.worker_pid is None or found.copying:
                state = "missing" if found is None else "not running"
                if found is not None and found.copying:
                    state = f"still copying {found.copying} tables"
                raise Refused(
                    f"The subscription of database {database} on blue prime is {state}.",
                    now="New blue serves as before. Blue prime does not have every write.",
                    todo="Take the way that finishes protecting first, or mend the subscription.",
                )
        watch.evidence("every subscription runs; draining inside the fence will lose nothing")


class Detach(Step):
    """End the subscriptions without talking to the publisher."""

    key = "detach"
    title = "Detach blue prime"
    why = "A subscription left behind would go on applying, or hang on a dead publisher."
    risk = Risk.DESTRUCTIVE
    undo = "None: blue prime no longer follows; a new one takes a new clone and capture."

    def __init__(self, subscriber: Role) -> None:
        self.subscriber = subscriber

    async def skip(self, world: World) -> str:
        if await world.find(self.subscriber) is None:
            return f"there is no {self.subscriber.value}"
        return ""

    async def effects(self, world: World) -> Sequence[Wave]:
        name = publication_name(world)
        databases = await world.databases(self.subscriber)

        async def probe(connection: AsyncConnection) -> Finding:
            found = await replication.subscription(connection, name)
            return no(f"{name} is there") if found else yes(f"there is no subscription {name}")

        return [
            [
                SqlEffect(
                    world,
                    self.subscriber,
                    database,
                    replication.drop_subscription(name),
                    key=f"{self.subscriber.slug}/{database}/subscription/drop",
                    title=f"drop subscription {name} in {database}",
                    probe=probe,
                )
                for database in databases
            ],
            [self._strays(world, database) for database in databases],
        ]

    def _strays(self, world: World, database: str) -> Effect:
        """Return what drops the publication of its own writes: all are, once it serves."""
        name = replication.strays_publication(publication_name(world))

        async def probe(connection: AsyncConnection) -> Finding:
            there = await replication.publication_exists(connection, name)
            return (no if there else yes)(f"publication {name} {'exists' if there else 'is gone'}")

        return SqlEffect(
            world,
            self.subscriber,
            database,
            [replication.drop_publication(name)],
            key=f"{self.subscriber.slug}/{database}/strays/drop",
            title=f"drop publication {name} in {database}",
            probe=probe,
        )

    async def verify(self, world: World, watch: Watch) -> None:
        name = publication_name(world)
        for database in await world.databases(self.subscriber):
            async with world.connect(self.subscriber, database) as connection:
                if await replication.subscription(connection, name) is not None:
                    raise StepFailed(
                        f"The subscription {name} in {database} is still there.",
                        now=f"{self.subscriber.value} still follows in that database.",
                        todo="Run the step again.",
                    )
        watch.evidence(f"{self.subscriber.value} is detached", key="detached", value=True)
        watch.evidence(
            f"{self.subscriber.value} follows nobody",
            key="protection",
            value={"protected": False, "at": world.now().isoformat(), "text": "detached"},
        )


class CloseSide(Step):
    """Close a cluster to applications: traffic opens on one cluster at a time."""

    key = "close-new-blue"
    title = "Close new blue"
    why = "A client that still finds it must not be able to write there."
    risk = Risk.REVERSIBLE
    undo = "ALTER DATABASE … RESET default_transaction_read_only."

    def __init__(self, role: Role) -> None:
        self.role = role

    async def gates(self, world: World) -> Sequence[Gate]:
        return closing.closed_gates(world) if _detached(world) else slipped.lost_gates(world)

    async def effects(self, world: World) -> Sequence[Wave]:
        return [
            [
                read_only_effect(world, self.role, database, on=True)
                for database in await world.databases(self.role)
            ]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        watch.evidence(f"every database of {self.role.value} is read-only to clients")
        # The last look before another cluster is opened: what is written from here on stays here.
        if _detached(world):
            await closing.prove_closed(world, watch, self.role, _successor(self.role))
        else:
            await slipped.refuse_if_written(world, watch, self.role)


def _successor(role: Role) -> Role:
    return Role.NEW_BLUE if role is Role.BLUE_PRIME else Role.BLUE_PRIME


def _detached(world: World) -> bool:
    """Return whether the way leads to a subscriber: a way to old blue detaches nobody."""
    return bool(world.fact("detached"))


class OpenSide(Step):
    """Make the cluster that takes over writable, with fresh materialized views."""

    title = "Open the rollback cluster"
    why = "It was kept read-only to everyone but replication."
    risk = Risk.REVERSIBLE
    undo = "ALTER DATABASE … SET default_transaction_read_only = on."
    key = "open-rollback-cluster"

    def __init__(self, role: Role) -> None:
        self.role = role
        self.key = f"open-{role.slug}"
        self.title = f"Open {role.value}"

    async def effects(self, world: World) -> Sequence[Wave]:
        databases = await world.databases(self.role)
        open_up: list[Effect] = [
            read_only_effect(world, self.role, database, on=False) for database in databases
        ]
        refresh: list[Effect] = [RefreshViews(world, self.role, name) for name in databases]
        return [open_up, refresh]

    async def verify(self, world: World, watch: Watch) -> None:
        watch.evidence(f"every database of {self.role.value} is writable; roles are still locked")


class RefreshViews(Effect):
    """One database's materialized views: replication does not carry them."""

    def __init__(self, world: World, role: Role, database: str) -> None:
        self.key = f"{role.slug}/{database}/refresh"
        self.title = f"refresh the materialized views of {database}"
        self._world = world
        self._role = role
        self._database = database

    def preview(self) -> str:
        """Return the SQL."""
        return (
            f"-- on {self._role.value}, database {self._database}, each in dependency order\n"
            "REFRESH MATERIALIZED VIEW …;"
        )

    async def probe(self) -> Finding:
        """Say no: whether a view is fresh cannot be seen, and refreshing again harms nothing."""
        return no("freshness cannot be seen; refreshing again harms nothing")

    async def perform(self) -> Mapping[str, Json]:
        """Refresh them."""
        with answered(self.title, self._role):
            async with self._world.connect(self._role, self._database) as connection:
                done = await maintenance.refresh_materialized_views(connection)
            return {"refreshed": list(done.done), "skipped": list(done.skipped)}


class RollbackSettled(Step):
    """Say how it ended, and mark what is left."""

    key = "settled"
    title = "Settled"
    why = "The night is over; what remains costs money until it is removed."
    risk = Risk.REVERSIBLE
    undo = "Nothing to undo."

    def __init__(self, on: Role) -> None:
        self.on = on

    async def effects(self, world: World) -> Sequence[Wave]:
        new_blue = await world.cluster(Role.NEW_BLUE)

        async def probe() -> Finding:
            tags = await world.rds.tags(new_blue.arn)
            marked = tags.get(RUN_TAG) == world.run
            return (yes if marked else no)(
                f"{new_blue.identifier} is {'' if marked else 'not '}marked"
            )

        mark = Call(
            "rds",
            "AddTagsToResource",
            {"ResourceName": new_blue.arn, "Tags": tag_rows(world.tags)},
        )
        return [
            [
                ApiEffect(
                    world.aws,
                    mark,
                    key=f"{new_blue.resource_id}/mark",
                    title=f"mark {new_blue.identifier} as made by this run, for cleanup",
                    probe=probe,
                )
            ]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        serving = await world.cluster(self.on)
        async with world.connect(self.on) as connection:
            watch.evidence(
                f"{serving.identifier} serves on {serving.engine_version} at "
                f"{connection.info.host}:{connection.info.port}"
            )
        watch.result(Result.ROLLED_BACK)
