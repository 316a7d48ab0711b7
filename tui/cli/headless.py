"""A run without a screen: the same runner, one line an event."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial

from runbook import tracks
from runbook.offers import Pending
from runbook.remedies.remedy import is_remedy
from runbook.runner import Decide
from runbook.session import Session, durations
from runbook.step import Answer, Gate
from runbook.ways import Way
from state.records import Event, Json, TrackEntry
from state.words import Result, Status, Track
from tui.cli.leaving import on_signals, send_nowhere

DONE = 0
FAILED = 1
USAGE = 2
BLOCKED = 3
UNKNOWN = 4

ABORT_FROM = "ready-to-switch"
"""An unattended abort goes back from here: the last step before anything is stopped."""

EVENT_EVERY_S = 0.2

HELD_S = 30.0
"""How long a way that the last steps have opened may take to be seen open."""

HELD_EVERY_S = 0.2

Emit = Callable[[Mapping[str, Json]], None]


class Goal(StrEnum):
    """Where an unattended run is to go: a track, or one of its ways that has a name of its own."""

    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    FORWARD = "forward"
    SETTLE = "settle"
    COMMIT = "commit"
    ABORT = "abort"
    CLEANUP = "cleanup"

    def is_of(self, entry: TrackEntry) -> bool:
        """Return whether a stay on a track is on the way to it."""
        return tracks.name(entry.track, entry.way) == self.value


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
                }
            )
        elif event.kind not in ("effect", "evidence"):
            self._write(f"{event.at.astimezone():%H:%M:%S} {event.kind:<10} {event.text}")

    def line(self, value: Mapping[str, Json]) -> None:
        """Print one JSON object on a line of its own."""
        self._write(json.dumps(value, ensure_ascii=False, default=str))

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except OSError:
            # A pipe or a terminal that is gone is no reason to drop the run.
            self.lost = True
            send_nowhere(sys.stdout)


async def yes_to_all(gate: Gate) -> str | None:
    """Pass a gate as `--yes` told us to: what must be typed is typed.

    What only a person can know is declined.
    """
    return None if gate.by_person else gate.must_type or "yes"


async def nobody(gate: Gate) -> str | None:
    """Decline: nobody is there to decide."""
    return None


async def drive(
    session: Session,
    decide: Decide,
    *,
    goals: Sequence[Goal],
    until: str,
    printer: Printer,
    at_once: bool = False,
    on_unknown: OnUnknown = OnUnknown.STOP,
    after: int = 0,
) -> int:
    """Run a session on its track, and onto others, one after another; return the exit code.

    `until` names the step after which to stop, or is empty. `at_once` goes to the first goal right
    away where a way leads there from the present position. `on_unknown` decides changes of which
    no look can tell; each is decided once, and unknown again it stops. Events beyond the one with
    the id `after` are printed.
    """
    tail = Tail(session, printer, after)
    following = asyncio.create_task(tail.follow())
    try:
        with on_signals(partial(_leave, session)):
            await session.start_watching()
            if at_once and goals:
                await _branch_if_possible(session, goals[0])
            unknowns = Unknowns(session, on_unknown)
            return await _steps(session, decide, unknowns, goals=goals, until=until)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        tail.print_new()


def _leave(session: Session, name: str) -> None:
    sys.stderr.write(
        f"{name}: leaving run {session.run.id}. Nothing is undone; the change in flight, if any, "
        "is let settle. A second signal ends blueprime at once.\n"
    )
    session.leave(name)


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
        # A mend that is unknown holds up no step: a person looks at it on the resume screen.
        found = [each for each in await self._session.findings() if not is_remedy(each.step)]
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
    session: Session,
    decide: Decide,
    unknowns: Unknowns,
    *,
    goals: Sequence[Goal],
    until: str,
) -> int:
    left = list(goals)
    while True:
        if session.leaving:
            return FAILED
        listed = session.checklist()
        entry, line = listed.current.entry, listed.next
        if left == [Goal.ABORT] and entry.track is Track.UPGRADE:
            done = {each.step for each in listed.current.lines if each.status.done}
            if ABORT_FROM in done:
                await _branch(session, Goal.ABORT)
                continue
        if line is None:
            if left and left[0].is_of(entry):
                del left[0]
            if not left or entry.track is Track.CLEANUP:
                return DONE
            await _branch(session, left[0])
            continue
        status = await session.advance(line.step, decide, until=until)
        if status is Status.UNKNOWN:
            if not session.leaving and await unknowns.may_go_on():
                continue
            return UNKNOWN
        if status is Status.READY:
            return BLOCKED
        if not status.done:
            return BLOCKED if session.refused else FAILED
        if until and _has_done(session, until):
            return DONE


def _has_done(session: Session, step: str) -> bool:
    return any(line.step == step and line.status.done for line in session.checklist().current.lines)


async def _branch_if_possible(session: Session, goal: Goal) -> None:
    if goal.is_of(session.checklist().current.entry):
        return
    await session.looked()
    if goal is Goal.ROLLBACK and session.board().protection.lost:
        # No waiting brings it back, so nothing further is run on the way to a refusal.
        await _branch(session, goal)
        return
    if any(way.name == goal.value and way.available for way in await session.ways()):
        await _branch(session, goal)


async def _branch(session: Session, goal: Goal) -> None:
    await session.looked()
    found = await _ways_to(session, goal)
    deadline = time.monotonic() + HELD_S
    while not found[0].available and _may_open(session) and time.monotonic() < deadline:
        # What was verified a moment ago may not have been looked at since.
        await asyncio.sleep(HELD_EVERY_S)
        found = await _ways_to(session, goal)
    await session.branch(found[0], "asked for on the command line")


async def _ways_to(session: Session, goal: Goal) -> list[Way]:
    """Return the ways to a goal, one that is available first; at least one.

    Giving up the way forward is a person's choice, never an unattended run's.
    """
    found = [
        way
        for way in await session.ways()
        if way.name == goal.value and way.way != tracks.WayBack.FOR_GOOD
    ]
    return sorted(found, key=lambda way: not way.available) or [_no_way(goal)]


def _may_open(session: Session) -> bool:
    """Return whether protection is only about to be seen: every step of the track is done."""
    protection = session.board().protection
    done = session.checklist().next is None
    return done and session.run.open and protection.protected is not True and not protection.lost


def _no_way(goal: Goal) -> Way:
    track = Track.ABORT
    return Way(track, "", f"The track {goal.value}", "", "", False, "it does not exist here", ())


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


def say_what_is_unknown(run: str, changes: Sequence[Mapping[str, Json]]) -> None:
    """Print what a person must look at, and the commands that go on from there."""
    for change in changes:
        sys.stderr.write(
            f"Unknown: {change['change']} (step {change['step']}, sent at {change['sent_at']}).\n"
            f"  Looked: {change['looked']}: {change['seen']}\n"
            f"  It was: {change['by_hand']}\n"
        )
    sys.stderr.write(
        "Look at these objects. Then, if they happened: "
        f"blueprime auto {run} --yes --on-unknown adopt; if they did not: "
        f"blueprime auto {run} --yes --on-unknown retry.\n"
    )


def say_what_failed(session: Session) -> None:
    """Print the step that did not succeed, with what is now true and what to do."""
    for line in session.checklist().current.lines:
        if line.remedy:
            continue
        if line.attempt is not None and line.status.ended and not line.status.done:
            sys.stderr.write(f"{line.step} {line.status.value}:\n{line.attempt.message}\n")


def summary(session: Session, code: int) -> dict[str, Json]:
    """Return the object that ends an unattended run, less the ledger's verdict."""
    production = session.fact("production") or {}
    upgrade = session.fact("downtime.upgrade") or {}
    switchover_s = switchover_seconds(session)
    upgrade_s = upgrade.get("seconds")
    added = None if upgrade_s is None or switchover_s is None else upgrade_s - switchover_s
    return {
        "run": session.run.id,
        "result": result_word(session, code),
        "engine": {
            "from": production.get("version"),
            "to": session.plan.upgrade.target_version,
        },
        "switchover_s": _rounded(switchover_s),
        "added_downtime_s": _rounded(added),
        "downtime_s": {
            phase: _rounded((session.fact(f"downtime.{phase}") or {}).get("seconds"))
            for phase in phases(session)
        },
        "steps": [
            {**step, "seconds": _rounded(step["seconds"])}
            for step in durations(session.checklist())
        ],
    }


def phases(session: Session) -> list[str]:
    """Return the names of the phases whose downtime is reported."""
    forward = session.fact("downtime.forward") is not None
    return ["upgrade", "rollback", *(["forward"] if forward else [])]


def switchover_seconds(session: Session) -> float | None:
    """Return how long AWS's switchover took as seen from here, or None if there was none."""
    switchover = session.fact("switchover") or {}
    if not switchover.get("called_at"):
        return None
    called = datetime.fromisoformat(switchover["called_at"])
    return (datetime.fromisoformat(switchover["completed_at"]) - called).total_seconds()


def result_word(session: Session, code: int) -> str:
    """Return how it ended, in the words that scripts rely on."""
    if code != DONE:
        return Result.FAILED.value
    result = session.result()
    return Result.FAILED.value if result is None else result.value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
