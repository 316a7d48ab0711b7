"""Older journals are brought up to date, newer ones left alone."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from state import schema, store
from state.journal import Journal, JournalUnusable, Refused
from state.report import report
from tests.state.invented import start


@pytest.fixture
def older(path: Path) -> Path:
    """The path of a journal of this version, with a run in it."""
    with Journal.open(path) as journal:
        start(journal)
    return path


@pytest.fixture
def following(monkeypatch: pytest.MonkeyPatch) -> Migrations:
    """The migrations of a version to come: this one's, and what a test adds."""
    following = Migrations(schema.migrations.name)
    following(name="0001_journal")(schema.create)
    following(name="0002_handover")(schema.add_handover)
    monkeypatch.setattr(schema, "migrations", following)
    monkeypatch.setattr(store, "migrations", following)
    return following


def content(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_an_older_journal_is_brought_up_to_date_and_a_copy_kept(
    older: Path, following: Migrations
) -> None:
    before = content(older)

    @following(name="0003_weather")
    def weather(db: Database) -> None:
        db.execute("CREATE TABLE weather (id INTEGER PRIMARY KEY)")

    with Journal.open(older) as journal:
        assert journal.run().id == "run1"
        assert journal._store.db.table("weather").exists()
    copy = older.with_name("journal.db.before-0003_weather")
    assert content(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    Journal.open(older).close()
    assert content(copy) == before


def test_an_older_journal_is_not_watched_before_that(older: Path, following: Migrations) -> None:
    following(name="0003_weather")(lambda db: None)
    before = content(older)
    with pytest.raises(JournalUnusable, match="older") as unusable:
        Journal.open(older, writer=False)
    assert unusable.value.todo
    assert content(older) == before


@pytest.mark.parametrize("error", [sqlite3.OperationalError("no such thing"), KeyboardInterrupt()])
def test_a_migration_that_fails_leaves_the_journal_as_it_was(
    older: Path, following: Migrations, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = content(older)

    @following(name="0003_broken")
    def broken(db: Database) -> None:
        db.execute("CREATE TABLE half (id INTEGER PRIMARY KEY)")
        db.execute("DROP TRIGGER run_fixed")
        db.execute("UPDATE run SET cluster = 'other'")
        raise error

    with pytest.raises((JournalUnusable, KeyboardInterrupt)):
        Journal.open(older)
    assert content(older) == before
    monkeypatch.undo()
    with Journal.open(older) as journal:
        assert journal.run().cluster == "orders"


def test_of_two_migrations_the_first_stays_when_the_second_fails(
    older: Path, following: Migrations
) -> None:
    following(name="0003_first")(lambda db: db.execute("CREATE TABLE first (id)") and None)

    @following(name="0004_second")
    def second(db: Database) -> None:
        db.execute("CREATE TABLE second (id)")
        raise sqlite3.OperationalError("no")

    with pytest.raises(JournalUnusable):
        Journal.open(older)
    tables = "\n".join(content(older))
    assert "CREATE TABLE first" in tables
    assert "CREATE TABLE second" not in tables


@pytest.mark.parametrize("writer", [True, False])
def test_a_newer_journal_is_left_alone(
    older: Path, following: Migrations, monkeypatch: pytest.MonkeyPatch, writer: bool
) -> None:
    following(name="0003_weather")(lambda db: db.execute("CREATE TABLE weather (id)") and None)
    Journal.open(older).close()
    monkeypatch.undo()
    before = content(older)
    with pytest.raises(JournalUnusable, match=r"newer blueprime \(0003_weather") as unusable:
        Journal.open(older, writer=writer)
    assert unusable.value.path == older
    assert content(older) == before


def test_a_first_start_cut_short_is_gone_on_with(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Migrations(schema.migrations.name)

    @failing(name="0001_journal")
    def cut(db: Database) -> None:
        schema.create(db)
        raise sqlite3.OperationalError("cut")

    monkeypatch.setattr(store, "migrations", failing)
    with pytest.raises(JournalUnusable):
        Journal.open(path)
    monkeypatch.undo()
    with Journal.open(path) as journal:
        start(journal)
    assert os.listdir(path.parent)
    assert not list(path.parent.glob("*.before-*"))


GOLDEN = Path(__file__).parent / "golden" / "journal-0001.sql"
"""A journal as the first version wrote it: a night, and a run under way whose process died."""


@pytest.fixture
def first_version(path: Path) -> Path:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(GOLDEN.read_text())
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    return path


def test_a_journal_of_the_first_version_is_read_on_and_handed_over(
    first_version: Path, tmp_path: Path
) -> None:
    with Journal.open(first_version) as journal:
        # What was said then stays in its words.
        told = report(journal, "k2f9", "md").replace("run: rests as protected", "run: protected")
        assert told == (GOLDEN.parent / "night.md").read_text()
        assert [effect.key for effect in journal.mark_unknown("m3xy")] == ["bp-m3xy"]
        parcel = journal.give("m3xy", to="ben")
        with pytest.raises(Refused, match="handed over to ben"):
            journal.begin_attempt("m3xy", "create-deployment")
    with Journal.open(tmp_path / "there" / "journal.db") as there:
        there.accept(parcel, plan_path=tmp_path / "plan.toml")
        there.begin_attempt("m3xy", "create-deployment")
