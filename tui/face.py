"""What a screen may ask of the app: the engine, what goes on, and what outlives a screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from textual.notifications import SeverityLevel
from textual.screen import Screen

from runbook.run.checklist import Line
from state.enums import Status
from state.records import RunSummary
from tui.engine import Engine
from tui.model import RunModel
from tui.pressing import PressGuard

R = TypeVar("R")


class Face(Protocol):
    """The app as its screens know it."""

    engine: Engine
    guard: PressGuard
    now: Callable[[], datetime]
    badge: str
    """Which world it looks at, for the list of runs; empty for production."""
    conducting: str
    """The step that this process runs now, or empty."""
    asking: str
    """The step whose gate waits for an answer in a dialog, or empty."""
    halted: str
    """Why nothing can be done any more in this process, or empty."""

    # Runs.

    def list_runs(self) -> list[RunSummary]:
        """Return the runs of this workspace, newest first."""

    def gone(self, runs: Sequence[RunSummary]) -> frozenset[str]:
        """Return the ids of runs whose lab is gone."""

    def open_and_show(self, run: str, *, watch: bool) -> object:
        """Open a run and show where it stands."""

    def start_and_show(self, plan: Path) -> object:
        """Begin a run of a plan and show it."""

    def show_resume(self, model: RunModel) -> object:
        """Show where a run stands, and then the run."""

    # Acts on a run.

    def conduct(self, model: RunModel, line: Line) -> object:
        """Run a step, and those that follow it by themselves."""

    def repair(self, model: RunModel, repair: str, done: Callable[[Status | None], None]) -> object:
        """Perform a repair, and say how it ended."""

    def failed(self, error: Exception, heading: str) -> None:
        """Show what went wrong."""

    # Leaving.

    async def may_leave(self, model: RunModel) -> bool:
        """Return whether a run may be left, asking where that is grave."""

    def ask_to_leave(self, model: RunModel, *, out: bool = False) -> object:
        """Leave a run, or blueprime (`out`), asking where that is grave."""

    def leave(self) -> object:
        """Leave blueprime."""

    async def action_quit(self) -> None: ...

    # The terminal.

    def say_once(self, words: str) -> None:
        """Say why a key did nothing; not twice in a row."""

    def bell(self) -> None:
        """Ring."""

    def copy(self, words: str, name: str) -> None:
        """Put a text onto the clipboard, and into a file of a name."""

    def retitle(self, words: str) -> None:
        """Set the terminal's title."""

    # Textual's own.

    def push_screen(self, screen: Screen[Any]) -> object:
        """Show a screen."""

    async def push_screen_wait(self, screen: Screen[R]) -> R | Any:
        """Show a screen and return what it is closed with."""

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a message for a while."""

    def run_worker(self, work: Awaitable[Any]) -> object:
        """Do something beside the screen."""
