"""Protection: the capture inside the fence, the subscription, and the proof that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from runbook import fencing
from runbook.postgres import catalog, replication
from runbook.roles import Role
from runbook.step import Effect, Finding, Gate, Risk, Step, StepFailed, Watch, Wave
from runbook.steps.effects import LookInside, SqlEffect, no, unknown, yes
from runbook.world import World
from state.records import Json
from state.words import Result


def publication_name(world: World) -> str:
    """Return the name of the run's publication, the same in every database."""
    return world.sql_name()


def slot_name(world: World, databases: Sequence[str], database: str) -> str:
    """Return the name of a database's slot: slot names are cluster-wide, lower case and short.

    PostgreSQL allows `[a-z0-9_]` up to 63 bytes, so a database goes by its number in the list
    that the run recorded at its start.
    """
    return world.sql_name(str(sorted(databases).index(database) + 1))


def replication_role(world: World) -> str:
    """Return the role that the subscription logs in with."""
    return world.sql_name()


async def captured_databases(world: World, role: Role) -> list[str]:
    """Return the databases that the capture covers: as recorded, else as they are now."""
    recorded = world.fact("capture")
    if recorded is not None:
        return list(recorded["databases"])
    return await world.databases(role)


class Capture(Step):
    """Publication and slot in every database, inside the fence."""

    key = "capture"
    title = "Capture"
    why = "The slots keep every later write; they must exist before the first of them."
    risk = Risk.REVERSIBLE
    undo = "Drop the slots and publications; the way back through blue prime ends with them."

    def __init__(self, publisher: Role) -> None:
        self.publisher = publisher

    async def gates(self, world: World) -> Sequence[Gate]:
        unproved = world.fact("fence.unproved")
        if unproved is None:
            return ()
        return (
            Gate(
                key="accept-unproved-fence",
                question=(
                    "Go on although it is not proved that nothing was written before the capture: "
                    + str(unproved)
                ),
                reversible=(
                    "A write that slipped in stays on new blue and would be missing after a "
                    "rollback, with lag 0 and no error."
                ),
                must_type=world.plan.cluster.identifier,
            ),
        )

    async def effects(self, world: World) -> Sequence[Wave]:
        databases = await world.databases(self.publisher)
        role = replication_role(world)
        first: list[Effect] = [
            SqlEffect(
                world,
                self.publisher,
                "",
                [replication.create_replication_role(role)],
                key=role,
                title=f"create replication role {role} on {self.publisher.value}",
                probe=lambda connection: _role_there(connection, role),
            )
        ]
        first += [self._publication(world, database) for database in databases]
        return [first, [self._slot(world, databases, database) for database in databases]]

    def _publication(self, world: World, database: str) -> Effect:
        name = publication_name(world)

        async def probe(connection: AsyncConnection) -> Finding:
            there = await replication.publication_exists(connection, name)
            return (yes if there else no)(
                f"publication {name} {'exists' if there else 'is not there'}"
            )

        return SqlEffect(
            world,
            self.publisher,
            database,
            [replication.create_publication(name)],
            key=f"{name}/{database}/publication",
            title=f"create publication {name} in {database}",
            probe=probe,
        )

    def _slot(self, world: World, databases: Sequence[str], database: str) -> Effect:
        name = slot_name(world, databases, database)

        async def probe(connection: AsyncConnection) -> Finding:
            found = await replication.slot(connection, name)
            if found is None:
                return no(f"there is no slot {name}")
            if found.database != database:
                return unknown(f"slot {name} exists, but in database {found.database}")
            return yes(f"slot {name} is at {found.confirmed_flush_lsn}")

        return SlotEffect(world, self.publisher, database, name, probe)

    async def verify(self, world: World, watch: Watch) -> None:
        databases = await world.databases(self.publisher)
        names = {database: slot_name(world, databases, database) for database in databases}
        async with world.connect(self.publisher) as connection:
            lags = {
                lag.slot: lag for lag in await replication.slot_lags(connection, [*names.values()])
            }
        for database, name in names.items():
            lag = lags.get(name)
            if lag is None or lag.bytes is None:
                raise StepFailed(
                    f"The slot {name} of database {database} is not there after it was made.",
                    now="The applications are still stopped.",
                    todo="Run the step again.",
                )
        await fencing.prove_none_slipped_in(world, watch, self.publisher)
        watch.evidence(
            f"{len(names)} slots hold every write from now on: {', '.join(names.values())}",
            key="capture",
            value={"databases": databases, "slots": names, "publisher": self.publisher.value},
        )
        watch.evidence("slots held", key="slots", value=[*names.values()])


class SlotEffect(SqlEffect):
    """The creation of a slot, which waits for every open write transaction of the cluster."""

    def __init__(
        self, world: World, publisher: Role, database: str, name: str, probe: LookInside
    ) -> None:
        super().__init__(
            world,
            publisher,
            database,
            [replication.create_slot_statement(name)],
            key=name,
            title=f"create slot {name} in {database}",
            probe=probe,
        )
        self._name = name

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Create it, or name the transactions that it waited for."""
        try:
            point = await replication.create_slot(
                connection, self._name, deadline_s=self.world.plan.limits.capture_s
            )
        except replication.SlotBlocked as blocked:
            named = "; ".join(
                f"pid {b.pid}, role {b.role}, database {b.database}, open for {b.age_s:.0f} s"
                for b in blocked.blockers
            )
            raise StepFailed(
                f"{self.title}: it waits for open write transactions: {named or blocked}.",
                now="The slot does not exist; the applications are still stopped.",
                todo="End these transactions (pg_terminate_backend), then run the step again.",
            ) from blocked
        return {"consistent_point": replication.lsn_text(point)}


async def _role_there(connection: AsyncConnection, role: str) -> Finding:
    there = await replication.role_exists(connection, role)
    return (yes if there else no)(f"role {role} {'exists' if there else 'is not there'}")


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


class VerifyProtection(Step):
    """Prove that what is written on the publisher arrives."""

    key = "verify-protection"
    title = "Verify the protection"
    why = "A lag of zero says nothing before a known position was confirmed."
    undo = "Nothing to undo: it writes one logical message per database."

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        self.publisher = publisher
        self.subscriber = subscriber

    async def effects(self, world: World) -> Sequence[Wave]:
        databases = await captured_databases(world, self.publisher)
        return [
            [BarrierEffect(world, self.publisher, database, "verify") for database in databases]
        ]

    async def verify(self, world: World, watch: Watch) -> None:
        await confirm_barriers(
            world, watch, self.publisher, "verify", limit_s=world.plan.limits.subscribe_s
        )
        differences = await schema_differences(world, self.publisher, self.subscriber)
        if differences:
            raise StepFailed(
                f"{self.publisher.value} and {self.subscriber.value} differ in their schema: "
                + "; ".join(differences[:5]),
                now="The slots keep every write, but what the difference touches may not arrive.",
                todo="Make the same change on blue prime, then run the step again.",
            )
        watch.evidence(
            "same schema on both sides",
            key="schema",
            value={"differences": [], "at": world.now().isoformat()},
        )
        watch.evidence(
            "protected: a rollback now would lose nothing",
            key="protection",
            value={"protected": True, "at": world.now().isoformat(), "text": "verified"},
        )
        watch.result(Result.PROTECTED)


async def schema_differences(world: World, publisher: Role, subscriber: Role) -> list[str]:
    """Return how the schemas differ, in words; empty when they are the same."""

    async def fingerprint(role: Role, database: str) -> set[str]:
        async with world.connect(role, database) as connection:
            return set(await catalog.schema_fingerprint(connection))

    differences = []
    for database in await captured_databases(world, publisher):
        left, right = await asyncio.gather(
            fingerprint(publisher, database), fingerprint(subscriber, database)
        )
        differences += [
            f"{database}: only on {publisher.value}: {row}" for row in sorted(left - right)
        ]
        differences += [
            f"{database}: only on {subscriber.value}: {row}" for row in sorted(right - left)
        ]
    return differences


class BarrierEffect(Effect):
    """A logical message in one database, whose position the subscriber must confirm past."""

    def __init__(self, world: World, publisher: Role, database: str, purpose: str) -> None:
        self.key = barrier_key(publisher, database, purpose)
        self.title = f"emit a logical message in {database} of {publisher.value}"
        self._world = world
        self._publisher = publisher
        self._database = database

    def preview(self) -> str:
        """Return the SQL."""
        return (
            f"-- on {self._publisher.value}, database {self._database}\n"
            "SELECT pg_logical_emit_message(true, 'blueprime', 'barrier');"
        )

    async def probe(self) -> Finding:
        """Say no: each try emits its own, which changes no data."""
        return no("a message changes no data, and each try needs its own")

    async def perform(self) -> Mapping[str, Json]:
        """Emit it and keep its position."""
        async with self._world.connect(self._publisher, self._database) as connection:
            return {"lsn": await replication.emit_barrier(connection)}


def barrier_key(publisher: Role, database: str, purpose: str) -> str:
    """Return the key under which a barrier's position is kept."""
    return f"{publisher.slug}/{database}/barrier-{purpose}"


async def confirm_barriers(
    world: World, watch: Watch, publisher: Role, purpose: str, *, limit_s: float
) -> None:
    """Wait until every slot's subscriber has confirmed past the position kept for it."""
    databases = await captured_databases(world, publisher)
    wanted = {
        database: int((world.done(barrier_key(publisher, database, purpose)) or {})["lsn"])
        for database in databases
    }
    async for _ in watch.until(
        limit_s,
        every_s=min(0.1, world.plan.limits.fast_poll_s),
        what="blue prime to confirm past the barrier",
    ):
        behind = []
        async with world.connect(publisher) as connection:
            for database, lsn in wanted.items():
                slot = slot_name(world, databases, database)
                if await replication.confirmed_past(connection, slot, lsn) is not True:
                    behind.append(database)
        if not behind:
            positions = ", ".join(
                f"{database} {replication.lsn_text(lsn)}" for database, lsn in wanted.items()
            )
            watch.evidence(f"confirmed past the barrier: {positions}")
            return
        watch.progress(f"not yet confirmed: {', '.join(behind)}")


class Bake(Step):
    """Let the new version prove itself, with the way back held open."""

    key = "bake"
    title = "Bake"
    why = "The new version serves; blue prime follows it until you commit or roll back."
    undo = "rollback goes back to blue prime, commit ends the way back."

    async def verify(self, world: World, watch: Watch) -> None:
        bake_s = world.plan.protection.bake_s
        if bake_s:
            async for waited in watch.until(bake_s + 1, every_s=1, what="the end of the bake"):
                watch.progress(f"baking, {max(0.0, bake_s - waited):.0f} s left", waited / bake_s)
                if waited >= bake_s:
                    break
        watch.evidence("new blue serves, blue prime follows; branch to rollback or to commit")


class DropCapture(Step):
    """Give the publisher its disk back: slots, publications and the role go."""

    key = "drop-capture"
    title = "Drop the capture"
    why = "An abandoned slot keeps WAL and stops vacuum until the disk is full."
    risk = Risk.DESTRUCTIVE
    undo = "None: the way back through these slots has ended."

    def __init__(self, publisher: Role) -> None:
        self.publisher = publisher

    async def skip(self, world: World) -> str:
        if world.fact("slots") or world.bound(self.publisher) is not None:
            return ""
        return "no capture was made"

    async def effects(self, world: World) -> Sequence[Wave]:
        databases = await captured_databases(world, self.publisher)
        return [
            [self._slot(world, databases, database) for database in databases],
            [self._publication(world, database) for database in databases],
            [self._role(world, databases)],
        ]

    def _slot(self, world: World, databases: Sequence[str], database: str) -> Effect:
        name = slot_name(world, databases, database)

        async def probe(connection: AsyncConnection) -> Finding:
            found = await replication.slot(connection, name)
            return no(f"slot {name} is there") if found else yes(f"there is no slot {name}")

        return SqlEffect(
            world,
            self.publisher,
            "",
            [replication.terminate_slot_user(name), replication.drop_slot(name)],
            key=f"{name}/drop",
            title=f"drop slot {name} of {database}",
            probe=probe,
            transaction=False,
        )

    def _publication(self, world: World, database: str) -> Effect:
        name = publication_name(world)

        async def probe(connection: AsyncConnection) -> Finding:
            there = await replication.publication_exists(connection, name)
            return (no if there else yes)(f"publication {name} {'exists' if there else 'is gone'}")

        return SqlEffect(
            world,
            self.publisher,
            database,
            [replication.drop_publication(name)],
            key=f"{name}/{database}/publication/drop",
            title=f"drop publication {name} in {database}",
            probe=probe,
        )

    def _role(self, world: World, databases: Sequence[str]) -> Effect:
        role = replication_role(world)

        async def probe(connection: AsyncConnection) -> Finding:
            there = await replication.role_exists(connection, role)
            return (no if there else yes)(f"role {role} {'exists' if there else 'is gone'}")

        return SqlEffect(
            world,
            self.publisher,
            "",
            [replication.drop_role(role)],
            key=f"{role}/drop",
            title=f"drop role {role}",
            probe=probe,
        )

    async def verify(self, world: World, watch: Watch) -> None:
        async with world.connect(self.publisher) as connection:
            left = [
                slot.name
                for slot in await catalog.replication_slots(connection)
                if slot.name.startswith(world.sql_name())
            ]
        if left:
            raise StepFailed(
                f"Slots of this run are still there: {', '.join(left)}.",
                now="They keep WAL on the publisher.",
                todo="Run the step again.",
            )
        watch.evidence("no slot of this run is left", key="slots", value=[])
