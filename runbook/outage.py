"""When the applications were stopped: over all tracks of a run, by its journal alone.

A run that stops them on one track and branches has not let them in by that: the clock of the outage
goes on until a step is seen to have let them in.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook import clocks
from runbook.board import Downtime
from runbook.plan import StopMethod
from runbook.steps.abort import ReopenBlue
from runbook.steps.traffic import ResumeTraffic, StopTraffic
from runbook.tracks import name
from runbook.world import STOPPED_BY_HAND, stopped_by_hand
from state.journal import Journal
from state.rebasing import bases
from state.records import Attempt, Evidence, Json, TrackEntry
from state.words import Outcome

OPENING = frozenset({ResumeTraffic.key, ReopenBlue.key})
"""The steps that let the applications in."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment at which the applications were stopped or let in.

    Marks sort as the journal has them, not by their times: a clock may have been set back.
    """

    attempt: int
    seen: int
    """The evidence that says so; 0 for a change that was asked for, which comes before any."""
    effect: int
    at: datetime
    opened: bool
    track: str

    @property
    def place(self) -> tuple[int, int, int]:
        return self.attempt, self.seen, self.effect


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch in which the applications were stopped, or may have been."""

    began: Mark
    """The first change that stops them."""
    ended: Mark | None = None
    clock_set_s: float = 0.0
    """By how much the clock was set meanwhile."""

    @property
    def seconds(self) -> float:
        """Return its length; 0 while it goes on."""
        if self.ended is None:
            return 0.0
        return max(0.0, (self.ended.at - self.began.at).total_seconds() - self.clock_set_s)


def downtime(journal: Journal, run: str) -> Downtime:
    """Return the clock of a run's latest outage, with the sum of those before it."""
    attempts, entries = journal.attempts(run), journal.entries(run)
    found = _since_the_start(journal, run, attempts, entries)
    asked_at = _being_asked(journal, run, attempts, entries)
    if not found:
        return Downtime(asked_at=asked_at)
    last = found[-1]
    return Downtime(
        asked_at=None if last.ended is None else asked_at,
        started_at=last.began.at,
        ended_at=None if last.ended is None else last.ended.at,
        track=last.began.track,
        earlier_s=sum(outage.seconds for outage in found[:-1]),
        letting_in=last.ended is None and _letting_in(attempts, last.began),
        clock_set_s=last.clock_set_s,
    )


def _being_asked(
    journal: Journal, run: str, attempts: Sequence[Attempt], entries: Sequence[TrackEntry]
) -> datetime | None:
    """Return since when a person is asked to stop the applications by hand, and may have done so.

    The question comes right after the step's first decision, and waits for its own answer.
    """
    plan = journal.run(run).plan.get("traffic") or {}
    if plan.get("stop") != StopMethod.MANUAL or not entries:
        return None
    made = [
        each
        for each in journal.decisions(run)
        if each.entry == entries[-1].id and each.step == StopTraffic.key
    ]
    begun = any(each.entry == entries[-1].id and each.step == StopTraffic.key for each in attempts)
    if not made or begun or any(each.gate.startswith(STOPPED_BY_HAND) for each in made):
        return None
    return made[-1].at


def _since_the_start(
    journal: Journal, run: str, attempts: Sequence[Attempt], entries: Sequence[TrackEntry]
) -> list[Outage]:
    """Return a run's outages; those that went on as its journal was left behind are left out.

    When they ended is not known, and not made up.
    """
    traffic = journal.evidences(run, key="traffic")
    asked = {
        entry.id: at
        for entry in entries
        if (at := stopped_by_hand(journal, run, entry.id)) is not None
    }
    read_anew, emptied = bases(entries), [seen.id for seen in traffic if seen.value is None]
    found: list[Outage] = []
    for span in range(len(read_anew) + 1):
        found = [outage for outage in found if outage.ended is not None]
        found += outages(
            [each for each in attempts if bisect(read_anew, each.entry) == span],
            [each for each in traffic if each.value and bisect(emptied, each.id) == span],
            entries,
            journal.fact(run, clocks.FACT),
            asked=asked,
        )
    return found


def outages(
    attempts: Sequence[Attempt],
    traffic: Sequence[Evidence],
    entries: Sequence[TrackEntry],
    jumps: Json | None = None,
    *,
    asked: Mapping[int, datetime] | None = None,
) -> list[Outage]:
    """Return the outages, oldest first; the last one may go on.

    `traffic` is what was kept under the key of that name, `jumps` under the clock's, `asked` when
    a person was asked to stop them by hand, by the stay: from then on they may be down. A change
    that was asked for counts from its intent, unless it is known to have failed: the applications
    may have felt it.
    """
    found: list[Outage] = []
    for mark in _marks(attempts, traffic, entries, asked or {}):
        going_on = bool(found) and found[-1].ended is None
        if mark.opened and going_on:
            found[-1] = _measured(found[-1].began, mark, jumps)
        elif not mark.opened and not going_on:
            found.append(Outage(mark))
    if found and found[-1].ended is None:
        found[-1] = _measured(found[-1].began, None, jumps)
    return found


def _marks(
    attempts: Sequence[Attempt],
    traffic: Sequence[Evidence],
    entries: Sequence[TrackEntry],
    asked: Mapping[int, datetime],
) -> list[Mark]:
    stays = {attempt.id: attempt.entry for attempt in attempts}

    def stopped_at(attempt: int, at: datetime) -> datetime:
        return min(at, asked.get(stays.get(attempt, 0), at))

    entered = {entry.id: name(entry.track, entry.way) for entry in entries}
    tracks = {attempt.id: entered.get(attempt.entry, attempt.track.value) for attempt in attempts}
    first = entered[entries[0].id] if entries else ""
    marks = [
        Mark(
            attempt.id,
            0,
            effect.id,
            stopped_at(attempt.id, effect.intent_at),
            False,
            tracks[attempt.id],
        )
        for attempt in attempts
        if attempt.step == StopTraffic.key
        for effect in attempt.effects
        if effect.outcome is not Outcome.FAILED
    ]
    latest = 0
    for seen in traffic:
        value = seen.value or {}
        at = datetime.fromisoformat(value["at"]) if value.get("at") else seen.at
        latest = seen.attempt or latest
        track = tracks.get(latest, first)
        opened = bool(value.get("open"))
        at = at if opened else stopped_at(latest, at)
        marks.append(Mark(latest, seen.id, 0, at, opened, track))
    return sorted(marks, key=lambda mark: mark.place)


def _measured(began: Mark, ended: Mark | None, jumps: Json | None) -> Outage:
    set_s = clocks.set_meanwhile(
        jumps,
        since_effect=began.effect,
        since_seen=began.seen,
        until_seen=None if ended is None else ended.seen,
    )
    return Outage(began, ended, set_s)


def _letting_in(attempts: Sequence[Attempt], since: Mark) -> bool:
    """Return whether a change that lets them in was asked for and nothing has stopped them anew."""
    changes = [
        attempt.step in OPENING
        for attempt in attempts
        if attempt.id >= since.attempt
        and (attempt.step in OPENING or attempt.step == StopTraffic.key)
        for effect in attempt.effects
        if effect.outcome is not Outcome.FAILED
    ]
    return bool(changes) and changes[-1]
