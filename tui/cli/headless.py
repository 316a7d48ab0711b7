"""A run without a screen: the same runner, one line an event."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import partial

from runbook.base.offer import Pending
from runbook.failures import Answer
from runbook.procedure.runner import Decide
from runbook.repair.contract import is_repair
from runbook.run.session import Session
from state.enums import Result, Status, Track
from state.errors import JournalUnusable
from state.records import Event, Json
from tui.cli.ending import Ending
from tui.cli.exits import BLOCKED, DONE, FAILED, UNKNOWN
from tui.cli.goals import (
    ABORT_FROM,
    Goal,
    UnattendedPlan,
    branch,
    branch_if_possible,
    seen_protected,
)
from tui.cli.leaving import NOTHING_UNDONE, if_down, leave, on_signals
from tui.cli.outlet import Outlet

EVENT_EVERY_S = 0.2

LAST_WORD_S = 20.0
"""How long the end of a run or a repair waits for a look at protection."""

PASSING = frozenset({"wait", "evidence"})
"""Kinds of events that a slow reader may miss: the journal has them."""


class OnUnknown(StrEnum):
    """What to do where no look can tell whether a change happened."""

    STOP = "stop"
    ADOPT = "adopt"
    RETRY = "retry"


class Printer:
    """Prints events as JSON lines, or as lines that a person reads."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.lost = False
        """Whether nobody can read what is printed any more."""

    def event(self, event: Event) -> None:
        """Print one event of the journal."""
        if self._as_json:
            self.line(
                {
                    "at": event.at.isoformat(),
                    "kind": event.kind,
                    "text": event.text,
                    "data": dict(event.data),
                },
                passing=event.kind in PASSING,
            )
        elif event.kind not in ("effect", "evidence"):
            words = f"{event.at.astimezone():%H:%M:%S} {event.kind:<10} {event.text}"
            self._write(words, passing=event.kind in PASSING)

    def line(self, value: Mapping[str, Json], *, passing: bool = False) -> None:
        """Print one JSON object on a line of its own."""
        self._write(json.dumps(value, ensure_ascii=False, default=str), passing=passing)

    def _write(self, text: str, *, passing: bool = False) -> None:
        if isinstance(sys.stdout, Outlet):
            sys.stdout.put(text + "\n", passing=passing)
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except OSError:
            self.lost = True


async def drive(
    session: Session,
    decide: Decide,
    *,
    course: UnattendedPlan,
    printer: Printer,
    at_once: bool = False,
    on_unknown: OnUnknown = OnUnknown.STOP,
    after: int = 0,
    stays: str = NOTHING_UNDONE,
) -> int:
    """Run a session on its track, and onto others, one after another; return the exit code.

    `course` says where to, and after which step to stop; it is gone on with. `at_once` goes to the
    first goal right away where a way leads there from the present position. `on_unknown` decides
    changes of which no look can tell; each is decided once, and unknown again it stops. Events
    beyond the one with the id `after` are printed. `stays` says what becomes of the clusters where
    it is left on a signal.
    """
    tail = Tail(session, printer, after)
    following = asyncio.create_task(tail.follow())
    try:
        with on_signals(partial(leave, session, stays)):
            await session.start_watching()
            course.already = course.stops_at(session.checklist().current) is not None
            if at_once and course.left:
                await branch_if_possible(session, course)
            code = await _steps(session, decide, Unknowns(session, on_unknown), course)
            at_rest = code == DONE and Ending.of(session).rests is Result.PROTECTED
            if at_rest and not await seen_protected(session):
                return FAILED
            return code
    except JournalUnusable:
        sys.stderr.write(if_down(session))
        raise
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        tail.print_new()


class Tail:
    """Prints what the journal gains, beyond the event with the id `after`."""

    def __init__(self, session: Session, printer: Printer, after: int = 0) -> None:
        self._session = session
        self._printer = printer
        self._last = after

    def print_new(self) -> None:
        """Print the events since the last call."""
        while events := self._session.events(after=self._last, limit=-1):
            for event in events:
                self._printer.event(event)
            self._last = events[-1].id

    async def follow(self) -> None:
        """Print until cancelled."""
        while True:
            self.print_new()
            await asyncio.sleep(EVENT_EVERY_S)


class Unknowns:
    """Goes past unknown outcomes where a look tells, or the operator has said how."""

    def __init__(self, session: Session, on_unknown: OnUnknown) -> None:
        self._session = session
        self._on_unknown = on_unknown
        self._tried: set[str] = set()

    async def may_go_on(self) -> bool:
        """Decide what can be decided of the unknown changes; return whether all of them could."""
        # A repair that is unknown holds up no step: a person looks at it on the resume screen.
        found = [each for each in await self._session.findings() if not is_repair(each.step)]
        if not found or any(pending.effect.key in self._tried for pending in found):
            return False
        if not all(self._conclusive(pending) for pending in found):
            return False
        for pending in found:
            self._tried.add(pending.effect.key)
            if pending.finding.answer is Answer.UNKNOWN:
                await self._session.resolve(
                    pending.effect.id,
                    self._on_unknown.value,
                    f"--on-unknown {self._on_unknown.value}",
                )
        return True

    def _conclusive(self, pending: Pending) -> bool:
        answered = pending.finding.answer is not Answer.UNKNOWN
        return answered or self._on_unknown is not OnUnknown.STOP


async def _steps(
    session: Session, decide: Decide, unknowns: Unknowns, course: UnattendedPlan
) -> int:
    while True:
        listed = session.checklist()
        entry, line = listed.current.entry, listed.next
        if course.stops_at(listed.current) is not None:
            return DONE
        if session.leaving:
            return FAILED
        if course.left == [Goal.ABORT] and entry.track is Track.UPGRADE:
            done = {each.step for each in listed.current.lines if each.status.done}
            if ABORT_FROM in done:
                await branch(session, course)
                continue
        if line is None:
            if course.left and course.left[0].is_of(entry):
                del course.left[0]
            if not course.left:
                return DONE
            await branch(session, course)
            continue
        status = await session.advance(line.step, decide, until=course.until_on(entry))
        if status is Status.UNKNOWN:
            if not session.leaving and await unknowns.may_go_on():
                continue
            return UNKNOWN
        if status is Status.READY:
            return BLOCKED
        if not status.done:
            return BLOCKED if session.refused else FAILED


async def unknown_changes(session: Session) -> list[dict[str, Json]]:
    """Return the changes that are unknown, with what a look says of each and how to go on."""
    return [
        {
            "step": pending.step,
            "change": pending.effect.title,
            "by_hand": pending.effect.preview,
            "sent_at": pending.effect.intent_at.isoformat(),
            "looked": pending.finding.answer.value,
            "seen": pending.finding.seen,
        }
        for pending in await session.findings()
    ]
