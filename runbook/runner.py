"""Drives a run: probe -> gate -> intent -> act -> outcome -> verify.

The runner alone performs effects. Nothing happens whose intent is not on disk; an effect gets one
attempt, and a person asks for the next; only reads retry by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import psycopg

from runbook.step import (
    Ambiguous,
    Answer,
    Effect,
    Finding,
    Gate,
    Refused,
    Step,
    StepFailed,
    Wave,
)
from runbook.world import World
from state.journal import Journal
from state.records import Attempt, Json
from state.words import Outcome, Result, Status

Decide = Callable[[Gate], Awaitable[str | None]]
"""Asks a person: returns what was typed (`yes` where nothing must be), or None when declined."""

Notice = Callable[[str, float | None], None]
"""Hears where a wait stands, with a fraction where there is one."""

_log = logging.getLogger("blueprime.runner")

HEARTBEAT_S = 5.0
"""At most this often a wait's last observation is journaled."""

LOST_ANSWER_PROBES_S = (0.2, 1.0, 3.0)
"""Pauses before each look for an effect whose answer was lost: reads may trail the change."""


class Unclear(Exception):
    """An effect's outcome is unknown and needs a person."""


class Stopped(Exception):
    """The operator stopped a wait. Nothing was changed by that."""


class Runner:
    """Performs steps of one run, one at a time, and journals everything.

    `who` is the operator's name for decisions.
    """

    def __init__(self, world: World, journal: Journal, *, who: str, notice: Notice) -> None:
        self.world = world
        self.journal = journal
        self.who = who
        self._notice = notice
        self._stop = asyncio.Event()
        self.leaving = False
        """Whether no further effect and no further step is to be started."""
        self.refused = False
        """Whether the last step was stopped by a check, with nothing changed."""

    def stop_waiting(self) -> None:
        """Ask the wait under way to end; an effect in flight is never cut."""
        self._stop.set()

    def leave(self) -> None:
        """Start nothing more: the effect in flight settles, and the step ends there."""
        self.leaving = True
        self._stop.set()

    async def run_step(self, step: Step, decide: Decide) -> Status:
        """Try a step once and return how it stands; READY means that a gate was declined."""
        if not self.leaving:
            self._stop.clear()
        self.refused = False
        try:
            if reason := await step.skip(self.world):
                return self._skip(step, reason)
            if not await self._pass_gates(step, decide):
                return Status.READY
        except StepFailed as failure:
            self.refused = isinstance(failure, Refused)
            attempt = self.journal.begin_attempt(self.world.run, step.key)
            return self._end(attempt, Status.FAILED, _words(failure))
        attempt = self.journal.begin_attempt(self.world.run, step.key)
        return await self._try(step, attempt)

    async def _try(self, step: Step, attempt: Attempt) -> Status:
        try:
            for wave in await step.effects(self.world):
                if self.leaving:
                    raise Stopped
                await self._perform_wave(attempt, wave)
            watch = JournalWatch(self.journal, self.world.run, attempt, self._notice, self._stop)
            await step.verify(self.world, watch)
        except StepFailed as failure:
            self.refused = isinstance(failure, Refused)
            return self._end(attempt, Status.FAILED, _words(failure))
        except Unclear as unclear:
            return self._end(attempt, Status.UNKNOWN, str(unclear))
        except Stopped:
            return self._end(
                attempt,
                Status.FAILED,
                ("blueprime was left meanwhile" if self.leaving else f"{self.who} stopped the wait")
                + ". What was asked for may still be under way. Run the step again to go on.",
            )
        except asyncio.CancelledError:
            self._end(
                attempt,
                Status.FAILED,
                "blueprime was closed while this step was waiting. What was asked for may still "
                "be under way. Run the step again to go on waiting.",
            )
            raise
        except (psycopg.Error, OSError) as error:
            return self._end(
                attempt,
                Status.FAILED,
                f"Looking at the database failed: {_first_line(error)}. Nothing was changed by "
                "this look. Run the step again.",
            )
        except Exception as error:
            _log.exception("unforeseen failure in step %s", step.key)
            return self._end(
                attempt,
                Status.FAILED,
                f"blueprime itself failed: {type(error).__name__}: {_first_line(error)}\n"
                "Effects that were performed are listed with their outcomes.\n"
                "The log file holds the details; run the step again, or branch.",
            )
        finally:
            self._notice("", None)
            if not step.continues:
                # Inside the fence the next step follows at once, with the same endpoints.
                await self.world.forget_connections()
        return self._end(attempt, Status.SUCCEEDED, "")

    def _end(self, attempt: Attempt, status: Status, message: str) -> Status:
        self.journal.end_attempt(attempt.id, status, message)
        return status

    def _skip(self, step: Step, reason: str) -> Status:
        attempt = self.journal.begin_attempt(self.world.run, step.key)
        return self._end(attempt, Status.SKIPPED, reason)

    async def _pass_gates(self, step: Step, decide: Decide) -> bool:
        for gate in await step.gates(self.world):
            if self._stands(gate):
                continue
            typed = await decide(gate)
            if typed is None or (gate.must_type and typed != gate.must_type):
                self.journal.event(
                    self.world.run, "decision", f"declined: {gate.question}", {"gate": gate.key}
                )
                return False
            self.journal.decide(self.world.run, step.key, gate.key, who=self.who, typed=typed)
        return True

    def _stands(self, gate: Gate) -> bool:
        """Return whether the gate was passed lately on this stay on the track."""
        entry = self.journal.entries(self.world.run)[-1]
        now = self.world.now()
        return any(
            decision.gate == gate.key
            and decision.entry == entry.id
            and (now - decision.at).total_seconds() <= gate.valid_s
            for decision in self.journal.decisions(self.world.run)
        )

    async def _perform_wave(self, attempt: Attempt, wave: Wave) -> None:
        # Every member is let to its end, so that no outcome is lost because another one failed.
        results = await asyncio.gather(
            *(self._settle_effect(attempt, effect) for effect in wave), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        for kind in (Unclear, StepFailed, BaseException):
            for failure in failures:
                if isinstance(failure, kind):
                    raise failure
        await self._wait_settled(wave)

    async def _settle_effect(self, attempt: Attempt, effect: Effect) -> None:
        finding = await effect.probe()
        intent = self.journal.intend(attempt.id, effect.key, effect.title, effect.preview())
        if finding.answer is Answer.YES:
            self.journal.settle(intent, Outcome.ADOPTED, {"seen": finding.seen, **finding.detail})
            return
        if finding.answer is Answer.UNKNOWN:
            self.journal.settle(intent, Outcome.UNKNOWN, {"error": finding.seen})
            raise Unclear(_unclear(effect, finding.seen))
        try:
            detail = await asyncio.shield(asyncio.ensure_future(effect.perform()))
        except StepFailed as failure:
            self.journal.settle(intent, Outcome.FAILED, {"error": _words(failure)})
            raise
        except asyncio.CancelledError:
            self.journal.settle(intent, Outcome.UNKNOWN, {"error": "closed before the answer"})
            raise
        except Exception as error:
            await self._look_after_loss(intent, effect, error)
            return
        self.journal.settle(intent, Outcome.SUCCEEDED, dict(detail))

    async def _look_after_loss(self, intent: int, effect: Effect, error: Exception) -> None:
        """Decide by probes alone what became of an effect whose answer was lost."""
        lost = _first_line(error) if not isinstance(error, Ambiguous) else str(error)
        finding = Finding(Answer.UNKNOWN, "it could not be looked at")
        for pause in LOST_ANSWER_PROBES_S:
            await asyncio.sleep(pause)
            finding = await _probe_safely(effect)
            if finding.answer is Answer.YES:
                self.journal.settle(
                    intent,
                    Outcome.SUCCEEDED,
                    {"seen": finding.seen, "answer_lost": lost, **finding.detail},
                )
                return
        # Not seen is not the same as not happened: a late change must not be doubled.
        self.journal.settle(intent, Outcome.UNKNOWN, {"error": lost, "seen": finding.seen})
        raise Unclear(_unclear(effect, f"{lost}; {finding.seen}"))

    async def _wait_settled(self, wave: Sequence[Effect]) -> None:
        for effect in wave:
            started = time.monotonic()
            while waiting := await effect.settled():
                self._notice(waiting, None)
                if self._stop.is_set():
                    raise Stopped
                if time.monotonic() - started > effect.settle_limit_s:
                    raise StepFailed(
                        f"{effect.title}: {waiting} after {effect.settle_limit_s:.0f} s.",
                        now="The change was accepted and may still complete.",
                        todo="Look at it in the console, then run the step again to go on waiting.",
                    )
                await asyncio.sleep(self.world.plan.limits.fast_poll_s)


class JournalWatch:
    """What `Step.verify` reports to, written to the journal."""

    def __init__(
        self,
        journal: Journal,
        run: str,
        attempt: Attempt,
        notice: Notice,
        stop: asyncio.Event,
    ) -> None:
        self._journal = journal
        self._run = run
        self._attempt = attempt
        self._notice = notice
        self._stop = stop
        self._heartbeat = 0.0

    def evidence(self, text: str, *, key: str = "", value: Json = None) -> None:
        """Keep what was seen."""
        self._journal.evidence(
            self._run, self._attempt.step, text, key=key, value=value, attempt=self._attempt.id
        )

    def progress(self, text: str, fraction: float | None = None) -> None:
        """Say where a wait stands."""
        self._notice(text, fraction)
        if time.monotonic() - self._heartbeat >= HEARTBEAT_S:
            self._heartbeat = time.monotonic()
            data = {} if fraction is None else {"fraction": fraction}
            self._journal.event(self._run, "wait", text, {"step": self._attempt.step, **data})

    def result(self, result: Result) -> None:
        """Say where the run rests now."""
        self._journal.set_result(self._run, result)

    async def until(self, limit_s: float, *, every_s: float, what: str) -> AsyncIterator[float]:
        """Iterate while waiting; raise `StepFailed` naming `what` at the limit."""
        started = time.monotonic()
        while True:
            waited = time.monotonic() - started
            yield waited
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() - started >= limit_s:
                raise StepFailed(
                    f"Waited {limit_s:.0f} s for {what}.",
                    now="It has not happened so far; nothing else was changed.",
                    todo="Run the step again to go on waiting, or branch.",
                )
            try:
                await asyncio.wait_for(self._stop.wait(), every_s)
            except TimeoutError:
                continue


async def _probe_safely(effect: Effect) -> Finding:
    try:
        return await effect.probe()
    except (StepFailed, Ambiguous, psycopg.Error, OSError) as error:
        return Finding(Answer.UNKNOWN, f"it could not be looked at: {_first_line(error)}")


def _words(failure: StepFailed) -> str:
    return "\n".join((failure.what, failure.now, failure.todo))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _unclear(effect: Effect, seen: str) -> str:
    return (
        f"It is unknown whether this happened: {effect.title} ({seen}).\n"
        "Nothing further was tried.\n"
        "Look at the object, then adopt, retry or mark it failed on the resume screen."
    )
