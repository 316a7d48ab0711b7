"""The operator's side at length: a process that stands still, a small disk, backups of any age."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.base.clocks import STILL_S
from state.backups import kept
from tests.operator.nights import (
    left_unknown,
    no_call_twice,
    nothing_lost,
    reaches,
    rows,
)
from tests.workspace import Workspace, until

pytestmark = pytest.mark.chaos

AWAITING = "SELECT 1 FROM attempt WHERE step = 'await-green' AND ended_at IS NULL"
SWITCHOVER = "SELECT 1 FROM effect WHERE key LIKE '%/switchover'"
STILL = "SELECT 1 FROM event WHERE kind = 'clock' AND text LIKE '%stood still%'"


def night(workspace: Workspace, *options: str) -> Path:
    workspace.lab()
    plan = workspace.plan(*options)
    workspace.run("lab", "traffic", "start")
    return plan


def stand_still(process: subprocess.Popen[str]) -> None:
    """Stop a process for a while: what sleep is to a machine. Its work stops, its clocks do not."""
    process.send_signal(signal.SIGSTOP)
    ends = time.monotonic() + STILL_S + 3
    until(lambda: time.monotonic() > ends)
    process.send_signal(signal.SIGCONT)


def test_standing_still_in_a_wait_and_inside_the_fence(workspace: Workspace) -> None:
    plan = night(workspace)
    process = workspace.start("auto", str(plan), "--yes", "--json", env=workspace.lab_environment())
    reaches(workspace, AWAITING, process)
    stand_still(process)
    reaches(workspace, STILL, process)
    reaches(workspace, SWITCHOVER, process)
    stand_still(process)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["result"] == "protected"
    assert len(rows(workspace, STILL)) == 2
    no_call_twice(workspace)
    nothing_lost(workspace)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_disk_that_is_too_small_again_and_again(
    workspace: Workspace, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    plan = night(workspace)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = [sys.executable, "-m", "tests.operator.small_disk", str(disk)]
    done = subprocess.run(
        ["unshare", "--mount", *script, *workspace.command("auto", str(plan), "--yes", "--json")],
        env={**workspace.environment, **workspace.lab_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(tries) > 3, "the disk was full now and then"
    for each in tries:
        assert "Traceback" not in each["out"] + each["err"], each["err"]
    for each in tries[:-1]:
        assert "The disk is full or failing" in each["err"]
    assert tries[-1]["code"] == 0, tries[-1]
    assert json.loads(tries[-1]["out"].splitlines()[-1])["result"] == "protected"
    record_property("figures", f"a small disk: full {len(tries) - 1} times in one night")
    no_call_twice(workspace)
    nothing_lost(workspace)


BEFORE = ("preflight", "create-deployment", "validate-green")
INSIDE = ("create-slots",)
AFTER = ("resume-traffic", "clone", "")
"""Steps after which a copy of the journal is kept: before the pivot, inside the fence, after it."""


def test_a_journal_of_any_age_goes_on_or_stops_and_loses_nothing(
    workspace: Workspace, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each copy in turn is put back when the night is over.

    One that knows that the traffic was let in reaches the same end. One that knows less stops
    where the world says otherwise, and neither aborts nor goes back to old blue.
    """
    copies = _copies_of_a_night(workspace, tmp_path)
    done = workspace.changes()
    for step in reversed(AFTER):
        _put_back(workspace, copies[step])
        assert workspace.last_line("auto", "latest", "--yes", "--json")["result"] == "protected"
        assert left_unknown(workspace) == []
    for step in (*INSIDE, *reversed(BEFORE)):
        _put_back(workspace, copies[step])
        _refuses(workspace, "--track", "rollback" if step in INSIDE else "abort")
        _put_back(workspace, copies[step])
        if step in BEFORE:
            _refuses(workspace)
    assert workspace.changes() == done, "nothing was done twice, and nothing was taken away"
    record_property("figures", f"{len(copies)} ages of a journal put back, nothing lost")
    nothing_lost(workspace)


def _refuses(workspace: Workspace, *arguments: str) -> None:
    refused = workspace.run("auto", "latest", "--yes", *arguments, expect=3)
    reasons = (
        ("a switchover has happened", "Nothing was changed"),
        ("It is not proved that old blue has every write", "Old blue was not opened"),
    )
    assert any(all(each in refused.stderr for each in words) for words in reasons), refused.stderr


def _copies_of_a_night(workspace: Workspace, folder: Path) -> dict[str, Path]:
    what = str(night(workspace))
    copies = {}
    for step in (*BEFORE, *INSIDE, *AFTER):
        until_step = ("--until", step) if step else ()
        workspace.run("auto", what, "--yes", *until_step, env=workspace.lab_environment())
        what = "latest"
        copies[step] = folder / f"after-{step or 'all'}"
        shutil.copy(kept(workspace.home / "journal.db")[0].path, copies[step])
    return copies


def _put_back(workspace: Workspace, copy: Path) -> None:
    shutil.copy(copy, workspace.home / "journal.db.backup-9000")
    workspace.run("journal", "restore", "--backup", "9000")
