"""What the tests of the screens share."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable

import pytest
from rich.segment import Segment
from textual._context import visible_screen_stack
from textual.pilot import Pilot
from textual.widgets import Static

from tests.workspace import Workspace
from tui import pressing
from tui.app import BlueprimeApp
from tui.screens.run import RunScreen
from tui.widgets.keybar import KeyHint
from tui.widgets.nextline import NextLine

DEADLINE_S = 120.0
"""It only ends a test that fails."""


@pytest.fixture
def night(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Start a lab with its traffic, and let this process find both as the command line would."""
    workspace.lab()
    workspace.plan()
    workspace.run("lab", "traffic", "start")
    for name, value in {**workspace.environment, **workspace.lab_environment()}.items():
        if name not in os.environ or name.startswith("BLUE"):
            monkeypatch.setenv(name, value)
    return workspace


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither the colours nor the size of the caller's terminal reach a picture."""
    for name in ("NO_COLOR", "COLUMNS", "LINES", "TEXTUAL_THEME", "TEXTUAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert "NO_COLOR" not in os.environ


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let keys follow one another as fast as a test presses them; the guard has its own tests."""
    monkeypatch.setattr(pressing, "BURST_S", 0.0)
    monkeypatch.setattr(pressing, "REACTION_S", 0.0)


async def until(
    pilot: Pilot[None],
    true: Callable[[], object],
    what: str = "",
    limit_s: float = DEADLINE_S,
) -> None:
    """Wait until something is true of the app."""
    limit = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > limit:
            raise AssertionError(f"never came true: {what or true}\n{shown(pilot.app)}")
        await pilot.pause(0.02)
    await pilot.pause()


def _drawn(app: object) -> list[list[Segment]]:
    """Return the screen's lines, with their colours."""
    assert isinstance(app, BlueprimeApp)
    # A dialog draws what is beneath it, and keeps that drawing.
    visible_screen_stack.set(app._background_screens)
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def shown(app: object) -> str:
    """Return the screen as plain text."""
    return "\n".join("".join(segment.text for segment in line) for line in _drawn(app))


def _has_evidence(screen: object) -> bool:
    """Return whether a run's screen shows the evidence of the step that is selected.

    Its first look does not know yet which one that is; the next one, much later, brings it.
    """
    if not isinstance(screen, RunScreen):
        return True
    return screen.picture is not None and screen.picture.evidence_of == screen._selected()


async def still(pilot: Pilot[None]) -> None:
    """Wait until the screen has not changed for some frames: texts, layout, colours."""
    await until(pilot, lambda: all(map(_has_evidence, pilot.app.screen_stack)), "evidence")
    limit = time.monotonic() + DEADLINE_S
    before: list[list[Segment]] = []
    same = 0
    while same < 10:
        assert time.monotonic() < limit, "the screen never stood still"
        await pilot.pause(0.05)
        same = same + 1 if (now := _drawn(pilot.app)) == before else 0
        before = now


async def sees(pilot: Pilot[None], *words: str) -> str:
    """Wait until all of the words stand on the screen, and return the screen's text."""
    await until(pilot, lambda: all(word in shown(pilot.app) for word in words), f"seen: {words}")
    return shown(pilot.app)


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the run's screen has drawn everything that it looks up."""

    def drawn() -> bool:
        screen = pilot.app.screen
        if not isinstance(screen, RunScreen) or screen.picture is None:
            return False
        asked = set(screen._asked) <= set(screen._previews)
        ways = screen._ways_asked == (screen._ways[0] if screen._ways else None)
        return asked and ways

    await until(pilot, drawn, "settled")


async def enter_run(pilot: Pilot[None]) -> RunScreen:
    """Go past the resume screen, once its probes have answered, onto the run's screen."""
    await sees(pilot, "Where this run stands")
    await until(pilot, lambda: not dim(pilot, "proceed"), "probes answered")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run's screen")
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    return screen


def hint(pilot: Pilot[None], name: str) -> KeyHint:
    """Return a key of the footer."""
    return next(hint for hint in pilot.app.screen.query(KeyHint) if hint.key.name == name)


def dim(pilot: Pilot[None], name: str) -> bool:
    """Return whether a key of the footer is dimmed."""
    return hint(pilot, name).has_class("-dim")


def sentence(pilot: Pilot[None]) -> str:
    """Return the two lines that say what enter does and which way back there is."""
    line: Static = pilot.app.screen.query_one(NextLine)
    return str(line.visual)


Before = Callable[[Pilot[None]], Awaitable[None]]
