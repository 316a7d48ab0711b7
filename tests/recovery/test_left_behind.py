"""A journal that was left behind is read anew from the clusters, and goes on from there."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.handover.test_machines import Machine
from tests.nights.test_two_journals import BLOCKED, take_the_marks_away
from tests.nights.test_ways_back import lead_by_command
from tests.recovery.lost import NOTHING, adopt, nothing_lost
from tests.workspace import Workspace


def begun(first: Workspace, method: str = "command") -> str:
    """Bring a run to its protection, whose endpoint is switched by a method; return its id."""
    first.lab()
    plan = first.plan()
    if method == "command":
        lead_by_command(first, plan)
    first.run("lab", "traffic", "start")
    ended = first.last_line("auto", str(plan), "--yes", "--json", env=first.lab_environment())
    assert ended["result"] == "protected"
    run: str = ended["run"]
    return run


def gone_on(machine: Workspace, run: str, *options: str) -> str:
    result: str = machine.last_line("auto", run, "--yes", "--json", *options)["result"]
    return result


def shown(machine: Workspace, run: str) -> dict[str, Any]:
    """Return where a run stands by a journal."""
    found = machine.json("show", run, "--json")
    present = found["tracks"][-1]
    return {
        **{key: found[key] for key in ("open", "result", "way_back", "next")},
        **{key: present[key] for key in ("track", "variant")},
        "done": [
            each["step"] for each in present["steps"] if each["status"] in ("succeeded", "skipped")
        ],
    }


def journal_of(machine: Workspace) -> list[Path]:
    return [path for path in machine.home.glob("journal.db*") if path.is_file()]


@pytest.mark.chaos
def test_another_machine_rolled_back_meanwhile(workspace: Workspace, tmp_path: Path) -> None:
    run = begun(workspace)
    env = workspace.lab_environment()
    other = Machine(tmp_path / "other", env)
    other.home.mkdir()
    plan = str(workspace.home / "plan.toml")
    assert adopt(other, "--plan", plan, env=NOTHING)["rebased"] is False
    assert gone_on(other, run) == "protected"
    assert gone_on(other, run, "--track", "rollback") == "rolled_back"

    refused = other.run("adopt", "orders", "--yes", expect=1)
    assert f"Go on with it: blueprime resume {run}" in refused.stderr
    found = adopt(workspace, env=env)
    assert (found["rebased"], found["plan_discovered"]) == (True, False)
    assert found["holder"]["machine"] == socket.gethostname()
    assert f"holds it since {found['holder']['since'][:10]}" in found["why"]
    assert (found["run"], found["track"], found["variant"]) == (run, "rollback", "blue-prime")
    assert gone_on(workspace, run) == "rolled_back"
    assert shown(workspace, run) == shown(other, run)
    report = workspace.run("report", run).stdout
    assert "Read anew from the clusters" in report

    assert gone_on(workspace, run, "--track", "forward") == "protected"
    way_back = workspace.json("show", run, "--json")["way_back"]
    assert way_back == "roll back to blue prime, nothing is lost"
    calls = workspace.ask_lab("calls")
    finalize = ("auto", run, "--track", "finalize", "--yes")
    told = other.run(*finalize, expect=BLOCKED)
    assert "journal was left behind" in told.stderr
    assert workspace.ask_lab("calls") == calls, "nothing was changed"
    take_the_marks_away(env)
    calls = workspace.ask_lab("calls")
    other.run(*finalize, expect=BLOCKED)
    assert workspace.ask_lab("calls") == calls, "without marks the clusters tell"
    nothing_lost(workspace)


@pytest.mark.chaos
@pytest.mark.parametrize("method", ["rename", "command"])
def test_a_journal_from_before_the_rollback_was_put_back(
    workspace: Workspace, tmp_path: Path, method: str
) -> None:
    run = begun(workspace, method)
    env = workspace.lab_environment()
    for path in journal_of(workspace):
        shutil.copy2(path, tmp_path / path.name)
    assert gone_on(workspace, run, "--track", "rollback") == "rolled_back"
    before = shown(workspace, run)
    for path in journal_of(workspace):
        path.unlink()
    for path in tmp_path.glob("journal.db*"):
        shutil.copy2(path, workspace.home / path.name)

    refused = workspace.run("auto", run, "--track", "commit", "--yes", expect=3, env=env)
    assert "blueprime adopt orders" in refused.stdout + refused.stderr
    assert adopt(workspace, env=env)["rebased"] is True
    assert gone_on(workspace, run) == "rolled_back"
    assert shown(workspace, run) == before
    assert gone_on(workspace, run, "--track", "forward") == "protected"
    assert gone_on(workspace, run, "--track", "rollback") == "rolled_back"
    nothing_lost(workspace)
