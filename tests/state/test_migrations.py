"""Older journals are brought up to date, newer ones left alone."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from state import schema, store
from state.journal import Journal, JournalUnusable
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

    @following(name="0002_weather")
    def weather(db: Database) -> None:
        db.execute("CREATE TABLE weather (id INTEGER PRIMARY KEY)")

    with Journal.open(older) as journal:
        assert journal.run().id == "run1"
        assert journal._store.db.table("weather").exists()
    copy = older.with_name("journal.db.before-0002_weather")
    assert content(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    Journal.open(older).close()
    assert content(copy) == before


def test_an_older_journal_is_not_watched_before_that(older: Path, following: Migrations) -> None:
    following(name="0002_weather")(lambda db: None)
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

    @following(name="0002_broken")
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
    following(name="0002_first")(lambda db: db.execute("CREATE TABLE first (id)") and None)

    @following(name="0003_second")
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
    following(name="0002_weather")(lambda db: db.execute("CREATE TABLE weather (id)") and None)
    Journal.open(older).close()
    monkeypatch.undo()
    before = content(older)
    with pytest.raises(JournalUnusable, match=r"newer blueprime \(0002_weather") as unusable:
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
