"""A database that comes while the way back is held: not fed, said so, and no dead end."""

from __future__ import annotations

import pytest

from runbook.drift import SchemaLook
from runbook.looks.objects import HeldObjectsLook
from runbook.roles import Role
from runbook.sides import held
from runbook.step import Risk
from runbook.steps.capture import publication_name
from runbook.world import World
from tests.remedies.conftest import Bench

NEW = 'tenant "new" %'


@pytest.fixture
def grown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")

    async def databases(world: World, role: Role) -> list[str]:
        return [bench.database, NEW] if role is Role.NEW_BLUE else [bench.database]

    monkeypatch.setattr(World, "databases", databases)
    return bench


async def drifts(bench: Bench) -> list[str]:
    look = SchemaLook(bench.world, publication_name(bench.world))
    return [each.words for each in await look.look(held(bench.world), [bench.database])]


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
    await grown.mend("give-up-database")
    assert await drifts(grown) == []
    assert not [key for key in await grown.offers() if NEW in key]
    seen = await HeldObjectsLook(grown.world, grown.journal).look([grown.database])
    assert seen.counted == f"database {NEW} given up", "the banner does not say: nothing"
    assert not any(alarm.breaks for alarm in seen.alarms)
