"""A rename on new blue while it bakes: followed on blue prime, and no value is lost for it."""

from __future__ import annotations

import pytest

from runbook.failures import StepFailed
from runbook.proofs import diverged
from state.enums import Status
from tests.repair.conftest import Bench, yes

ACCOUNT = (
    "CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);"
    " INSERT INTO account SELECT n, n * 100 FROM generate_series(1, 100) n"
)


async def test_a_renamed_column_is_renamed_and_keeps_what_is_in_it(bench: Bench) -> None:
    bench.follow(prepare=ACCOUNT)
    bench.here("ALTER TABLE account RENAME balance TO amount")
    bench.here("UPDATE account SET amount = 7 WHERE id = 1; INSERT INTO account VALUES (101, 1)")
    offer = await bench.offer("schema")
    assert offer.title.startswith('Rename the column "public"."account"."balance" to "amount"')
    offers = await bench.session.repairs()
    assert [each.key for each in offers] == [offer.key], offers
    await bench.repair("schema")
    bench.settle()
    left, right = bench.rows("account")
    assert left == right
    assert len(right) == 101
    assert await bench.session.repairs() == []


async def test_a_renamed_table_is_renamed_and_goes_on_receiving(bench: Bench) -> None:
    bench.follow(prepare=ACCOUNT)
    bench.here('ALTER TABLE account RENAME TO "Account s"')
    bench.here('INSERT INTO "Account s" VALUES (101, 1)')
    offer = await bench.offer("schema")
    assert offer.title.startswith('Rename the table "public"."account"')
    offers = await bench.session.repairs()
    assert [each.key for each in offers] == [offer.key], offers
    await bench.repair("schema")
    bench.here('UPDATE "Account s" SET balance = 5 WHERE id = 2')
    bench.settle()
    left, right = bench.rows('"Account s"')
    assert left == right
    assert len(right) == 101
    assert await bench.session.repairs() == []


async def test_what_holds_data_is_never_dropped_for_the_asking(bench: Bench) -> None:
    bench.follow(
        prepare=f"{ACCOUNT}; CREATE TABLE former (id int PRIMARY KEY, v text, note text);"
        " INSERT INTO former VALUES (1, 'x', NULL)"
    )
    bench.here("ALTER TABLE account DROP balance, ADD amount int DEFAULT 0; DROP TABLE former")
    offers = await bench.offers()
    dropped = {title: offer for title, offer in offers.items() if "Drop the" in offer.title}
    assert len(dropped) == 2
    for offer in dropped.values():
        assert not offer.key
        assert "blue prime holds" in offer.by_hand
        assert "DROP" in offer.by_hand
    # The rows of the added one cannot be compared yet, and count until they were.
    (added,) = (offer for offer in offers.values() if "Add the column" in offer.title)
    assert await bench.session.repair(added.key, yes) is Status.FAILED
    assert [each.name for each in diverged.left(bench.context)] == [
        (bench.database, "public", "account")
    ]
    assert bench.there("SELECT count(balance), count(*) FROM account") == [(100, 100)]
    bench.there("ALTER TABLE account DROP balance")
    await bench.repair("recopy")
    assert diverged.left(bench.context) == []
    assert bench.rows("account")[0] == bench.rows("account")[1]


async def test_a_column_without_a_value_may_be_dropped(bench: Bench) -> None:
    bench.follow(
        prepare="CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, NULL)"
    )
    bench.here("ALTER TABLE t DROP v")
    offer = await bench.offer("schema")
    assert offer.key.startswith("repair/schema/drop-column/")
    # Somebody has put something into it since.
    bench.there("UPDATE t SET v = 'x'")
    with pytest.raises(StepFailed, match="is not offered now"):
        await bench.session.repair(offer.key, yes)
    assert bench.there("SELECT v FROM t") == [("x",)]
