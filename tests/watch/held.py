"""A way back that is held between two real servers, with the watch running over it.

AWS is stood in for: it says where the two clusters are, and that they are well. Everything else is
the product's own: the journal, the steps' statements, the looks, the verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
from psycopg.sql import SQL, Identifier

from runbook.aws import Aws
from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.pair import publication_name
from runbook.base.roles import Role
from runbook.plan.model import Plan, from_json
from runbook.postgres import connect as pg
from runbook.postgres import fence_sql, replication
from runbook.postgres.target import Target
from runbook.proofs import unreplicated
from runbook.protection.dashboard import Dashboard
from runbook.watch.listing import WatchContext
from runbook.watch.monitor import Monitor
from state.enums import Environment
from state.journal import Journal
from tests.postgres.conftest import Pair, master_password

RUN = "k3f9qa"
LIMIT_S = 120.0
MAJORS = {Role.NEW_BLUE: 18, Role.BLUE_PRIME: 16}
NAMES = {Role.NEW_BLUE: "orders", Role.BLUE_PRIME: "orders-prime"}
PASSWORD = "of the replication role"

SCHEMA = """
CREATE TABLE public.customer (id bigint PRIMARY KEY, name text, city varchar(20));
CREATE TABLE public."Order ""x"" %" (id bigint PRIMARY KEY, customer bigint);
CREATE TABLE public."Or der" (id bigint PRIMARY KEY, a int, b int);
CREATE SEQUENCE public.number AS smallint;
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TABLE public.event (id bigint, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.event_26 PARTITION OF public.event
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""


class Clusters:
    """What AWS says: both clusters are available."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair

    async def cluster_by_resource_id(self, resource_id: str) -> Cluster | None:
        for role, name in NAMES.items():
            if resource_id == f"cluster-{name}":
                return self._cluster(role, name)
        return None

    async def clusters_of(self, resource_ids: Iterable[str]) -> list[Cluster]:
        found = [await self.cluster_by_resource_id(each) for each in resource_ids]
        return [cluster for cluster in found if cluster is not None]

    def _cluster(self, role: Role, name: str) -> Cluster:
        server = self._pair.servers[MAJORS[role]]
        return Cluster.parse(
            {
                "DbClusterResourceId": f"cluster-{name}",
                "DBClusterIdentifier": name,
                "DBClusterArn": f"arn:{name}",
                "Status": "available",
                "EngineVersion": server.version,
                "Endpoint": "127.0.0.1",
                "Port": server.port,
                "DBClusterMembers": [
                    {"DBInstanceIdentifier": f"{name}-1", "IsClusterWriter": True}
                ],
            }
        )

    async def instances(self, *clusters: str) -> list[Any]:
        return [
            SimpleNamespace(available=True, identifier=f"{each}-1", cluster=each)
            for each in clusters
        ]

    async def deployment(self, identifier: str) -> None:
        return None

    async def deployment_by_name(self, name: str) -> None:
        return None


class HeldWorld(RunContext):
    """A world whose clusters are the two servers."""

    def password_for(self, target: Target) -> pg.Password:
        return master_password


class WatchedWorld(HeldWorld, WatchContext):
    """The same as its watch sees it."""


def plan(**protection: Any) -> Plan:
    return from_json(
        {
            "version": 1,
            "cluster": {
                "identifier": "orders",
                "resource_id": "cluster-old",
                "region": "us-east-1",
                "account": "471100000815",
            },
            "upgrade": {"target_version": "18.4"},
            "credentials": {
                "user": 'Må"ster 100%',
                "password": "env:NOTHING",
                "sslmode": "disable",
            },
            "traffic": {"stop": "manual", "application_roles": ["app"]},
            "protection": protection,
        }
    )


@dataclass
class Held:
    """What a test and a benchmark plant causes in, and see turn."""

    pair: Pair
    database: str
    context: HeldWorld
    watched: WatchedWorld
    journal: Journal
    watch: Monitor
    kept: list[psycopg.Connection[Any]] = field(default_factory=list)
    """Sessions that a plant leaves open; they are closed at the end."""

    @property
    def dashboard(self) -> Dashboard:
        return self.watch.dashboard

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.dashboard.protection.reasons

    @property
    def slot(self) -> str:
        return self.context.sql_name("1")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition is true; the limit only ends a test that fails."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while not condition():  # noqa: ASYNC110 - the board is replaced, not signalled
                    await asyncio.sleep(0.01)
        except TimeoutError:
            said = (self.dashboard.protection, self.dashboard.alarms)
            raise AssertionError(f"never: {what}; the board says {said}") from None

    async def protected(self) -> None:
        await self.until(lambda: self.dashboard.protection.protected is True, "protected")

    async def says(self, *words: str) -> None:
        """Wait until the verdict has turned, for a reason with each of these words."""
        await self.until(
            lambda: (
                self.dashboard.protection.protected is False
                and all(any(each in reason for reason in self.reasons) for each in words)
            ),
            f"not protected: {words}",
        )

    async def warns(self, words: str) -> None:
        """Wait until an alarm that breaks nothing has these words."""
        await self.until(
            lambda: any(words in a.words and not a.breaks for a in self.dashboard.alarms), words
        )

    def verdicts(self) -> list[tuple[bool | None, list[str]]]:
        """Return each verdict that the watch has journaled, with its reasons."""
        kept = self.journal.evidences(RUN, "monitor", key="protection")
        return [(seen.value["protected"], seen.value["reasons"]) for seen in kept]

    def on(self, major: int, *statements: str) -> None:
        """Run statements as the server's superuser, each by itself."""
        with self.pair.admin(major, self.database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    async def run(self, major: int, *statements: str) -> None:
        await asyncio.to_thread(self.on, major, *statements)

    async def new(self, *statements: str) -> None:
        """Run statements on the publisher."""
        await self.run(18, *statements)

    async def prime(self, *statements: str) -> None:
        """Run statements on the subscriber."""
        await self.run(16, *statements)


def _set_up(pair: Pair, database: str, context: RunContext) -> None:
    name, role = publication_name(context), context.sql_name()
    for major in (16, 18):
        with pair.admin(major, database) as connection:
            for statement in filter(None, SCHEMA.split(";\n")):
                connection.execute(statement.encode())
    with pair.admin(18, database) as connection:
        connection.execute(
            SQL("CREATE ROLE {} LOGIN REPLICATION PASSWORD {}").format(Identifier(role), PASSWORD)
        )
        connection.execute(SQL("CREATE PUBLICATION {} FOR ALL TABLES").format(Identifier(name)))
        connection.execute(
            "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (context.sql_name("1"),)
        )


async def _subscribe(pair: Pair, database: str, context: RunContext) -> None:
    name = publication_name(context)
    async with context.connect(Role.BLUE_PRIME, database) as connection:
        conninfo = replication.subscriber_conninfo(
            host="127.0.0.1",
            port=pair.target(18).port,
            dbname=database,
            user=context.sql_name(),
            password=PASSWORD,
            sslmode="disable",
        )
        await replication.publish_strays(name).execute(connection)
        await replication.create_subscription(
            name, conninfo, name, context.sql_name("1"), server_major=16, enabled=True
        ).execute(connection)
        await fence_sql.set_database_read_only(database, True).execute(connection)


def _journal(path: Path, world_name: str, database: str) -> Journal:
    journal = Journal.open(path)
    journal.start_run(
        RUN,
        cluster="orders",
        cluster_resource_id="cluster-old",
        account="471100000815",
        region="us-east-1",
        environment=Environment.REHEARSAL,
        plan={},
        plan_path="plan.toml",
    )
    for key, value in (
        ("role.green", {"resource_id": "cluster-orders"}),
        ("role.blue-prime", {"resource_id": "cluster-orders-prime"}),
        ("switchover", {"called_at": ""}),
        (
            "capture",
            {
                "databases": [database],
                "slots": {database: world_name},
                "publisher": Role.NEW_BLUE.value,
            },
        ),
        ("slots", [world_name]),
        ("verified", {"at": ""}),
        ("traffic", {"open": True, "on": Role.NEW_BLUE.value}),
    ):
        journal.evidence(RUN, "for-the-test", "", key=key, value=value)
    return journal


@asynccontextmanager
async def unwatched(
    pair: Pair, database: str, path: Path, **protection: Any
) -> AsyncIterator[Held]:
    """Hold a way back from new blue (18) to blue prime (16) in one database; nobody watches it."""
    slot = f"blueprime_{RUN}_1"
    # How old a look may be is not what is planted here, and a slow machine's looks are older.
    slow = {"fresh_s": LIMIT_S, "sample_every_s": 0.25}
    protection = {"lag_limit_bytes": 8 << 20, **slow, **protection}
    with _journal(path, slot, database) as journal:
        aws = cast(Aws, SimpleNamespace(rds=Clusters(pair)))
        context, watched = (
            world(run=RUN, plan=plan(**protection), journal=journal, aws=aws, connect_s=3.0)
            for world in (HeldWorld, WatchedWorld)
        )
        # Databases that other tests left on the servers are not part of this night.
        context.databases = watched.databases = _only(database)  # type: ignore[method-assign]
        await asyncio.to_thread(_set_up, pair, database, context)
        await _subscribe(pair, database, context)
        async with context.connect(Role.NEW_BLUE) as connection:
            origins = (await unreplicated.mark(connection)).origins()
        value = {**context.fact("capture"), "origins": origins}  # type: ignore[dict-item]
        journal.evidence(RUN, "for-the-test", "", key="capture", value=value)
        made = Held(pair, database, context, watched, journal, Monitor(watched, journal))
        try:
            yield made
        finally:
            for connection in made.kept:
                connection.close()
            await context.forget_connections()
            await watched.forget_connections()
            await asyncio.to_thread(_clear, pair, database, context)


@asynccontextmanager
async def holding(pair: Pair, database: str, path: Path, **protection: Any) -> AsyncIterator[Held]:
    """Hold a way back, and watch it."""
    async with unwatched(pair, database, path, **protection) as made:
        task = made.watch.start()
        try:
            yield made
        finally:
            made.watch.stop()
            await task


def _only(database: str) -> Callable[[Role], Any]:
    async def databases(role: Role) -> list[str]:
        return [database]

    return databases


def _clear(pair: Pair, database: str, context: RunContext) -> None:
    """Remove what is not the database's own."""
    name = Identifier(publication_name(context))
    with pair.admin(16, database) as connection:
        connection.execute(SQL("ALTER SUBSCRIPTION {} DISABLE").format(name))
        connection.execute(SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(name))
        connection.execute(SQL("DROP SUBSCRIPTION {}").format(name))
    with pair.admin(18, database) as connection:
        for _ in range(200):
            try:
                connection.execute(
                    "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                    " WHERE active_pid IS NOT NULL"
                )
                connection.execute(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                )
                break
            except psycopg.errors.ObjectInUse:
                continue
        connection.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(context.sql_name())))
