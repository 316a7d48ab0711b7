"""A run whose blue and green are this folder's two real servers; only AWS's answers are made up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import psycopg
from psycopg.sql import SQL

from runbook.aws import Aws, Call
from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Step
from runbook.plan.model import Plan
from runbook.postgres.marks import ClusterMarks
from runbook.procedure.runner import Decide, Runner
from runbook.procedure.steps.protect.create_slots import CreateSlots
from runbook.procedure.steps.traffic import StopTraffic
from runbook.proofs import write_fence
from state.enums import Environment, Status
from state.journal import Journal
from tests.postgres.conftest import MASTER, Pair, master_password

BLUE, GREEN, PRIME = "cluster-BLUE", "cluster-GREEN", "cluster-PRIME"
WINDOW_S = 0.05
LIMIT_S = 120.0
"""Rows are compared, and slots made, within it, however loaded the machine is."""
HURRIED_S = 0.3


class FakeRds:
    """Answers about clusters as AWS would; `looked` is called before each answer on blue prime."""

    def __init__(self, pair: Pair) -> None:
        self.deployed: Any = None
        self.looked: Callable[[], str] = lambda: "available"
        self.known = {
            BLUE: self._cluster(pair, 16, BLUE, "orders"),
            GREEN: self._cluster(pair, 18, GREEN, "orders-green"),
            PRIME: self._cluster(pair, 16, PRIME, "orders-prime-k3f9qa"),
        }

    @staticmethod
    def _cluster(pair: Pair, major: int, resource_id: str, name: str) -> dict[str, Any]:
        return {
            "DbClusterResourceId": resource_id,
            "DBClusterIdentifier": name,
            "DBClusterArn": f"arn:aws:rds:us-east-1:123456789012:cluster:{name}",
            "Status": "available",
            "EngineVersion": pair.servers[major].version,
            "Endpoint": "127.0.0.1",
            "Port": pair.servers[major].port,
            "CloneGroupId": "group",
            "TagList": [{"Key": "blueprime:run", "Value": "k3f9qa"}],
            "DBClusterMembers": [
                {
                    "DBInstanceIdentifier": f"{name}-1",
                    "IsClusterWriter": True,
                    "DBClusterParameterGroupStatus": "in-sync",
                }
            ],
        }

    async def cluster_by_resource_id(self, resource_id: str) -> Cluster | None:
        return Cluster.parse(self.known[resource_id])

    async def cluster(self, name: str) -> Cluster | None:
        raw = next((r for r in self.known.values() if r["DBClusterIdentifier"] == name), None)
        return None if raw is None else Cluster.parse({**raw, "Status": self.looked()})

    async def clusters_of(self, resource_ids: Iterable[str]) -> list[Cluster]:
        return [Cluster.parse(self.known[each]) for each in resource_ids]

    async def clusters(self) -> list[Cluster]:
        return [Cluster.parse(raw) for raw in self.known.values()]

    async def instances(self, cluster: str) -> list[Any]:
        return []

    async def deployment(self, identifier: str) -> Any:
        return self.deployed

    async def deployment_by_name(self, name: str) -> Any:
        return None


class Night:
    """A run over the two servers, and what a test does to it."""

    def __init__(self, pair: Pair, journal: Journal, database: str, plan: Plan) -> None:
        self.pair = pair
        self.database = database
        self.journal = journal
        self.rds = FakeRds(pair)
        aws = SimpleNamespace(
            rds=self.rds, password=lambda *_, **__: master_password, perform=self._perform
        )
        self.context = RunContext(run="k3f9qa", plan=plan, journal=journal, aws=cast(Aws, aws))
        self.runner = Runner(self.context, journal, who="ada", notice=lambda *_, **__: None)
        self.asked: list[Gate] = []
        self.bind(Role.GREEN, GREEN)

    async def _perform(self, call: Call) -> dict[str, Any]:
        assert call.action == "AddTagsToResource", "nothing else is asked of AWS here"
        return {}

    def bind(self, role: Role, resource_id: str) -> None:
        self.keep(f"role.{role.slug}", {"resource_id": resource_id})

    def keep(self, key: str, value: Any) -> None:
        self.journal.evidence("k3f9qa", "test", key, key=key, value=value)

    async def yes(self, gate: Gate) -> str | None:
        self.asked.append(gate)
        return gate.must_type or "yes"

    async def no(self, gate: Gate) -> str | None:
        self.asked.append(gate)
        return None

    async def run(self, step: Step, decide: Decide | None = None) -> tuple[Status, str]:
        """Try a step; return how it ended and its message."""
        self.asked.clear()
        status = await self.runner.run_step(step, decide or self.yes)
        tried = [a for a in self.journal.attempts("k3f9qa") if a.step == step.key]
        return status, tried[-1].message if tried else ""

    async def succeeds(self, step: Step) -> None:
        status, message = await self.run(step)
        assert status is Status.SUCCEEDED, message

    async def fails(self, step: Step, *words: str) -> str:
        status, message = await self.run(step)
        assert status is Status.FAILED, message
        for each in words:
            assert each in message, message
        return message

    async def fenced(self) -> None:
        await self.succeeds(StopTraffic(on=Role.BLUE, also=(Role.GREEN,)))

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Wait only for a moment for what will not come: a proved fence, a slot that is free."""
        patient = self.context.plan
        fence = patient.fence.model_copy(update={"limit_s": HURRIED_S})
        limits = patient.limits.model_copy(update={"capture_s": HURRIED_S})
        self.context.plan = patient.model_copy(update={"fence": fence, "limits": limits})
        try:
            yield
        finally:
            self.context.plan = patient

    def seen(self, step: str) -> list[str]:
        return [each.text for each in self.journal.evidences("k3f9qa", step)]

    def write(self, major: int, statement: str, database: str = "") -> None:
        """Run one statement in a session that comes and goes between two looks."""
        with self.pair.stray(major, database or self.database) as stray:
            stray.execute(statement.encode())

    @contextmanager
    def coming_and_going(
        self, statement: str, connect: Callable[[], psycopg.Connection[Any]]
    ) -> Iterator[Callable[[], int]]:
        """Connect, write and be gone, again and again, as a job does; until the block ends.

        Lends what tells how often it has gone by now.
        """
        over = threading.Event()
        once = threading.Event()
        gone = 0

        def job() -> None:
            nonlocal gone
            while not over.is_set():
                with connect() as connection:
                    connection.execute(statement.encode())
                gone += 1
                once.set()

        thread = threading.Thread(target=job)
        thread.start()
        try:
            assert once.wait(LIMIT_S)
            yield lambda: gone
        finally:
            over.set()
            thread.join()

    @contextmanager
    def writing(
        self, statement: str, connect: Callable[[], psycopg.Connection[Any]]
    ) -> Iterator[None]:
        """Let a job come and go, however slow the machine is, in each window of a proof.

        Once its marks are taken, that is: the table that is written then is named.
        """
        with self.coming_and_going(statement, connect) as gone:
            usual = write_fence._within

            async def within(window_s: float, work: Awaitable[ClusterMarks]) -> ClusterMarks:
                found = await usual(window_s, work)
                begun = gone()
                async with asyncio.timeout(LIMIT_S):
                    while gone() < begun + 2:  # noqa: ASYNC110 - a thread counts it
                        await asyncio.sleep(0.01)
                return found

            with patch.object(write_fence, "_within", within):
                yield


def plan_for(application: str, **traffic: Any) -> Plan:
    return Plan.model_validate(
        {
            "version": 1,
            "cluster": {
                "identifier": "orders",
                "resource_id": BLUE,
                "region": "us-east-1",
                "account": "123456789012",
            },
            "upgrade": {"target_version": "18"},
            "credentials": {"user": MASTER, "password": "pgpass", "sslmode": "disable"},
            "traffic": {"stop": "roles", "application_roles": [application], **traffic},
            "fence": {"window_s": WINDOW_S, "limit_s": LIMIT_S},
            "limits": {"capture_s": LIMIT_S, "fast_poll_s": 0.05, "poll_s": 0.05, "connect_s": 60},
        }
    )


TABLES = """
    CREATE TABLE public.t (i int PRIMARY KEY);
    INSERT INTO public.t VALUES (-1), (-2);
    CREATE UNLOGGED TABLE public.unlogged (i int);
    CREATE SEQUENCE public.s"""


@asynccontextmanager
async def fenced_night(pair: Pair, folder: Path, database: str, plan: Plan) -> AsyncIterator[Night]:
    """Lend a run whose two databases hold the same tables on both servers; leave nothing behind."""
    for major in (16, 18):
        for name in (database, "postgres"):
            with pair.stray(major, name) as admin:
                admin.execute(TABLES.encode())
    with Journal.open(folder / "journal.db") as journal:
        journal.start_run(
            "k3f9qa",
            cluster="orders",
            cluster_resource_id=BLUE,
            account="123456789012",
            region="us-east-1",
            environment=Environment.REHEARSAL,
            plan=plan.as_json(),
            plan_path="plan.toml",
        )
        made = Night(pair, journal, database, plan)
        try:
            yield made
        finally:
            await made.context.forget_connections()
            await asyncio.to_thread(_leave_nothing, pair)


def _leave_nothing(pair: Pair) -> None:
    for major in (16, 18):
        with pair.admin(major) as admin:
            prepared = admin.execute("SELECT gid, database FROM pg_prepared_xacts").fetchall()
            for gid, name in prepared:
                with pair.admin(major, name) as inside:
                    inside.execute(SQL("ROLLBACK PREPARED {}").format(gid))
            admin.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE slot_name LIKE 'blueprime%' AND NOT active"
            )
            admin.execute("DROP PUBLICATION IF EXISTS blueprime_k3f9qa")
            admin.execute("DROP ROLE IF EXISTS blueprime_k3f9qa")
            admin.execute("ALTER DATABASE postgres RESET ALL")
            admin.execute("DROP TABLE public.t, public.unlogged; DROP SEQUENCE public.s")


CAPTURE = CreateSlots(publisher=Role.NEW_BLUE, equal_to=Role.OLD_BLUE)
INSERT = "INSERT INTO public.t SELECT coalesce(max(i), 0) + 1 FROM public.t"
