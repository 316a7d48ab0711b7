"""The app: it owns the engine, opens runs, carries gates to a person, and leaves cleanly.

It is given everything it needs to know of runs as callables, so that it knows neither the command
line nor where a journal lies.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from rich.segment import Segment, Segments
from textual import on, work
from textual.app import SystemCommand
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.screen import Screen

from runbook.plan.model import PlanError
from state.errors import JournalHeld
from state.masking import masked
from state.records import RunSummary
from tui import keys, questions, text
from tui.face import Face
from tui.leave_message import leave_message
from tui.model import OnlyToWatch, RunModel
from tui.run_control import LOOKS_S, RunControl
from tui.screens.base import KeyedScreen
from tui.screens.confirm import LeaveDialog
from tui.screens.leaving import Leaving
from tui.screens.notice import Notice
from tui.screens.resume import ResumeScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.signing_in import SigningIn
from tui.terminal import Continued, SurvivingDriver
from tui.theme import DAY, NIGHT

_log = logging.getLogger("blueprime.app")

TERMINAL_S = 1.0
"""How often to look whether the terminal is still there: not every loss sends a signal."""

SETTLE_S = 60.0
"""How long leaving waits for the effect in flight."""


@dataclass(frozen=True, slots=True)
class RunSource:
    """How the app reaches runs; all of it is called on the engine's thread."""

    list_runs: Callable[[], list[RunSummary]]
    open_run: Callable[[str, bool], Awaitable[RunModel]]
    """Run id, and whether to watch only."""
    start_run: Callable[[Path], Awaitable[RunModel]]
    """Path of a plan file."""
    lab_gone: Callable[[RunSummary], bool] = lambda run: False
    """Whether a run is a rehearsal whose lab, and with it its clusters, is there no more."""


class BlueprimeApp(SigningIn, RunControl):
    """The face of blueprime.

    With `at` a run is opened at once, with `plan` one is started; leaving it leaves the app then.
    `badge` names the environment on the list of runs; `home` takes what is copied.
    """

    TITLE = "blueprime"
    ENABLE_COMMAND_PALETTE = True
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    CSS = """
    Screen { background: $background; }
    Toast { max-width: 70; }
    DataTable > .datatable--header {
        background: $background;
        color: $text-muted;
        text-style: none;
    }
    """

    class LeaveAsked(Message):
        """The terminal is gone, or the process was asked to end."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    def __init__(
        self,
        doors: RunSource,
        *,
        home: Path,
        at: str = "",
        watch: bool = False,
        plan: Path | None = None,
        badge: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.doors = doors
        self.home = home
        self.badge = badge
        self.now = now
        self.goodbye = ""
        """What to print once the terminal is back: what goes on, and how to come back."""
        self._at, self._watch, self._plan = at, watch, plan
        self._model: RunModel | None = None

    def list_runs(self) -> list[RunSummary]:
        """Return the runs of the workspace; on the engine's thread."""
        return self.doors.list_runs()

    def gone(self, runs: Sequence[RunSummary]) -> frozenset[str]:
        """Return the ids of the runs whose lab is gone; on the engine's thread."""
        return frozenset(run.run for run in runs if self.doors.lab_gone(run))

    # Coming.

    def on_mount(self) -> None:
        self.register_theme(NIGHT)
        self.register_theme(DAY)
        self.theme = NIGHT.name
        self.engine.start()
        self._listen_for_signals()
        self.set_interval(TERMINAL_S, self._look_at_terminal)
        if self._at:
            self.open_and_show(self._at, watch=self._watch)
        elif self._plan is not None:
            self.start_and_show(self._plan)
        else:
            self.push_screen(RunsScreen())

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            # Off the main thread there are no signals to listen for.
            with suppress(RuntimeError, ValueError):
                loop.add_signal_handler(number, self.post_message, self.LeaveAsked(number.name))

    def get_driver_class(self) -> type[Driver]:
        """Return a driver that outlives its terminal, where Textual would take its Unix one."""
        found = super().get_driver_class()
        return SurvivingDriver if found is LinuxDriver else found

    def _look_at_terminal(self) -> None:
        driver = self._driver
        if isinstance(driver, SurvivingDriver) and driver.gone and not self._leaving:
            self.post_message(self.LeaveAsked("the terminal is gone"))

    async def on_unmount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            with suppress(RuntimeError, ValueError):
                loop.remove_signal_handler(number)
        self._write_title(None)
        self.give_no_codes()
        await asyncio.to_thread(self.engine.stop)

    # Opening runs.

    @work
    async def open_and_show(self, run: str, *, watch: bool) -> None:
        """Open a run and show where it stands before any key can act."""
        try:
            model = await self.engine.call(lambda: self.doors.open_run(run, watch))
        except JournalHeld as held:
            await self._offer_watching(run, "Held by another process", held)
        except OnlyToWatch as why:
            await self._offer_watching(run, "Only to be looked at", why)
        except Exception as error:  # any refusal is shown in its own words
            await self._refused("This run cannot be opened", error)
        else:
            await self._show(model)

    async def _offer_watching(self, run: str, heading: str, why: Exception) -> None:
        buttons = (("ok", "Back"), ("watch", "Watch it"))
        if await self.push_screen_wait(Notice(heading, str(why), buttons=buttons)) == "watch":
            self.open_and_show(run, watch=True)
        elif self._at:
            self._exit_with(str(why), 1)

    @work
    async def start_and_show(self, plan: Path) -> None:
        """Start the run of a plan file; its problems are shown with file, key and line."""
        try:
            model = await self.engine.call(lambda: self.doors.start_run(plan))
        except PlanError as error:
            await self._refused("This plan cannot be used", error, code=2)
        except Exception as error:  # any refusal is shown in its own words
            await self._refused("This run cannot be started", error)
        else:
            await self._show(model)

    async def _refused(self, heading: str, error: Exception, code: int = 1) -> None:
        words = str(error) or type(error).__name__
        await self.push_screen_wait(Notice(heading, words))
        if self._at or self._plan:
            self._exit_with(words, code)

    def _exit_with(self, words: str, code: int) -> None:
        self.goodbye = text.clean(words, lines=True)
        self.exit(return_code=code)

    async def _show(self, model: RunModel) -> None:
        self._model = model
        await self.engine.call(model.start_watching)
        checklist = await self.engine.read(model.checklist)
        tried = any(line.attempts for section in checklist.sections for line in section.lines)
        if tried and not await self.push_screen_wait(ResumeScreen(model)):
            self.leave_run(model)
            return
        self.push_screen(RunScreen(model))

    @work
    async def show_resume(self, model: RunModel) -> None:
        """Show what is unknown again, above the run's screen."""
        if not await self.push_screen_wait(ResumeScreen(model)):
            self.leave_run(model)

    # Leaving.

    async def may_leave(self, model: RunModel) -> bool:
        """Return whether a run may be left; where somebody is needed now, a person is asked."""
        dashboard = await self.engine.read(model.dashboard)
        busy = await self.engine.read(model.busy) or self.conducting
        asked = questions.of_leaving(model.run, dashboard, busy) if model.writable else None
        if asked is None:
            return True
        if self.covered:
            self.say_once("leaving asks first; make the terminal larger to read and answer it")
            return False
        return await self.push_screen_wait(LeaveDialog(asked)) is not None

    @work(exclusive=True, group="leave")
    async def ask_to_leave(self, model: RunModel, *, out: bool = False) -> None:
        """Leave a run, or blueprime with `out`, if it may be left."""
        if await self.may_leave(model):
            if out:
                self.leave()
            else:
                self.leave_run(model)

    @work
    async def leave_run(self, model: RunModel) -> None:
        """Leave a run: back to the list it was opened from, else out of blueprime."""
        if self._at or self._plan:
            self.leave()
            return
        words = await self._close(model)
        while len(self.screen_stack) > 1 and not isinstance(self.screen, RunsScreen):
            await self.pop_screen()
        self.cover()
        self.notify(words, title="Nothing was undone", timeout=8, markup=False)

    @work
    async def leave(self) -> None:
        """Leave blueprime: start nothing more, let the effect in flight settle, and exit."""
        if self._leaving:
            return
        self._leaving = True
        self.give_no_codes()
        if self._model is not None:
            await self._close(self._model)
        self.exit(return_code=0)

    async def _close(self, model: RunModel) -> str:
        for answer in self._answers:
            if not answer.done():
                answer.set_result(None)
        step = self.conducting
        waiting = self.set_timer(0.0 if step else LOOKS_S, lambda: self.push_screen(Leaving(step)))
        settled = ""
        try:
            words = await asyncio.wait_for(
                self.engine.read(lambda: leave_message(model, step)), 5.0
            )
        except Exception as error:  # leaving must work even where looking does not
            words = f"blueprime has left run {model.run.id}. Nothing was undone. ({error})"
        try:
            await asyncio.wait_for(self.engine.call(model.close), SETTLE_S)
        except TimeoutError:
            settled = f"\nThe effect in flight is unsettled after {SETTLE_S:.0f} s: unknown."
        except Exception as error:  # leaving goes on; the journal is right without a clean close
            settled = f"\nClosing the run failed: {error}"
        waiting.stop()
        self._model = None
        self.halted = ""
        self.goodbye = text.clean(words + settled, lines=True)
        self.retitle("")
        return self.goodbye

    @on(Continued)
    def _continued(self) -> None:
        """Heed nothing that was typed for a shell while the process was stopped."""
        self.guard.start_anew(monotonic())
        self.say_once("blueprime stood still; what was typed meanwhile is not heeded")

    @on(LeaveAsked)
    def _leave_asked(self, message: LeaveAsked) -> None:
        driver = self._driver
        if isinstance(driver, SurvivingDriver) and driver.gone:
            driver.let_go()
        self.log(f"leaving: {message.why}")
        self.leave()

    async def action_quit(self) -> None:
        """Leave as `q` does: the palette's and Textual's own way out."""
        if self._model is None or self._leaving:
            self.leave()
        elif any(isinstance(screen, LeaveDialog) for screen in self.screen_stack):
            self.say_once("leaving is asked already; answer it")
        else:
            self.ask_to_leave(self._model, out=True)

    # The terminal.

    def _fatal_error(self) -> None:
        """End the app after what nobody foresaw, and say where.

        Textual's own picture of it shows local variables, passwords among them.
        """
        self.bell()
        words = text.clean(masked(traceback.format_exc()), lines=True)
        _log.error("unforeseen failure in the app\n%s", words)
        self._exit_renderables.append(Segments([Segment(words)]))
        self._close_messages_no_wait()

    # The palette.

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        place = screen.PLACE if isinstance(screen, KeyedScreen) else ""
        for key in keys.at(place):
            if key.palette and isinstance(screen, KeyedScreen):
                yield SystemCommand(
                    f"{key.label.capitalize()} ({key.shown})", key.says, screen.command(key)
                )
        yield SystemCommand("Theme", "Change the colours.", self.action_change_theme)
        if place not in ("run", "runs", "resume"):
            yield SystemCommand("Leave", "Leave blueprime. Nothing is undone.", self.action_quit)


if TYPE_CHECKING:

    def _is_the_face(app: BlueprimeApp) -> Face:
        return app
