"""A journal that cannot be used or is held: one clear message, exit 1, nothing performed."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.journal import Journal
from state.lock import lock_path
from tests.operator.nights import ended, rows
from tests.operator.terminal import terminal
from tests.state.invented import start
from tests.test_plan import GOOD
from tests.workspace import Workspace

NOBODY = 65534
AWS_OUT_OF_REACH = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIAREHEARSAL0000000",
    "AWS_SECRET_ACCESS_KEY": "rehearsal",
    "AWS_MAX_ATTEMPTS": "1",
    "ORDERS_PASSWORD": "x",
}

_AS_NOBODY = """
import os, sys
from tui.cli import main
import runbook.run.session, tui.cli.unattended, tui.cli.listing, tui.cli.open
if os.geteuid() == 0:
    os.setgroups([]), os.setgid({nobody}), os.setuid({nobody})
main(sys.argv[1:])
"""


@pytest.fixture
def archived(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace that everybody may read and nobody may write."""
    with Journal.open(tmp_path / "journal.db") as journal:
        start(journal)
    home = Path(tempfile.mkdtemp(prefix="blueprime-test-", dir="/tmp"))
    shutil.copy(tmp_path / "journal.db", home / "journal.db")
    (home / "journal.db").chmod(0o444)
    home.chmod(0o555)
    yield Workspace(home)
    home.chmod(0o755)
    shutil.rmtree(home)


def test_what_is_shown_of_a_journal_that_was_changed_is_said_to_be_doubtful(
    workspace: Workspace,
) -> None:
    path = workspace.home / "journal.db"
    with Journal.open(path) as journal:
        start(journal)
    assert "not as blueprime left it" not in workspace.run("runs").stderr
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"us-east-1", b"us-east-2", 1))
    assert path.read_bytes() != whole
    for command in (("runs",), ("runs", "--json"), ("show", "run1"), ("report", "run1")):
        said = workspace.run(*command, expect=None).stderr
        assert "not as blueprime left it" in said, (command, said)
        assert "blueprime journal check" in said


def as_nobody(workspace: Workspace, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _AS_NOBODY.format(nobody=NOBODY), *arguments],
        env={**workspace.environment, "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_journal_that_may_not_be_written_is_read_and_never_acted_on(
    archived: Workspace,
) -> None:
    ended(as_nobody(archived, "auto", "run1", "--yes"), 1, "Permission denied", "BLUEPRIME_HOME")
    looked = as_nobody(archived, "runs", "--json")
    out, err = looked.communicate()
    assert json.loads(out)[0]["run"] == "run1", err


def test_a_damaged_journal_is_named_wherever_it_is_opened(workspace: Workspace) -> None:
    with Journal.open(workspace.home / "journal.db") as journal:
        start(journal)
    with Journal.open(workspace.home / "journal.db") as journal:
        journal.event("run1", "note", "more")
    path = workspace.home / "journal.db"
    path.write_bytes(b"A letter to my aunt.\n" * 500)
    for command in (("auto", "run1", "--yes"), ("runs",), ("watch", "--json"), ("report",)):
        ended(workspace.start(*command), 1, "damaged or no database", "blueprime journal restore")
    with terminal(workspace, "resume", "run1") as opened:
        assert opened.process.wait(60) == 1
        opened.shows("damaged or no database")
        assert "Traceback" not in opened.text
    assert "is the journal now" in workspace.run("journal", "restore").stdout
    assert workspace.json("runs", "--json")[0]["run"] == "run1"
    assert "sound" in workspace.run("journal", "check").stdout


def test_what_another_program_wrote_is_accepted_on_demand(workspace: Workspace) -> None:
    path = workspace.home / "journal.db"
    with Journal.open(path) as journal:
        start(journal)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE writer SET user = user")
        other.execute("PRAGMA user_version = 7")
    other.close()
    ended(workspace.start("auto", "run1", "--yes"), 1, "have changed", "blueprime journal accept")
    assert "entries" in workspace.run("journal", "accept").stdout
    Journal.open(path).close()


def test_of_many_that_start_a_run_for_one_cluster_one_does(workspace: Workspace) -> None:
    plan = workspace.home / "plan.toml"
    plan.write_text(GOOD, encoding="utf-8")
    arguments = ("auto", str(plan), "--yes", "--json")
    racers = [workspace.start(*arguments, env=AWS_OUT_OF_REACH) for _ in range(4)]
    said = [racer.communicate()[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [1] * 4, said
    ((run, cluster),) = rows(workspace, "SELECT id, cluster FROM run")
    assert cluster == "orders"
    refused = [err for err in said if "is held by" in err or f"Run {run} is open" in err]
    assert len(refused) == 3, said
    late = workspace.run(*arguments, expect=1, env=AWS_OUT_OF_REACH).stderr
    assert f"Run {run} is open for cluster orders" in late
    assert f"blueprime resume {run}" in late


def test_a_holder_on_another_host_is_replaced_only_when_told_to(workspace: Workspace) -> None:
    path = workspace.home / "journal.db"
    with Journal.open(path) as journal:
        start(journal)
    lock_path(path).unlink()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(
        "INSERT INTO writer (one, host, pid, user, process_start, since) VALUES "
        "(1, 'bastion-7', 4711, 'ann', 'another boot/1', '2026-05-02T12:00:00.000000Z')"
    )
    connection.close()
    held = workspace.run("auto", "run1", "--yes", expect=1).stderr
    assert "process 4711 of ann on bastion-7, since 2026-05-02 12:00:00 UTC" in held
    assert "--take-over" in held
    assert socket.gethostname() not in held
    workspace.run("auto", "run1", "--take-over", expect=None)
    assert rows(workspace, "SELECT 1 FROM writer") == []
