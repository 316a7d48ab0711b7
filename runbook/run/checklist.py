"""The checklist of a run, read from its journal alone: what was done, what stands, what comes.

Every screen and every JSON output draws from this, so that a watcher sees what the holder sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runbook.base.step import Risk, Step
from runbook.base.variants import name
from runbook.preflight import plans
from runbook.procedure.tracks import steps_of
from runbook.repair.contract import is_repair
from runbook.repair.kinds import rebuilt
from state.enums import Status, Track
from state.journal import Journal
from state.rebasing import present
from state.records import Attempt, Json, Run, TrackEntry
from state.standing import standing


@dataclass(frozen=True, slots=True)
class Line:
    """One step as it stands."""

    entry: int
    track: Track
    step: str
    title: str
    why: str
    risk: Risk
    undo: str
    status: Status
    attempt: Attempt | None
    """The latest attempt, with its effects."""
    attempts: int
    warnings: tuple[str, ...] = ()
    """What it did not do, though it is done, as far as that still stands."""
    continues: bool = False
    """Whether the next step follows by itself."""
    lasts: bool = False
    """Whether what it has begun goes on, though it is done: until the run takes another way."""

    @property
    def repair(self) -> bool:
        """Whether it is a repair that was taken beside the track: nothing waits for it."""
        return is_repair(self.step)

    @property
    def seconds(self) -> float | None:
        """Duration of the latest attempt, or None while it runs or before it."""
        return None if self.attempt is None else self.attempt.seconds


@dataclass(frozen=True, slots=True)
class Section:
    """The steps of one stay on a track."""

    entry: TrackEntry
    lines: tuple[Line, ...]

    @property
    def complete(self) -> bool:
        """Whether every step of it is done."""
        return all(line.status.done for line in self.lines if not line.repair)


@dataclass(frozen=True, slots=True)
class Checklist:
    """All sections of a run, the current one last. Left sections show only what was tried.

    What was tried before the run was read anew from the clusters is in its report alone.
    """

    run: Run
    sections: tuple[Section, ...]

    @property
    def current(self) -> Section:
        """Return the section that the run is on."""
        return self.sections[-1]

    @property
    def next(self) -> Line | None:
        """The line that a key would run: the first one not done, or None at the end."""
        lines = (line for line in self.current.lines if not line.repair)
        return next((line for line in lines if not line.status.done), None)

    @property
    def flow(self) -> tuple[Line, ...]:
        """The lines that one key would run, one after another, up to the next stop.

        The first is `next`; another follows for as long as each says that the next one does.
        """
        left = [line for line in self.current.lines if not line.repair and not line.status.done]
        stop = next((place for place, line in enumerate(left) if not line.continues), len(left))
        return tuple(left[: stop + 1])

    def line(self, step: str) -> Line:
        """Return a line of the current section by its step's key."""
        return next(line for line in self.current.lines if line.step == step)


def read(journal: Journal, run: str) -> Checklist:
    """Build the checklist of a run."""
    record = journal.run(run)
    plan = plans.of_run(journal, record)
    attempts: dict[int, dict[str, list[Attempt]]] = {}
    for attempt in journal.attempts(record.id):
        attempts.setdefault(attempt.entry, {}).setdefault(attempt.step, []).append(attempt)
    warned: dict[int | None, tuple[str, ...]] = {}
    for seen in standing(journal, record.id):
        warned[seen.attempt] = (*warned.get(seen.attempt, ()), str(seen.value))
    entries = present(journal.entries(record.id))
    sections = []
    for entry in entries:
        tried = attempts.get(entry.id, {})
        repairs = {key: rebuilt(journal.fact(record.id, key)) for key in tried if is_repair(key)}
        steps = steps_of(entry.track, plan, entry.variant)
        lines = _lines(entry, steps, tried, last=entry is entries[-1])
        placed = _with_repairs(entry, lines, tried, repairs)
        sections.append(
            Section(entry, tuple(_with_warnings(each, tried, warned) for each in placed))
        )
    return Checklist(record, tuple(sections))


def _lines(
    entry: TrackEntry, steps: list[Step], attempts: dict[str, list[Attempt]], *, last: bool
) -> list[Line]:
    lines = []
    ready = last
    for step in steps:
        tried = attempts.get(step.key, [])
        line = _line(entry, step.key, step, tried)
        if last and step.lasts and line.status is Status.SUCCEEDED:
            line = replace(line, lasts=True)
        if ready and not line.status.done:
            ready = False
            if line.status is Status.PENDING:
                line = replace(line, status=Status.READY)
        if last or tried:
            lines.append(line)
    return lines


def _line(entry: TrackEntry, key: str, step: Step | None, tried: list[Attempt]) -> Line:
    """Return a step as it stands; of a repair that cannot be rebuilt its key is known."""
    return Line(
        entry=entry.id,
        track=entry.track,
        step=key,
        title=step.title if step else key,
        why=step.why if step else "",
        risk=step.risk if step else Risk.REVERSIBLE,
        undo=step.undo if step else "",
        status=tried[-1].status if tried else Status.PENDING,
        attempt=tried[-1] if tried else None,
        attempts=len(tried),
        continues=step.continues if step else False,
    )


def _with_warnings(
    line: Line,
    tried: Mapping[str, Sequence[Attempt]],
    warned: Mapping[int | None, tuple[str, ...]],
) -> Line:
    """Put to a step what its attempts did not do."""
    words = [text for each in tried.get(line.step, ()) for text in warned.get(each.id, ())]
    return replace(line, warnings=tuple(words)) if words else line


def _with_repairs(
    entry: TrackEntry,
    lines: list[Line],
    attempts: dict[str, list[Attempt]],
    repairs: Mapping[str, Step | None],
) -> list[Line]:
    """Put each repair where it was first taken: after the steps that were tried before."""
    begun = {key: tried[0].id for key, tried in attempts.items()}
    placed = list(lines)
    for key in sorted(repairs, key=lambda key: begun[key]):
        before = [
            place
            for place, line in enumerate(placed)
            if line.step in begun and begun[line.step] < begun[key]
        ]
        place = before[-1] + 1 if before else 0
        placed.insert(place, _line(entry, key, repairs[key], attempts[key]))
    return placed


def durations(checklist: Checklist) -> Sequence[Mapping[str, Json]]:
    """Return every step that was tried, with its status and seconds, for JSON."""
    return [
        {
            "step": line.step,
            "track": name(section.entry.track, section.entry.variant),
            "status": line.status.value,
            "seconds": line.seconds,
        }
        for section in checklist.sections
        for line in section.lines
        if line.attempt is not None
    ]
