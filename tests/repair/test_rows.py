"""Rows that differ, made equal while the application goes on writing to their table."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from state.enums import Status
from tests.repair.conftest import Bench, until, yes

TABLE = """
CREATE TABLE "Or""ders" (
    id bigint PRIMARY KEY, body text, amount numeric, at timestamptz, tags text[],
    twice numeric GENERATED ALWAYS AS (amount * 2) STORED
)
"""
NAME = 'public."Or""ders"'
FILL = """
INSERT INTO "Or""ders" (id, body, amount, at, tags)
SELECT n, repeat(md5(n::text), 1 + n % 90), n / 7.0, timestamptz 'epoch' + n * interval '1 h',
       ARRAY[n::text, NULL, 'x,"y']
FROM generate_series(1, 5000) AS n
"""


@contextmanager
def writing(bench: Bench, acknowledged: dict[int, str]) -> Iterator[None]:
    """Insert, change and delete rows all the while, as an application; keep what was committed."""
    stop = threading.Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            with bench.pair.admin(18, bench.database) as connection:
                number = 100_000
                while not stop.is_set():
                    number += 1
                    connection.execute(
                        'INSERT INTO "Or""ders" (id, body, amount) VALUES (%s, %s, 1)',
                        (number, "new"),
                    )
                    acknowledged[number] = "new"
                    changed = 100 + number % 4000
                    connection.execute(
                        'UPDATE "Or""ders" SET body = %s WHERE id = %s', (str(number), changed)
                    )
                    if number % 10 == 0:
                        connection.execute('DELETE FROM "Or""ders" WHERE id = %s', (number - 5,))
                        del acknowledged[number - 5]
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failures, failures


async def test_differing_rows_are_copied_while_a_writer_goes_on(bench: Bench) -> None:
    bench.follow(prepare=TABLE + ";" + FILL)
    # Missing, extra, changed, only in a long value, NULL against empty.
    bench.there('DELETE FROM "Or""ders" WHERE id IN (10, 11, 4999)')
    bench.there('INSERT INTO "Or""ders" (id, body) VALUES (-1, \'stray\'), (-2, NULL)')
    bench.there('UPDATE "Or""ders" SET amount = amount + 0.000001 WHERE id = 20')
    bench.there('UPDATE "Or""ders" SET body = body || \'.\' WHERE id = 89')
    bench.there('UPDATE "Or""ders" SET tags = \'{}\' WHERE id = 30')
    bench.differ('Or"ders')
    acknowledged: dict[int, str] = {}
    with writing(bench, acknowledged):
        await asyncio.to_thread(until, lambda: len(acknowledged) >= 20)
        await bench.repair("recopy")
    assert bench.session.fact("tables.differ") == []
    assert len(acknowledged) > 50
    bench.settle()
    left, right = bench.rows(NAME)
    assert left == right
    there = {id_ for (id_,) in bench.there(f"SELECT id FROM {NAME} WHERE id > 100000")}
    assert there == set(acknowledged), "every acknowledged row, each once"
    (detail,) = [e.detail for e in bench.journal.attempts(bench.run)[-1].effects]
    assert detail["keys"] == 8
    assert detail["held_s"] < 10


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE t (id int, v text); ALTER TABLE t REPLICA IDENTITY FULL",
        "CREATE TABLE t (id int NOT NULL, v text);"
        " CREATE UNIQUE INDEX t_id ON t (id); ALTER TABLE t REPLICA IDENTITY USING INDEX t_id",
        "CREATE TABLE t (id int, v text, PRIMARY KEY (id, v))",
    ],
    ids=["full", "index", "two columns"],
)
async def test_rows_are_told_apart_by_any_identity(bench: Bench, table: str) -> None:
    bench.follow(prepare=table + "; INSERT INTO t SELECT n, 'v' || n FROM generate_series(1,99) n")
    bench.there("DELETE FROM t WHERE id < 4; UPDATE t SET v = 'other' WHERE id = 50")
    bench.there("INSERT INTO t VALUES (1000, 'stray')")
    bench.differ("t")
    await bench.repair("recopy")
    left, right = bench.rows("t")
    assert left == right
    assert len(left) == 99


async def test_equal_rows_that_occur_several_times_are_counted(bench: Bench) -> None:
    bench.follow(
        prepare="CREATE TABLE t (v text); ALTER TABLE t REPLICA IDENTITY FULL;"
        " INSERT INTO t VALUES ('a'), ('a'), ('a'), ('b')"
    )
    bench.there("DELETE FROM t WHERE ctid = '(0,1)'; INSERT INTO t VALUES ('b')")
    bench.differ("t")
    await bench.repair("recopy")
    assert bench.there("SELECT v, count(*) FROM t GROUP BY v ORDER BY v") == [("a", 3), ("b", 1)]


async def test_triggers_and_foreign_keys_of_blue_prime_stay_quiet(bench: Bench) -> None:
    bench.follow(
        prepare="CREATE TABLE p (id int PRIMARY KEY);"
        " CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);"
        " CREATE TABLE log (id int PRIMARY KEY);"
        " CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.log VALUES (OLD.id); RETURN OLD; END';"
        " CREATE TRIGGER noted AFTER DELETE OR UPDATE ON p FOR EACH ROW EXECUTE FUNCTION noted();"
        " INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2)"
    )
    bench.there("SET session_replication_role = replica; UPDATE p SET id = 7 WHERE id = 1")
    bench.differ("p")
    await bench.repair("recopy")
    assert bench.rows("p")[1] == bench.rows("p")[0]
    assert bench.there("SELECT count(*) FROM c") == [(2,)]
    assert bench.there("SELECT count(*) FROM log") == [(0,)]


async def test_a_writer_that_holds_the_table_is_named_and_nothing_changes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.repair.recopy_rows.LOCK_TRIES", 1)
    monkeypatch.setattr("runbook.repair.recopy_rows.LOCK_S", 1.0)
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    bench.there("DELETE FROM t WHERE id = 1")
    bench.differ("t")
    key = (await bench.offer("recopy")).key
    with bench.pair.stray(18, bench.database) as holder:
        pid = holder.info.backend_pid
        holder.execute("BEGIN; DELETE FROM t WHERE id = 2")
        assert await bench.session.repair(key, yes) is Status.FAILED
        holder.execute("ROLLBACK")
    message = bench.journal.attempts(bench.run)[-1].message
    assert f"pid {pid}" in message
    assert bench.there("SELECT id FROM t") == [(2,)]
    assert len(bench.session.fact("tables.differ")) == 1
    await bench.repair("recopy")
    assert bench.rows("t")[0] == bench.rows("t")[1]


async def test_a_table_that_nothing_arrives_in_is_not_called_equal(bench: Bench) -> None:
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")
    bench.both("CREATE TABLE late (id int PRIMARY KEY)")
    bench.here("INSERT INTO late VALUES (1)")
    bench.differ("late")
    key = next(o.key for o in await bench.session.repairs() if "/recopy/" in o.key)
    assert await bench.session.repair(key, yes) is Status.FAILED
    assert "does not receive" in bench.journal.attempts(bench.run)[-1].message
    assert len(bench.session.fact("tables.differ")) == 1


async def test_no_value_reaches_a_log_or_the_journal(bench: Bench) -> None:
    bench.follow(
        prepare="CREATE TABLE t (id text PRIMARY KEY, v text);"
        " INSERT INTO t SELECT 'k' || n, 'v' || n FROM generate_series(1, 9) n"
    )
    with bench.pair.admin(18, bench.database) as connection:
        connection.execute("SET log_statement = none; SET log_min_duration_statement = -1")
        connection.execute("INSERT INTO t VALUES ('sesamekey', 'sesamevalue')")
    bench.settle()
    with bench.pair.admin(16, bench.database) as connection:
        connection.execute("SET log_statement = none; SET log_min_duration_statement = -1")
        connection.execute("DELETE FROM t WHERE id LIKE 's%'")
    bench.differ("t")
    await bench.repair("recopy")
    assert bench.there("SELECT count(*) FROM t WHERE v = 'sesame' || 'value'") == [(1,)]
    assert "sesamekey" not in bench.pair.log()
    assert "sesamevalue" not in bench.pair.log()
    assert b"sesame" not in bench.journal.path.read_bytes()


async def test_a_table_is_given_up_by_its_name_alone(bench: Bench) -> None:
    bench.follow(prepare="CREATE TABLE t (id int PRIMARY KEY)")
    bench.differ("t", "u")
    offers = await bench.offers()
    key = next(key for key in offers if key.startswith("repair/give-up/") and '."t"' in key)
    (gate,) = offers[key].gates
    assert gate.must_type == "public.t"

    async def plain_yes(gate: object) -> str | None:
        return "yes"

    assert await bench.session.repair(key, plain_yes) is Status.READY
    assert len(bench.session.fact("tables.differ")) == 2
    assert await bench.session.repair(key, yes) is Status.SUCCEEDED
    assert [each["table"] for each in bench.session.fact("tables.differ")] == ["u"]
    assert [each["table"] for each in bench.session.fact("tables.given-up")] == ["t"]
    assert bench.session.decisions()[-1].typed == "public.t"
