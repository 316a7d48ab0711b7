"""New blue (18) and blue prime (16) as real servers, a real journal, and a session over both.

AWS alone is left out: the world is told where its clusters are.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from runbook.aws import Aws, Call
from runbook.aws.facts import Cluster
from runbook.aws.rds import Rds
from runbook.base.context import RunContext
from runbook.base.offer import Offer
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.base.step import Gate
from runbook.plan.model import Plan
from runbook.postgres import replication
from runbook.postgres.target import Target
from runbook.run.session import Session
from state.enums import Environment, Status
from state.journal import Journal
from tests.postgres.conftest import LIMIT_S, MASTER, SECRET, Pair, master_password
from tests.postgres.conftest import pair as pair  # the fixture

MAJORS = {
    Role.BLUE: 16,
    Role.OLD_BLUE: 16,
    Role.BLUE_PRIME: 16,
    Role.GREEN: 18,
    Role.NEW_BLUE: 18,
}
_numbers = itertools.count(1)

PLAN = {
    "version": 1,
    "cluster": {
        "identifier": "orders",
        "resource_id": "cluster-BLUE",
        "region": "us-east-1",
        "account": "123456789012",
    },
    "upgrade": {"target_version": "18.4"},
    "credentials": {"user": MASTER, "password": "env:ORDERS_PASSWORD", "sslmode": "disable"},
    "traffic": {"stop": "manual"},
    "limits": {"connect_s": 5.0, "subscribe_s": 30.0, "drain_s": 20.0, "fast_poll_s": 0.05},
}


async def yes(gate: Gate) -> str | None:
    return gate.must_type or "yes"


@dataclass
class Bench:
    """The two sides of a run, one database of it, and the run."""

    pair: Pair
    database: str
    journal: Journal
    session: Session
    publisher: Role = Role.NEW_BLUE

    @property
    def sides(self) -> ReplicationPair:
        return ReplicationPair.of(self.publisher)

    @property
    def run(self) -> str:
        return self.session.run.id

    @property
    def context(self) -> RunContext:
        return self.session._context

    @property
    def slot(self) -> str:
        return f"blueprime_{self.run}_1"

    @property
    def name(self) -> str:
        return f"blueprime_{self.run}"

    def ask(self, major: int, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.pair.admin(major, self.database) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def here(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run SQL on the publisher."""
        return self.ask(MAJORS[self.sides.publisher], query, *parameters)

    def there(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run SQL on the subscriber, as the server's superuser, whom read-only does not stop."""
        return self.ask(MAJORS[self.sides.subscriber], query, *parameters)

    def both(self, query: str) -> None:
        self.here(query)
        self.there(query)

    def fact(self, key: str, value: Any) -> None:
        self.journal.evidence(self.run, "test", f"as a test has it: {key}", key=key, value=value)

    def differ(self, *tables: str, schema: str = "public") -> None:
        """Keep that tables are known to differ, as the fence or a comparison would."""
        self.fact(
            "tables.differ",
            [
                {
                    "database": self.database, "schema": schema, "table": table,
                    "here": None, "there": None, "found_by": "fence",
                }
                for table in tables
            ],
        )  # fmt: skip

    def follow(self, *, prepare: str = "") -> None:
        """Create slots on the publisher and subscribe the other, as the track does."""
        here, there = MAJORS[self.sides.publisher], MAJORS[self.sides.subscriber]
        if prepare:
            self.both(prepare)
        self.there(
            SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
            .format(Identifier(self.database))
            .as_string(None)
        )
        verifier = SECRET
        with self.pair.admin(here, self.database) as publisher:
            hashed = publisher.pgconn.encrypt_password(
                verifier.encode(), self.name.encode(), b"scram-sha-256"
            ).decode()
            publisher.execute(
                SQL("CREATE ROLE {} LOGIN REPLICATION PASSWORD {}").format(
                    Identifier(self.name), hashed
                )
            )
            publisher.execute(replication.create_publication(self.name).sql)
            publisher.execute(
                "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (self.slot,)
            )
        conninfo = replication.subscriber_conninfo(
            host="127.0.0.1",
            port=self.pair.servers[here].port or 0,
            dbname=self.database,
            user=self.name,
            password=SECRET,
            sslmode="disable",
        )
        with self.pair.admin(there, self.database) as subscriber:
            subscriber.execute(
                SQL(
                    "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {} WITH "
                    "(create_slot = false, copy_data = false, slot_name = {}, origin = none)"
                ).format(Identifier(self.name), conninfo, Identifier(self.name), self.slot)
            )
        self.fact("switchover", {"called_at": ""})
        self.fact(
            "capture",
            {
                "databases": [self.database],
                "slots": {self.database: self.slot},
                "publisher": self.publisher.value,
                "from": {},
            },
        )
        self.fact("slots", [self.slot])

    def settle(self, limit_s: float = LIMIT_S) -> None:
        """Wait until the subscriber has confirmed all that the publisher has now."""
        (lsn,) = self.here("SELECT pg_current_wal_flush_lsn()")[0]
        query = "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s"
        until(lambda: self.here(query, lsn, self.slot) == [(True,)], limit_s)

    async def offers(self) -> dict[str, Offer]:
        return {offer.key or offer.title: offer for offer in await self.session.repairs()}

    async def offer(self, what: str) -> Offer:
        """Return the one offer of a kind."""
        found = [o for o in await self.session.repairs() if o.key.startswith(f"repair/{what}/")]
        assert len(found) == 1, [o.key for o in await self.session.repairs()]
        return found[0]

    async def repair(self, what: str) -> None:
        """Perform the one offer of a kind, and see it done."""
        key = (await self.offer(what)).key
        status = await self.session.repair(key, yes)
        last = self.journal.attempts(self.run)[-1]
        assert status is Status.SUCCEEDED, (last.message, last.effects)

    def rows(self, table: str) -> tuple[list[Any], list[Any]]:
        query = f"SELECT t::text FROM {table} AS t ORDER BY 1"
        return self.here(query), self.there(query)


def until(condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Return the first true value of a condition, asked again and again."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)
    return value


@pytest.fixture
def database(pair: Pair) -> Iterator[str]:
    name = f"Ærø \"shop\" 100% '{next(_numbers)}'"
    for major in (16, 18):
        with pair.admin(major) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    yield name
    for major in (16, 18):
        with pair.admin(major, name) as connection:
            for (subscription,) in connection.execute(
                "SELECT subname FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = subdbid"
                " WHERE datname = current_database()"
            ).fetchall():
                one = Identifier(subscription)
                connection.execute(SQL("ALTER SUBSCRIPTION {} DISABLE").format(one))
                connection.execute(SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(one))
                connection.execute(SQL("DROP SUBSCRIPTION {}").format(one))
    for major in (18, 16):
        with pair.admin(major) as connection:
            for (slot,) in connection.execute(
                "SELECT slot_name FROM pg_replication_slots WHERE database = %s", (name,)
            ).fetchall():
                connection.execute(
                    "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                    " WHERE slot_name = %s AND active_pid IS NOT NULL",
                    (slot,),
                )
                connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
            for (gid,) in connection.execute(
                "SELECT gid FROM pg_prepared_xacts WHERE database = %s", (name,)
            ).fetchall():
                with pair.admin(major, name) as inside:
                    inside.execute(SQL("ROLLBACK PREPARED {}").format(gid))
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
    for major in (16, 18):
        with pair.admin(major) as connection:
            for (role,) in connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname LIKE 'blueprime\\_%'"
            ).fetchall():
                connection.execute(SQL("DROP ROLE {}").format(Identifier(role)))


def _described(resource_id: str, serving: str) -> Cluster:
    """Describe a cluster as AWS would; the one that serves bears the production name."""
    name = "orders" if resource_id == serving else f"spare-{resource_id}"
    return Cluster.parse(
        {
            "DbClusterResourceId": resource_id,
            "DBClusterIdentifier": name,
            "DBClusterArn": f"arn:aws:rds:us-east-1:123456789012:cluster:{name}",
            "Status": "available",
            "EngineVersion": "18.4" if resource_id == "cluster-GREEN" else "16.14",
            "DBClusterMembers": [
                {
                    "DBInstanceIdentifier": f"{name}-1",
                    "IsClusterWriter": True,
                    "DBClusterParameterGroupStatus": "in-sync",
                }
            ],
        }
    )


async def _tagged(aws: Aws, call: Call) -> dict[str, Any]:
    assert call.action == "AddTagsToResource", "nothing else is asked of AWS here"
    return {}


@pytest.fixture
async def bench(
    pair: Pair, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    monkeypatch.setenv("ORDERS_PASSWORD", SECRET)

    async def target(context: RunContext, role: Role) -> Target:
        return pair.target(MAJORS[role], role=role.value)

    async def databases(context: RunContext, role: Role) -> list[str]:
        return [database]

    async def clusters(rds: Rds, resource_ids: Iterable[str]) -> list[Cluster]:
        serving = made.publisher if made.session.fact("switchover") else Role.BLUE
        return [_described(each, made.context.resource_id(serving)) for each in resource_ids]

    monkeypatch.setattr(Rds, "clusters_of", clusters)
    monkeypatch.setattr(Aws, "perform", _tagged)
    monkeypatch.setattr(RunContext, "target", target)
    monkeypatch.setattr(RunContext, "databases", databases)
    monkeypatch.setattr(RunContext, "password_for", lambda context, target: master_password)
    run = f"k{next(_numbers):05d}"
    with Journal.open(tmp_path / "journal.db") as journal:
        plan = Plan.model_validate(PLAN)
        journal.start_run(
            run,
            cluster="orders",
            cluster_resource_id="cluster-BLUE",
            account="123456789012",
            region="us-east-1",
            environment=Environment.REHEARSAL,
            plan=plan.as_json(),
            plan_path="plan.toml",
        )
        session = Session.open(journal, run, who="ada")
        made = Bench(pair, database, journal, session)
        made.fact("role.blue-prime", {"resource_id": "cluster-PRIME"})
        made.fact("role.green", {"resource_id": "cluster-GREEN"})
        yield made
        await session.close()


@pytest.fixture
def turned(bench: Bench) -> Bench:
    """Lend a run that has rolled back: blue prime serves, and feeds new blue from now on."""
    bench.publisher = Role.BLUE_PRIME
    bench.fact("detached", [Role.BLUE_PRIME.value])
    bench.fact("traffic", {"open": True, "on": Role.BLUE_PRIME.value})
    return bench


__all__ = ["Bench", "psycopg", "until", "yes"]
