"""A process that is killed leaves a journal that can be gone on with."""

import sqlite3
from pathlib import Path

import pytest

from state.enums import Outcome, Status
from state.journal import Journal
from tests.state.invented import start
from tests.state.processes import heard, killed, other_process


def test_killed_between_intent_and_outcome_is_unknown(path: Path) -> None:
    code = """
    journal = Journal.open(path)
    start(journal)
    attempt = journal.begin_attempt("run1", "clone").id
    journal.settle(journal.intend(attempt, "a", "First", "x"), Outcome.SUCCEEDED)
    journal.intend(attempt, "b", "Second", "y")
    journal.intend(attempt, "c", "Third", "z")
    say("intended")
    stay()
    """
    with other_process(code, path) as process:
        assert heard(process) == "intended"
        with Journal.open(path, writer=False) as journal:
            assert journal.attempts("run1")[0].status is Status.RUNNING
            assert journal.runs()[0].status is Status.RUNNING
        killed(process)
    # To whoever only looks, too: nobody runs it any more.
    with Journal.open(path, writer=False) as journal:
        [attempt] = journal.attempts("run1")
        assert (attempt.status, attempt.ended_at) == (Status.UNKNOWN, None)
        assert journal.runs()[0].status is Status.UNKNOWN
    with Journal.open(path) as journal:
        assert journal.attempts("run1")[0].status is Status.RUNNING
        assert [effect.key for effect in journal.mark_unknown("run1")] == ["b", "c"]
        [attempt] = journal.attempts("run1")
        assert attempt.status is Status.UNKNOWN
        outcomes = [effect.outcome for effect in attempt.effects]
        assert outcomes == [Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.UNKNOWN]
        again = journal.begin_attempt("run1", "clone")
        assert again.number == 2


def test_an_attempt_without_effects_is_unknown_too(journal: Journal) -> None:
    start(journal)
    journal.begin_attempt("run1", "await-green")
    assert journal.mark_unknown("run1") == []
    assert journal.attempts("run1")[0].status is Status.UNKNOWN


def test_of_another_run_nothing_is_marked(journal: Journal) -> None:
    start(journal)
    start(journal, "run2", resource="cluster-B")
    attempt = journal.begin_attempt("run2", "clone").id
    journal.intend(attempt, "a", "First", "x")
    journal.mark_unknown("run1")
    assert journal.attempts("run2")[0].status is Status.RUNNING


@pytest.mark.parametrize("rounds", range(5))
def test_whatever_was_said_to_be_written_is_there_after_a_kill(path: Path, rounds: int) -> None:
    code = """
    journal = Journal.open(path)
    start(journal)
    number = 0
    while True:
        attempt = journal.begin_attempt("run1", "step").id
        effect = journal.intend(attempt, f"key{number}", "Title", "x")
        say(f"intended {number}")
        journal.settle(effect, Outcome.SUCCEEDED)
        say(f"settled {number}")
        journal.end_attempt(attempt, Status.SUCCEEDED)
        number += 1
    """
    with other_process(code, path) as process:
        said = [heard(process) for _ in range(20 + 7 * rounds)]
        process.kill()
        assert process.stdout is not None
        said += process.stdout.read().splitlines()
    outcomes = {}
    with Journal.open(path) as journal:
        for attempt in journal.attempts("run1"):
            for effect in attempt.effects:
                outcomes[effect.key] = effect.outcome
        journal.mark_unknown("run1")
    for line in said:
        word, _, number = line.partition(" ")
        assert f"key{number}" in outcomes
        if word == "settled":
            assert outcomes[f"key{number}"] is Outcome.SUCCEEDED
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_durability_is_asked_of_sqlite(journal: Journal) -> None:
    settings = {
        name: journal._store.db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    full = 2
    assert settings["journal_mode"] == "wal"
    assert settings["synchronous"] == full
    assert settings["foreign_keys"] == 1
    assert settings["busy_timeout"] > 0
