"""Acting on a run from the app: a step or a repair at a time, and its gates carried to a person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress

from textual import on, work
from textual.message import Message

from runbook.base.step import Gate
from runbook.run.checklist import Line
from state.enums import Status
from state.errors import JournalUnusable
from tui import questions, text
from tui.covering import Covering
from tui.engine import Engine
from tui.model import RunModel
from tui.questions import Question
from tui.screens.base import KeyedScreen
from tui.screens.confirm import ConfirmDialog, Consent
from tui.screens.looking import stamp_of
from tui.surroundings import Surroundings

LOOKS_S = 0.4
"""How long a look may take before one goes on without it."""


class RunControl(Covering, Surroundings):
    """The part of the app that acts: one thing at a time, whatever becomes of its screen."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine()
        self.conducting = ""
        """The step that this process runs now, or empty."""
        self.asking = ""
        """The step whose gate waits for an answer in a dialog, or empty."""
        self.halted = ""
        """Why nothing can be done any more in this process: the journal failed under an act."""
        self._answers: set[Future[str | None]] = set()
        self._leaving = False

    class GateAsked(Message):
        """A step asks for a decision; the answer is awaited on the engine's thread."""

        def __init__(self, model: RunModel, gate: Gate, answer: Future[str | None]) -> None:
            super().__init__()
            self.model, self.gate, self.answer = model, gate, answer

    @work(group="conduct")
    async def conduct(self, model: RunModel, line: Line) -> None:
        """Run a step as it was shown; a second one is refused while one runs."""
        step = line.step

        async def advance() -> Status | None:
            following = (await self.engine.read(model.checklist)).next
            if following is None or stamp_of(following) != stamp_of(line):
                # The key was pressed at a picture that is older than what is true now.
                self.say_once(f"{step}: the checklist has gone on meanwhile; nothing was done")
                return None
            return await self.engine.call(
                lambda: model.advance(step, lambda gate: self._decide(model, gate))
            )

        await self._act(step, advance)

    @work(group="conduct")
    async def repair(
        self, model: RunModel, repair: str, done: Callable[[Status | None], None]
    ) -> None:
        """Perform a repair, whatever becomes of the screen that asked for it.

        `done` hears how it ended: None where it was not begun, or not brought to its end.
        """
        status = await self._act(
            repair,
            lambda: self.engine.call(
                lambda: model.repair(repair, lambda gate: self._decide(model, gate))
            ),
        )
        done(status)

    async def _act(self, step: str, doing: Callable[[], Awaitable[Status | None]]) -> Status | None:
        if self.conducting or self._leaving or self.halted:
            return None
        self.conducting = step
        try:
            status = await doing()
        except Exception as error:  # what the journal holds stays true; a person sees the words
            self.failed(error, f"{text.clean(step)} was not run to its end")
            return None
        else:
            if status in (Status.FAILED, Status.UNKNOWN):
                self.bell()
            return status
        finally:
            self.conducting = ""

    def say_once(self, words: str) -> None:
        """Say why a key did nothing; a key that is held says it once."""
        if not any(each.message == words for each in self._notifications):
            self.notify(words, severity="warning", timeout=3, markup=False)

    def failed(self, error: Exception, heading: str) -> None:
        """Say that an act was refused; where the journal is at fault, do nothing more from here.

        An effect whose outcome could not be kept is unknown, and only an opening finds that out.
        """
        if isinstance(error, JournalUnusable):
            self.halted = text.clean(f"{error.what} {error.todo}")
            self.bell()
        words = text.clean(str(error) or type(error).__name__)
        self.notify(words, title=heading, severity="error", timeout=20, markup=False)

    async def _decide(self, model: RunModel, gate: Gate) -> str | None:
        """Carry a gate to the screen and its answer back; runs on the engine's thread."""
        answer: Future[str | None] = Future()
        if not self.post_message(self.GateAsked(model, gate, answer)):
            return None
        return await asyncio.wrap_future(answer)

    @on(GateAsked)
    async def _ask(self, message: GateAsked) -> None:
        if self._leaving:
            message.answer.set_result(None)
            return
        self._answers.add(message.answer)
        self._ask_person(message.model, message.gate, message.answer)

    @work
    async def _ask_person(self, model: RunModel, gate: Gate, answer: Future[str | None]) -> None:
        step = self.asking = await self.engine.read(model.busy) or self.conducting
        try:
            question = await self._question(model, step, gate)
            self.bell()
            consent: Consent | None = await self.push_screen_wait(ConfirmDialog(question))
        finally:
            self.asking = ""
        self._answers.discard(answer)
        if not answer.done():
            answer.set_result(None if consent is None else consent.typed)

    async def _question(self, model: RunModel, step: str, gate: Gate) -> Question:
        screens = (each for each in reversed(self.screen_stack) if isinstance(each, KeyedScreen))
        preview = next(filter(None, (each.shown_of(step) for each in screens)), None)
        if preview is None:
            # Between two gates the applications may be waiting: nobody waits for a list.
            with suppress(StopIteration, KeyError, TimeoutError):
                looked = self.engine.call(lambda: model.preview(step))
                preview = await asyncio.wait_for(looked, LOOKS_S)
        checklist = await self.engine.read(model.checklist)
        return questions.of_gate(model.run, step, gate, checklist, preview)
