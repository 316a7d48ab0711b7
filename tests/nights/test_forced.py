"""The cluster that serves dies: it is named as down, and the one that follows is taken by force."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.workspace import Workspace, until


def protected(workspace: Workspace) -> str:
    """Go up until the way back is held, with the applications running; return the run."""
    workspace.lab()
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    env = workspace.lab_environment()
    return str(workspace.last_line("auto", str(plan), "--yes", "--json", env=env)["run"])


def served(workspace: Workspace) -> None:
    """See that the applications write where they were led, and find nothing changed there."""
    ledger = workspace.json("lab", "ledger", "--json")
    assert ledger["mismatched"] == 0
    before = ledger["acknowledged"]
    until(lambda: workspace.json("lab", "ledger", "--json")["acknowledged"] > before)


def closed_once_back(workspace: Workspace, run: str, name: str, role: str) -> None:
    """Let the one that was given up come back: told of, and closed by a repair."""
    assert workspace.json("show", run, "--json")["open"], "it is looked for"
    workspace.run("lab", "fault", "start-server", name)
    (offer,) = workspace.json("repair", run, "--json")
    assert f"{name} ({role}), which was given up, answers again, and is open" in offer["why"]
    workspace.run("repair", run, "all", "--yes")
    shown = workspace.json("show", run, "--json")
    assert (shown["open"], shown["board"]["alarms"]) == (False, [])
    assert shown["result"] == "rolled_back"


@pytest.mark.chaos
def test_blue_prime_takes_over_from_a_dead_new_blue_by_a_typed_name_alone(
    workspace: Workspace,
) -> None:
    run = protected(workspace)
    workspace.run("lab", "fault", "kill-server", "orders")
    by_yes = workspace.last_line("auto", run, "--track", "forced", "--yes", "--json", expect=3)
    assert by_yes["result"] == "failed"
    assert by_yes["production"]["state"] == "down"
    shown = workspace.json("show", run, "--json")
    assert shown["board"]["production"]["state"] == "down"
    assert shown["way_back"].startswith("none that loses nothing while new blue does not answer")
    assert by_yes["way_back"] == shown["way_back"]
    refused = workspace.last_line(
        "auto", run, "--track", "rollback", "--yes", "--json", expect=None
    )
    assert refused["result"] == "failed"
    forced = ("auto", run, "--track", "forced", "--yes", "--json", "--typed")
    assert workspace.last_line(*forced, "another", expect=3)["result"] == "failed"
    done = workspace.last_line(*forced, "orders")
    assert done["result"] == "not_closed"
    assert "is NOT closed" in " ".join(warning["text"] for warning in done["warnings"])
    served(workspace)
    closed_once_back(workspace, run, f"orders-new-{run}", "new blue")
    cleaned = workspace.last_line("auto", run, "--track", "cleanup", "--yes", "--json")
    assert cleaned["result"] == "cleaned"


@pytest.mark.chaos
def test_new_blue_takes_over_from_a_dead_blue_prime_and_the_dead_one_goes(
    workspace: Workspace,
) -> None:
    run = protected(workspace)
    workspace.run("auto", run, "--track", "rollback", "--yes")
    workspace.run("lab", "fault", "kill-server", "orders")
    forward = workspace.last_line("auto", run, "--track", "forward", "--yes", "--json", expect=None)
    assert forward["result"] == "failed"
    assert forward["way_back"].startswith("none that loses nothing while blue prime does not")
    forced = ("auto", run, "--track", "forced", "--yes", "--json", "--typed", "orders")
    done = workspace.last_line(*forced)
    assert (done["result"], done["way_back"]) == (
        "not_closed",
        "none is held: the new version serves",
    )
    served(workspace)
    # What cannot be asked is deleted by a person alone: until then it stays, and is looked for.
    cleanup = ("auto", run, "--track", "cleanup", "--yes", "--json")
    assert workspace.last_line(*cleanup, expect=3)["result"] == "failed"
    workspace.run("lab", "fault", "start-server", f"orders-prime-{run}")
    assert workspace.last_line(*cleanup)["result"] == "cleaned"
    names = [each["identifier"] for each in workspace.ask_lab("status")["clusters"]]
    assert sorted(names) == ["orders", "orders-old1"]


@pytest.mark.chaos
def test_nothing_is_given_up_while_only_the_view_from_here_is_cut(workspace: Workspace) -> None:
    run = protected(workspace)
    workspace.run("lab", "fault", "shut-out", "orders", "blueprime")
    forced = ("auto", run, "--track", "forced", "--yes", "--json", "--typed", "orders")
    refused = workspace.last_line(*forced, expect=1)
    assert refused["production"]["state"] == "cut off"
    assert refused["way_back"].startswith("from a machine that reaches new blue, not from this one")
    assert refused["steps"][-1]["track"] != "forced"
    workspace.run("lab", "fault", "let-in", "orders")
    workspace.run("lab", "fault", "shut-out", "orders", "subscribers")
    refused = workspace.last_line(*forced, expect=1)
    assert refused["production"]["state"] == "answers"
    assert refused["protection"]["protected"] is False
    assert datetime.fromisoformat(refused["protection"]["at"])
