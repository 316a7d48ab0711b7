"""A journal in which one byte was flipped, anywhere: told by every command, and put right."""

from __future__ import annotations

import random

import pytest
from click.testing import CliRunner

from runbook.protection.dashboard import Dashboard
from state.enums import Outcome, Result, Status
from state.home import journal_path
from state.journal import Journal
from state.journal_files import inspect
from state.lock import lock_path
from tests.operator.nights import a_run
from tui.cli import main

LOOKS = (("runs",), ("show", "run1"), ("report", "run1"), ("watch", "run1", "--json"))
EVERY = (*LOOKS, ("journal", "check"), ("auto", "run1"), ("journal", "restore"))


@pytest.fixture
def whole() -> bytes:
    """The bytes of a journal with a run that is over, a backup beside it."""
    with Journal.open(journal_path()) as journal:
        a_run(journal)
        journal.publish("run1", Dashboard().as_json())
        journal.evidence("run1", "identify", "seen", key="seen", value={"key": [1, "two"]})
        attempt = journal.begin_attempt("run1", "identify").id
        journal.settle(journal.intend(attempt, "a", "First", "x"), Outcome.SUCCEEDED)
        journal.end_attempt(attempt, Status.FAILED, "It was not there.")
        journal.close_run("run1", Result.ABORTED)
    with Journal.open(journal_path()) as journal:
        journal.event("run1", "note", "more")
    return journal_path().read_bytes()


def said(*command: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, command)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output, result.output
    return result.exit_code, result.output


def flip(whole: bytes, offset: int, mask: int) -> None:
    changed = bytearray(whole)
    changed[offset] ^= mask
    journal_path().write_bytes(changed)


def test_a_trigger_that_is_no_text_any_more(whole: bytes) -> None:
    offset = whole.index(b"BEGIN SELECT") + len("BEGIN ")
    shown = said("runs"), said("show", "run1")
    flip(whole, offset, 0xFF)
    for command in (*LOOKS, ("auto", "run1"), ("journal", "accept")):
        code, words = said(*command)
        assert code == 1
        assert "It is damaged" in words, (command, words)
        assert "blueprime journal check" in words
        assert "blueprime journal restore" in words
    code, words = said("journal", "check")
    assert code == 1
    assert "no UTF-8" in words
    assert "backup    1" in words
    assert "is the journal now" in said("journal", "restore")[1]
    assert (said("runs"), said("show", "run1")) == shown


@pytest.mark.parametrize("marked", [True, False], ids=["as it was left", "after a kill"])
@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.chaos) for n in range(9))])
def test_a_byte_flipped_anywhere_ends_no_command_in_a_traceback(
    whole: bytes, seed: int, marked: bool
) -> None:
    path = journal_path()
    kept = {each: each.read_bytes() for each in path.parent.iterdir() if each != lock_path(path)}
    mark = lock_path(path).read_bytes()
    chosen = random.Random(seed)
    schema = [n for n in range(len(whole)) if whole.startswith(b"CREATE ", n)]
    for turn in range(5):
        for each in path.parent.iterdir():
            each.unlink()
        for each, content in kept.items():
            each.write_bytes(content)
        if marked:
            lock_path(path).write_bytes(mark)
        near = chosen.choice(schema) + chosen.randrange(300)
        offset = near if turn % 2 else chosen.randrange(len(whole))
        flip(whole, min(offset, len(whole) - 1), chosen.choice([0xFF, 0x80, 0x20, 0x01]))
        for command in EVERY:
            said(*command)
        assert said("runs")[0] == 0 or not inspect(path).sound, offset


@pytest.mark.parametrize(
    ("column", "table"),
    [
        ("started_at", "run"),
        ("at", "track_entry"),
        ("started_at", "attempt"),
        ("intent_at", "effect"),
        ("at", "evidence"),
        ("at", "board"),
        ("at", "event"),
    ],
)
def test_a_value_that_was_never_written_is_damage_and_named_so(
    whole: bytes, column: str, table: str
) -> None:
    """A time that is none passes what SQLite checks."""
    with Journal.open(journal_path()) as journal, journal.together():
        db = journal._store.db
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            db.execute(f'DROP TRIGGER "{name}"')
        db.execute(f"UPDATE {table} SET {column} = '2026-13-41T25:61:61.000000Z'")
    told = [words for code, words in (said(*each) for each in LOOKS) if code]
    assert told
    assert all("an entry cannot be read" in words for words in told), told
    assert all("blueprime journal restore" in words for words in told), told
