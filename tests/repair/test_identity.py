"""A table without a key that comes while it bakes: UPDATE and DELETE fail on it, on production."""

from __future__ import annotations

import psycopg
import pytest

from tests.repair.conftest import Bench


async def test_full_lets_update_and_delete_pass_and_goes_to_the_other_side(bench: Bench) -> None:
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")
    bench.here('CREATE TABLE "Import 🐘" (line text, done boolean DEFAULT false)')
    bench.here("INSERT INTO \"Import 🐘\" VALUES ('a'), ('b')")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        bench.here('UPDATE "Import 🐘" SET done = true')
    offer = await bench.offer("identity")
    assert "UPDATE and DELETE on it fail on new blue" in offer.why
    assert "ADD PRIMARY KEY" in offer.why
    assert "which serves" in offer.gates[0].question
    assert "-- on new blue" in offer.effects[0][1]
    await bench.repair("identity")
    bench.here('UPDATE "Import 🐘" SET done = true')
    await bench.repair("new-tables")
    bench.here("DELETE FROM \"Import 🐘\" WHERE line = 'a'")
    bench.settle()
    assert bench.rows('"Import 🐘"') == ([("(b,t)",)], [("(b,t)",)])
    assert await bench.session.repairs() == []


async def test_a_unique_index_is_taken_before_full(bench: Bench) -> None:
    bench.follow()
    bench.here("CREATE TABLE t (id int NOT NULL, p point); CREATE UNIQUE INDEX one ON t (id)")
    offer = await bench.offer("identity")
    assert 'USING INDEX "one"' in offer.effects[0][1]


@pytest.mark.parametrize(
    "column", ["j json", "x xml", "p point", "g int GENERATED ALWAYS AS (1) STORED"]
)
async def test_where_full_does_not_help_only_a_key_is_named(bench: Bench, column: str) -> None:
    bench.follow()
    bench.here(f"CREATE TABLE t (line text, {column})")
    hands = [each for each in await bench.session.repairs() if not each.key]
    (offer,) = [each for each in hands if "a key" in each.title]
    assert 'ALTER TABLE "public"."t" ADD' in offer.by_hand
    assert "PRIMARY KEY" in offer.by_hand
    assert not [e for e in await bench.session.repairs() if e.key.startswith("repair/identity")]
