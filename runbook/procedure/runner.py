"""Drives a run: probe -> gate -> intent -> act -> outcome -> verify.

The runner alone performs effects. Nothing happens whose intent is not on disk; an effect gets one
attempt, and a person asks for the next; only reads retry by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import psycopg

from runbook.aws import budget
from runbook.base.clocks import stale
from runbook.base.context import RunContext
from runbook.base.effect_state import PROBE, Looked, by_person, first_line, probe_safely, ruled
from runbook.base.step import Effect, Gate, Step, Wave
from runbook.failures import Ambiguous, Answer, Finding, Refused, StepFailed
from runbook.ownership.permission import Permission
from runbook.postgres.connect import UNREACHABLE
from runbook.procedure.waiting import JournalWatch, Notice, Stopped, Waits
from state.enums import Outcome, Status
from state.errors import JournalUnusable
from state.journal import Journal
from state.records import Attempt, Decision
from state.records import Effect as Record

Decide = Callable[[Gate], Awaitable[str | None]]
"""Asks a person: returns what was typed (`yes` where nothing must be), or None when declined."""

_log = logging.getLogger("blueprime.runner")

LOST_ANSWER_PROBES_S = (0.2, 1.0, 3.0)
"""Pauses before each look for an effect whose answer was lost: reads may trail the change."""


LOST_LOOK_PAUSES_S = (0.1, 1.0)
"""Pauses before verifying anew after a lost connection."""


class Unclear(Exception):
    """An effect's outcome is unknown and needs a person."""


class Runner:
    """Performs steps of one run, one at a time, and journals everything.

    `who` is the operator's name for decisions; `permission` is asked before each wave of changes.
    """

    def __init__(
        self,
        context: RunContext,
        journal: Journal,
        *,
        who: str,
        notice: Notice,
        permission: Permission | None = None,
    ) -> None:
        self.context = context
        self.journal = journal
        self.who = who
        self.permission = permission or Permission(context, journal, who=who)
        self._notice = notice
        self._stop = asyncio.Event()
        self._waits = Waits(journal, context.run, notice, self._stop)
        context.pause = self._waits.pause
        context.hold = self._waits.hold
        self.leaving = False
        """Whether no further effect and no further step is to be started."""
        self.refused = False
        """Whether the last step was stopped by a check, with nothing changed."""

    def stop_waiting(self) -> None:
        """Ask the wait under way to end; an effect in flight is never cut."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether the wait of the running step is asked to end."""
        return self._stop.is_set()

    def leave(self) -> None:
        """Start nothing more: the effect in flight settles, and the step ends there."""
        self.leaving = True
        self._stop.set()

    async def run_step(self, step: Step, decide: Decide) -> Status:
        """Try a step once and return how it stands; READY means that a gate was declined."""
        with budget.spending():
            return await self._run_step(step, decide)

    async def _run_step(self, step: Step, decide: Decide) -> Status:
        if not self.leaving:
            self._stop.clear()
        self.refused = False
        self._waits.begin(step.key)
        # Open still is only an attempt whose end could not be written: the disk was full.
        self.journal.mark_unknown(self.context.run)
        try:
            # A step that has begun is brought to its end, though what it removes is gone already.
            reason = "" if self._earlier(step.key) else await step.skip(self.context)
            if reason:
                attempt = self.journal.begin_attempt(self.context.run, step.key)
                return self._end(attempt, Status.SKIPPED, reason)
            await self.permission.before(step)
            for gate in await step.gates(self.context):
                if not await self._pass(step, gate, decide):
                    return Status.READY
        except (StepFailed, *UNREACHABLE) as failure:
            attempt = self.journal.begin_attempt(self.context.run, step.key)
            return self._failed(attempt, failure)
        attempt = self.journal.begin_attempt(self.context.run, step.key)
        return await self._try(step, attempt, decide)

    async def _try(self, step: Step, attempt: Attempt, decide: Decide) -> Status:
        try:
            for wave in await step.effects(self.context):
                if self.leaving:
                    raise Stopped
                await self._perform_wave(attempt, wave)
            done_but = await self._verify(step, attempt, decide)
            self._close_unlisted(attempt)
        except (StepFailed, *UNREACHABLE) as failure:
            return self._failed(attempt, failure)
        except Unclear as unclear:
            return self._end(attempt, Status.UNKNOWN, str(unclear))
        except Stopped:
            how = "blueprime was left meanwhile" if self.leaving else f"{self.who} stopped the wait"
            waited = f" ({self._waits.said})" if self._waits.said else ""
            return self._end(
                attempt,
                Status.FAILED,
                f"{how}{waited}. What was asked for may still be under way. Run the step again to "
                "go on.",
            )
        except asyncio.CancelledError:
            self._end(
                attempt,
                Status.FAILED,
                "blueprime was closed while this step was waiting. What was asked for may still "
                "be under way. Run the step again to go on waiting.",
            )
            raise
        except JournalUnusable:
            # Nothing can be written down, so nothing more is done; opened again, it is looked at.
            raise
        except Exception as error:
            _log.exception("unforeseen failure in step %s", step.key)
            return self._end(
                attempt,
                Status.FAILED,
                f"blueprime itself failed: {type(error).__name__}: {first_line(error)}\n"
                "Effects that were performed are listed with their outcomes.\n"
                "The log file holds the details; run the step again, or branch.",
            )
        finally:
            self._notice("", None)
            if not step.continues:
                # Inside the fence the next step follows at once, with the same endpoints.
                await self.context.forget_connections()
        return self._end(attempt, Status.SUCCEEDED, done_but)

    async def _verify(self, step: Step, attempt: Attempt, decide: Decide) -> str:
        """Verify a step, anew where a connection was lost: it only reads.

        Returns what the step that is done did not do, in words.
        """

        async def ask(gate: Gate) -> bool:
            return await self._pass(step, gate, decide)

        watch = JournalWatch(self.journal, self.context.run, attempt, self._waits, self._stop, ask)
        for pause in LOST_LOOK_PAUSES_S:
            try:
                await step.verify(self.context, watch)
                return watch.done_but
            except psycopg.Error as error:
                if not _connection_lost(error) or self._stop.is_set():
                    raise
                watch.evidence(f"looked again: the connection was lost: {first_line(error)}")
                await self.context.forget_connections()
                await asyncio.sleep(pause)
        await step.verify(self.context, watch)
        return watch.done_but

    def _failed(self, attempt: Attempt, failure: BaseException) -> Status:
        self.refused = isinstance(failure, Refused)
        if isinstance(failure, StepFailed):
            return self._end(attempt, Status.FAILED, _words(failure))
        return self._end(
            attempt,
            Status.FAILED,
            f"Looking at the database failed: {first_line(failure)}\n"
            "Nothing was changed by this look.\n"
            "Run the step again.",
        )

    def _end(self, attempt: Attempt, status: Status, message: str) -> Status:
        self.journal.end_attempt(attempt.id, status, message)
        return status

    async def _pass(self, step: Step, gate: Gate, decide: Decide) -> bool:
        """Have a gate decided unless a decision stands; return whether it was passed."""
        if self.standing(gate) is not None:
            return True
        # Whoever comes back after a lost terminal reads what was being asked.
        self.journal.event(self.context.run, "gate", f"asked: {gate.question}", {"gate": gate.key})
        typed = await decide(gate)
        if typed is None or (gate.must_type and typed != gate.must_type):
            told = {"gate": gate.key, "step": step.key, "who": self.who, "declined": True}
            self.journal.event(self.context.run, "decision", f"declined: {gate.question}", told)
            return False
        self.journal.decide(self.context.run, step.key, gate.key, who=self.who, typed=typed)
        return True

    def standing(self, gate: Gate) -> Decision | None:
        """Return the decision by which a gate was passed lately on this stay on the track."""
        entry = self.journal.entries(self.context.run)[-1]
        now = self.context.now()
        passed = (
            each
            for each in self.journal.decisions(self.context.run)
            if each.gate == gate.key
            and each.entry == entry.id
            and not stale(each.at, now, gate.valid_s)
        )
        return next(passed, None)

    async def _perform_wave(self, attempt: Attempt, wave: Wave) -> None:
        # Every member comes to its end, so that no outcome is lost because another one failed.
        looked = await asyncio.gather(
            *(self._look_at(attempt, effect) for effect in wave), return_exceptions=True
        )
        members = list(zip(wave, looked, strict=True))
        wanted = [e for e, look in members if isinstance(look, Looked) and look.to_be_made]
        if wanted:
            await self.permission.ask(attempt, wanted)
        results = await asyncio.gather(
            *(
                self._settle_effect(attempt, effect, look)
                for effect, look in members
                if isinstance(look, Looked)
            ),
            return_exceptions=True,
        )
        failures = [each for each in (*looked, *results) if isinstance(each, BaseException)]
        for kind in (Unclear, StepFailed, BaseException):
            for failure in failures:
                if isinstance(failure, kind):
                    raise failure
        self.permission.done(attempt, wave)
        await self._wait_settled(wave)

    async def _look_at(self, attempt: Attempt, effect: Effect) -> Looked:
        """Look whether an effect has happened; what a person ruled of it counts where none can."""
        earlier = [record for record in self._earlier(attempt.step) if record.key == effect.key]
        open_ones = [record for record in earlier if record.outcome is Outcome.UNKNOWN]
        finding = await self._look(effect, open_ones)
        if finding.answer is Answer.UNKNOWN and earlier and by_person(earlier[-1]):
            finding = ruled(finding, earlier[-1])
        return Looked(finding, open_ones)

    async def _settle_effect(self, attempt: Attempt, effect: Effect, look: Looked) -> None:
        finding = look.finding
        intent = self.journal.intend(attempt.id, effect.key, effect.title, effect.preview())
        if finding.answer is Answer.YES:
            self._close(look.open_ones, Outcome.ADOPTED, finding.seen)
            self.journal.settle(intent, Outcome.ADOPTED, {"seen": finding.seen, **finding.detail})
            return
        if finding.answer is Answer.UNKNOWN:
            self.journal.settle(intent, Outcome.UNKNOWN, {"error": finding.seen})
            raise Unclear(_unclear(effect, finding.seen))
        self._close(look.open_ones, Outcome.FAILED, finding.seen)
        await self._perform(intent, effect)

    async def _perform(self, intent: int, effect: Effect) -> None:
        try:
            detail = await asyncio.shield(asyncio.ensure_future(effect.perform()))
        except StepFailed as failure:
            self.journal.settle(intent, Outcome.FAILED, {"error": _words(failure)})
            raise
        except Stopped:
            # Raised between two tries alone, where nothing that was asked for is under way.
            self.journal.settle(intent, Outcome.FAILED, {"error": "the wait was stopped"})
            raise
        except asyncio.CancelledError:
            self.journal.settle(intent, Outcome.UNKNOWN, {"error": "closed before the answer"})
            raise
        except Exception as error:
            await self._look_after_loss(intent, effect, error)
            return
        self.journal.settle(intent, Outcome.SUCCEEDED, dict(detail))

    def _earlier(self, step: str) -> list[Record]:
        """Return the effects that a step has begun on this stay on the track, oldest first."""
        entry = self.journal.entries(self.context.run)[-1]
        return [
            effect
            for attempt in self.journal.attempts(self.context.run)
            if attempt.entry == entry.id and attempt.step == step
            for effect in attempt.effects
        ]

    async def _look(self, effect: Effect, open_ones: Sequence[Record]) -> Finding:
        """Probe; a change that was sent and is not seen gets the time to appear.

        Only then is "no" conclusive, and trying again does not double it.
        """
        finding = await effect.probe()
        if not effect.trails or not open_ones:
            return finding
        sent = max(record.intent_at for record in open_ones)
        limit = self.context.plan.limits.late_effect_s
        left = limit - (self.context.now() - sent).total_seconds()
        deadline = time.monotonic() + min(left, limit)
        while finding.answer is Answer.NO and time.monotonic() < deadline:
            await self._waits.pause(
                f"{effect.title} was asked for before; it is given time to appear: {finding.seen}",
                self.context.plan.limits.fast_poll_s,
            )
            finding = await effect.probe()
        return finding

    def _close(self, records: Sequence[Record], outcome: Outcome, seen: str) -> None:
        """Say of changes that were unknown what a later look has told of them."""
        for record in records:
            self.journal.resolve(record.id, outcome, who=PROBE, reason=seen)

    def _close_unlisted(self, attempt: Attempt) -> None:
        """Close what earlier attempts left unknown and this one no longer asked for.

        The step's verification has passed, so the world is as they were to make it.
        """
        left = [
            record for record in self._earlier(attempt.step) if record.outcome is Outcome.UNKNOWN
        ]
        self._close(left, Outcome.ADOPTED, "the step was verified and no longer asks for it")

    async def _look_after_loss(self, intent: int, effect: Effect, error: Exception) -> None:
        """Decide by probes alone what became of an effect whose answer was lost."""
        lost = first_line(error) if not isinstance(error, Ambiguous) else str(error)
        finding = Finding(Answer.UNKNOWN, "it could not be looked at")
        for pause in LOST_ANSWER_PROBES_S:
            await asyncio.sleep(pause)
            finding = await probe_safely(effect)
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
            waited = 0.0
            while waiting := await effect.settled():
                if waited > effect.settle_limit_s:
                    raise StepFailed(
                        f"{effect.title}: {waiting} after {effect.settle_limit_s:.0f} s.",
                        now="The change was accepted and may still complete.",
                        todo="Look at it in the console, then run the step again to go on waiting.",
                    )
                await self._waits.pause(waiting, self.context.plan.limits.fast_poll_s)
                waited = time.monotonic() - started


def _connection_lost(error: psycopg.Error) -> bool:
    """Return whether no server answered: with a SQLSTATE one did, unless it was going down."""
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def _words(failure: StepFailed) -> str:
    return "\n".join((failure.what, failure.now, failure.todo))


def _unclear(effect: Effect, seen: str) -> str:
    return (
        f"It is unknown whether this happened: {effect.title} ({seen}).\n"
        "Nothing further was tried.\n"
        "Look at the object, then adopt, retry or mark it failed on the resume screen."
    )
