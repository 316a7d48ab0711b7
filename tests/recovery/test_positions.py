"""A night whose journal is lost again and again; adopted each time, it goes on to its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recovery.lost import (
    adopt,
    lose_journal,
    lost_and_adopted,
    nothing_done_twice,
    nothing_lost,
)
from tests.workspace import Workspace

UPGRADE = (
    ("prepare-parameters", "prepare-parameters"),
    ("create-deployment", "create-deployment"),
    ("await-green", "validate-green"),
    ("validate-green", "validate-green"),
    ("ready-to-switch", "validate-green"),
    ("stop-traffic", "stop-traffic"),
    ("switchover", "create-slots"),
    ("create-slots", "create-slots"),
    ("resume-traffic", "delete-deployment"),
    ("delete-deployment", "freeze-old-blue"),
    ("freeze-old-blue", "freeze-old-blue"),
    ("clone", "clone"),
    ("clone-instances", "clone-instances"),
    ("subscribe", "subscribe"),
    ("verify-protection", "subscribe"),
    ("bake", "subscribe"),
)
"""The last step that was done -> the step at which the adopted run goes on."""

PROTECT_FIRST = (
    ("create-slots", "create-slots"),
    ("delete-deployment", "freeze-old-blue"),
    ("clone", "clone"),
    ("clone-instances", "clone-instances"),
    ("subscribe", "subscribe"),
    ("verify-protection", "subscribe"),
    ("resume-traffic", "subscribe"),
)

TO_BLUE_PRIME = (
    ("stop-traffic", "assess"),
    ("compare", "assess"),
    ("drop-subscriptions", "stop-traffic"),
    ("close-new-blue", "stop-traffic"),
    ("create-slots", "stop-traffic"),
    ("open-blue-prime", "stop-traffic"),
    ("switch-endpoint", "resume-traffic"),
    ("resume-traffic", "drop-slots"),
    ("drop-slots", "drop-slots"),
    ("subscribe-new-blue", "drop-slots"),
    ("verify-new-blue", "drop-slots"),
    ("verify-end", "drop-slots"),
)

FORWARD = (
    ("stop-traffic", "assess"),
    ("compare", "assess"),
    ("drop-subscriptions", "stop-traffic"),
    ("close-blue-prime", "stop-traffic"),
    ("create-slots", "stop-traffic"),
    ("open-new-blue", "stop-traffic"),
    ("switch-endpoint", "resume-traffic"),
    ("resume-traffic", "drop-slots"),
    ("drop-slots", "drop-slots"),
    ("subscribe", "drop-slots"),
    ("verify-protection", "drop-slots"),
    ("bake", "drop-slots"),
)

FINALIZE = (
    ("drop-subscriptions", "assess-finalize"),
    ("drop-slots", "assess-finalize"),
)

TO_OLD_BLUE = (
    ("close-new-blue", "assess"),
    ("delete-deployment", "assess"),
    ("open-old-blue", "assess"),
    ("switch-endpoint", "resume-traffic"),
    ("resume-traffic", "drop-slots"),
    ("verify-end", "drop-slots"),
)

COMMIT = (
    ("drop-subscriptions", "assess-commit"),
    ("drop-slots", "assess-commit"),
    ("snapshot-old-blue", "assess-commit"),
    ("delete-blue-prime", "assess-commit"),
)

ABORT = (("reopen-blue", "validate-green"), ("delete-green", "prepare-parameters"))

Positions = tuple[tuple[str, str], ...]


class Lost:
    """A night in a workspace whose journal is lost after each command."""

    def __init__(self, workspace: Workspace, *options: str) -> None:
        self.workspace = workspace
        workspace.lab()
        self.plan = workspace.plan(*options)
        self.env = workspace.lab_environment()
        self.run = ""
        workspace.run("lab", "traffic", "start")

    def go_on(self, *options: str) -> dict[str, Any]:
        """Go on with the run, or begin it."""
        what = self.run or str(self.plan)
        ended = self.workspace.last_line("auto", what, "--yes", "--json", *options, env=self.env)
        self.run = ended["run"]
        return ended

    def through(self, positions: Positions, *options: str) -> None:
        """Stop at each position, lose the journal, adopt, and see where the run stands."""
        for last, following in positions:
            self.go_on(*options, "--until", last)
            found = lost_and_adopted(self.workspace, self.plan, self.env)
            assert found["run"] == self.run
            assert (last, found["next"]) == (last, following)

    def end(self, result: str, *options: str, rollbacks: int = 1) -> None:
        """Go to the end of a track: nothing was lost, nothing done twice."""
        assert self.go_on(*options)["result"] == result
        nothing_lost(self.workspace)
        nothing_done_twice(self.workspace, rollbacks=rollbacks)


ROLLBACK = ("--track", "rollback")


def test_lost_at_some_steps_of_a_night(workspace: Workspace) -> None:
    night = Lost(workspace)
    night.through((("create-slots", "create-slots"), ("clone", "clone")))
    night.through((("drop-subscriptions", "stop-traffic"),), *ROLLBACK)
    night.end("rolled_back", *ROLLBACK)


@pytest.mark.chaos
def test_lost_after_every_step_of_an_upgrade_and_of_a_rollback(workspace: Workspace) -> None:
    night = Lost(workspace)
    night.through(UPGRADE)
    night.through(TO_BLUE_PRIME, *ROLLBACK)
    night.end("cleaned", "--track", "cleanup")


@pytest.mark.chaos
def test_lost_after_every_step_forward_again_and_of_a_second_rollback(workspace: Workspace) -> None:
    night = Lost(workspace)
    night.go_on(*ROLLBACK)
    night.through(FORWARD, "--track", "forward")
    night.go_on("--track", "forward")
    night.through(TO_BLUE_PRIME, *ROLLBACK)
    night.through(FINALIZE, "--track", "finalize")
    night.end("rolled_back", "--track", "finalize", rollbacks=2)


@pytest.mark.chaos
def test_lost_after_every_step_of_protect_first_and_of_a_commit(workspace: Workspace) -> None:
    night = Lost(workspace, "--order", "protect-first")
    night.through(PROTECT_FIRST)
    night.through(COMMIT, "--track", "commit")
    night.end("committed", "--track", "commit")


@pytest.mark.chaos
def test_lost_after_every_step_back_to_old_blue(workspace: Workspace) -> None:
    night = Lost(workspace)
    night.go_on("--until", "create-slots")
    night.through(TO_OLD_BLUE, *ROLLBACK)
    night.end("cleaned", "--track", "cleanup")


@pytest.mark.chaos
def test_lost_after_every_step_of_an_abort(workspace: Workspace) -> None:
    night = Lost(workspace)
    night.go_on("--until", "stop-traffic")
    night.through(ABORT, "--track", "abort")
    night.end("aborted", "--track", "abort")


@pytest.mark.chaos
def test_the_plan_is_lost_too(workspace: Workspace) -> None:
    night = Lost(workspace)
    night.go_on("--until", "resume-traffic")
    text = night.plan.read_text(encoding="utf-8")
    night.plan.unlink()
    password = workspace.json("lab", "status", "--json")["password"]
    for _ in range(2):
        lose_journal(workspace)
        found = adopt(workspace, "--password", password, "--fast", env=night.env)
        assert (found["next"], found["plan_discovered"]) == ("delete-deployment", True)
    assert found["plan"].endswith(f"adopted-orders-{night.run}-2.toml")
    discovered = (workspace.home / f"adopted-orders-{night.run}.toml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if line.startswith(("identifier", "resource_id"))]
    assert [line for line in kept if line not in discovered.splitlines()] == []
    assert 'stop = "manual"' in discovered
    night.end("rolled_back", *ROLLBACK)
