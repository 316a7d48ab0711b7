"""Differences of the schema that no repair makes, or that a repair did not remove: said by name."""

from __future__ import annotations

import pytest

from runbook.repair.schema import PartsEffect
from state.enums import Status
from tests.repair.conftest import Bench, yes
from tests.repair.schema_changes import CHANGES


@pytest.mark.parametrize(
    ("before", "change", "words"),
    [
        ("CREATE DOMAIN d AS int", "ALTER DOMAIN d ADD CHECK (VALUE > 0)", "type public.d domain"),
        ("CREATE SEQUENCE s", "ALTER SEQUENCE s CYCLE", "sequence public.s"),
        ("SELECT 1", "CREATE TYPE pair AS (a int, b text)", "only on new blue: type public.pair"),
    ],
    ids=["domain", "sequence", "composite"],
)
async def test_what_no_repair_makes_alike_is_said_by_name(
    bench: Bench, before: str, change: str, words: str
) -> None:
    bench.follow(prepare=before)
    bench.here(change)
    (offer,) = await bench.session.repairs()
    assert not offer.key
    assert words in offer.why
    bench.there(change)
    assert await bench.session.repairs() == []


async def test_a_repair_that_did_not_help_says_so_and_is_not_offered_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, change = CHANGES["constraint"]
    bench.follow(prepare=before)
    bench.here(change)
    key = (await bench.offer("schema")).key

    async def nothing(effect: object) -> dict[str, object]:
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(PartsEffect, "perform", nothing)
        assert await bench.session.repair(key, yes) is Status.FAILED
    assert "still differ" in bench.journal.attempts(bench.run)[-1].message
    (offer,) = await bench.session.repairs()
    assert not offer.key
    assert "new blue: CHECK" in offer.by_hand
    # Another difference in the same place is another matter.
    bench.here('ALTER TABLE t DROP CONSTRAINT "c c", ADD CONSTRAINT "c c" CHECK (v > 1)')
    await bench.repair("schema")
    assert await bench.session.repairs() == []


async def test_a_check_that_each_side_writes_its_own_way_is_made_and_alike(bench: Bench) -> None:
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY, st varchar(5), k int)")
    bench.here(
        "ALTER TABLE t ADD CONSTRAINT st CHECK (st IN ('a', 'b'));"
        " CREATE TABLE newt (id serial PRIMARY KEY, st varchar(5) CHECK (st IN ('a', 'b')),"
        " json text)"
    )
    for _ in range(2):
        offers = [each for each in await bench.session.repairs() if each.key]
        assert await bench.session.repair(offers[0].key, yes) is Status.SUCCEEDED
    assert await bench.session.repairs() == []
