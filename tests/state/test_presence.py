"""A journal whose file is taken away while it is open: noticed before anything is done; kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from state.errors import JournalUnusable
from state.journal import Journal
from state.journal_files import accept, inspect, restore
from state.store import connect
from tests.state.invented import start


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def replaced_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


TAKEN_AWAY: dict[str, Callable[[Path], object]] = {
    "was removed": Path.unlink,
    "was removed or moved": lambda path: path.rename(path.with_name("elsewhere.db")),
    "was replaced by another file": replaced_by_a_copy,
    "journal.db-wal was removed": lambda path: wal(path).unlink(),
}


def told(journal: Journal) -> str:
    """Return what is said of a write that must be refused, and of every further one."""
    said = []
    for _ in range(2):
        with pytest.raises(JournalUnusable) as refused:
            journal.event("run1", "note", "into the dark")
        said.append(str(refused.value))
    assert said[0] == said[1]
    return said[0]


def put_back(path: Path) -> Journal:
    """Put the only copy in the journal's place and open it; whoever wrote it has ended."""
    (kept,) = inspect(path).backups
    restore(path, kept.number)
    with closing(connect(path, "rw")) as db:
        db.execute("DELETE FROM writer")
    accept(path)
    return Journal.open(path)


@pytest.mark.parametrize("words", TAKEN_AWAY)
def test_no_intent_goes_into_a_file_that_nobody_will_read(path: Path, words: str) -> None:
    journal = Journal.open(path)
    start(journal)
    attempt = journal.begin_attempt("run1", "clone").id
    before = journal.events("run1")
    TAKEN_AWAY[words](path)
    with pytest.raises(JournalUnusable, match=words):
        journal.intend(attempt, "a", "First", "x")
    said = told(journal)
    assert "Nothing further is done" in said
    with pytest.raises(JournalUnusable):
        journal.close()

    (kept,) = inspect(path).backups
    assert f"blueprime journal restore --backup {kept.number}" in said
    assert kept.path.name in said
    with put_back(path) as found:
        assert found.events("run1") == before
        assert [each.effects for each in found.attempts("run1")] == [()]


def test_what_was_written_when_it_was_taken_away_is_not_said_to_be_kept(path: Path) -> None:
    journal = Journal.open(path)
    start(journal)
    attempt = journal.begin_attempt("run1", "clone").id
    with pytest.raises(JournalUnusable, match="was removed"):
        _intend_while_it_is_removed(journal, attempt, path)
    with pytest.raises(JournalUnusable):
        journal.close()
    with put_back(path) as found:
        (effect,) = found.attempts("run1")[0].effects
        assert effect.outcome is None, "it is looked at, as after any crash"


def _intend_while_it_is_removed(journal: Journal, attempt: int, path: Path) -> None:
    with journal.together():
        journal.intend(attempt, "a", "First", "x")
        path.unlink()


def test_with_its_folder_gone_it_is_said_that_nothing_could_be_kept(path: Path) -> None:
    journal = Journal.open(path)
    start(journal)
    shutil.rmtree(path.parent)
    said = told(journal)
    assert "No copy of it could be kept" in said
    assert "blueprime adopt CLUSTER" in said


def test_a_journal_that_stays_where_it_is_is_written(path: Path) -> None:
    for n in range(3):
        with Journal.open(path) as journal, Journal.open(path, writer=False) as watching:
            if not n:
                start(journal)
            journal.event("run1", "note", "kept")
            assert len(watching.events("run1")) == n + 2
    assert inspect(path).sound
