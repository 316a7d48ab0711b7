"""Tables that new blue has made anew under their names: told, and brought to blue prime again."""

from __future__ import annotations

import pytest

from runbook.failures import Answer
from runbook.postgres.comparison.row_copy import Chosen
from runbook.proofs import diverged
from runbook.repair.recopy_rows import RowsEffect
from runbook.watch.probes.schemas import SchemasProbe
from tests.repair.conftest import Bench, until, yes

MADE = "CREATE TABLE t (id int PRIMARY KEY, a int, b int)"
FILLED = f"{MADE}; INSERT INTO t SELECT n, 1, 2 FROM generate_series(1, 100) AS n"
OTHERS = "CREATE TABLE other (id int PRIMARY KEY)"


async def looked(bench: Bench) -> list[str]:
    """Return the tables that are known to differ after a look of the watch."""
    await SchemasProbe(bench.context, bench.journal).look([bench.database])
    return [each.table for each in diverged.left(bench.context)]


async def test_a_table_that_was_dropped_and_made_again_is_told_emptied_and_copied(
    bench: Bench,
) -> None:
    bench.follow(prepare=f"{FILLED}; {OTHERS}")
    assert await looked(bench) == []
    bench.here(f"DROP TABLE t; {MADE}; INSERT INTO t VALUES (5, 7, 7), (1000, 8, 8)")
    assert await looked(bench) == ["t"]
    failed = "SELECT apply_error_count > 0 FROM pg_stat_subscription_stats WHERE subname = %s"
    until(lambda: bench.there(failed, bench.name) == [(True,)])
    offer = await bench.offer("empty")
    assert "has made public.t anew" in offer.why
    assert [gate.must_type for gate in offer.gates] == ["public.t"]
    await bench.repair("empty")
    bench.settle()
    await bench.repair("recopy")
    left, right = bench.rows("t")
    assert left == right == [("(1000,8,8)",), ("(5,7,7)",)]
    assert await looked(bench) == []
    assert await bench.session.repairs() == []


def rows(bench: Bench, table: str) -> tuple[list[object], list[object]]:
    """Return a table's rows on both sides, each value under the name of its column."""
    query = f"SELECT to_jsonb(t) FROM {table} AS t ORDER BY id"
    return bench.here(query), bench.there(query)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE t RENAME a TO c; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME c TO b",
        "ALTER TABLE t DROP b; ALTER TABLE t ADD b int",
        "ALTER TABLE t RENAME TO c; ALTER TABLE twin RENAME TO t; ALTER TABLE c RENAME TO twin",
    ],
    ids=["names of columns changed", "column made anew", "names of tables changed"],
)
async def test_what_changed_its_name_with_another_is_told_and_copied(
    bench: Bench, change: str
) -> None:
    twin = "CREATE TABLE twin (LIKE t INCLUDING ALL); INSERT INTO twin VALUES (7, 3, 3)"
    bench.follow(prepare=f"{FILLED}; {twin}; {OTHERS}")
    assert await looked(bench) == []
    bench.here(change)
    assert "t" in await looked(bench)
    assert rows(bench, "t")[0] != rows(bench, "t")[1]
    for key in [key for key in await bench.offers() if key.startswith("repair/recopy/")]:
        assert (await bench.session.repair(key, yes)).done
    for table in ("t", "twin"):
        left, right = rows(bench, table)
        assert left == right
    assert await looked(bench) == []


async def test_a_new_table_that_a_repair_has_taken_in_is_not_told_anew(bench: Bench) -> None:
    bench.follow(prepare=f"{FILLED}; {OTHERS}")
    assert await looked(bench) == []
    # On the side that follows a number is taken: the new table gets another there.
    bench.there("SELECT lo_create(0)")
    bench.here("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)")
    await bench.repair("new-tables")
    bench.settle()
    assert await looked(bench) == []
    bench.here("DROP TABLE late; CREATE TABLE late (id int PRIMARY KEY)")
    assert await looked(bench) == ["late"]


# Of other types: a column that is made as a new one would count as that one, renamed.
FORMER = """
CREATE TABLE p (who bigint PRIMARY KEY, said date);
INSERT INTO p VALUES (1, 'today'), (2, 'today'), (3, 'today')
"""
ANEW = """
DROP TABLE p; CREATE TABLE p (id int PRIMARY KEY, k text);
INSERT INTO p SELECT n, 'k' || n FROM generate_series(1, 5) AS n
"""


async def test_a_table_made_anew_with_other_columns_is_emptied_before_all_else(
    bench: Bench,
) -> None:
    bench.follow(prepare=f"{FORMER}; {FILLED}; {OTHERS}; CREATE TABLE more (id int PRIMARY KEY)")
    assert await looked(bench) == []
    bench.here(ANEW)
    assert await looked(bench) == ["p"]
    keys = [each.key for each in await bench.session.repairs() if each.key]
    assert keys[0].startswith("repair/empty/"), keys


async def test_a_copy_that_leaves_rows_behind_fails_with_both_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever made it miss them: whole tables are read before it says that they are equal."""

    async def none(_: Chosen) -> bool:
        return False

    monkeypatch.setattr(Chosen, "_keyless", none)
    bench.follow(prepare=FILLED)
    bench.there("ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER id DROP NOT NULL")
    bench.there("INSERT INTO t VALUES (NULL, 1, 1), (NULL, 2, 2)")
    bench.differ("t")
    key = next(o.key for o in await bench.session.repairs() if "/recopy/" in o.key)
    assert not (await bench.session.repair(key, yes)).done
    message = bench.journal.attempts(bench.run)[-1].message
    assert "new blue has 100 rows, blue prime 102" in message
    assert [each.table for each in diverged.left(bench.context)] == ["t"]
    # Nor does a look alone, which a repair of the schema takes for a comparison.
    look = RowsEffect(bench.context, bench.sides, bench.database, "public", "t")
    assert (await look.probe()).answer is Answer.NO
    assert bench.there("SELECT count(*) FROM t WHERE id IS NULL") == [(2,)]


async def test_rows_without_a_key_are_not_left_by_a_copy(bench: Bench) -> None:
    bench.follow(prepare=FILLED)
    bench.there("ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER id DROP NOT NULL")
    bench.there("INSERT INTO t VALUES (NULL, 1, 1), (NULL, 2, 2)")
    bench.differ("t")
    key = next(o.key for o in await bench.session.repairs() if "/recopy/" in o.key)
    assert (await bench.session.repair(key, yes)).done
    left, right = bench.rows("t")
    assert left == right
    assert len(left) == 100
