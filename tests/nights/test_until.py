"""`auto --until`: it stops after the step, and performs nothing where that is done already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from state.journal import Journal
from state.records import Attempt
from tests.workspace import NONE, Workspace


def auto(workspace: Workspace, what: str, *options: str, env: Mapping[str, str] = NONE) -> Any:
    return workspace.last_line("auto", what, *options, "--yes", "--json", env=env)


def tried(workspace: Workspace) -> list[Attempt]:
    """Return what the journal has tried: nothing is changed, or even looked at, without it."""
    with Journal.open(workspace.home / "journal.db", writer=False) as journal:
        return journal.attempts(journal.run("latest").id)


def nothing_is_done(workspace: Workspace, run: str, *options: str, result: str = "stopped") -> None:
    """Ask again for a step that is done: exit code 0, and nothing was tried."""
    before = tried(workspace)
    again = auto(workspace, run, *options)
    assert tried(workspace) == before
    assert again["until"]["already_done"] is True
    assert again["until"]["step"] == options[-1]
    assert again["until"]["status"] in ("succeeded", "skipped")
    assert again["result"] == result
    assert again["unknown"] == []


def refused(workspace: Workspace, run: str, *options: str, code: int = 2) -> str:
    before = tried(workspace)
    told = workspace.run("auto", run, *options, "--yes", expect=code).stderr
    assert tried(workspace) == before
    return told


@pytest.mark.chaos
def test_a_step_that_is_done_is_never_gone_past(workspace: Workspace) -> None:
    workspace.lab()
    plan = str(workspace.plan())
    env = workspace.lab_environment()
    first = auto(workspace, plan, "--until", "ready-to-switch", env=env)
    run = first["run"]
    assert first["result"] == "stopped"
    assert first["until"] == {
        "step": "ready-to-switch",
        "track": "upgrade",
        "status": "succeeded",
        "already_done": False,
    }
    nothing_is_done(workspace, run, "--until", "ready-to-switch")
    nothing_is_done(workspace, run, "--until", "preflight")
    nothing_is_done(workspace, run, "--track", "upgrade", "--until", "identify")
    said = workspace.run("auto", run, "--until", "ready-to-switch", "--yes").stdout
    assert "ready-to-switch is already done on this stay on the track upgrade" in said
    assert "Nothing was performed." in said
    assert "no step 'compare'" in refused(workspace, run, "--until", "compare")
    assert "rollback, forced, finalize, commit, abort" in refused(
        workspace, run, "--until", "verify-end"
    )
    assert "no step 'bake'" in refused(workspace, run, "--track", "commit", "--until", "bake")
    assert "There is no step 'nosuch'" in refused(workspace, run, "--until", "nosuch")

    # Three steps that follow one another by themselves: it stops between them.
    inside = auto(workspace, run, "--until", "switchover")
    assert inside["steps"][-1]["step"] == "switchover"
    nothing_is_done(workspace, run, "--until", "stop-traffic")
    nothing_is_done(workspace, run, "--until", "switchover")
    drain = refused(workspace, run, "--track", "rollback", "--until", "drain", code=3)
    assert "The way from here (Roll back to old blue) has no step drain." in drain

    # The upgrade's capture is not the rollback's: the run goes on to that one.
    # It goes past the pivot under the eyes of a terminal that lacks most characters.
    ended = auto(workspace, run, "--until", "bake", env={"PYTHONIOENCODING": "ascii"})
    assert ended["result"] == "protected"
    nothing_is_done(workspace, run, "--until", "create-slots", result="protected")
    back = auto(workspace, run, "--track", "rollback", "--until", "create-slots")
    assert back["result"] == "stopped", "not where the upgrade rested"
    assert back["until"]["track"] == "rollback"
    assert back["until"]["already_done"] is False
    assert [s["step"] for s in back["steps"] if s["track"] == "rollback"][-1] == "create-slots"
    nothing_is_done(workspace, run, "--track", "rollback", "--until", "compare")
    nothing_is_done(workspace, run, "--until", "create-slots")
    assert auto(workspace, run)["result"] == "rolled_back"
    nothing_is_done(workspace, run, "--track", "rollback", "--until", "bake", result="rolled_back")
    (listed,) = workspace.json("runs", "--json")
    # Protected again, its way forward is held by slots, and the run is open.
    assert (listed["run"], listed["open"], listed["result"]) == (run, True, "rolled_back")
    assert listed["slots_held"]


def test_a_skipped_step_is_a_done_one(workspace: Workspace) -> None:
    workspace.lab()
    plan = str(workspace.plan())
    run = auto(workspace, plan, "--until", "preflight", env=workspace.lab_environment())["run"]
    options = ("--track", "abort", "--until", "reopen-blue")
    stopped = auto(workspace, run, *options)
    assert stopped["until"]["status"] == "skipped"
    assert stopped["steps"][-1]["step"] == "reopen-blue"
    nothing_is_done(workspace, run, *options)
    said = workspace.run("auto", run, *options, "--yes").stdout
    assert "reopen-blue is already done on this stay on the track abort (skipped at" in said
