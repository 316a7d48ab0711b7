"""Waiting is reading: it may be stopped at any time, tells how it stands, and has a limit."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from runbook.amounts import lasting
from runbook.aws import budget
from runbook.base.clocks import STILL_S
from runbook.base.step import Gate
from runbook.failures import StepFailed
from state.enums import Result
from state.journal import Journal
from state.records import Attempt, Json
from state.standing import WARNING


class Notice(Protocol):
    """Hears where a wait stands, with a fraction where there is one."""

    def __call__(self, text: str, fraction: float | None, *, to_do: bool = False) -> None:
        """Hear it; `to_do` says that the text is what a person must do now."""


Ask = Callable[[Gate], Awaitable[bool]]
"""Has a gate decided, and says whether it was passed."""

HEARTBEAT_S = 5.0
"""At most this often a wait's last observation is journaled."""

UNCHANGED_S = 30.0
"""From then on a wait that sees no progress says so."""


class Stopped(Exception):
    """The operator stopped a wait. Nothing was changed by that."""


class Waits:
    """The waits of one run: each says what for, stands in the journal, and ends when asked to.

    `stop` is set where the operator stops a wait, or leaves.
    """

    def __init__(self, journal: Journal, run: str, notice: Notice, stop: asyncio.Event) -> None:
        self._journal = journal
        self._run = run
        self._notice = notice
        self._stop = stop
        self._heartbeat = 0.0
        self.said = ""
        """What the latest wait of the step was for, or empty."""
        self._since = 0.0
        self._step = ""

    def begin(self, step: str) -> None:
        """Wait from now on for what a step waits for."""
        self._step, self.said = step, ""

    def say(self, text: str, fraction: float | None = None, *, to_do: bool = False) -> None:
        """Say where a wait stands, and since when nothing has changed."""
        fraction = within(fraction)
        now = time.monotonic()
        if text != self.said:
            self.said, self._since = text, now
        elif (still := now - self._since) >= UNCHANGED_S:
            text = f"{text} (no change for {lasting(still)})"
        self._notice(text, fraction, to_do=to_do)
        if now - self._heartbeat >= HEARTBEAT_S:
            self._heartbeat = now
            data = {} if fraction is None else {"fraction": fraction}
            self._journal.event(self._run, "wait", text, {"step": self._step, **data})

    async def pause(self, text: str, seconds: float) -> None:
        """Say what for, and wait so long; raise `Stopped` where the wait is stopped meanwhile.

        Longer where AWS was asked and the budget of calls is used up.
        """
        if not await self.hold(text, budget.spender().rest_s(seconds)):
            raise Stopped

    async def hold(self, text: str, seconds: float) -> bool:
        """Say what for, and wait so long; return whether the wait was not stopped meanwhile."""
        self.say(text)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        return not self._stop.is_set()


def within(fraction: float | None) -> float | None:
    """Return a fraction of a whole as one between 0 and 1; None where it is not known.

    Every wait tells its fraction through here: estimates of the whole are overrun, and no bar is
    more than full.
    """
    if fraction is None or math.isnan(fraction):
        return None
    return min(1.0, max(0.0, fraction))


class JournalWatch:
    """What `Step.verify` reports to, written to the journal."""

    def __init__(
        self,
        journal: Journal,
        run: str,
        attempt: Attempt,
        waits: Waits,
        stop: asyncio.Event,
        ask: Ask,
    ) -> None:
        self._journal = journal
        self._run = run
        self._attempt = attempt
        self._waits = waits
        self._stop = stop
        self._ask = ask
        self._warnings: dict[str, str] = {}

    @property
    def done_but(self) -> str:
        """What the step that is done did not do, in words; empty where it did all."""
        words = [text for text in self._warnings.values() if text]
        return f"Done, but: {' '.join(words)}" if words else ""

    def evidence(self, text: str, *, key: str = "", value: Json = None) -> None:
        """Keep what was seen."""
        self._journal.evidence(
            self._run, self._attempt.step, text, key=key, value=value, attempt=self._attempt.id
        )

    def warning(self, text: str, *, key: str) -> None:
        """Say what the step did not do, or take that back with an empty text."""
        self._warnings[key] = text
        kept = f"{WARNING}{key}"
        if text or self._journal.fact(self._run, kept):
            self.evidence(text or "repaired meanwhile", key=kept, value=text)

    def progress(self, text: str, fraction: float | None = None, *, to_do: bool = False) -> None:
        """Say where a wait stands."""
        self._waits.say(text, fraction, to_do=to_do)

    def result(self, result: Result | None) -> None:
        """Say where the run rests now, or that it rests nowhere."""
        self._journal.set_result(self._run, result)

    async def passes(self, gate: Gate) -> bool:
        """Let a person decide on what was only now seen."""
        return await self._ask(gate)

    async def until(self, limit_s: float, *, every_s: float, what: str) -> AsyncIterator[float]:
        """Iterate while waiting; raise `StepFailed` naming `what` at the limit.

        The pause is longer where the look asked AWS and the budget of calls is used up.
        """
        started = time.monotonic()
        while True:
            waited = time.monotonic() - started
            yield waited
            if self._stop.is_set():
                raise Stopped
            # Counted to where the look began: whatever held it up, one more look is due.
            if waited >= limit_s:
                raise StepFailed(
                    f"Waited {limit_s:.0f} s for {what}.",
                    now="It has not happened so far; nothing else was changed.",
                    todo="Run the step again to go on waiting, or branch.",
                )
            # One more look is due at the limit, however little of the budget is left.
            rest_s = min(budget.spender().rest_s(every_s), max(every_s, limit_s - waited))
            paused = time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), rest_s)
            stood_still = time.monotonic() - paused - rest_s
            if stood_still >= STILL_S:
                # A process that was stopped has not waited.
                started += stood_still
