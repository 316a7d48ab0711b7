"""A journal that cannot be written in the night, and one that is put back from a backup."""

from __future__ import annotations

import re

import pytest

from tests.operator.nights import (
    ended,
    fill_the_disk,
    left_unknown,
    no_call_twice,
    nothing_lost,
    reaches,
    rows,
)
from tests.workspace import Workspace

FULL = ("The disk is full or failing", "Free space on it, then resume")
SWITCHOVER = "SELECT 1 FROM effect WHERE key LIKE '%/switchover'"


@pytest.mark.chaos
def test_a_disk_that_is_full_stops_before_and_after_an_effect(workspace: Workspace) -> None:
    workspace.lab()
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    environment = workspace.lab_environment()

    before = workspace.start("auto", str(plan), "--yes", "--json", env=environment)
    reaches(workspace, "SELECT 1 FROM attempt WHERE step = 'preflight'", before)
    fill_the_disk(before)
    ended(before, 1, *FULL)
    assert workspace.json("lab", "calls", "--json") == [], "no effect without its intent on disk"
    assert rows(workspace, "SELECT 1 FROM effect") == []

    (run,) = rows(workspace, "SELECT id FROM run")[0]
    _its_file_is_taken_away(workspace, run)
    # Where the answer is lost it looks what became of the call: time enough to fill the disk in.
    workspace.run("lab", "fault", "lose-response", "SwitchoverBlueGreenDeployment", "1")
    after = workspace.start("auto", run, "--yes", "--json")
    reaches(workspace, SWITCHOVER, after)
    fill_the_disk(after)
    ended(after, 1, *FULL)
    assert rows(workspace, "SELECT outcome FROM effect WHERE key LIKE '%/switchover'") == [(None,)]
    shown = workspace.json("show", run, "--json")
    assert (shown["open"], shown["next"]) == (True, "switchover")

    assert workspace.last_line("auto", run, "--yes", "--json")["result"] == "protected"
    assert left_unknown(workspace) == []
    no_call_twice(workspace)
    nothing_lost(workspace)

    _put_back_what_is_damaged(workspace, run)
    _put_back_what_misses_the_clone(workspace, run)
    done = workspace.last_line("auto", run, "--yes", "--json", "--track", "rollback")
    assert done["result"] == "rolled_back"
    assert left_unknown(workspace) == []
    no_call_twice(workspace)
    nothing_lost(workspace)


def _its_file_is_taken_away(workspace: Workspace, run: str) -> None:
    """Remove the journal in mid-run: it stops there, and goes on from the copy that it names."""
    going = workspace.start("auto", run, "--yes", "--json")
    reaches(workspace, "SELECT 1 FROM attempt WHERE step = 'create-deployment'", going)
    (workspace.home / "journal.db").unlink()
    said = ended(going, 1, "journal.db was removed", "what was asked of the clusters stands")
    (number,) = re.findall(r"blueprime journal restore --backup (\d+)", said)
    workspace.run("journal", "restore", "--backup", number)
    assert rows(workspace, "SELECT 1 FROM attempt WHERE step = 'create-deployment'")


def _put_back_what_is_damaged(workspace: Workspace, run: str) -> None:
    journal = workspace.home / "journal.db"
    journal.write_bytes(b"Not a journal any more.\n" * 400)
    refused = workspace.run("auto", run, "--yes", expect=1)
    assert "blueprime journal restore" in refused.stderr
    assert not workspace.json("journal", "check", "--json", expect=1)["sound"]
    workspace.run("journal", "restore")
    assert workspace.json("journal", "check", "--json")["sound"]
    assert journal.with_name("journal.db.damaged-1").read_bytes().startswith(b"Not a journal")
    assert workspace.json("runs", "--json")[0]["result"] == "protected"


def _put_back_what_misses_the_clone(workspace: Workspace, run: str) -> None:
    """Put back a journal that knows less than the world does: it changes nothing until re-read."""
    before = len(rows(workspace, "SELECT 1 FROM effect"))
    oldest = workspace.json("journal", "check", "--json")["backups"][-1]
    said = workspace.run("journal", "restore", "--backup", str(oldest["number"])).stdout
    assert "entries that the former one had are not in it" in said
    assert len(rows(workspace, "SELECT 1 FROM effect")) < before
    calls = workspace.json("lab", "calls", "--json")
    told = workspace.run("auto", run, "--yes", expect=3)
    assert "This journal was left behind" in told.stdout + told.stderr
    assert workspace.json("lab", "calls", "--json") == calls
    workspace.run("adopt", "orders", "--yes", env=workspace.lab_environment())
    assert workspace.last_line("auto", run, "--yes", "--json")["result"] == "protected"
    assert rows(workspace, "SELECT 1 FROM effect WHERE outcome = 'adopted'")
