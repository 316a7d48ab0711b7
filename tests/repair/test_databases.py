"""A database that comes while the way back is held: not fed, said so, and no dead end."""

from __future__ import annotations

from typing import cast

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from runbook.aws.facts import Cluster
from runbook.aws.rds import Rds
from runbook.base.context import RunContext
from runbook.base.pair import current_pair, publication_name
from runbook.base.roles import Role
from runbook.base.step import Risk, Watch
from runbook.base.variants import RollbackTarget
from runbook.failures import Refused
from runbook.procedure.steps.rollback import fail_back, forced
from runbook.procedure.steps.rollback.fail_back import Assess
from runbook.proofs import new_databases, schema_drift
from runbook.proofs.schema_drift import Drift, SchemaSurvey
from runbook.watch.position import rollback_path
from runbook.watch.position_table import POSITIONS, RunPosition
from runbook.watch.probes.objects import ObjectsProbe
from tests.repair.conftest import Bench

NEW = 'tenant "new" %'
NAME = '"tenant ""new"" %"'


@pytest.fixture
def grown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")

    async def databases(context: RunContext, role: Role) -> list[str]:
        return [bench.database, NEW] if role is Role.NEW_BLUE else [bench.database]

    monkeypatch.setattr(RunContext, "databases", databases)
    return bench


async def _drifts(bench: Bench) -> list[Drift]:
    look = SchemaSurvey(bench.context, publication_name(bench.context))
    return await look.look(current_pair(bench.context), [bench.database])


async def drifts(bench: Bench) -> list[str]:
    return [each.words for each in await _drifts(bench)]


async def test_a_new_database_is_given_up_by_name_and_the_others_are_protected(
    grown: Bench,
) -> None:
    assert [words for words in await drifts(grown) if "is not captured" in words]
    offers = await grown.offers()
    by_hand = offers[f"Carry the database {NEW} by hand"]
    assert "pg_dump --create" in by_hand.by_hand
    assert "CREATE DATABASE" not in str([offer.effects for offer in offers.values()])
    offer = await grown.offer("give-up-database")
    assert offer.risk is Risk.DESTRUCTIVE
    assert [gate.must_type for gate in offer.gates] == [NEW]
    await grown.repair("give-up-database")
    assert await drifts(grown) == []
    assert not [key for key in await grown.offers() if NEW in key]
    seen = await ObjectsProbe(grown.context, grown.journal).look([grown.database])
    assert seen.counted == f"database {NEW} given up", "the banner does not say: nothing"
    assert not any(alarm.breaks for alarm in seen.alarms)


class Told:
    """Stands in for a step's watch: keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def evidence(self, text: str, *, key: str = "", value: object = None) -> None:
        self.said.append(text)


async def _available(rds: Rds, resource_id: str) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": resource_id,
            "DBClusterIdentifier": resource_id.lower(),
            "DBClusterArn": f"arn:aws:rds:us-east-1:123456789012:cluster:{resource_id.lower()}",
            "Status": "available",
            "EngineVersion": "18.4",
            "DBClusterMembers": [],
        }
    )


async def test_what_a_rollback_would_leave_behind_is_refused_or_named_before_it_starts(
    grown: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()

    async def none(context: RunContext) -> None:
        return None

    monkeypatch.setattr(fail_back, "deployment", none)
    monkeypatch.setattr(Rds, "cluster_by_resource_id", _available)
    grown.settle()
    grown.fact("traffic", {"open": False})

    async def assess() -> None:
        await Assess(Role.NEW_BLUE, Role.BLUE_PRIME).verify(grown.context, cast(Watch, told))

    with pytest.raises(Refused, match="a rollback would lose it") as refused:
        await assess()
    assert "give it up by name" in refused.value.todo.lower()
    grown.fact(schema_drift.FACT, {"drifts": [each.as_json() for each in await _drifts(grown)]})
    assert NAME in forced.loss(grown.context), "no lag tells of it"
    await grown.repair("give-up-database")
    await assess()
    assert f"left behind on new blue, as given up by name: database {NAME}" in told.said
    grown.fact("traffic", {"open": True})
    (branch,) = [
        each for each in await grown.session.ways() if each.variant == RollbackTarget.BLUE_PRIME
    ]
    assert f"nothing but database {NAME}, given up by name" in branch.cost
    protected = rollback_path(grown.context, RunPosition.PROTECTED)
    assert protected == (
        f"roll back to blue prime, nothing is lost; database {NAME}, given up by name, stays behind"
    )

    async def dropped(context: RunContext, role: Role) -> list[str]:
        return [grown.database]

    monkeypatch.setattr(RunContext, "databases", dropped)
    await ObjectsProbe(grown.context, grown.journal).look([grown.database])
    assert schema_drift.given_up(grown.context) == [], "one that is gone again is not lost"
    assert (
        rollback_path(grown.context, RunPosition.PROTECTED) == POSITIONS[RunPosition.PROTECTED].path
    )


async def test_what_production_refuses_meanwhile_is_what_is_said(bench: Bench) -> None:
    """Which statements fail while the way back is held, on a real server, as it is told."""
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")
    bench.settle()
    name = Identifier(bench.database)
    with bench.pair.admin(18) as admin:
        with pytest.raises(psycopg.errors.ObjectInUse, match="logical replication slot"):
            admin.execute(SQL("DROP DATABASE {}").format(name))
        with pytest.raises(psycopg.errors.ObjectInUse, match="being accessed by other users"):
            admin.execute(SQL("ALTER DATABASE {} RENAME TO other").format(name))
    assert "dropped (a slot reads it) or renamed" in new_databases.HELD_DATABASES
