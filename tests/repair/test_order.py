"""What rests on what: one `repair all` makes each after what it needs, and none fails."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest

from runbook.proofs import objects
from tests.postgres.test_objects import forget_roles
from tests.repair.conftest import Bench
from tests.repair.test_schema import same_schema
from tui.cli import repairs


@pytest.fixture
def all_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Lend what performs `blueprime repair RUN all`: how each ended, and what is left."""
    monkeypatch.setattr(repairs, "write_journal", lambda: nullcontext(bench.journal))
    monkeypatch.setattr(repairs, "open_session", lambda journal, run: bench.session)

    async def seen(_: object) -> dict[str, object]:
        return {}

    monkeypatch.setattr(repairs, "_seen", seen)

    async def perform() -> tuple[list[tuple[str, str]], list[str]]:
        capsys.readouterr()
        await repairs.repair(bench.run, "all", yes=True, as_json=True)
        *tries, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [(each["status"], each["repair"]) for each in tries], [
            each["title"] for each in last["left"]
        ]

    return perform


BEFORE = """
CREATE TABLE key (id int PRIMARY KEY, code int NOT NULL, v int, CONSTRAINT code UNIQUE (code),
    more int GENERATED ALWAYS AS (v * 2) STORED);
CREATE TABLE child (id int PRIMARY KEY, code int CONSTRAINT refers REFERENCES key (code));
CREATE TABLE m (id int, at int, v int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE a_m PARTITION OF m FOR VALUES FROM (0) TO (9);
INSERT INTO key VALUES (1, 1, 1), (2, 2, 2); INSERT INTO child VALUES (1, 1);
INSERT INTO m VALUES (1, 1, 1)
"""
KEYS = {
    "another primary key": "ALTER TABLE key DROP CONSTRAINT key_pkey,"
    " ADD CONSTRAINT by_code PRIMARY KEY (code), ALTER id DROP NOT NULL",
    "no key": "ALTER TABLE m DROP CONSTRAINT m_pkey, ALTER id DROP NOT NULL,"
    " REPLICA IDENTITY FULL; ALTER TABLE a_m REPLICA IDENTITY FULL",
    "a key that another refers to": "ALTER TABLE child DROP CONSTRAINT refers;"
    " ALTER TABLE key DROP CONSTRAINT code, ADD CONSTRAINT code UNIQUE (code) DEFERRABLE;"
    " ALTER TABLE key ADD CONSTRAINT other UNIQUE (code);"
    " ALTER TABLE child ADD CONSTRAINT refers FOREIGN KEY (code) REFERENCES key (code)",
    "a foreign key on a key that is new": "ALTER TABLE key ADD n int, ADD CONSTRAINT z UNIQUE (n);"
    " ALTER TABLE child ADD n int, ADD CONSTRAINT a FOREIGN KEY (n) REFERENCES key (n)",
    "another expression": "ALTER TABLE key ALTER more SET EXPRESSION AS (v * 3);"
    " CREATE UNIQUE INDEX u ON key (more)",
    "an index of a table with partitions": "CREATE UNIQUE INDEX u ON m (at, id);"
    " CREATE INDEX i ON m (v)",
    "a column that calls a new function": "CREATE FUNCTION one() RETURNS int LANGUAGE sql"
    " RETURN 1; CREATE FUNCTION a_two() RETURNS int LANGUAGE sql RETURN public.one() + 1;"
    " ALTER TABLE key ADD w int NOT NULL DEFAULT a_two(), ADD CHECK (v < 100 + one())",
}


ALWAYS = (
    *("another primary key", "an index of a table with partitions"),
    *("a column that calls a new function", "swapped in", "changed places"),
)
"""The others go the same way, and are left to `make chaos`."""


def chosen(changes: dict[str, str]) -> list[Any]:
    return [
        pytest.param(each, id=name, marks=() if name in ALWAYS else pytest.mark.chaos)
        for name, each in changes.items()
    ]


@pytest.mark.parametrize("change", chosen(KEYS))
async def test_one_repair_of_all_makes_every_part_of_a_table(
    bench: Bench, all_of: Any, change: str
) -> None:
    bench.follow(prepare=BEFORE)
    bench.fact(objects.KNOWN, {})
    bench.here(change)
    tries, left = await all_of()
    assert {status for status, _ in tries} == {"succeeded"}, tries
    assert left == []
    assert same_schema(bench)
    invalid = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid"
    assert bench.there(invalid) == []
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'a_m'::regclass"
    assert bench.here(indexes) == bench.there(indexes)


CODE = """
CREATE ROLE late LOGIN;
CREATE TABLE made (id int PRIMARY KEY);
ALTER TABLE made OWNER TO late;
CREATE FUNCTION z_base() RETURNS SETOF made LANGUAGE sql AS 'SELECT * FROM public.made';
CREATE VIEW z_view AS SELECT * FROM z_base();
CREATE MATERIALIZED VIEW a_stored AS SELECT * FROM z_view;
CREATE VIEW a_view AS SELECT * FROM a_stored;
CREATE FUNCTION a_first() RETURNS SETOF a_view LANGUAGE sql AS 'SELECT * FROM public.a_view';
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON m FOR EACH ROW EXECUTE FUNCTION fires();
ALTER TABLE a_m DISABLE TRIGGER t;
ALTER TABLE key ADD b int;
CREATE VIEW of_column AS SELECT b FROM key;
CREATE INDEX a_index ON key (b);
CREATE POLICY p ON key USING (b > 0);
GRANT SELECT ON a_view, of_column TO late
"""


async def test_one_repair_of_all_makes_roles_tables_and_code_each_after_what_it_rests_on(
    bench: Bench, all_of: Any
) -> None:
    bench.follow(prepare=BEFORE)
    bench.fact(objects.KNOWN, {})
    for statement in CODE.split(";\n"):
        bench.here(statement)
    try:
        tries, left = await all_of()
        assert {status for status, _ in tries} == {"succeeded"}, tries
        assert left == []
        fires = "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 't' ORDER BY 1"
        assert bench.there(fires) == [("D",), ("O",)]
    finally:
        forget_roles(bench.pair, bench.database, ("late",))


NAMES = {
    "swapped in": "DELETE FROM key; CREATE TABLE new (id int NOT NULL, code int NOT NULL, v int,"
    " CONSTRAINT new_code UNIQUE (code), CONSTRAINT new_pkey PRIMARY KEY (id));"
    ' CREATE UNIQUE INDEX "New "" ON i" ON new (v) WHERE v > 0;'
    " CREATE INDEX new_plain ON new (v);"
    " DROP TABLE key; ALTER TABLE new RENAME TO key",
    "renamed": "ALTER TABLE key RENAME CONSTRAINT key_pkey TO by_id;"
    " ALTER TABLE key RENAME CONSTRAINT positive TO above;"
    ' ALTER INDEX u RENAME TO "Ü ON"; ALTER INDEX plain RENAME TO flat;'
    " ALTER TABLE key RENAME CONSTRAINT code TO former_code",
    "changed places": "ALTER TABLE key RENAME CONSTRAINT key_pkey TO x;"
    " ALTER TABLE key RENAME CONSTRAINT code TO key_pkey;"
    " ALTER TABLE twin RENAME CONSTRAINT twin_pkey TO code;"
    " ALTER TABLE key RENAME CONSTRAINT x TO twin_pkey",
}
KEY = """
CREATE TABLE key (id int PRIMARY KEY, code int NOT NULL, v int, CONSTRAINT code UNIQUE (code));
CREATE TABLE twin (id int PRIMARY KEY);
INSERT INTO key VALUES (1, 1, 1), (2, 2, 2);
CREATE UNIQUE INDEX u ON key (v) WHERE v > 0;
CREATE INDEX plain ON key (v)
"""
NUMBERS = "SELECT indexrelid FROM pg_index WHERE indrelid IN ('key'::regclass, 'twin'::regclass)"


@pytest.mark.parametrize("change", chosen(NAMES))
async def test_a_key_or_an_index_of_another_name_is_renamed_and_not_built_anew(
    bench: Bench, all_of: Any, change: str
) -> None:
    bench.follow(prepare=KEY)
    if "positive" in change:
        bench.both("ALTER TABLE key ADD CONSTRAINT positive CHECK (v > 0)")
    bench.fact(objects.KNOWN, {})
    before = sorted(bench.there(NUMBERS))
    bench.here(change)
    titles = [offer.title for offer in await bench.session.repairs() if offer.key]
    assert not [title for title in titles if title.startswith(("Drop", "Give"))], titles
    tries, left = await all_of()
    assert {status for status, _ in tries} == {"succeeded"}, tries
    assert left == []
    assert same_schema(bench)
    assert sorted(bench.there(NUMBERS)) == before
