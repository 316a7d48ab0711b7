"""When the applications were stopped: over all tracks of a run, by its journal alone.

While the cluster that serves is down they are, too, whether or not a step has stopped them.

A run that stops them on one track and branches has not let them in by that: the clock of the outage
goes on until a step is seen to have let them in.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runbook.base import clocks, step_keys
from runbook.base.kept import JournalReader
from runbook.base.variants import RollbackTarget, name
from runbook.plan.model import StopMethod
from state.enums import Outcome
from state.journal import Journal
from state.rebasing import bases
from state.records import Attempt, Decision, Evidence, Json, TrackEntry

PRODUCTION_DOWN = "production.down"
"""The evidence that says whether the cluster that serves is down, and since when."""

OPENING = frozenset({step_keys.RESUME_TRAFFIC, step_keys.REOPEN_BLUE})
"""The steps that let the applications in."""


@dataclass(frozen=True, slots=True)
class TrafficChange:
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
    on: str = ""
    """Where they were let in; of one that died, which cluster, by its role."""
    died: bool = False
    """Whether it is about production being down, and not about what a step did."""
    at_least: bool = False

    @property
    def place(self) -> tuple[int, int, int]:
        """Return by what marks are ordered: attempt, evidence, effect."""
        return self.attempt, self.seen, self.effect


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch in which the applications were stopped, or may have been."""

    began: TrafficChange
    """The first change that stops them."""
    ended: TrafficChange | None = None
    clock_set_s: float = 0.0
    """By how much the clock was set meanwhile."""
    stopped: bool = False
    """Whether a step has stopped them, too: then production that is back lets nobody in."""

    @property
    def seconds(self) -> float:
        """Return its length; 0 while it goes on."""
        if self.ended is None:
            return 0.0
        return max(0.0, (self.ended.at - self.began.at).total_seconds() - self.clock_set_s)


def downtime(journal: Journal, run: str) -> Downtime:
    """Return the clock of a run's latest outage, with the sum of those before it."""
    found = latest(journal, run)
    if found.started_at is not None and found.ended_at is None:
        return found
    asked_at = _being_asked(journal, run, journal.attempts(run), journal.entries(run))
    return replace(found, asked_at=asked_at)


def latest(journal: JournalReader, run: str) -> Downtime:
    """Return the same, whether or not a person is asked to stop them by hand."""
    attempts, entries = journal.attempts(run), journal.entries(run)
    found = _since_the_start(journal, run, attempts, entries)
    if not found:
        return Downtime()
    last = found[-1]
    return Downtime(
        started_at=last.began.at,
        ended_at=None if last.ended is None else last.ended.at,
        track=last.began.track,
        earlier_s=sum(outage.seconds for outage in found[:-1]),
        letting_in=last.ended is None and _letting_in(attempts, last.began),
        clock_set_s=last.clock_set_s,
        # A forced way is taken as production is down: without a word of when that began, what was
        # stopped may have been down for longer.
        at_least=last.began.at_least
        if last.began.died
        else last.began.track == RollbackTarget.FORCED,
        died=last.began.died,
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
        if each.entry == entries[-1].id and each.step == step_keys.STOP_TRAFFIC
    ]
    begun = any(
        each.entry == entries[-1].id and each.step == step_keys.STOP_TRAFFIC for each in attempts
    )
    if not made or begun or any(each.gate.startswith(STOPPED_BY_HAND) for each in made):
        return None
    return made[-1].at


def _since_the_start(
    journal: JournalReader, run: str, attempts: Sequence[Attempt], entries: Sequence[TrackEntry]
) -> list[Outage]:
    """Return a run's outages; those that went on as its journal was left behind are left out.

    When they ended is not known, and not made up.
    """
    traffic = journal.evidences(run, key="traffic")
    down = journal.evidences(run, key=PRODUCTION_DOWN)
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
            down=[each for each in down if each.value and bisect(emptied, each.id) == span],
        )
    return found


def outages(
    attempts: Sequence[Attempt],
    traffic: Sequence[Evidence],
    entries: Sequence[TrackEntry],
    jumps: Json | None = None,
    *,
    asked: Mapping[int, datetime] | None = None,
    down: Sequence[Evidence] = (),
) -> list[Outage]:
    """Return the outages, oldest first; the last one may go on.

    `traffic` is what was kept under the key of that name, `jumps` under the clock's, `asked` when
    a person was asked to stop them by hand, by the stay: from then on they may be down; `down` is
    what the watch kept of production. A change that was asked for counts from its intent, unless
    it is known to have failed: the applications may have felt it.
    """
    found: list[Outage] = []
    serves = ""
    marks = [*_marks(attempts, traffic, entries, asked or {}), *_deaths(attempts, down, entries)]
    for mark in sorted(marks, key=lambda mark: mark.place):
        last = found[-1] if found else None
        if mark.died:
            found = _died(found, mark, serves)
        elif mark.opened:
            serves = mark.on
            if last is not None and last.ended is None:
                found[-1] = replace(last, ended=mark)
        elif last is None or last.ended is not None:
            found.append(Outage(mark, stopped=True))
        elif not last.stopped:
            # Named for the way that was taken out of it.
            found[-1] = replace(last, began=replace(last.began, track=mark.track), stopped=True)
    return [_measured(each, jumps) for each in found]


def _died(found: list[Outage], mark: TrafficChange, serves: str) -> list[Outage]:
    """Return the outages with one word of the watch: that production is down, or that it is not.

    `serves` is where the applications were last let in, empty where that is not known.
    """
    last = found[-1] if found else None
    going_on = last is not None and last.ended is None
    if mark.opened:
        ends = last is not None and going_on and not last.stopped and last.began.on == mark.on
        return [*found[:-1], replace(found[-1], ended=mark)] if ends else found
    if serves and mark.on != serves:
        # It is no longer the one that serves: they were let in elsewhere meanwhile.
        return found
    if last is None:
        return [Outage(mark)]
    if going_on:
        # It was named as down only now, and did not answer before the step stopped them.
        floor = found[-2].ended if len(found) > 1 else None
        at = mark.at if floor is None else max(mark.at, floor.at)
        earlier = at < last.began.at
        began = replace(last.began, at=at, on=mark.on, died=True, at_least=mark.at_least)
        return [*found[:-1], replace(last, began=began)] if earlier else found
    assert last.ended is not None
    if last.ended.died and mark.at <= last.ended.at:
        # Somebody had heard of it, and it did not answer all the while.
        return [*found[:-1], replace(last, ended=None)]
    return [*found, Outage(mark)]


def _deaths(
    attempts: Sequence[Attempt], down: Sequence[Evidence], entries: Sequence[TrackEntry]
) -> list[TrafficChange]:
    """Return what the watch kept of production as marks."""
    entered = {entry.id: name(entry.track, entry.variant) for entry in entries}
    tracks = {attempt.id: entered.get(attempt.entry, attempt.track.value) for attempt in attempts}
    first = entered[entries[0].id] if entries else ""
    return [
        TrafficChange(
            seen.value["attempt"],
            seen.id,
            0,
            datetime.fromisoformat(seen.value["at"]) if seen.value["at"] else seen.at,
            not seen.value["down"],
            tracks.get(seen.value["attempt"], first),
            on=seen.value["role"],
            died=True,
            at_least=seen.value["at_least"],
        )
        for seen in down
    ]


def _marks(
    attempts: Sequence[Attempt],
    traffic: Sequence[Evidence],
    entries: Sequence[TrackEntry],
    asked: Mapping[int, datetime],
) -> list[TrafficChange]:
    stays = {attempt.id: attempt.entry for attempt in attempts}

    def stopped_at(attempt: int, at: datetime) -> datetime:
        return min(at, asked.get(stays.get(attempt, 0), at))

    entered = {entry.id: name(entry.track, entry.variant) for entry in entries}
    tracks = {attempt.id: entered.get(attempt.entry, attempt.track.value) for attempt in attempts}
    first = entered[entries[0].id] if entries else ""
    marks = [
        TrafficChange(
            attempt.id,
            0,
            effect.id,
            stopped_at(attempt.id, effect.intent_at),
            False,
            tracks[attempt.id],
        )
        for attempt in attempts
        if attempt.step == step_keys.STOP_TRAFFIC
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
        marks.append(TrafficChange(latest, seen.id, 0, at, opened, track, on=value.get("on") or ""))
    return marks


def _measured(outage: Outage, jumps: Json | None) -> Outage:
    began, ended = outage.began, outage.ended
    set_s = clocks.set_meanwhile(
        jumps,
        since_effect=began.effect,
        since_seen=began.seen,
        until_seen=None if ended is None else ended.seen,
    )
    return replace(outage, clock_set_s=set_s)


def _letting_in(attempts: Sequence[Attempt], since: TrafficChange) -> bool:
    """Return whether a change that lets them in was asked for and nothing has stopped them anew."""
    changes = [
        attempt.step in OPENING
        for attempt in attempts
        # An attempt that had come to its end before production died lets nobody in after it.
        if (
            attempt.id > since.attempt if since.seen and since.died else attempt.id >= since.attempt
        )
        and (attempt.step in OPENING or attempt.step == step_keys.STOP_TRAFFIC)
        for effect in attempt.effects
        if effect.outcome is not Outcome.FAILED
    ]
    return bool(changes) and changes[-1]


@dataclass(frozen=True, slots=True)
class Downtime:
    """The clock of the latest outage of the applications, on whichever track they were stopped."""

    started_at: datetime | None = None
    ended_at: datetime | None = None
    track: str = ""
    """The track on which they were stopped."""
    earlier_s: float = 0.0
    """How long the run's earlier outages were, together."""
    letting_in: bool = False
    """Whether a change that lets them in was asked for, and not yet seen to have done so."""
    clock_set_s: float = 0.0
    """By how much the clock was set meanwhile, which is no time that passed."""
    asked_at: datetime | None = None
    """Since when a person is asked to stop them by hand, and may have done so; None: nobody is."""
    at_least: bool = False
    """Whether it may have begun before `started_at`: when production died is not known."""
    died: bool = False
    """Whether it began as production was down, and not by a step."""

    def seconds(self, now: datetime) -> float | None:
        """Return its length so far, or None where there was none."""
        if self.started_at is None:
            return None
        passed = ((self.ended_at or now) - self.started_at).total_seconds()
        return max(0.0, passed - self.clock_set_s)


STOPPED_BY_HAND = "applications-stopped"
"""What the key of the gate begins with at which a person says to have stopped the applications."""


def asked_to_stop(decisions: Sequence[Decision], entry: int) -> datetime | None:
    """Return when a person was asked on a stay to stop the applications by hand, if one was.

    The question comes right after the decision before it, and its own answer when they are down.
    """
    made = [each for each in decisions if each.entry == entry]
    for place, each in enumerate(made):
        if each.gate.startswith(STOPPED_BY_HAND):
            before = made[place - 1] if place else each
            return before.at if before.step == each.step else each.at
    return None


def stopped_by_hand(journal: JournalReader, run: str, entry: int) -> datetime | None:
    """Return from when on a person has stopped the applications on a stay; None: nobody was asked.

    That is when writes were last seen between the question and the answer, as far as they were
    looked for, and else when the question came: from then on they may have been down.
    """
    decisions = journal.decisions(run)
    asked = asked_to_stop(decisions, entry)
    if asked is None:
        return None
    answered = next(
        each.at
        for each in decisions
        if each.entry == entry and each.gate.startswith(STOPPED_BY_HAND)
    )
    last, before = asked, asked
    for sample in journal.samples_of(run, "writes_per_s", None, asked, answered):
        if sample.value:
            # A rate is that of the time since the sample before it.
            last = before
        before = sample.at
    return last
