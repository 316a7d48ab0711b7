"""The schema's guards, tried by a program that goes past the journal's own code."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from state.enums import Outcome, Result, Status
from state.journal import Journal
from state.records import Sample
from state.times import now
from tests.state.invented import start

AT = "2026-05-02T12:00:00.000000Z"


PRAGMAS = {
    "as SQLite is": [],
    "with foreign keys": ["foreign_keys"],
    "with recursive triggers too": ["foreign_keys", "recursive_triggers"],
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with two runs: `done` is closed, `run1` is under way.

    Attempts: 1 succeeded with effect 1, 2 failed with effect 2, 3 unknown with effects 3 (unknown)
    and 4 (decided), 4 open with effect 5 (an intent).
    """
    path = tmp_path_factory.mktemp("guards") / "journal.db"
    with Journal.open(path) as journal:
        start(journal, "done")
        journal.close_run("done", Result.COMMITTED)
        start(journal)
        for number, (outcome, status) in enumerate(
            [
                (Outcome.SUCCEEDED, Status.SUCCEEDED),
                (Outcome.FAILED, Status.FAILED),
                (Outcome.UNKNOWN, Status.UNKNOWN),
            ]
        ):
            attempt = journal.begin_attempt("run1", f"step{number}").id
            journal.settle(journal.intend(attempt, f"key{number}", "Title", "preview"), outcome)
            if status is Status.UNKNOWN:
                other = journal.intend(attempt, "other", "Title", "preview")
                journal.settle(other, Outcome.UNKNOWN)
                journal.resolve(other, Outcome.ADOPTED, who="ann", reason="seen")
            journal.end_attempt(attempt, status)
        journal.decide("run1", "step0", "gate", who="ann", typed="orders")
        journal.evidence("run1", "step0", "seen", key="k", value=1)
        journal.samples("run1", [Sample(now(), "lag_bytes", "a", 1.0)])
        attempt = journal.begin_attempt("run1", "step3").id
        journal.intend(attempt, "key3", "Title", "preview")
    return path


@pytest.fixture(params=PRAGMAS)
def raw(template: Path, request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """A plain connection to a copy of the journal, past all of the journal's own code."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with closing(sqlite3.connect(template)) as original:
        original.backup(connection)
    for pragma in PRAGMAS[request.param]:
        connection.execute(f"PRAGMA {pragma} = ON")
    yield connection
    connection.close()


def _values(table: str, raw: sqlite3.Connection) -> str:
    return "\n".join(map(repr, raw.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()))


TABLES = ["run", "track_entry", "attempt", "effect", "decision", "evidence", "event", "sample"]

RUN = (
    "INSERT OR {or_} INTO run (id, cluster, cluster_resource_id, account, region, environment, "
    "plan, plan_path, started_at) VALUES ({id}, 'orders', {resource}, '1', 'r', {environment}, "
    "{plan}, '', {at})"
)


def _run(
    *,
    or_: str = "ABORT",
    id: str = "'new'",  # noqa: A002
    resource: str = "'cluster-B'",
    environment: str = "'aws'",
    plan: str = "'{}'",
    at: str = f"'{AT}'",
) -> str:
    return RUN.format(or_=or_, id=id, resource=resource, environment=environment, plan=plan, at=at)


ATTEMPT = "INSERT OR REPLACE INTO attempt (run, entry, step, number, started_at{}) VALUES "
EFFECT = "INSERT OR REPLACE INTO effect (attempt, key, title, preview, intent_at{}) VALUES "

FORBIDDEN = {
    "a second open run": _run(resource="'cluster-A'"),
    "a second open run in the first one's place": _run(or_="REPLACE", resource="'cluster-A'"),
    "the same id again": _run(or_="REPLACE", id="'run1'"),
    "no id": _run(id="''"),
    "no cluster": _run(resource="NULL"),
    "an environment nobody knows": _run(environment="'production'"),
    "a plan that is no JSON": _run(plan="'{'"),
    "a time without zone": _run(at="'2026-05-02T12:00:00.000000'"),
    "a time without microseconds": _run(at="'2026-05-02T12:00:00Z'"),
    "a closed run opened beside an open one": "UPDATE run SET closed_at = NULL WHERE id = 'done'",
    "the same, in its place": "UPDATE OR REPLACE run SET closed_at = NULL WHERE id = 'done'",
    "a run closed over an open attempt": (
        f"UPDATE run SET result = 'failed', closed_at = '{AT}' WHERE id = 'run1'"
    ),
    "a result nobody knows": "UPDATE run SET result = 'fine' WHERE id = 'done'",
    "a closed run without result": "UPDATE run SET result = NULL WHERE id = 'done'",
    "another cluster": "UPDATE run SET cluster_resource_id = 'cluster-Z' WHERE id = 'run1'",
    "another plan": "UPDATE run SET plan = '{\"a\": 1}' WHERE id = 'run1'",
    "another start": f"UPDATE run SET started_at = '{AT}' WHERE id = 'run1'",
    "a branch during an attempt": (
        "INSERT INTO track_entry (run, track, variant, from_step, reason, at) "
        f"VALUES ('run1', 'abort', '', '', '', '{AT}')"
    ),
    "a branch of a closed run": (
        "INSERT INTO track_entry (run, track, variant, from_step, reason, at) "
        f"VALUES ('done', 'cleanup', '', '', '', '{AT}')"
    ),
    "a second open attempt": ATTEMPT.format("") + f"('run1', 2, 'x', 1, '{AT}')",
    "an attempt of a closed run": ATTEMPT.format("") + f"('done', 1, 'x', 1, '{AT}')",
    "an attempt that ended before": "UPDATE attempt SET status = 'succeeded' WHERE id = 2",
    "an ended attempt opened": (
        "UPDATE attempt SET status = 'running', ended_at = NULL WHERE id = 2"
    ),
    "another message": "UPDATE attempt SET message = 'fine' WHERE id = 2",
    "an unknown end decided by nobody": "UPDATE attempt SET status = 'failed' WHERE id = 3",
    "success over an unknown effect": (
        "UPDATE attempt SET status = 'succeeded', decided = 'ann' WHERE id = 3"
    ),
    "an end over an intent": (
        f"UPDATE attempt SET status = 'failed', ended_at = '{AT}' WHERE id = 4"
    ),
    "an end without time": "UPDATE attempt SET status = 'failed' WHERE id = 4",
    "another step": "UPDATE attempt SET step = 'other' WHERE id = 4",
    "an effect in an ended attempt": EFFECT.format("") + f"(1, 'k', 't', 'p', '{AT}')",
    "an effect in no attempt": EFFECT.format("") + f"(99, 'k', 't', 'p', '{AT}')",
    "an effect without key": EFFECT.format("") + f"(4, '', 't', 'p', '{AT}')",
    "an outcome without intent": (
        EFFECT.format(", outcome, outcome_at") + f"(4, 'k', 't', 'p', '{AT}', 'succeeded', '{AT}')"
    ),
    "another outcome": "UPDATE effect SET outcome = 'succeeded' WHERE id = 2",
    "another outcome, decided": (
        "UPDATE effect SET outcome = 'succeeded', decided = 'ann' WHERE id = 2"
    ),
    "an outcome taken back": "UPDATE effect SET outcome = NULL, outcome_at = NULL WHERE id = 1",
    "an unknown outcome decided by nobody": "UPDATE effect SET outcome = 'adopted' WHERE id = 3",
    "a decision for unknown": (
        "UPDATE effect SET outcome = 'unknown', decided = 'ann' WHERE id = 3"
    ),
    "a decision taken again": (
        "UPDATE effect SET outcome = 'failed', decided = 'bob' WHERE id = 4"
    ),
    "an outcome nobody knows": (
        f"UPDATE effect SET outcome = 'fine', outcome_at = '{AT}' WHERE id = 5"
    ),
    "an outcome without time": "UPDATE effect SET outcome = 'succeeded' WHERE id = 5",
    "a detail that is no JSON": (
        f"UPDATE effect SET outcome = 'failed', outcome_at = '{AT}', detail = '{{' WHERE id = 5"
    ),
    "another preview": "UPDATE effect SET preview = 'DROP' WHERE id = 5",
    "another key": "UPDATE effect SET key = 'other' WHERE id = 5",
    "a decision by nobody": (
        "INSERT INTO decision (run, entry, step, gate, who, typed, at) "
        f"VALUES ('run1', 2, 's', 'g', '', '', '{AT}')"
    ),
    "a value that is no JSON": (
        "INSERT INTO evidence (run, step, key, text, value, at) "
        f"VALUES ('run1', 's', '', 't', 'nil', '{AT}')"
    ),
    "a sample that is no number": (
        f"INSERT INTO sample (run, at, kind, subject, value) VALUES ('run1', '{AT}', 'k', '', 'x')"
    ),
    "two writers": (
        "INSERT INTO writer (one, host, pid, user, process_start, since) "
        f"VALUES (2, 'h', 1, 'u', '', '{AT}')"
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_would_break_a_rule_is_refused(raw: sqlite3.Connection, what: str) -> None:
    before = {table: _values(table, raw) for table in TABLES}
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(FORBIDDEN[what])
    assert {table: _values(table, raw) for table in TABLES} == before


REFERENCES = {
    "evidence of another run's attempt": (
        "INSERT INTO evidence (run, attempt, step, key, text, value, at) "
        f"VALUES ('done', 4, 's', '', 't', 'null', '{AT}')"
    ),
    "an event of no run": (
        f"INSERT INTO event (run, at, kind, text, data) VALUES ('x', '{AT}', 'note', '', '{{}}')"
    ),
    "an attempt on another run's track": (ATTEMPT.format("") + f"('run2', 1, 'x', 1, '{AT}')"),
    "a decision on another run's track": (
        "INSERT INTO decision (run, entry, step, gate, who, typed, at) "
        f"VALUES ('run2', 1, 's', 'g', 'ann', '', '{AT}')"
    ),
    "a branch of no run": (
        "INSERT INTO track_entry (run, track, variant, from_step, reason, at) "
        f"VALUES ('x', 'abort', '', '', '', '{AT}')"
    ),
    "a sample of no run": (
        f"INSERT INTO sample (run, at, kind, subject, value) VALUES ('x', '{AT}', 'k', '', 1.0)"
    ),
    "a board of no run": f"INSERT INTO board (run, at, value) VALUES ('x', '{AT}', '{{}}')",
}


@pytest.mark.parametrize("what", REFERENCES)
def test_what_belongs_elsewhere_is_refused(raw: sqlite3.Connection, what: str) -> None:
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute(_run(id="'run2'"))
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(REFERENCES[what])


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_deleted(raw: sqlite3.Connection, table: str) -> None:
    before = _values(table, raw)
    assert before
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"DELETE FROM {table}")
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"REPLACE INTO {table} SELECT * FROM {table}")
    assert _values(table, raw) == before


REPLACED = {
    "run": (
        "(seq, id, cluster, cluster_resource_id, account, region, environment, plan, plan_path, "
        "started_at) "
        f"VALUES ({{}}, 'run3', 'c', 'cluster-C', '', '', 'aws', '{{{{}}}}', '', '{AT}')"
    ),
    "track_entry": (
        "(id, run, track, variant, from_step, reason, at) "
        f"VALUES ({{}}, 'run2', 'abort', '', '', '', '{AT}')"
    ),
    "attempt": (
        "(id, run, entry, step, number, started_at) "
        f"VALUES ({{}}, 'run2', (SELECT max(id) FROM track_entry), 'x', 1, '{AT}')"
    ),
    "effect": (
        "(id, attempt, key, title, preview, intent_at) "
        f"VALUES ({{}}, (SELECT max(id) FROM attempt), 'k', 't', 'p', '{AT}')"
    ),
}


@pytest.mark.parametrize("table", REPLACED)
def test_nothing_is_replaced(raw: sqlite3.Connection, table: str) -> None:
    raw.execute(_run(id="'run2'"))
    raw.execute(f"INSERT INTO track_entry {REPLACED['track_entry'].format(100)}")
    if table == "effect":
        raw.execute(f"INSERT INTO attempt {REPLACED['attempt'].format(100)}")
    before = _values(table, raw)
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"REPLACE INTO {table} {REPLACED[table].format(1)}")
    assert _values(table, raw) == before
    assert raw.execute(f"REPLACE INTO {table} {REPLACED[table].format(200)}").rowcount == 1


def test_no_attempt_takes_the_number_of_another(raw: sqlite3.Connection) -> None:
    raw.execute(_run(id="'run2'"))
    raw.execute(f"INSERT INTO track_entry {REPLACED['track_entry'].format(100)}")
    raw.execute(f"INSERT INTO attempt {REPLACED['attempt'].format(100)}")
    raw.execute(f"UPDATE attempt SET status = 'failed', ended_at = '{AT}' WHERE id = 100")
    before = _values("attempt", raw)
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"REPLACE INTO attempt {REPLACED['attempt'].format(101)}")
    assert _values("attempt", raw) == before


@pytest.mark.parametrize("table", ["track_entry", "decision", "evidence", "event", "sample"])
def test_nothing_is_changed(raw: sqlite3.Connection, table: str) -> None:
    before = _values(table, raw)
    for (column,) in raw.execute("SELECT name FROM pragma_table_info(?)", [table]).fetchall():
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(f"UPDATE {table} SET {column} = {column}")
    assert _values(table, raw) == before


ALLOWED = {
    "an outcome": (
        f"UPDATE effect SET outcome = 'succeeded', outcome_at = '{AT}', detail = '{{}}' "
        "WHERE id = 5"
    ),
    "a decision on an unknown outcome": (
        "UPDATE effect SET outcome = 'adopted', decided = 'ann' WHERE id = 3"
    ),
    "a decision on an unknown end": (
        "UPDATE attempt SET status = 'failed', decided = 'ann' WHERE id = 3"
    ),
    "an effect in the open attempt": (
        "INSERT INTO effect (attempt, key, title, preview, intent_at) "
        f"VALUES (4, 'k', 't', 'p', '{AT}')"
    ),
    "a run of another cluster": _run(),
    "where an open run rests": "UPDATE run SET result = 'protected' WHERE id = 'run1'",
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_keeps_the_rules_is_taken(raw: sqlite3.Connection, what: str) -> None:
    assert raw.execute(ALLOWED[what]).rowcount == 1
