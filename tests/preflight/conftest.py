"""A cluster to check: the lab's control plane for AWS's side, a real server for PostgreSQL's."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from rehearsal.servers.server import Binaries, Ground, Server
from runbook.aws import Aws
from runbook.base.context import RunContext
from runbook.base.kept import EmptyJournal
from runbook.plan.model import Plan
from runbook.preflight.check import Check
from runbook.preflight.result import Level, Result
from runbook.preflight.survey import Survey
from tests.rehearsal_aws.conftest import ACCOUNT, REGION, Lab
from tests.rehearsal_aws.conftest import lab as lab  # the fixture

PASSWORD = "correct horse %s 'battery'"
SETTINGS = {
    "wal_level": "logical",
    "max_prepared_transactions": "10",
    "max_replication_slots": "40",
    "max_wal_senders": "40",
    "max_worker_processes": "60",
    "max_logical_replication_workers": "20",
    "autovacuum": "off",
}

_numbers = itertools.count(1)


@dataclass
class Blue:
    """The real server behind the cluster."""

    server: Server

    def session(self, database: str = "postgres", user: str = "postgres") -> Any:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.server.port,
            user=user,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def run(self, database: str, *statements: str) -> None:
        with self.session(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@pytest.fixture(scope="session")
def blue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blue]:
    folder: Path = tmp_path_factory.mktemp("blue")
    ground = Ground(folder)
    try:
        binaries = Binaries()
        binaries.prepare(ground)
        server = Server(ground, binaries.find("16"), ground.base / "16" / "data")
        server.configure("group", SETTINGS)
        server.initdb()
        server.start()
        made = Blue(server)
        with server.connect() as connection:
            for role, attributes in {
                "postgres": "SUPERUSER",
                "limited": "NOSUPERUSER",
                "app_writer": "NOSUPERUSER",
            }.items():
                verifier = connection.pgconn.encrypt_password(
                    PASSWORD.encode(), role.encode(), b"scram-sha-256"
                ).decode()
                connection.execute(
                    SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
                        Identifier(role), SQL(attributes), verifier
                    )
                )
        yield made
        server.stop("immediate")
    finally:
        ground.close()


@pytest.fixture
def database(blue: Blue) -> Iterator[str]:
    """Make a database of an awkward name, and drop it with all that a test left in it."""
    name = f"Ærø \"shop\" 100% '{next(_numbers)}'"
    with blue.server.connect() as admin:
        admin.execute(SQL("CREATE DATABASE {} OWNER postgres").format(Identifier(name)))
    yield name
    with blue.server.connect(name) as inside:
        for (gid,) in inside.execute(
            "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
        ).fetchall():
            inside.execute(SQL("ROLLBACK PREPARED {}").format(gid))
        for (subscription,) in inside.execute("SELECT subname FROM pg_subscription").fetchall():
            inside.execute(SQL("DROP SUBSCRIPTION {}").format(Identifier(subscription)))
        inside.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE database = current_database()"
        )
    with blue.server.connect() as admin:
        admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@dataclass
class Site:
    """What a test changes, and how it asks."""

    lab: Lab
    blue: Blue
    aws: Aws
    plan: Plan

    def changed(self, section: str, **values: Any) -> Plan:
        """Return the plan with other values in a section (or `""` for its top)."""
        data = self.plan.as_json()
        (data[section] if section else data).update(values)
        return Plan.model_validate(data)

    @asynccontextmanager
    async def context(self, plan: Plan | None = None) -> AsyncIterator[RunContext]:
        made = RunContext(run="t35t", plan=plan or self.plan, journal=EmptyJournal(), aws=self.aws)
        try:
            yield made
        finally:
            await made.forget_connections()

    async def ask(self, check: Check, plan: Plan | None = None) -> list[Result]:
        """Return what one check says of the world as it is now."""
        async with self.context(plan) as context:
            look = Survey(context)
            try:
                return await check.ask(look)
            finally:
                await look.aclose()

    async def quiet(self, check: Check, plan: Plan | None = None) -> None:
        """Assert that a check finds nothing, and says so."""
        results = await self.ask(check, plan)
        assert results
        assert {r.level for r in results} == {Level.PASS}, results
        assert all(r.key == check.key and r.text for r in results)

    async def fires(
        self, check: Check, level: Level, subject: str, plan: Plan | None = None
    ) -> Result:
        """Assert that a check finds exactly this, says why it matters, and what to do."""
        results = [r for r in await self.ask(check, plan) if r.level is not Level.PASS]
        assert [(r.level, r.subject) for r in results] == [(level, subject)], results
        (result,) = results
        assert result.key == check.key
        assert result.text
        assert result.why
        assert result.remedy
        return result


@pytest.fixture
def site(lab: Lab, blue: Blue, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name, value in {
        "AWS_ENDPOINT_URL": lab.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "ORDERS_PASSWORD": PASSWORD,
    }.items():
        monkeypatch.setenv(name, value)
    (cluster,) = lab.control.clusters
    # One that is sound has nothing that blue prime will lack.
    cluster.endpoints.clear()
    cluster.port = blue.server.port or 0
    cluster.settings["DeletionProtection"] = False
    # The server is reached without its endpoint, and so without TLS.
    cluster.group.values["rds.force_ssl"] = "0"
    plan = Plan.model_validate(
        {
            "version": 1,
            "cluster": {
                "identifier": "orders",
                "resource_id": cluster.resource_id,
                "region": REGION,
                "account": ACCOUNT,
            },
            "upgrade": {"target_version": "17.9"},
            "credentials": {
                "user": "postgres",
                "password": "env:ORDERS_PASSWORD",
                "sslmode": "disable",
            },
            "traffic": {"stop": "manual", "application_roles": ["app_writer"]},
            "limits": {"connect_s": 5.0},
        }
    )
    return Site(lab, blue, Aws(REGION), plan)


Plant = Callable[[Site], None]
