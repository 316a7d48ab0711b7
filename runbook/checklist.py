"""The checklist of a run, read from its journal alone: what was done, what stands, what comes.

Every screen and every JSON output draws from this, so that a watcher sees what the holder sees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook import planning
from runbook.step import Risk, Step
from runbook.tracks import steps_of
from state.journal import Journal
from state.records import Attempt, Run, TrackEntry
from state.words import Status, Track


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
        return all(line.status.done for line in self.lines)


@dataclass(frozen=True, slots=True)
class Checklist:
    """All sections of a run, the current one last. Left sections show only what was tried."""

    run: Run
    sections: tuple[Section, ...]

    @property
    def current(self) -> Section:
        return self.sections[-1]

    @property
    def next(self) -> Line | None:
        """The line that a key would run: the first one not done, or None at the end."""
        return next((line for line in self.current.lines if not line.status.done), None)

    def line(self, step: str) -> Line:
        """Return a line of the current section by its step's key."""
        return next(line for line in self.current.lines if line.step == step)


def read(journal: Journal, run: str) -> Checklist:
    """Build the checklist of a run."""
    record = journal.run(run)
    plan = planning.of_run(journal, record)
    attempts: dict[tuple[int, str], list[Attempt]] = {}
    for attempt in journal.attempts(record.id):
        attempts.setdefault((attempt.entry, attempt.step), []).append(attempt)
    entries = journal.entries(record.id)
    sections = [
        _section(entry, steps_of(entry.track, plan, entry.way), attempts, last=entry is entries[-1])
        for entry in entries
    ]
    return Checklist(record, tuple(sections))


def _section(
    entry: TrackEntry,
    steps: list[Step],
    attempts: dict[tuple[int, str], list[Attempt]],
    *,
    last: bool,
) -> Section:
    lines = []
    ready = last
    for step in steps:
        tried = attempts.get((entry.id, step.key), [])
        line = Line(
            entry=entry.id,
            track=entry.track,
            step=step.key,
            title=step.title,
            why=step.why,
            risk=step.risk,
            undo=step.undo,
            status=tried[-1].status if tried else Status.PENDING,
            attempt=tried[-1] if tried else None,
            attempts=len(tried),
        )
        if ready and not line.status.done:
            ready = False
            if line.status is Status.PENDING:
                line = replace(line, status=Status.READY)
        if last or tried:
            lines.append(line)
    return Section(entry, tuple(lines))
