"""A journal that an older blueprime wrote is brought up to date by whoever opens it to act."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from state.schema import APPLICATION_ID
from tests.operator.terminal import terminal
from tests.workspace import Workspace

GOLDEN = Path(__file__).parents[1] / "state" / "golden" / "journal-0001.sql"
OLDER = "written by an older blueprime"


@pytest.fixture
def older(workspace: Workspace) -> Workspace:
    """A workspace with the journal of the first version."""
    workspace.home.mkdir(exist_ok=True)
    with closing(sqlite3.connect(workspace.home / "journal.db")) as connection:
        connection.executescript(GOLDEN.read_text())
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    return workspace


def lists(workspace: Workspace) -> bool:
    """Return whether the runs can be read."""
    said = workspace.run("runs", expect=None)
    return OLDER not in said.stderr and "m3xy" in said.stdout


@pytest.mark.parametrize(
    "command",
    [("runs",), ("show", "m3xy"), ("report", "m3xy"), ("watch", "m3xy", "--json")],
    ids=lambda command: command[0],
)
def test_a_look_changes_nothing_and_says_what_does(
    older: Workspace, command: tuple[str, ...]
) -> None:
    before = (older.home / "journal.db").read_bytes()
    said = older.run(*command, expect=1).stderr
    assert OLDER in said
    assert "blueprime, blueprime resume, or blueprime auto RUN" in said
    assert (older.home / "journal.db").read_bytes() == before


@pytest.mark.parametrize(
    ("command", "shown"),
    [((), "m3xy"), (("resume", "m3xy"), "Only to be looked at")],
    ids=["the list of runs", "resume"],
)
def test_the_app_brings_it_up_to_date(
    older: Workspace, command: tuple[str, ...], shown: str
) -> None:
    with terminal(older, *command) as opened:
        opened.shows(shown)
        assert OLDER not in opened.text
    assert lists(older)


@pytest.mark.parametrize(
    "command",
    [("auto", "m3xy", "--until", "nowhere"), ("lab", "stop")],
    ids=lambda command: command[0],
)
def test_a_command_that_acts_brings_it_up_to_date(
    older: Workspace, command: tuple[str, ...]
) -> None:
    assert OLDER not in older.run(*command, expect=None).stderr
    assert lists(older)
