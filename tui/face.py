"""What a screen may ask of the app: the engine, what goes on, and what outlives a screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from textual.notifications import SeverityLevel
from textual.screen import Screen

from runbook.checklist import Line
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

    def list_runs(self) -> list[RunSummary]: ...
    def gone(self, runs: Sequence[RunSummary]) -> frozenset[str]: ...
    def open_and_show(self, run: str, *, watch: bool) -> object: ...
    def start_and_show(self, plan: Path) -> object: ...
    def show_resume(self, model: RunModel) -> object: ...

    # Acts on a run.

    def conduct(self, model: RunModel, line: Line) -> object: ...
    def repair(
        self, model: RunModel, repair: str, done: Callable[[Status | None], None]
    ) -> object: ...
    def failed(self, error: Exception, heading: str) -> None: ...

    # Leaving.

    async def may_leave(self, model: RunModel) -> bool: ...
    def ask_to_leave(self, model: RunModel, *, out: bool = False) -> object: ...
    def leave(self) -> object: ...
    async def action_quit(self) -> None: ...

    # The terminal.

    def say_once(self, words: str) -> None: ...
    def bell(self) -> None: ...
    def copy(self, words: str, name: str) -> None: ...
    def retitle(self, words: str) -> None: ...

    # Textual's own.

    def push_screen(self, screen: Screen[Any]) -> object: ...
    async def push_screen_wait(self, screen: Screen[R]) -> R | Any: ...
    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None: ...
    def run_worker(self, work: Awaitable[Any]) -> object: ...
