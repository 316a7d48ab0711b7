"""Copies of the journal: kept at each opening, bounded in number, put back without loss."""

from __future__ import annotations

import random
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from state import backups
from state.enums import Outcome
from state.errors import JournalHeld, JournalUnusable
from state.journal import Journal
from state.journal_files import accept, inspect, restore
from state.lock import lock_path
from tests.state.invented import start
from tests.state.processes import heard, killed, other_process

DIES = """
journal = Journal.open(path)
for n in range(3):
    journal.event("run1", "note", f"said before the end {n}")
say("said")
stay()
"""


@pytest.fixture
def kept(path: Path) -> Path:
    """The path of a journal with a run, an open effect, and one backup."""
    with Journal.open(path) as journal:
        start(journal)
        for n in range(40):
            journal.event("run1", "note", f"much is told {n} " * 20)
    with Journal.open(path) as journal:
        attempt = journal.begin_attempt("run1", "clone").id
        journal.settle(journal.intend(attempt, "a", "First", "x"), Outcome.SUCCEEDED)
    return path


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def wipe(path: Path) -> None:
    path.write_bytes(b"This is a letter to my aunt.\n" * 300)


def test_each_opening_that_finds_something_new_keeps_a_copy(path: Path) -> None:
    Journal.open(path).close()
    assert backups.kept(path) == [], "there was nothing to keep"
    with Journal.open(path) as journal:
        start(journal)
    for n in range(backups.KEPT + 3):
        with Journal.open(path) as journal:
            held = journal.events("run1")
            journal.event("run1", "note", str(n))
        Journal.open(path).close()
        Journal.open(path).close()
    found = backups.kept(path)
    assert [each.number for each in found] == list(range(9, 9 - backups.KEPT, -1))
    assert all(each.sound for each in found)
    assert found[0].entries == found[-1].entries + backups.KEPT - 1
    assert stat.S_IMODE(found[0].path.stat().st_mode) == 0o600
    assert not list(path.parent.glob("*.part*"))
    with Journal.open(found[1].path, writer=False) as copy:
        assert copy.events("run1") == held


def test_a_copy_that_cannot_be_kept_keeps_nobody_from_the_journal(
    kept: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "copy", full)
    with Journal.open(kept) as journal:
        journal.event("run1", "note", "it goes on")
    assert "no backup" in caplog.text


Damage = Callable[[Path], None]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _old_copy(path: Path) -> None:
    shutil.copy(backups.kept(path)[-1].path, path)


def _flip_a_letter(path: Path) -> None:
    content = path.read_bytes()
    assert content.count(b"much is told 7") > 1
    path.write_bytes(content.replace(b"much is told 7", b"much is told 8", 1))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (wipe, "damaged or no database"),
        (_cut, "damaged or no database"),
        (_empty, "entries are missing"),
        (Path.unlink, "entries are missing"),
        (_old_copy, "Its last 5 entries are missing"),
        (_flip_a_letter, "bytes in it have changed"),
    ],
)
def test_whatever_happens_to_the_file_is_named_and_the_backup_put_back(
    kept: Path, damage: Damage, words: str
) -> None:
    damage(kept)
    before = kept.read_bytes() if kept.exists() else None
    for _ in range(2):
        with pytest.raises(JournalUnusable, match=words) as unusable:
            Journal.open(kept)
        assert "blueprime journal restore" in unusable.value.todo
    assert not inspect(kept).sound
    restored = restore(kept)
    assert (restored.aside.read_bytes() if restored.aside else None) == before
    assert inspect(kept).sound
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with Journal.open(kept) as journal:
        assert len(journal.events("run1")) == 41
        assert journal.attempts("run1") == []
        journal.begin_attempt("run1", "clone")
    Journal.open(kept).close()


def test_a_lost_wal_is_noticed_by_the_mark(kept: Path) -> None:
    with other_process(DIES, kept) as process:
        assert heard(process) == "said"
        killed(process)
    beside(kept, "-wal").rename(beside(kept, ".mislaid"))
    beside(kept, "-shm").unlink()
    with pytest.raises(JournalUnusable, match="Its last 3 entries are missing"):
        Journal.open(kept)
    lock_path(kept).unlink()
    with Journal.open(kept) as journal:
        assert "before the end" not in journal.events("run1")[-1].text, "without a mark: nothing"


def test_a_killed_writer_s_journal_is_whole(kept: Path) -> None:
    with other_process(DIES, kept) as process:
        assert heard(process) == "said"
        killed(process)
    with Journal.open(kept) as journal:
        assert journal.events("run1")[-1].text == "said before the end 2"


def test_flipped_bytes_anywhere_are_never_taken_for_sound(kept: Path) -> None:
    whole = kept.read_bytes()
    dice = random.Random(7)
    pages = range(0, len(whole), 4096)
    assert len(pages) > 20
    for page in pages:
        content = bytearray(whole)
        for _ in range(3):
            content[page + dice.randrange(4096)] ^= 1 << dice.randrange(8)
        kept.write_bytes(content)
        with pytest.raises(JournalUnusable):
            Journal.open(kept)
    kept.write_bytes(whole)
    Journal.open(kept).close()


def test_an_index_that_disagrees_with_its_table_is_found_at_opening(kept: Path) -> None:
    with sqlite3.connect(kept) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_master SET sql = 'CREATE INDEX event_of_run ON event (run, id) "
            "WHERE id > 20' WHERE name = 'event_of_run'"
        )
    db.close()
    lock_path(kept).unlink()  # without the mark: SQLite alone must tell
    with pytest.raises(JournalUnusable, match="wrong # of entries in index event_of_run"):
        Journal.open(kept)


def test_a_damaged_backup_is_passed_over(kept: Path) -> None:
    with Journal.open(kept) as journal:
        journal.event("run1", "note", "more")
    Journal.open(kept).close()
    newest, older = backups.kept(kept)[:2]
    wipe(newest.path)
    assert [each.sound for each in backups.kept(kept)[:2]] == [False, True]
    wipe(kept)
    restored = restore(kept)
    assert restored.backup.path == older.path
    assert newest.path.exists()


def test_without_a_sound_backup_nothing_is_touched(kept: Path) -> None:
    for backup in backups.kept(kept):
        wipe(backup.path)
    wipe(kept)
    before = {file: file.read_bytes() for file in kept.parent.iterdir()}
    with pytest.raises(JournalUnusable, match="no sound backup"):
        restore(kept)
    assert {file: file.read_bytes() for file in kept.parent.iterdir()} == before


def test_a_sound_journal_is_not_replaced_unless_a_backup_is_named(kept: Path) -> None:
    with pytest.raises(JournalUnusable, match="It is sound"):
        restore(kept)
    restore(kept, 1)
    with Journal.open(kept) as journal:
        assert journal.attempts("run1") == []
    with pytest.raises(JournalUnusable, match="no backup 77"):
        restore(kept, 77)


def test_damaged_files_are_kept_side_by_side(kept: Path) -> None:
    for n in (1, 2):
        wipe(kept)
        assert restore(kept).aside == beside(kept, f".damaged-{n}")
    assert beside(kept, ".damaged-1").exists()


def test_the_wal_of_a_damaged_journal_goes_aside_with_it(kept: Path) -> None:
    with other_process(DIES, kept) as process:
        assert heard(process) == "said"
        killed(process)
    wipe(kept)
    restore(kept)
    assert beside(kept, ".damaged-1-wal").exists()
    assert not beside(kept, "-wal").exists()
    Journal.open(kept).close()


def test_accepting_goes_on_with_what_is_there(kept: Path) -> None:
    _old_copy(kept)
    accept(kept)
    with Journal.open(kept) as journal:
        assert len(journal.events("run1")) == 41
    Journal.open(kept).close()
    wipe(kept)
    with pytest.raises(JournalUnusable, match="damaged"):
        accept(kept)


def test_a_copy_is_kept_whenever_asked_for_while_it_is_written(journal: Journal) -> None:
    start(journal)
    journal.keep_backup()
    journal.keep_backup()
    journal.event("run1", "note", "more")
    journal.keep_backup()
    found = backups.kept(journal.path)
    assert [each.number for each in found] == [2, 1]
    with Journal.open(found[0].path, writer=False) as copy:
        assert copy.events("run1") == journal.events("run1")


def test_no_copy_is_kept_of_damaged_pages(
    kept: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal.open(kept) as journal:
        journal.event("run1", "note", "more")
        before = backups.kept(kept)
        monkeypatch.setattr(backups, "trouble_in", lambda *_, **__: "row 3 missing from index")
        journal.keep_backup()
        monkeypatch.undo()
        assert backups.kept(kept) == before
    assert "row 3 missing" in caplog.text


@pytest.mark.parametrize("verb", [restore, accept])
def test_a_journal_in_use_is_neither_replaced_nor_accepted(
    kept: Path, verb: Callable[[Path], object]
) -> None:
    with Journal.open(kept), pytest.raises(JournalHeld):
        verb(kept)


def test_watching_a_journal_that_is_gone_says_so(kept: Path) -> None:
    kept.unlink()
    with pytest.raises(JournalUnusable, match="entries are missing"):
        Journal.open(kept, writer=False)
