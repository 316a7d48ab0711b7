"""Standard streams of every kind: no line that is printed, or cannot be, changes what is done."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import pytest

from state.enums import Result, Status
from state.journal import Journal
from tests.operator.nights import a_run, rows
from tests.operator.terminal import terminal
from tests.operator.test_journal_troubles import AWS_OUT_OF_REACH
from tests.secrets.treasure import random_word
from tests.state.invented import start
from tests.test_plan import GOOD
from tests.workspace import Workspace
from tui.cli.streams import Guarded, OutputLost

HOSTILE = "naïve → łódź 🚚 … \udcff"
LACKING = "łń 🚚 → …"
LACKING_ESCAPED = r"\u0142\u0144 \ud83d\ude9a \u2192 \u2026"
SHELL = 'exec "$@" {redirections}'


def redirected(
    workspace: Workspace, redirections: str, *arguments: str, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a shell does that was told to redirect its streams."""
    shell = ["sh", "-c", SHELL.format(redirections=redirections), "sh"]
    return subprocess.run(
        [*shell, *workspace.command(*arguments)],
        env={**workspace.environment, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def noted(workspace: Workspace) -> Workspace:
    """A workspace with a run that is over, and in its journal what most encodings lack."""
    with Journal.open(workspace.home / "journal.db") as journal:
        a_run(journal)
        journal.event("run1", "note", LACKING)
        attempt = journal.begin_attempt("run1", "identify")
        journal.end_attempt(attempt.id, Status.FAILED, f"{LACKING} is not there")
        journal.close_run("run1", Result.ABORTED)
    return workspace


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "shift_jis", "utf-8"])
def test_json_stays_json_in_every_encoding(encoding: str) -> None:
    written = io.BytesIO()
    stream = Guarded(io.TextIOWrapper(written, encoding=encoding))
    stream.write(json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False))
    stream.flush()
    assert json.loads(written.getvalue().decode(encoding)) == {HOSTILE: HOSTILE}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_look_is_whole_where_the_encoding_lacks_characters(
    noted: Workspace, encoding: str
) -> None:
    env = {"PYTHONIOENCODING": encoding}
    shown = noted.run("show", "run1", env=env).stdout
    assert f"{LACKING_ESCAPED} is not there" in shown
    assert LACKING_ESCAPED in noted.run("report", "run1", env=env).stdout
    lines = noted.run("watch", "run1", "--json", "--history", env=env).stdout.splitlines()
    assert LACKING in [json.loads(line).get("text") for line in lines]


def test_ascii_output_is_masked_like_any_other(noted: Workspace) -> None:
    secret = random_word()
    with Journal.open(noted.home / "journal.db") as journal:
        start(journal, "run2", cluster=f"c-{secret}", resource="cluster-B")
    env = {"PYTHONIOENCODING": "ascii", "ORDERS_PASSWORD": secret}
    said = noted.run("runs", env=env)
    assert secret not in said.stdout + said.stderr
    assert "c-***" in said.stdout


def test_the_app_says_what_it_lacks_instead_of_drawing_escapes(noted: Workspace) -> None:
    env = {"PYTHONIOENCODING": "latin-1"}
    with terminal(noted, "resume", "run1", env=env) as opened:
        assert opened.process.wait(60) == 2
        opened.shows("Nothing was begun. With LC_ALL=C.UTF-8")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_trouble(noted: Workspace, closed: str) -> None:
    shown = redirected(noted, closed, "show", "run1")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert ("run run1" in shown.stdout) is (">&-" not in closed)
    opened = redirected(noted, closed, "resume", "run1")
    assert opened.returncode == 2
    assert ("needs a terminal" in opened.stderr) is ("2>&-" not in closed)
    assert "Traceback" not in opened.stdout + opened.stderr


def test_what_cannot_be_printed_is_told(noted: Workspace) -> None:
    full = redirected(noted, ">/dev/full", "report", "run1")
    assert full.returncode == 1
    assert full.stderr == "Not everything could be printed: No space left on device.\n"
    assert redirected(noted, "2>/dev/full", "show", "run1").returncode == 0


@pytest.mark.parametrize("lost", ["full", "pipe"])
def test_a_run_goes_on_when_nobody_can_read_what_it_prints(workspace: Workspace, lost: str) -> None:
    plan = workspace.home / "plan.toml"
    plan.write_text(GOOD, encoding="utf-8")
    arguments = workspace.command("auto", str(plan), "--yes", "--json")
    with _full_disk() if lost == "full" else _unread_pipe() as out:
        done = subprocess.run(
            arguments,
            env={**workspace.environment, **AWS_OUT_OF_REACH},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1, "AWS is out of reach"
    assert done.stderr.count("Standard output cannot be written any more") == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    (kept,) = rows(workspace, "SELECT text FROM event WHERE kind = 'output'")
    assert kept[0].startswith("Standard output cannot be written any more (")
    ended = rows(workspace, "SELECT status FROM attempt WHERE step = 'identify'")
    assert ended == [("failed",)], "the run came to where it comes with every line read"


def _full_disk() -> io.TextIOWrapper:
    return Path("/dev/full").open("w")


def _unread_pipe() -> io.TextIOWrapper:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


class _Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_lost_output_is_raised_each_time_unless_it_is_outlived() -> None:
    stream = Guarded(_Full())
    for _ in range(2):
        with pytest.raises(OutputLost, match="No space left"):
            stream.write("a")
    told: list[str] = []
    stream = Guarded(_Full())
    stream.outlived(told.append)
    assert stream.write("abc") == stream.write("def") == 3
    assert told == ["No space left on device"]
