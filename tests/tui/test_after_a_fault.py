"""Killed for real, then opened in the app on the real journal and lab, and gone on with there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from runbook.failures import Answer
from state.enums import Status
from tests.tui.conftest import dim, sees, shown, until
from tests.workspace import Workspace
from tui.app import BlueprimeApp, RunSource
from tui.cli import open as opening
from tui.next_action import undecided
from tui.screens.confirm import ConfirmDialog
from tui.screens.resume import ResumeScreen, StandPane
from tui.screens.run import RunScreen

NARROW, WIDE = (80, 24), (160, 48)
LIMIT_S = 120.0


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    """Return what the journal answers; it is only read."""
    connection = sqlite3.connect(f"file:{workspace.home / 'journal.db'}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def made(workspace: Workspace, action: str) -> int:
    """Return how often the lab's AWS has performed a call."""
    return sum(call["action"] == action for call in workspace.json("lab", "calls", "--json"))


def killed(workspace: Workspace, when: str, key: str, *arguments: str) -> None:
    """Let an unattended blueprime go on until it is killed at an effect."""
    command = [sys.executable, "-m", "tests.tui.dying", when, key, "auto", *arguments, "--yes"]
    environment = {**workspace.environment, **workspace.lab_environment()}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == -9, f"{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"


@asynccontextmanager
async def opened(workspace: Workspace, size: tuple[int, int]) -> AsyncIterator[Pilot[None]]:
    """Open the newest run in the app, as `blueprime resume` does, and leave it again."""
    (run,) = rows(workspace, "SELECT id FROM run ORDER BY seq DESC LIMIT 1")[0]
    doors = opening.Workspace()
    app = BlueprimeApp(
        RunSource(opening.list_runs, doors.open_run, doors.start_run), home=workspace.home, at=run
    )
    try:
        async with app.run_test(size=size) as pilot:
            yield pilot
            app.leave()
            await until(pilot, lambda: app.return_code is not None, "left")
    finally:
        doors.close()


async def decided(
    pilot: Pilot[None], workspace: Workspace, step: str, key: str, probe: str = ""
) -> str:
    """Look at the resume screen, see that nothing was performed, and go by the probes.

    Returns the screen's text as it was before the first choice.
    """
    effects = rows(workspace, "SELECT count(*) FROM effect")
    await until(pilot, lambda: len(pilot.app.screen_stack) > 1, "a first screen")
    screen = pilot.app.screen
    assert isinstance(screen, ResumeScreen)
    await until(pilot, lambda: not dim(pilot, "proceed"), "the probes have answered")
    text = await sees(
        pilot, "of unknown outcome · probed", f"{step} ? unknown", f"probe: {probe}", "b branch"
    )
    assert rows(workspace, "SELECT count(*) FROM effect") == effects, "opening performs nothing"
    left = rows(workspace, "SELECT key FROM effect WHERE outcome = 'unknown'")
    assert any(fnmatchcase(str(found[0]), key) for found in left)
    for _ in left:
        await _by_its_probe(pilot, screen)
    await sees(pilot, "No effect is unknown")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run's screen")
    return text


async def _by_its_probe(pilot: Pilot[None], screen: ResumeScreen) -> None:
    """Say of the selected effect what its probe has told; nothing else is offered.

    A deletion whose object is gone is not listed any more: a person who sees that adopts it.
    """
    pane = screen.query_one(StandPane)
    await until(pilot, lambda: pilot.app.screen is screen and pane.pending, "what is unknown")
    item = pane.chosen()
    assert item is not None
    gone = "does not list this change" in item.finding.seen
    happened = gone or item.finding.answer is Answer.YES
    if not gone:
        assert item.finding.answer is not Answer.UNKNOWN, shown(pilot.app)
        await until(
            pilot, lambda: dim(pilot, "retry") is happened and dim(pilot, "adopt") != happened
        )
    await pilot.press("a" if happened else "r")
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog), "asked once more")
    await pilot.click("#yes")
    await until(
        pilot,
        lambda: pane.pending is not None and item.effect not in [p.effect for p in pane.pending],
        "the choice is kept",
    )


async def go_on(pilot: Pilot[None], until_step: str = "") -> None:
    """Press enter, and answer what is asked, until a step is next or the track is done."""

    def next_step() -> str | None:
        screen = next(s for s in pilot.app.screen_stack if isinstance(s, RunScreen))
        picture = screen.picture
        if picture is None or screen._busy():
            return None
        following = picture.checklist.next
        assert following is None or not (
            following.status is Status.FAILED or undecided(following)
        ), shown(pilot.app)
        return "" if following is None else following.step

    async def stands() -> str:
        await until(
            pilot,
            lambda: isinstance(pilot.app.screen, ConfirmDialog) or next_step() is not None,
            "a decision, or a step",
            limit_s=LIMIT_S,
        )
        return "?" if isinstance(pilot.app.screen, ConfirmDialog) else str(next_step())

    while (step := await stands()) not in ("", until_step):
        if step == "?":
            await consent(pilot)
            continue
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda screen=screen: screen._press().acts, f"{step} was looked at")  # type: ignore[misc]
        await pilot.press("enter")
        await until(
            pilot,
            lambda before=step: (
                isinstance(pilot.app.screen, ConfirmDialog)  # type: ignore[misc]
                or next_step() != before
            ),
            f"{step} has begun",
            limit_s=LIMIT_S,
        )


async def consent(pilot: Pilot[None]) -> None:
    """Type what must be typed, and say yes."""
    dialog = pilot.app.screen
    assert isinstance(dialog, ConfirmDialog)
    if dialog.question.must_type:
        dialog.query_one("#typed", Input).value = dialog.question.must_type
    await until(pilot, lambda: not dialog.query_one("#yes", Button).disabled)
    dialog.query_one("#yes", Button).press()
    await until(pilot, lambda: pilot.app.screen is not dialog, "the dialog is gone")


@pytest.mark.chaos
async def test_a_night_with_three_deaths(night: Workspace) -> None:
    killed(night, "call", "*-bgd", str(night.home / "plan.toml"))
    async with opened(night, NARROW) as pilot:
        text = await decided(pilot, night, "create-deployment", "*-bgd", "it happened. bp-")
        assert "CreateBlueGreenDeployment" in text
        assert "way back      loses nothing: abort" in text
        assert "APPLICATIONS DOWN" not in text
        await go_on(pilot, "stop-traffic")
    assert made(night, "CreateBlueGreenDeployment") == 1

    (run,) = rows(night, "SELECT id FROM run")[0]
    killed(night, "call", "*/switchover", run)
    async with opened(night, WIDE) as pilot:
        text = await decided(
            pilot, night, "switchover", "*/switchover", "it happened. the deployment is"
        )
        assert "APPLICATIONS DOWN 00:00:" in text
        assert "ARE DOWN since" in text
        assert "loses nothing: roll back to old blue" in text
        await go_on(pilot)
        await sees(pilot, " PROTECTED: a rollback now would lose nothing", "upgrade")
    assert made(night, "SwitchoverBlueGreenDeployment") == 1

    killed(night, "intent", "*rename*", run, "--track", "rollback")
    async with opened(night, NARROW) as pilot:
        text = await decided(pilot, night, "switch-endpoint", "*/rename/*", "it did not happen.")
        assert "APPLICATIONS DOWN 00:00:" in text
        assert "unknown · upgrade → rollback (blue-prime)" in text
        assert "way back      go on rolling back, nothing is lost" in text
        await go_on(pilot)
        await sees(pilot, "PROTECTED: going forward again now would lose nothing")
    verdict = night.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    assert verdict["acknowledged"] > 0


UPGRADE, ROLLBACK, COMMIT = (), ("--track", "rollback"), ("--track", "commit")

ENDS: dict[tuple[str, ...], str] = {
    UPGRADE: "PROTECTED: a rollback now",
    ROLLBACK: "PROTECTED: going forward again",
    COMMIT: "CLOSED: ",
}
"""What the banner says at the end of a track."""


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("when", "step", "key", "track", "down"),
    [
        ("call", "create-deployment", "*-bgd", UPGRADE, False),
        ("intent", "stop-traffic", "blue/lock-roles", UPGRADE, True),
        ("call", "stop-traffic", "green/lock-roles", UPGRADE, True),
        ("intent", "switchover", "*/switchover", UPGRADE, True),
        ("call", "create-slots", "blueprime_*_[0-9]", UPGRADE, True),
        ("call", "clone", "*-prime-??????", UPGRADE, False),
        ("call", "subscribe", "*/subscription", UPGRADE, False),
        ("call", "drop-subscriptions", "*/subscription/drop", ROLLBACK, True),
        ("call", "switch-endpoint", "*/rename/*", ROLLBACK, True),
        ("intent", "delete-blue-prime", "db-*/delete", COMMIT, False),
        ("call", "delete-blue-prime", "db-*/delete", COMMIT, False),
    ],
)
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
async def test_killed_at(
    night: Workspace,
    when: str,
    step: str,
    key: str,
    track: tuple[str, ...],
    down: bool,
    size: tuple[int, int],
) -> None:
    killed(night, when, key, str(night.home / "plan.toml"), *track)
    async with opened(night, size) as pilot:
        text = await decided(pilot, night, step, key)
        assert ("APPLICATIONS DOWN" in text) is down
        assert ("ARE DOWN since" in text) is down
        await go_on(pilot)
        await sees(pilot, ENDS[track])
    assert made(night, "CreateBlueGreenDeployment") == 1
    assert made(night, "SwitchoverBlueGreenDeployment") == 1
    verdict = night.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
