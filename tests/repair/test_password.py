"""A rotated password: the side that a rotation has not reached is watched on, and given it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from psycopg.sql import SQL, Identifier

from runbook.aws import Aws, Call
from runbook.aws.facts import Cluster
from runbook.aws.rds import Rds
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.postgres import connect as pg
from runbook.proofs import objects
from state.enums import Status
from tests.postgres.conftest import MASTER, SECRET, Pair
from tests.repair.conftest import Bench, yes

NEW = "rotated 'in' 2026 🔑"


class Fetched:
    """What the plan refers to, and what it referred to before."""

    def __init__(self, *former: str) -> None:
        self.outdated = False
        self._former = former

    async def __call__(self) -> str:
        return NEW

    async def others(self) -> tuple[str, ...]:
        return self._former

    def took(self, password: str) -> None:
        pass


def set_password(pair: Pair, major: int, password: str) -> None:
    with pair.admin(major) as connection:
        verifier = connection.pgconn.encrypt_password(
            password.encode(), MASTER.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(MASTER), verifier))


@pytest.fixture
def rotated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Lend a run whose user has another password on the publisher from now on."""
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")
    bench.fact(objects.KNOWN, {})
    kept = {
        major: bench.ask(major, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", MASTER)
        for major in (16, 18)
    }
    set_password(bench.pair, 18, NEW)
    monkeypatch.setattr(RunContext, "password_for", lambda context, target: Fetched(SECRET))
    yield bench
    for major, ((verifier,),) in kept.items():
        with bench.pair.admin(major) as connection:
            connection.execute(
                SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(MASTER), verifier)
            )


async def test_the_side_that_follows_is_entered_by_the_former_password_and_given_the_new_one(
    rotated: Bench,
) -> None:
    offer = await rotated.offer("password")
    assert "blue prime does not take the password" in offer.why
    assert NEW not in str(offer)
    assert await rotated.session.repair(offer.key, yes) is Status.SUCCEEDED
    target = rotated.pair.target(16, role="blue prime")

    async def new() -> str:
        return NEW

    await (await pg.connect(target, new, rotated.database, deadline_s=20.0)).close()
    offers = await rotated.offers()
    assert [key for key in offers if "password" in key] == [], "not even as one that differs"
    for kept in rotated.journal.path.parent.glob("journal.db*"):
        assert NEW.encode() not in kept.read_bytes()


async def test_a_side_that_takes_none_is_given_it_through_aws(
    rotated: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunContext, "password_for", lambda context, target: Fetched())
    made: list[Call] = []

    async def perform(aws: Aws, call: Call) -> dict[str, object]:
        made.append(call)
        if call.action == "ModifyDBCluster":
            set_password(rotated.pair, 16, str(call.parameters["MasterUserPassword"]))
        return {}

    monkeypatch.setattr(Aws, "perform", perform)

    async def instances(rds: Rds, cluster: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(available=True, status="available", identifier=f"{cluster}-1")]

    async def cluster(context: RunContext, role: Role) -> Cluster:
        (found,) = await context.rds.clusters_of([context.resource_id(role)])
        return replace(found, master_username=user)

    monkeypatch.setattr(Rds, "instances", instances)
    monkeypatch.setattr(RunContext, "cluster", cluster)
    user = "somebody else"
    offers = await rotated.offers()
    assert f"Set the password of {MASTER} on blue prime" in offers, "told, though not made here"
    user = MASTER
    offer = await rotated.offer("password")
    assert "ModifyDBCluster" in str(offer.effects)
    assert NEW not in str(offer)
    assert await rotated.session.repair(offer.key, yes) is Status.SUCCEEDED
    assert [call.action for call in made if call.action != "AddTagsToResource"] == [
        "ModifyDBCluster"
    ]
