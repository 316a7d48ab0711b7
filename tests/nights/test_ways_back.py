"""Every position of the way back, reached by stopping an upgrade there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.workspace import Workspace


def test_back_to_old_blue_before_the_traffic_resumed(workspace: Workspace) -> None:
    """Also where the servers of both sides go by their former names for ever."""
    workspace.lab()
    workspace.run("lab", "fault", "servers-keep-names")
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    upgrade = workspace.last_line(
        "auto",
        str(plan),
        "--until",
        "create-slots",
        "--yes",
        "--json",
        env=workspace.lab_environment(),
    )
    shown = workspace.json("show", upgrade["run"], "--json")
    assert shown["way_back"] == "return to old blue, nothing is lost"
    told = workspace.run("report", upgrade["run"]).stdout
    assert "the server of new blue still calls itself orders-1-green-" in told
    back = workspace.last_line("auto", upgrade["run"], "--track", "rollback", "--yes", "--json")
    assert back["result"] == "rolled_back"
    assert "clone" not in {step["step"] for step in back["steps"]}
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    assert verdict["acknowledged"] > 0
    workspace.run("lab", "traffic", "stop")


@pytest.mark.chaos
def test_protect_first_then_back_by_the_operators_own_endpoint_command(
    workspace: Workspace,
) -> None:
    workspace.lab()
    plan = workspace.plan()
    lead_by_command(workspace, plan)
    workspace.run("lab", "traffic", "start")
    upgrade = workspace.last_line(
        "auto",
        str(plan),
        "--until",
        "resume-traffic",
        "--yes",
        "--json",
        env=workspace.lab_environment(),
    )
    back = workspace.last_line("auto", upgrade["run"], "--track", "rollback", "--yes", "--json")
    assert back["result"] == "rolled_back"
    done = [step["step"] for step in back["steps"] if step["track"] == "rollback"]
    assert done.index("clone") < done.index("stop-traffic") < done.index("switch-endpoint")
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    cleaned = workspace.last_line("auto", upgrade["run"], "--track", "cleanup", "--yes", "--json")
    assert cleaned["result"] == "cleaned"


def lead_by_command(workspace: Workspace, plan: Path) -> None:
    lead = workspace.json("lab", "status", "--json")["hooks"]["lead"]
    words = ", ".join(f'"{word}"' for word in lead)
    text, changed = re.subn(
        r'^method = "rename"$',
        f'method = "command"\ncommand = [{words}]',
        plan.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert changed == 1
    plan.write_text(text, encoding="utf-8")
