"""Older journals are brought up to date, newer ones left alone."""

import hashlib
import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from state import renamed_steps, schema, store
from state.errors import JournalUnusable, Refused
from state.handover import HandoverFile, read_parcel
from state.journal import Journal
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
    following(name="0003_step_names")(schema.rename_steps)
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

    @following(name="0004_weather")
    def weather(db: Database) -> None:
        db.execute("CREATE TABLE weather (id INTEGER PRIMARY KEY)")

    with Journal.open(older) as journal:
        assert journal.run().id == "run1"
        assert journal._store.db.table("weather").exists()
    copy = older.with_name("journal.db.before-0004_weather")
    assert content(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    Journal.open(older).close()
    assert content(copy) == before


def test_an_older_journal_is_not_watched_before_that(older: Path, following: Migrations) -> None:
    following(name="0004_weather")(lambda db: None)
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

    @following(name="0004_broken")
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
    following(name="0004_first")(lambda db: db.execute("CREATE TABLE first (id)") and None)

    @following(name="0005_second")
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
    following(name="0004_weather")(lambda db: db.execute("CREATE TABLE weather (id)") and None)
    Journal.open(older).close()
    monkeypatch.undo()
    before = content(older)
    with pytest.raises(JournalUnusable, match=r"newer blueprime \(0004_weather") as unusable:
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


OLD_NAMES = """
INSERT INTO run VALUES (
    9, 'w4yx', 'orders', 'cluster-9', '1', 'r', 'rehearsal', '{}', 'p',
    '2026-05-03T01:00:00.000000Z', NULL, NULL);
INSERT INTO track_entry VALUES (
    9, 'w4yx', 'rollback', 'settle', 'settled', 'to settle', '2026-05-03T01:00:01.000000Z');
INSERT INTO decision VALUES (
    9, 'w4yx', 9, 'end-of-way-forward', 'settle', 'mira', 'settle',
    '2026-05-03T01:00:02.000000Z');
INSERT INTO event VALUES (
    900, 'w4yx', '2026-05-03T01:00:02.000000Z', 'decision', 'mira said yes to settle',
    '{"gate": "settle", "step": "end-of-way-forward", "note": "detach", "n": 1.0}');
INSERT INTO event VALUES (
    901, 'w4yx', '2026-05-03T01:00:03.000000Z', 'told', '', '{"step": 7, "gate": null}');
INSERT INTO attempt VALUES (
    90, 'w4yx', 9, 'remedy/recopy/"shop"."remedy/t"', 1, 'running', '2026-05-03T01:00:04.000000Z',
    NULL, '', '');
INSERT INTO effect VALUES (
    90, 90, 'blue-prime/remedy/recopy/"shop"."remedy/t"', 'copy', 'COPY',
    '2026-05-03T01:00:05.000000Z', NULL, NULL, '{}', '');
INSERT INTO evidence VALUES (
    990, 'w4yx', NULL, 'bake', 'remedy/schema/add/"t".unmended', '', '1',
    '2026-05-03T01:00:06.000000Z');
"""


def test_what_a_run_is_read_by_is_renamed_and_what_was_said_is_not(first_version: Path) -> None:
    with closing(sqlite3.connect(first_version)) as connection:
        connection.executescript(OLD_NAMES)
        for number, old in enumerate(renamed_steps.STEPS, start=1000):
            connection.execute(
                "INSERT INTO evidence VALUES (?, 'w4yx', NULL, ?, ?, ?, '1', ?)",
                (number, old, old, f"{old} was seen", "2026-05-03T01:00:02.000000Z"),
            )
        connection.commit()
    with Journal.open(first_version) as journal:
        (entry,) = journal.entries("w4yx")
        assert (entry.variant, entry.from_step, entry.reason) == (
            "finalize",
            "verify-end",
            "to settle",
        )
        (decision,) = journal.decisions("w4yx")
        assert (decision.step, decision.gate) == ("assess-finalize", "finalize")
        assert decision.typed == "settle"
        event, untouched = journal.events("w4yx")
        assert untouched.data == {"step": 7, "gate": None}
        assert event.text == "mira said yes to settle"
        names = {"gate": "finalize", "step": "assess-finalize"}
        assert event.data == names | {"note": "detach", "n": 1.0}
        (attempt,) = journal.attempts("w4yx")
        assert attempt.step == 'repair/recopy/"shop"."remedy/t"'
        assert [effect.key for effect in attempt.effects] == [
            'blue-prime/repair/recopy/"shop"."remedy/t"'
        ]
        of_repair, *seen = journal.evidences("w4yx")
        assert of_repair.key == 'repair/schema/add/"t".unrepaired'
        assert {each.key: each.step for each in seen} == renamed_steps.STEPS
        assert all(each.text == f"{each.key} was seen" for each in seen)
        attempts = [each.step for each in journal.attempts("k2f9")]
        assert "drop-subscriptions" in attempts
        assert "detach" not in attempts


def test_the_guards_stand_again_after_steps_were_renamed(first_version: Path, path: Path) -> None:
    Journal.open(first_version).close()
    fresh = path.with_name("fresh.db")
    Journal.open(fresh).close()
    guards = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
    with (
        closing(sqlite3.connect(first_version)) as brought_up,
        closing(sqlite3.connect(fresh)) as new,
    ):
        assert brought_up.execute(guards).fetchall() == new.execute(guards).fetchall()


def test_a_file_of_the_first_version_is_accepted_under_the_names_of_today(
    first_version: Path, tmp_path: Path
) -> None:
    with Journal.open(first_version) as journal:
        journal.mark_unknown("m3xy")
        parcel = journal.give("k2f9", to="ben")
    old = tmp_path / "k2f9.json"
    old.write_bytes(as_first_written(parcel))
    found = read_parcel(old)
    assert found.export == parcel.export
    assert found.fingerprint != parcel.fingerprint
    with Journal.open(tmp_path / "there" / "journal.db") as there:
        there.accept(found, plan_path=tmp_path / "plan.toml")
        assert "drop-subscriptions" in [each.step for each in there.attempts("k2f9")]


def test_the_very_file_of_before_the_renaming_does_not_bring_a_run_back(
    first_version: Path, tmp_path: Path
) -> None:
    with Journal.open(first_version) as journal:
        parcel = journal.give("k2f9", to="ben")
    old = tmp_path / "k2f9.json"
    old.write_bytes(as_first_written(parcel))
    found = read_parcel(old)
    with Journal.open(first_version) as journal:
        # As a journal holds it that was given away before its steps were renamed.
        with journal._store.writing() as db:
            db.execute("DROP TRIGGER handover_fixed")
            db.execute("UPDATE handover SET fingerprint = ?", [found.fingerprint])
        with pytest.raises(Refused, match="it holds nothing newer"):
            journal.accept(found, plan_path=tmp_path / "plan.toml")


def as_first_written(parcel: HandoverFile) -> bytes:
    """Return the file that the first version would have written of a run."""
    earlier = {new: old for old, new in renamed_steps.STEPS.items()}
    content = json.loads(json.dumps(parcel.content))
    for row in (*content["slice"]["attempt"], *content["slice"]["evidence"]):
        row["step"] = earlier.get(row["step"], row["step"])
    for row in content["slice"]["event"]:
        if "step" in row["data"]:
            row["data"]["step"] = earlier.get(row["data"]["step"], row["data"]["step"])
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    head = {
        "kind": "blueprime handover",
        "version": 1,
        "fingerprint": hashlib.sha256(canonical.encode()).hexdigest(),
    }
    return json.dumps(head | {"content": content}).encode()
