"""What the run screen draws, taken from the run in one look on the engine's thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runbook.procedure.steps.upgrade.identify import Preflight
from runbook.protection.dashboard import Dashboard
from runbook.run.checklist import Checklist
from state.records import Event, Evidence, Run, Sample
from tui.model import RunModel

Place = tuple[int, str]
"""A line of the checklist: the id of its stay on a track, and its step."""

SPARK_MINUTES = 5.0
"""How much of the past a sparkline shows."""
TAIL = 200
"""How many events are kept for the tail."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The run at one moment; everything in it is immutable."""

    checklist: Checklist
    dashboard: Dashboard
    busy: str
    events: tuple[Event, ...]
    version: int
    lag: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    """Bytes of lag over the last minutes, by database."""
    writes: tuple[Sample, ...] = ()
    notes: Mapping[Place, str] = field(default_factory=dict)
    """What stands beside a step in the checklist: the preflight's counts."""
    evidence_of: Place | None = None
    evidence: tuple[Evidence, ...] = ()


def take(model: RunModel, before: Snapshot | None, selected: Place | None) -> Snapshot:
    """Look at the run, reading again only what has changed since the picture before."""
    version = model.data_version()
    dashboard = model.dashboard()
    if before is None or before.version != version:
        picture = _whole(model, before, version)
    else:
        picture = replace(before, dashboard=dashboard, busy=model.busy())
    if before is None or before.dashboard.at != dashboard.at:
        picture = replace(
            picture,
            lag={
                view.database: tuple(model.samples("lag_bytes", view.database, SPARK_MINUTES))
                for view in dashboard.lags
            },
            writes=tuple(model.samples("writes_per_s", None, SPARK_MINUTES)),
        )
    if picture.evidence_of != selected or before is None or before.version != version:
        seen = tuple(model.evidences(selected[1], selected[0])) if selected else ()
        picture = replace(picture, evidence_of=selected, evidence=seen)
    return picture


def _whole(model: RunModel, before: Snapshot | None, version: int) -> Snapshot:
    checklist = model.checklist()
    picture = Snapshot(
        checklist=checklist,
        dashboard=model.dashboard(),
        busy=model.busy(),
        events=_tail(model, before.events if before else ()),
        version=version,
        notes=_notes(model, checklist),
    )
    if before is None:
        return picture
    return replace(picture, lag=before.lag, writes=before.writes)


def _notes(model: RunModel, checklist: Checklist) -> dict[Place, str]:
    """Return how many checks of each stay's last preflight passed, warned and did not pass it."""
    places = [
        (line.entry, line.step)
        for section in checklist.sections
        for line in section.lines
        if line.step == Preflight.key and line.attempts
    ]
    notes = {place: _counts(model, place) for place in places}
    return {place: note for place, note in notes.items() if note}


def _counts(model: RunModel, place: Place) -> str:
    entry, step = place
    kept = [seen.value for seen in model.evidences(step, entry) if seen.key == step]
    if not kept:
        return ""
    counts = Counter(str(result["level"]) for result in kept[-1])
    words = (("pass", "ok"), ("warn", "warn"), ("block", "block"), ("unknown", "unknown"))
    return " ".join(f"{counts[level]} {word}" for level, word in words if counts[level])


def _tail(model: RunModel, known: tuple[Event, ...]) -> tuple[Event, ...]:
    fresh = model.events(after=known[-1].id if known else 0, limit=TAIL)
    return (*known, *fresh)[-TAIL:]


def fresh_limit(run: Run) -> float:
    """Return the age in seconds from which a figure counts as unknown, as the plan says."""
    return float(run.plan.get("protection", {}).get("fresh_s", 10.0))
