"""Where a run stands, in the lines that are read first on coming back to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from textual.content import Content

from runbook.base.downtime import Downtime
from runbook.base.variants import name
from state.enums import Status, Track
from state.records import Event
from tui import glyphs, text
from tui.model import Branch, RunModel
from tui.next_action import FROM_HERE, held_by, way_back
from tui.snapshot import Snapshot, fresh_limit
from tui.widgets.header import known_now
from tui.widgets.pane import hanging, line

LABEL = 14

OPENING_S = 0.5
"""Within so little time before an opening, what became unknown is that opening's own finding."""


@dataclass(frozen=True, slots=True)
class ResumeSummary:
    """What is known of where the run stands."""

    model: RunModel
    picture: Snapshot
    ways: list[Branch] | None = None
    """None until they are known."""
    error: str = ""
    """Why the ways could not be looked up."""


def where(stand: ResumeSummary, now: datetime, cells: int) -> Iterable[Content]:
    """Yield which run it is, where it stands, whether the applications are down, the way back."""
    checklist = stand.picture.checklist
    run, following = checklist.run, checklist.next
    track = " → ".join(
        _track(section.entry.track, section.entry.variant) for section in checklist.sections
    )
    yield from _row("run", f"{run.id} · cluster {run.cluster}", cells, "bold")
    if following is None:
        yield from _row("step", f"✓ every step is done · {track}", cells, "$text-success")
    else:
        mark = glyphs.STATUS[following.status]
        words = f"{following.step} {mark.glyph} {mark.word} · {track}"
        yield from _row("step", words, cells, mark.style)
        if following.status is Status.FAILED and following.attempt is not None:
            for part in following.attempt.message.splitlines():
                yield from _row("", part, cells, "")
    dashboard = stand.picture.dashboard
    yield from _applications(dashboard.downtime, now, cells)
    protection = known_now(dashboard.protection, now, fresh_limit(run))
    back = way_back(
        stand.ways, checklist, protection, left_behind=dashboard.left_behind, error=stand.error
    )
    words = back.words if back.known == FROM_HERE else f"{back.known} {back.words}"
    yield from _row(back.label, words, cells)


def before(stand: ResumeSummary, now: datetime, cells: int) -> Iterable[Content]:
    """Yield what was written last, by whom, and who holds the run."""
    model, picture = stand.model, stand.picture
    # A run that is over is opened without a line of its own: nobody acts on it.
    acts = model.writable and picture.checklist.run.open
    written = left_by_others(picture.events) if acts else picture.events
    if written:
        last = written[-1]
        age = text.ago(text.elapsed(last.at, now))
        words = f"{age} ({text.day_and_time(last.at)} UTC): {last.text}"
        yield from _row("last touched", words, cells)
    people = [event for event in written if event.kind in ("decision", "open", "leave")]
    if people:
        yield from _row("last person", people[-1].text, cells)
    if not model.writable:
        held = held_by(model.holder, picture.checklist.run.away)
        yield from _row("read-only", held, cells, "bold $text-warning")


def left_by_others(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events before the latest opening, which is the one that reads them."""
    opened = next((i for i in range(len(events) - 1, -1, -1) if events[i].kind == "open"), None)
    if opened is None:
        return events
    at, last = events[opened].at, opened
    while last and _became_unknown(events[last - 1]):
        if text.elapsed(events[last - 1].at, at) > OPENING_S:
            break
        last -= 1
    return events[:last]


def _became_unknown(event: Event) -> bool:
    return Status.UNKNOWN.value in (event.data.get("outcome"), event.data.get("status"))


def _applications(clock: Downtime, now: datetime, cells: int) -> Iterable[Content]:
    seconds = clock.seconds(now)
    if seconds is None or clock.ended_at is not None or clock.started_at is None:
        if clock.asked_at is not None:
            asked = f"MAY BE DOWN since {text.at(clock.asked_at)} UTC, when that was asked for"
            yield from _row("applications", asked, cells, "bold $text-warning")
        return
    since = f"since {text.at(clock.started_at)} UTC, for {text.duration(seconds)}"
    if clock.letting_in:
        words = f"were started again, no session is seen yet; down {since}"
        yield from _row("applications", words, cells, "bold $text-warning")
    else:
        yield from _row("applications", f"ARE DOWN {since}", cells, "bold $text-error")


def _track(track: Track, variant: str) -> str:
    called = name(track, variant)
    return f"{called} ({variant})" if variant and variant != called else called


def _row(label: str, words: str, cells: int, style: str = "") -> Iterable[Content]:
    head = line((text.fit(label, LABEL), "$foreground-muted"))
    return hanging(head, text.clean(words), cells, style)
