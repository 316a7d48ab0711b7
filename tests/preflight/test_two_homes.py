"""Two homes on one cluster: the second is told of the first's run, and disturbs nothing of it."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.handover.test_machines import Machine
from tests.workspace import Workspace

BLOCKED = 3


def test_a_second_home_is_told_whose_run_it_is_and_changes_nothing(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.lab()
    plan = workspace.plan()
    env = workspace.lab_environment()
    second = Machine(tmp_path / "second", env)
    second.home.mkdir()
    begun = workspace.last_line(
        *("auto", str(plan), "--until", "validate-green", "--yes", "--json"), env=env
    )
    run = begun["run"]
    found = {
        row["key"]: row
        for row in second.json("check", str(plan), "--json", expect=BLOCKED)
        if row["level"] == "block"
    }
    named = found["cluster.another-run"]
    assert named["subject"] == f"run {run}"
    assert f"on {socket.gethostname()}, number" in named["text"]
    assert f"deployment bp-{run}-bgd, AVAILABLE" in named["text"]
    for way in (f"blueprime watch {run}", f"blueprime handover {run}", f"--run {run}"):
        assert way in named["remedy"]
    advice = "".join(row["remedy"] for row in found.values())
    assert "delete-blue-green-deployment" not in advice
    assert "DROP" not in advice
    assert "pg_drop" not in advice
    assert all(row["fix"] is None for row in found.values())
    assert any(row["subject"].endswith("/rds_publication") for row in found.values())

    # A run of its own is stopped there, and repairs nothing.
    calls = workspace.run("lab", "calls").stdout
    stopped = second.run("auto", str(plan), "--yes", expect=BLOCKED)
    assert f"run {run}: Run {run} of blueprime is on orders" in stopped.stderr
    own = second.json("runs", "--json")[0]["run"]
    assert second.json("repair", own, "--json") == []
    assert workspace.run("lab", "calls").stdout == calls

    went_on = workspace.last_line("auto", run, "--until", "ready-to-switch", "--yes", "--json")
    assert went_on["until"]["status"] == "succeeded", "green was not disturbed"
    workspace.last_line("auto", run, "--track", "abort", "--yes", "--json")
    after = second.json("check", str(plan), "--json", expect=None)
    assert {row["level"] for row in after if row["key"] == "cluster.another-run"} == {"pass"}
