"""After a rollback that is protected, blue prime feeds new blue: each repair goes the other way."""

from __future__ import annotations

from runbook.base.roles import Role
from runbook.proofs import compare
from tests.repair.conftest import Bench, until


def told(bench: Bench, text: str) -> None:
    """See that words name the sides as they are: new blue serves nobody and follows."""
    assert not any(
        wrong in text.lower()
        for wrong in (
            "on blue prime",
            "of blue prime has no",
            "new blue has it and",
            "from new blue",
        )
    ), text


async def all_told(bench: Bench) -> None:
    for offer in await bench.session.repairs():
        told(bench, " ".join((offer.title, offer.why, offer.undo, offer.by_hand)))
        for gate in offer.gates:
            told(bench, f"{gate.question} {gate.reversible}")


async def test_drift_and_rows_are_repaired_on_new_blue(turned: Bench) -> None:
    turned.follow(prepare="CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1)")
    turned.here(
        "CREATE TABLE n (id int PRIMARY KEY); INSERT INTO n VALUES (1), (2);"
        " ALTER TABLE t ADD w int; INSERT INTO t VALUES (2, 'x', 3)"
    )
    await all_told(turned)
    for what in ("schema", "new-tables"):
        assert (await turned.session.repairs())[0].key.startswith(f"repair/{what}/")
        await turned.repair(what)
    # Apply stood still for want of the table when the column was there.
    (column,) = turned.journal.evidences(turned.run, key="tables.differ")
    assert "compared later" in column.text
    assert 'the table "public"."n"' in column.text
    turned.settle()
    turned.there("UPDATE t SET v = 'stray' WHERE id = 1")
    await all_told(turned)
    assert "rows may differ: public.t" in (await turned.offer("recopy")).why
    await turned.repair("recopy")
    for table in ("t", "n"):
        assert turned.rows(table)[0] == turned.rows(table)[1]
    assert await turned.session.repairs() == []
    (found,) = await compare.compare_live(turned.context)
    assert found.same, found


async def test_a_row_of_new_blue_that_is_in_the_way_is_deleted(turned: Bench) -> None:
    turned.follow(prepare="CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE)")
    turned.there("INSERT INTO t VALUES (9, 'c')")
    turned.here("INSERT INTO t VALUES (3, 'c')")
    failed = "SELECT apply_error_count > 0 FROM pg_stat_subscription_stats WHERE subname = %s"
    until(lambda: turned.there(failed, turned.name) == [(True,)])
    (gate,) = (await turned.offer("stray-row")).gates
    assert gate.question.startswith("Take from new blue the row public.t")
    assert "was never on blue prime" in gate.reversible
    await turned.repair("stray-row")
    assert turned.rows("t")[0] == turned.rows("t")[1]


async def test_a_lost_slot_on_blue_prime_is_replaced_by_a_full_copy(turned: Bench) -> None:
    turned.follow(
        prepare="CREATE TABLE t (id int PRIMARY KEY, v text);"
        " INSERT INTO t SELECT n, 'v' FROM generate_series(1, 500) n"
    )
    turned.there(f'ALTER SUBSCRIPTION "{turned.name}" DISABLE')
    active = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
    until(lambda: turned.here(active, turned.slot) == [(False,)])
    turned.here("SELECT pg_drop_replication_slot(%s)", turned.slot)
    turned.here("INSERT INTO t VALUES (501, 'lost')")
    (gate,) = (await turned.offer("rebuild")).gates
    assert "on new blue, and copy" in gate.question
    assert "going forward again is not there to be taken" in gate.reversible
    await turned.repair("rebuild")
    turned.here("INSERT INTO t VALUES (502, 'later')")
    turned.settle()
    assert turned.rows("t")[0] == turned.rows("t")[1]
    assert turned.session.fact("capture")["publisher"] == Role.BLUE_PRIME.value
    assert await turned.session.repairs() == []


async def test_a_table_given_up_is_as_new_blue_has_it_after_going_forward(turned: Bench) -> None:
    turned.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")
    turned.differ("t")
    (gate,) = (await turned.offer("give-up")).gates
    assert "After going forward again the table is as new blue has it" in gate.reversible
    assert "what only blue prime has of it is missing" in gate.reversible
    await turned.repair("give-up")
    assert turned.session.fact("tables.differ") == []
