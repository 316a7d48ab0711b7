"""The subscription: the cluster that does not serve is fed from the slots, copying nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg import AsyncConnection

from runbook.base.context import RunContext
from runbook.base.pair import (
    DETACHED,
    captured_databases,
    publication_name,
    replication_role,
    slot_name,
    subscription,
)
from runbook.base.roles import Role
from runbook.base.step import Effect, Impact, Risk, Watch, Wave
from runbook.failures import Answer, Finding, StepFailed
from runbook.postgres import catalog, replication
from runbook.postgres.apply_rights import AS_OWNER_SINCE, apply_rights, mode, run_as_owner
from runbook.procedure.steps.protect.slot_consumed import refuse_if_read
from runbook.procedure.steps.protect.verify import serves
from runbook.procedure.steps.shared.effects import (
    DatabaseEffect,
    LookInside,
    SqlEffect,
    no,
    yes,
)
from runbook.procedure.steps.shared.of_pair import PairStep
from state.records import Json


class Subscribe(PairStep):
    """Feed the subscriber from the slots.

    Source: https://www.postgresql.org/docs/current/logical-replication-subscription.html
    """

    why = "The slots start at exactly the state that it has: nothing is copied, nothing missed."
    risk = Risk.REVERSIBLE
    undo = "drop-subscriptions drops them."

    def __init__(self, publisher: Role, subscriber: Role) -> None:
        super().__init__(publisher, subscriber)
        # One track may do both: finish feeding blue prime, roll back to it, and feed new blue.
        self.key = "subscribe" if subscriber is Role.BLUE_PRIME else f"subscribe-{subscriber.slug}"
        self.title = f"Subscribe {subscriber.value}"

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        databases = await captured_databases(context, self.publisher)
        await self._refuse_a_late_clone(context, databases)
        leftovers = await self._leftovers(context)
        password = PasswordEffect(context, self.publisher, self.subscriber, databases)
        return [
            leftovers,
            [password],
            [
                SubscriptionEffect(context, self.publisher, self.subscriber, database, password)
                for database in databases
            ],
        ]

    async def _refuse_a_late_clone(self, context: RunContext, databases: Sequence[str]) -> None:
        """Refuse a subscriber that never followed, where the slots were read by another one."""
        followed = (context.fact("subscribed") or {}).get("resource_id")
        if followed == context.bound(self.subscriber):
            return
        for database in databases:
            if await subscription(context, self.subscriber, database) is not None:
                return
        await refuse_if_read(context, self.publisher)

    async def _leftovers(self, context: RunContext) -> list[Effect]:
        """Return what removes the subscriptions that a clone carries over from its source."""
        own = publication_name(context)
        effects: list[Effect] = []
        for database in await context.databases(self.subscriber):
            async with context.connect(self.subscriber, database) as connection:
                found = await catalog.subscriptions(connection)
            effects += [
                SqlEffect(
                    context,
                    self.subscriber,
                    database,
                    replication.drop_subscription(left.name),
                    key=f"{self.subscriber.slug}/{database}/leftover/{left.name}",
                    title=f"drop leftover subscription {left.name} in {database}",
                    probe=subscription_gone(left.name),
                )
                for left in found
                if left.name != own and left.database == database
            ]
        return effects

    async def verify(self, context: RunContext, watch: Watch) -> None:
        databases = await captured_databases(context, self.publisher)
        limits = context.plan.limits
        async for _ in watch.until(
            limits.subscribe_s, every_s=limits.fast_poll_s, what="the apply workers to run"
        ):
            waiting = []
            for database in databases:
                found = await subscription(context, self.subscriber, database)
                if found is None or not found.enabled:
                    raise StepFailed(
                        f"The subscription {publication_name(context)} in {database} is "
                        f"{'missing' if found is None else 'disabled'}.",
                        now=f"{serves(self.publisher)}; its slots keep every write.",
                        todo=f"See the log of {self.subscriber.value} for the cause, then run the "
                        "step again.",
                    )
                if found.worker_pid is None:
                    waiting.append(database)
            if not waiting:
                asked = context.plan.credentials.sslmode
                if replication_sslmode(asked) != asked:
                    watch.evidence(NOT_VERIFIED.format(asked=asked))
                watch.evidence(
                    f"apply workers run in {', '.join(databases)}",
                    key="subscribed",
                    value={"resource_id": context.bound(self.subscriber)},
                )
                watch.evidence("", key=DETACHED, value=[])
                return
            watch.progress(f"no apply worker yet in {', '.join(waiting)}")


def subscription_gone(name: str) -> LookInside:
    """Return the look whether a database has no subscription of a name."""

    async def probe(connection: AsyncConnection) -> Finding:
        found = await replication.subscription(connection, name)
        return no(f"{name} is there") if found else yes(f"there is no subscription {name}")

    return probe


class PasswordEffect(DatabaseEffect):
    """A new password for the replication role, kept in this process's memory alone.

    A process that goes on after another one, perhaps on another machine, has to set a new one. A
    subscription that has the former one runs on, until its worker must connect again: so each must
    have connected after the password was set.
    """

    def __init__(
        self, context: RunContext, publisher: Role, subscriber: Role, databases: Sequence[str]
    ) -> None:
        super().__init__(context, publisher, stake=Impact.CHANGE)
        self.key = f"{publisher.slug}/{replication_role(context)}/password"
        self.title = f"set a new password for {replication_role(context)}"
        self._subscriber = subscriber
        self._databases = databases
        self.renewed = False
        """Whether the password that stands is the one that this process knows."""

    def slot(self, database: str) -> str:
        """Return the slot that a database's subscription reads."""
        return slot_name(self.context, self._databases, database)

    async def read_by(self, slot: str) -> Finding:
        """Tell whether a slot is read by one who knows the password that stands."""
        kept = (self.context.done(self.key) or {}).get("set_at")
        async with self.connect() as connection:
            since = await replication.streaming_since(connection, slot)
        if since is None:
            return no(f"nobody reads the slot {slot}")
        if kept is not None and since < datetime.fromisoformat(kept):
            return no(f"slot {slot} is read by a worker that connected with a former password")
        return Finding(Answer.YES, f"slot {slot} is read", {} if kept is None else {"set_at": kept})

    def preview(self) -> str:
        """Return the SQL; the password is hashed before it leaves this machine."""
        return f"{self.where}\nALTER ROLE {replication_role(self.context)} PASSWORD '********';"

    async def probe(self) -> Finding:
        """Say yes when every subscription already runs with the password that stands."""
        for database in self._databases:
            found = await subscription(self.context, self._subscriber, database)
            if found is None or not found.enabled or found.worker_pid is None:
                return no(f"the subscription in {database} does not run yet")
            reading = await self.read_by(self.slot(database))
            if reading.answer is not Answer.YES:
                return reading
        return Finding(Answer.YES, "every subscription runs", reading.detail)

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Set it."""
        set_at = await replication.set_password(
            connection, replication_role(self.context), self.context.replication_password
        )
        self.renewed = True
        return {"set_at": set_at.isoformat()}


class SubscriptionEffect(DatabaseEffect):
    """One database's subscription: created, or given the current connection and enabled.

    Source: https://www.postgresql.org/docs/current/sql-createsubscription.html
    """

    def __init__(
        self,
        context: RunContext,
        publisher: Role,
        subscriber: Role,
        database: str,
        password: PasswordEffect,
        *,
        copy_data: bool = False,
    ) -> None:
        super().__init__(context, subscriber, database, stake=Impact.CHANGE)
        self._slot = password.slot(database)
        self.key = f"{subscriber.slug}/{database}/subscription"
        self.title = f"subscribe {database} of {subscriber.value} to slot {self._slot}"
        self._publisher = publisher
        self._password = password
        self._name = publication_name(context)
        self._copy_data = copy_data

    def preview(self) -> str:
        """Return the SQL, with the connection string masked."""
        return "\n".join(
            (
                self.where,
                f"CREATE PUBLICATION {replication.strays_publication(self._name)} FOR ALL TABLES;",
                f"CREATE SUBSCRIPTION {self._name}",
                f"  CONNECTION 'host=<{self._publisher.value}> user={self._name} "
                "password=********'",
                f"  PUBLICATION {self._name}",
                f"  WITH (slot_name = '{self._slot}', create_slot = false, "
                f"copy_data = {str(self._copy_data).lower()});",
                "  -- and run_as_owner = true, from 16 on, where a table's owner may not write it",
            )
        )

    async def probe(self) -> Finding:
        """Look for a subscription that runs, with the password that stands."""
        async with self.connect() as connection:
            found = await replication.subscription(connection, self._name)
        if found is None:
            return no(f"there is no subscription {self._name}")
        if not found.enabled or found.worker_pid is None:
            return no(f"{self._name} exists, but does not run")
        reading = await self._password.read_by(self._slot)
        if reading.answer is not Answer.YES:
            return no(f"{self._name} is enabled, but {reading.seen}")
        return yes(f"{self._name} is enabled, its worker is pid {found.worker_pid}")

    async def perform(self) -> Mapping[str, Json]:
        """Make it, where the password is known."""
        if not self._password.renewed:
            raise StepFailed(
                f"The subscription {self._name} in {self._database} stopped running just now.",
                now=f"Nothing was changed; the slots of {self._publisher.value} keep every write.",
                todo="Run the step again: it sets a new password for all of them.",
            )
        return await super().perform()

    async def run(self, connection: AsyncConnection) -> Mapping[str, Json]:
        """Create it, or renew its connection, and enable it.

        Before it, what shows writes on the subscriber that it did not bring.
        """
        target = await self.context.target(self._publisher)
        credentials = self.context.plan.credentials
        conninfo = replication.subscriber_conninfo(
            host=target.host,
            port=target.port,
            dbname=self._database,
            user=replication_role(self.context),
            password=self.context.replication_password,
            sslmode=replication_sslmode(credentials.sslmode),
            sslrootcert="",
        )
        found = await replication.subscription(connection, self._name)
        await replication.publish_strays(self._name).execute(connection)
        major = connection.info.server_version // 10000
        as_owner = mode(await apply_rights(connection), major).run_as_owner
        as_owner = as_owner and major >= AS_OWNER_SINCE
        if found is None:
            statements = [
                replication.create_subscription(
                    self._name,
                    conninfo,
                    publication=self._name,
                    slot_name=self._slot,
                    enabled=True,
                    copy_data=self._copy_data,
                    server_major=major,
                    run_as_owner=as_owner,
                )
            ]
        else:
            statements = [
                replication.set_subscription_connection(self._name, conninfo),
                *([run_as_owner(self._name)] if as_owner else []),
                replication.enable_subscription(self._name),
            ]
        for statement in statements:
            await statement.execute(connection)
        return {"run_as_owner": True} if as_owner else {}


NOT_VERIFIED = (
    "the subscriptions use sslmode require, where the plan says {asked}: what they carry is "
    "encrypted, and the publisher's certificate is not checked"
)


def replication_sslmode(sslmode: str) -> str:
    """Return the subscription's sslmode: the CA file of this machine is not on the server.

    `rds.force_ssl` is on by default from version 17, so plain text is never asked for where the
    plan asks for encryption.

    Source: https://www.postgresql.org/docs/current/libpq-ssl.html
    """
    return "require" if sslmode in ("verify-ca", "verify-full") else sslmode
