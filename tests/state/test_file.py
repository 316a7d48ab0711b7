"""The journal's file: who may read it, and what is said when it cannot be used."""

import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest

from state.errors import JournalUnusable, NoJournal
from state.journal import Journal
from state.journal_files import accept
from state.lock import lock_path
from tests.state.invented import start
from tests.state.processes import heard, other_process


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_it(path: Path) -> None:
    umask = os.umask(0)
    try:
        with Journal.open(path) as journal, Journal.open(path, writer=False) as watching:
            start(journal)
            assert watching.run().id == "run1"
            files = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(umask)
    names = ["journal.db", "journal.db-shm", "journal.db-wal", "journal.db.lock"]
    assert files == dict.fromkeys(names, 0o600)
    assert mode(path.parent) == 0o700


def test_a_file_open_to_others_is_closed_to_them(path: Path) -> None:
    Journal.open(path).close()
    path.chmod(0o644)
    Journal.open(path).close()
    assert mode(path) == 0o600


def test_watching_sees_each_write_and_stops_none(journal: Journal, path: Path) -> None:
    start(journal)
    with Journal.open(path, writer=False) as watching, watching.snapshot():
        seen = watching.events("run1")
        for n in range(50):
            journal.event("run1", "note", f"note {n}")
        assert watching.events("run1") == seen
    with Journal.open(path, writer=False) as watching:
        assert watching.events("run1") == journal.events("run1")


def test_watching_from_another_process_while_written(journal: Journal, path: Path) -> None:
    start(journal)
    code = """
    watching = Journal.open(path, writer=False)
    say("watching")
    after = 0
    while after < 300:
        for event in watching.events("run1", after=after, limit=-1):
            assert event.id == after + 1
            after = event.id
    say("seen")
    """
    with other_process(code, path) as watcher:
        assert heard(watcher) == "watching"
        while journal.event("run1", "note", "more").id < 300:
            pass
        assert heard(watcher) == "seen"


@pytest.mark.parametrize("writer", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"This is a letter to my aunt, and not a database." * 20,
        lambda content: content[: len(content) // 2],
        lambda content: content[:100] + b"\xff" * 3996 + content[4096:],
        lambda content: content[: 1 << 14] + b"\xa5" * (1 << 16) + content[5 << 14 :],
    ],
    ids=["a letter", "half of it", "a broken first page", "broken pages"],
)
def test_a_damaged_journal_is_named_and_left(path: Path, writer: bool, damage: object) -> None:
    with Journal.open(path) as journal:
        start(journal)
        for n in range(300):
            journal.event("run1", "note", "much is told " * 20 + str(n))
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="damaged or no database") as unusable:
        Journal.open(path, writer=writer)
    assert unusable.value.path == path
    assert unusable.value.now
    assert unusable.value.todo
    assert path.read_bytes() == before


@pytest.mark.parametrize("writer", [True, False])
def test_another_program_s_database_is_left_alone(path: Path, writer: bool) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE run (recipes)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="not a journal of blueprime"):
        Journal.open(path, writer=writer)
    assert path.read_bytes() == before


def test_there_is_nothing_to_watch_before_the_first_start(path: Path) -> None:
    with pytest.raises(NoJournal):
        Journal.open(path, writer=False)
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    with pytest.raises(NoJournal):
        Journal.open(path, writer=False)


@pytest.mark.parametrize("writer", [True, False])
def test_a_file_in_place_of_the_folder(path: Path, writer: bool) -> None:
    path.parent.write_text("I am a file.")
    with pytest.raises(JournalUnusable) as unusable:
        Journal.open(path, writer=writer)
    assert str(path) in str(unusable.value)
    assert path.parent.read_text() == "I am a file."


@pytest.mark.parametrize("writer", [True, False])
def test_a_folder_in_place_of_the_file(path: Path, writer: bool) -> None:
    path.mkdir(parents=True)
    with pytest.raises(JournalUnusable, match="BLUEPRIME_HOME"):
        Journal.open(path, writer=writer)


def test_a_folder_in_place_of_the_lock_file(path: Path) -> None:
    lock_path(path).mkdir(parents=True)
    with pytest.raises(JournalUnusable, match="Is a directory"):
        Journal.open(path)


def test_a_folder_that_may_not_be_written(path: Path) -> None:
    """An archived journal can be read where it lies, but not written."""
    with Journal.open(path) as journal:
        start(journal)
    code = """
    unprivileged = 65534
    if os.geteuid() == 0:
        os.setgid(unprivileged)
        os.setuid(unprivileged)
    try:
        Journal.open(path)
    except JournalUnusable as unusable:
        say(f"unusable {unusable}")
    with Journal.open(path, writer=False) as watching:
        say(watching.run().id)
    """
    archive = Path(tempfile.mkdtemp(prefix="blueprime-test-", dir="/tmp"))
    shutil.copytree(path.parent, archive, dirs_exist_ok=True)
    try:
        lock_path(archive / path.name).unlink()
        (archive / path.name).chmod(0o444)
        archive.chmod(0o555)
        with other_process(code, archive / path.name) as process:
            assert "Permission denied" in heard(process)
            assert heard(process) == "run1"
    finally:
        archive.chmod(0o755)
        shutil.rmtree(archive)


def test_a_full_disk_is_named_and_what_stood_there_stays(journal: Journal, path: Path) -> None:
    start(journal)
    db = journal._store.db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    before = journal.events("run1")
    with pytest.raises(JournalUnusable, match="full"):
        journal.event("run1", "note", "x" * 1_000_000)
    assert journal.events("run1") == before
    db.execute(f"PRAGMA max_page_count = {pages + 1000}")
    journal.event("run1", "note", "there is room again")
    with Journal.open(path, writer=False) as watching:
        assert watching.events("run1")[-1].text == "there is room again"


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "a ?mode=memory#%20 ü 🐘" / "journal.db"
    with Journal.open(path) as journal:
        start(journal)
    with Journal.open(path, writer=False) as watching:
        assert watching.run().id == "run1"
    assert path.exists()


def test_closing_twice_does_no_harm(path: Path) -> None:
    journal = Journal.open(path)
    journal.close()
    journal.close()
    Journal.open(path).close()


def test_a_journal_that_cannot_be_opened_leaves_the_lock_free(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database" * 500)
    for _ in range(2):
        with pytest.raises(JournalUnusable):
            Journal.open(path)
    path.unlink()
    Journal.open(path).close()


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal", "journal.db.lock"])
def test_a_pipe_in_the_place_of_a_file_is_told_and_not_waited_for(path: Path, name: str) -> None:
    with Journal.open(path) as journal:
        start(journal)
    path.with_name(name).unlink(missing_ok=True)
    os.mkfifo(path.with_name(name))
    opens = [lambda: Journal.open(path), lambda: accept(path)]
    if name != "journal.db.lock":
        opens.append(lambda: Journal.open(path, writer=False))
    for opening in opens:
        with pytest.raises(JournalUnusable, match="It is a pipe, a device or a socket"):
            opening()
