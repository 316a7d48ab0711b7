"""The subscription: blue prime fed from the slots, copying nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook.postgres import catalog, replication
from runbook.roles import Role
from runbook.step import Effect, Finding, Risk, Step, StepFailed, Watch, Wave
from runbook.steps.capture import (
    captured_databases,
    publication_name,
    replication_role,
    slot_name,
)
from runbook.steps.effects import LookInside, SqlEffect, no, yes
from runbook.world import World
from state.records import Json


class Subscribe(Step):
    """Feed the subscriber from the slots."""

    key = "subscribe"
    title = "Subscribe blue prime"
    why = "The slots start at exactly the state that was cloned: nothing is copied, nothing missed."
    risk = Risk.REVERSIBLE
    undo = "detach drops the subscriptions."

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        self.publisher = publisher
        self.subscriber = subscriber

    async def effects(self, world: World) -> Sequence[Wave]:
        databases = await captured_databases(world, self.publisher)
        leftovers = await self._leftovers(world)
        password = PasswordEffect(world, self.publisher, self.subscriber, databases)
        return [
            leftovers,
            [password],
            [self._subscription(world, databases, database) for database in databases],
        ]

    async def _leftovers(self, world: World) -> list[Effect]:
        """Return what removes the subscriptions that a clone carries over from its source."""
        own = publication_name(world)
        effects: list[Effect] = []
        for database in await world.databases(self.subscriber):
            async with world.connect(self.subscriber, database) as connection:
                found = await catalog.subscriptions(connection)
            effects += [
                SqlEffect(
                    world,
                    self.subscriber,
                    database,
                    replication.drop_subscription(left.name),
                    key=f"{self.subscriber.slug}/{database}/leftover/{left.name}",
                    title=f"drop leftover subscription {left.name} in {database}",
                    probe=_subscription_gone(left.name),
                )
                for left in found
                if left.name != own and left.database == database
            ]
        return effects

    def _subscription(self, world: World, databases: Sequence[str], database: str) -> Effect:
        return SubscriptionEffect(
            world,
            self.publisher,
            self.subscriber,
            database,
            name=publication_name(world),
            slot=slot_name(world, databases, database),
        )

    async def verify(self, world: World, watch: Watch) -> None:
        databases = await captured_databases(world, self.publisher)
        limits = world.plan.limits
        name = publication_name(world)
        async for _ in watch.until(
            limits.subscribe_s, every_s=limits.fast_poll_s, what="the apply workers to run"
        ):
            waiting = []
            for database in databases:
                async with world.connect(self.subscriber, database) as connection:
                    found = await replication.subscription(connection, name)
                if found is None or not found.enabled:
                    raise StepFailed(
                        f"The subscription {name} in {database} is "
                        f"{'missing' if found is None else 'disabled'}.",
                        now="New blue serves; its slots keep every write.",
                        todo="See blue prime's log for the cause, then run the step again.",
                    )
                if found.worker_pid is None:
                    waiting.append(database)
            if not waiting:
                watch.evidence(f"apply workers run in {', '.join(databases)}")
                return
            watch.progress(f"no apply worker yet in {', '.join(waiting)}")


def _subscription_gone(name: str) -> LookInside:
    async def probe(connection: AsyncConnection) -> Finding:
        found = await replication.subscription(connection, name)
        return no(f"{name} is there") if found else yes(f"there is no subscription {name}")

    return probe


class PasswordEffect(Effect):
    """A new password for the replication role, kept in this process's memory alone."""

    def __init__(
        self, world: World, publisher: Role, subscriber: Role, databases: Sequence[str]
    ) -> None:
        self.key = f"{replication_role(world)}/password"
        self.title = f"set a new password for {replication_role(world)}"
        self._world = world
        self._publisher = publisher
        self._subscriber = subscriber
        self._databases = databases

    def preview(self) -> str:
        """Return the SQL; the password is hashed before it leaves this machine."""
        role = replication_role(self._world)
        return f"-- on {self._publisher.value}\nALTER ROLE {role} PASSWORD '********';"

    async def probe(self) -> Finding:
        """Say yes when every subscription already runs: then none needs a password."""
        for database in self._databases:
            async with self._world.connect(self._subscriber, database) as connection:
                found = await replication.subscription(connection, publication_name(self._world))
            if found is None or not found.enabled or found.worker_pid is None:
                return no(f"the subscription in {database} does not run yet")
        return yes("every subscription runs")

    async def perform(self) -> Mapping[str, Json]:
        """Set it."""
        async with self._world.connect(self._publisher) as connection:
            await replication.set_password(
                connection, replication_role(self._world), self._world.replication_password
            )
        return {}


class SubscriptionEffect(Effect):
    """One database's subscription: created, or given the current connection and enabled."""

    def __init__(
        self,
        world: World,
        publisher: Role,
        subscriber: Role,
        database: str,
        *,
        name: str,
        slot: str,
    ) -> None:
        self.key = f"{subscriber.slug}/{database}/subscription"
        self.title = f"subscribe {database} of {subscriber.value} to slot {slot}"
        self._world = world
        self._publisher = publisher
        self._subscriber = subscriber
        self._database = database
        self._name = name
        self._slot = slot

    def preview(self) -> str:
        """Return the SQL, with the connection string masked."""
        return "\n".join(
            (
                f"-- on {self._subscriber.value}, database {self._database}",
                f"CREATE SUBSCRIPTION {self._name}",
                f"  CONNECTION 'host=<{self._publisher.value}> user={self._name} "
                "password=********'",
                f"  PUBLICATION {self._name}",
                f"  WITH (slot_name = '{self._slot}', create_slot = false, copy_data = false);",
            )
        )

    async def probe(self) -> Finding:
        """Look for a subscription that is enabled and has a worker."""
        async with self._world.connect(self._subscriber, self._database) as connection:
            found = await replication.subscription(connection, self._name)
        if found is None:
            return no(f"there is no subscription {self._name}")
        if found.enabled and found.worker_pid is not None:
            return yes(f"{self._name} is enabled, its worker is pid {found.worker_pid}")
        return no(f"{self._name} exists, but does not run")

    async def perform(self) -> Mapping[str, Json]:
        """Create it, or renew its connection, and enable it."""
        target = await self._world.target(self._publisher)
        credentials = self._world.plan.credentials
        conninfo = replication.subscriber_conninfo(
            host=target.host,
            port=target.port,
            dbname=self._database,
            user=replication_role(self._world),
            password=self._world.replication_password,
            sslmode=replication_sslmode(credentials.sslmode),
            sslrootcert="",
        )
        async with self._world.connect(self._subscriber, self._database) as connection:
            found = await replication.subscription(connection, self._name)
            if found is None:
                statements = [
                    replication.create_subscription(
                        self._name,
                        conninfo,
                        publication=self._name,
                        slot_name=self._slot,
                        enabled=True,
                        server_major=connection.info.server_version // 10000,
                    )
                ]
            else:
                statements = [
                    replication.set_subscription_connection(self._name, conninfo),
                    replication.enable_subscription(self._name),
                ]
            for statement in statements:
                await statement.execute(connection)
        return {}


def replication_sslmode(sslmode: str) -> str:
    """Return the subscription's sslmode: the CA file of this machine is not on the server.

    `rds.force_ssl` is on by default from version 17, so plain text is never asked for where the
    plan asks for encryption.
    """
    return "require" if sslmode in ("verify-ca", "verify-full") else sslmode
