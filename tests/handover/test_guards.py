"""The journal's own guards over a run that was handed over, tried past all of the code."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from state.journal import Journal
from state.run_export import ROWS
from tests.handover.test_custody import live
from tests.state.invented import start

AT = "2026-05-02T12:00:00.000000Z"
MARK = "0" * 64
TABLES = (
    *("run", "track_entry", "attempt", "effect", "decision", "evidence", "event", "sample"),
    *("board", "handover"),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with run1, which was handed over, and run2, which was not."""
    path = tmp_path_factory.mktemp("guards") / "journal.db"
    with Journal.open(path) as journal:
        for run in ("run1", "run2"):
            start(journal, run, resource=run)
            live(journal, run)
            journal.publish(run, {"at": AT})
        journal.give("run1")
    return path


@pytest.fixture(params=["", "recursive_triggers"])
def raw(template: Path, request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with closing(sqlite3.connect(template)) as original:
        original.backup(connection)
    if request.param:
        connection.execute(f"PRAGMA {request.param} = ON")
    yield connection
    connection.close()


def content(raw: sqlite3.Connection) -> list[list[object]]:
    return [raw.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES]


def handover(kind: str, run: str, *, or_: str = "ABORT", at: str = AT, mark: str = MARK) -> str:
    return (
        f"INSERT OR {or_} INTO handover (run, kind, who, host, peer, fingerprint, at) "
        f"VALUES ('{run}', '{kind}', 'ann', 'here', '', '{mark}', '{at}')"
    )


ATTEMPT = "(SELECT max(id) FROM attempt WHERE run = '{}')"
WRITES = {
    "a branch": (
        "INSERT INTO track_entry (run, track, variant, from_step, reason, at) "
        f"VALUES ('{{}}', 'abort', '', '', '', '{AT}')"
    ),
    "an attempt": (
        "INSERT INTO attempt (run, entry, step, number, started_at) VALUES ('{0}', "
        f"(SELECT max(id) FROM track_entry WHERE run = '{{0}}'), 'x', 1, '{AT}')"
    ),
    "a decided attempt": (
        f"UPDATE attempt SET status = 'failed', decided = 'ann' WHERE id = {ATTEMPT}"
    ),
    "a decided effect": (
        "UPDATE effect SET outcome = 'adopted', decided = 'ann' "
        f"WHERE attempt = {ATTEMPT} AND outcome = 'unknown'"
    ),
    "a decision": (
        "INSERT INTO decision (run, entry, step, gate, who, typed, at) VALUES ('{0}', (SELECT "
        f"max(id) FROM track_entry WHERE run = '{{0}}'), 's', 'g', 'ann', '', '{AT}')"
    ),
    "evidence": (
        "INSERT INTO evidence (run, step, key, text, value, at) "
        f"VALUES ('{{}}', 's', '', 't', 'null', '{AT}')"
    ),
    "an event": (
        "INSERT INTO event (run, at, kind, text, data) "
        f"VALUES ('{{}}', '{AT}', 'note', '', '{{{{}}}}')"
    ),
    "a sample": (
        f"INSERT INTO sample (run, at, kind, subject, value) VALUES ('{{}}', '{AT}', 'k', '', 1.0)"
    ),
    "the board": "UPDATE board SET value = '1' WHERE run = '{}'",
    "a result": "UPDATE run SET result = 'protected' WHERE id = '{}'",
    "an end": f"UPDATE run SET result = 'aborted', closed_at = '{AT}' WHERE id = '{{}}'",
}


@pytest.mark.parametrize("what", WRITES)
def test_nothing_is_written_of_a_run_that_was_handed_over(
    raw: sqlite3.Connection, what: str
) -> None:
    before = content(raw)
    with pytest.raises(sqlite3.IntegrityError, match="handed over"):
        raw.execute(WRITES[what].format("run1"))
    assert content(raw) == before
    assert raw.execute(WRITES[what].format("run2")).rowcount == 1


def test_an_effect_cannot_be_moved_to_an_attempt_that_was_handed_over(
    raw: sqlite3.Connection,
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"UPDATE effect SET attempt = {ATTEMPT.format('run1')} WHERE id = 4")


FORBIDDEN = {
    "given twice": handover("given", "run1"),
    "accepted, though it is here": handover("accepted", "run2"),
    "taken back, though it is here": handover("taken_back", "run2"),
    "lent": handover("lent", "run2"),
    "no such file": handover("given", "run2", mark="g" * 64),
    "half a fingerprint": handover("given", "run2", mark="0" * 63),
    "at no time": handover("given", "run2", at="now"),
    "forgotten": "DELETE FROM handover",
    "rewritten": "UPDATE handover SET kind = 'taken_back'",
    "replaced": (
        "REPLACE INTO handover (id, run, kind, who, host, peer, fingerprint, at) "
        f"VALUES (1, 'run2', 'given', 'ann', 'here', '', '{MARK}', '{AT}')"
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_record_of_a_handover_stays_as_it_is(raw: sqlite3.Connection, what: str) -> None:
    before = content(raw)
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(FORBIDDEN[what])
    assert content(raw) == before


def test_no_run_is_given_away_in_the_middle_of_an_attempt(raw: sqlite3.Connection) -> None:
    raw.execute(WRITES["an attempt"].format("run2"))
    with pytest.raises(sqlite3.IntegrityError, match="an attempt is open"):
        raw.execute(handover("given", "run2"))


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("kind", ["accepted", "taken_back"])
def test_what_came_back_is_written_again(raw: sqlite3.Connection, kind: str, what: str) -> None:
    raw.execute(handover(kind, "run1"))
    assert raw.execute(WRITES[what].format("run1")).rowcount == 1


def test_no_table_is_forgotten(raw: sqlite3.Connection) -> None:
    """A table that a later migration adds is guarded and carried over, or stays on purpose."""
    found = {name for (name,) in raw.execute("SELECT name FROM pragma_table_list")}
    tables = {name for name in found if not name.lstrip("_").startswith("sqlite")}
    stay = {"writer", "board", "handover"}
    assert tables - stay == {"run", *ROWS}
    guarded = {
        name.removesuffix("_away_insert")
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        if name.endswith("_away_insert")
    }
    assert guarded == {*ROWS, "board"}


@pytest.mark.parametrize("table", ROWS)
def test_no_column_is_forgotten(raw: sqlite3.Connection, table: str) -> None:
    columns = {name for (name,) in raw.execute("SELECT name FROM pragma_table_info(?)", [table])}
    assert columns - {"id", "run"} == set(ROWS[table].model_fields)
