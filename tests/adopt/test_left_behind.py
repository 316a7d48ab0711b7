"""A journal that was left behind is read anew from the clusters, and goes on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.adopt.lost import NOTHING, adopt, nothing_lost
from tests.handover.test_machines import Machine
from tests.nights.test_ways_back import lead_by_command
from tests.workspace import Workspace


def begun(first: Workspace) -> str:
    """Bring a run to its protection, whose endpoint is switched by a command; return its id."""
    first.lab()
    plan = first.plan()
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
    """Return where a run stands by a journal, without when and how often each step was tried."""
    found = machine.json("show", run, "--json")
    return {
        **{key: found[key] for key in ("open", "result", "way_back", "next")},
        "track": found["tracks"][-1]["track"],
        "way": found["tracks"][-1]["way"],
        "done": {
            (track["track"], track["way"], step["step"])
            for track in found["tracks"]
            for step in track["steps"]
            if step["status"] in ("succeeded", "skipped")
        },
    }


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
    assert found["rebased"] is True
    assert found["plan_discovered"] is False
    assert (found["run"], found["track"], found["way"]) == (run, "rollback", "blue-prime")
    assert gone_on(workspace, run) == "rolled_back"
    assert shown(workspace, run) == shown(other, run)
    report = workspace.run("report", run).stdout
    assert "Read anew from the clusters" in report

    assert gone_on(workspace, run, "--track", "forward") == "protected"
    nothing_lost(workspace)
