"""How far blue prime is behind, database by database; before the switchover, how far green is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from textual.content import Content

from runbook.base import clocks
from runbook.base.clocks import about
from runbook.protection.dashboard import LagView, Trend
from state.records import Sample
from tui import glyphs, text
from tui.snapshot import SPARK_MINUTES
from tui.widgets.figures import FiguresPane
from tui.widgets.pane import hanging, indented, joined, line

_GREEN = "AWS's own: green behind blue"
_MANY = 4
"""So many databases stand above the reasons; more stand below."""
_BYTES = 8
_SECONDS = 6
_AGE = 8


class LagPane(FiguresPane):
    """Draws lag in bytes and seconds with its past and its age; unknown is `?` with the reason."""

    TITLE = "Lag"

    def __init__(self) -> None:
        super().__init__()
        self.border_subtitle = Content(AXIS)

    def draw(self, cells: int) -> Content:
        lags: list[Content] = []
        for view in self.dashboard.lags:
            lags += self._lag(view, cells)
        if not lags and not self.dashboard.green_lags:
            lags.append(line(("no slot, so there is no lag to measure", "$foreground-muted")))
        if self.dashboard.green_lags:
            lags.append(line((_GREEN, "$foreground-muted")))
        for view in self.dashboard.green_lags:
            lags += self._lag(view, cells)
        reasons = self._reasons(cells)
        # What ends the protection is not pushed out of sight by many databases that are well.
        first, second = (reasons, lags) if len(self.dashboard.lags) > _MANY else (lags, reasons)
        return joined([*first, *second, *self._warnings(cells), *self._watched(cells)])

    def _reasons(self, cells: int) -> list[Content]:
        since = {alarm.words: alarm.since for alarm in self.dashboard.alarms}
        reasons = self.dashboard.protection.reasons
        more = sum(
            1 for alarm in self.dashboard.alarms if alarm.breaks and alarm.words not in reasons
        )
        said = [_dated(reason, since.get(reason)) for reason in reasons]
        said += [f"and {more} more"] if more and reasons else []
        return [row for words in said for row in _marked("- ", words, "$text-warning", cells)]

    def _warnings(self, cells: int) -> list[Content]:
        return [
            row
            for alarm in self.dashboard.alarms
            if not alarm.breaks
            for row in _marked("! ", _dated(alarm.words, alarm.since), "$text-accent", cells)
        ]

    def _watched(self, cells: int) -> list[Content]:
        since = self.dashboard.strays_since
        if since is None or not self.dashboard.lags:
            return []
        words = f"stray writes watched since {text.at(since)}"
        return [line((text.shorten(words, cells), "$foreground-muted"))]

    def _lag(self, view: LagView, cells: int) -> list[Content]:
        age = clocks.age(view.at, self.now)
        old = age is None or age > self.limit
        room = cells - _BYTES - _SECONDS - _AGE - 4
        name = max(8, min(room - 8, room // 2))
        ours = view not in self.dashboard.green_lags
        past = self.lag.get(view.database, ()) if ours else ()
        spark = sparkline(past, room - name, self.now) if ours else " " * max(0, room - name)
        seconds = "?" if view.seconds is None else text.duration(view.seconds)
        unknown = "bold $text-warning"
        style = "$foreground-muted" if old else "bold"
        rows = [
            line(
                (text.fit(text.clean(view.database), name), ""),
                " ",
                (
                    text.right(text.volume(view.bytes), _BYTES),
                    unknown if view.bytes is None else style,
                ),
                " ",
                (text.right(seconds, _SECONDS), unknown if view.seconds is None else style),
                " ",
                (spark, "$foreground-muted" if old else "$text-accent"),
                " ",
                (
                    text.right(_ago(view, age), _AGE),
                    unknown if old else "$foreground-muted",
                ),
            )
        ]
        why = view.reason or (f"slot {view.state}" if view.state not in _HEALTHY else "")
        if why:
            rows += indented(text.clean(why), cells, "$text-warning", by=2)
        peak = highest(past, self.now)
        scale = "" if peak is None else f"top {text.volume(round(peak))}"
        words = " · ".join(part for part in (going(view) if not why else "", scale) if part)
        if words:
            rows += indented(words, cells, "$foreground-muted", by=2)
        return rows


def going(view: LagView) -> str:
    """Return where a lag is going, what is kept for it, and for how long that lasts."""
    parts = []
    if view.trend is Trend.CATCHING_UP and view.caught_up_in_s is not None:
        parts.append(f"{view.trend}, {about(view.caught_up_in_s)}")
    elif view.trend is not Trend.UNKNOWN:
        parts.append(view.trend.value)
    if view.kept_bytes is not None:
        limit = ""
        if view.safe_bytes is not None:
            limit = f", {text.volume(max(0, view.safe_bytes))} to the limit"
        parts.append(f"WAL kept {text.volume(view.kept_bytes)}{limit}")
    if view.lost_in_s is not None:
        parts.append(f"lost in {about(view.lost_in_s)}")
    return " · ".join(parts)


def _dated(words: str, since: datetime | None) -> str:
    return words if since is None else f"{words} (since {text.at(since)})"


def _marked(mark: str, words: str, style: str, cells: int) -> Iterable[Content]:
    return hanging(line((mark, style)), text.clean(words), cells, style)


AXIS = f"bars: {SPARK_MINUTES:.0f} min"
"""How much of the past the bars show."""

HOLD = timedelta(seconds=30)
"""How long a measured value stands in a sparkline where no newer one follows."""

_HEALTHY = ("reserved", "extended")


def _ago(view: LagView, age: float | None) -> str:
    if age is None:
        return "never" if view.at is None else "?"
    return f"{text.age_figure(age)} ago"


def sparkline(samples: Sequence[Sample], cells: int, now: datetime) -> str:
    """Return the last minutes as bars, the last one what is so now; a gap where unknown.

    A span in which the value fell to zero shows zero, however high it was besides: an outage is
    shorter than a span. Every other one shows its largest value.
    """
    if cells <= 0:
        return ""
    start = now - timedelta(minutes=SPARK_MINUTES)
    span = timedelta(minutes=SPARK_MINUTES) / cells
    spans = [_values(samples, start + span * index, span) for index in range(cells)]
    top = max((value for values in spans for value in values if value is not None), default=0.0)
    last = spans[-1][-1] if spans[-1] else None
    return "".join(_bar(_shown(values), top) for values in spans[:-1]) + _bar(last, top)


def highest(samples: Sequence[Sample], now: datetime) -> float | None:
    """Return what the highest bar stands for: the largest value of the last minutes, if known."""
    start = now - timedelta(minutes=SPARK_MINUTES)
    known = [each.value for each in samples if each.at >= start and each.value is not None]
    return max(known, default=None)


def _values(samples: Sequence[Sample], start: datetime, span: timedelta) -> list[float | None]:
    """Return the values of a span, or the one that was held at its beginning."""
    inside = [sample.value for sample in samples if start <= sample.at < start + span]
    if inside:
        return inside
    return [sample.value for sample in samples if start - HOLD < sample.at < start][-1:]


def _shown(values: Sequence[float | None]) -> float | None:
    """Return the value that stands for a span; None where half of it or more was unknown."""
    known = [value for value in values if value is not None]
    if 2 * len(known) <= len(values):
        return None
    return min(known) if min(known) <= 0 else max(known)


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return glyphs.GAP
    if top <= 0 or value <= 0:
        return glyphs.BARS[0]
    return glyphs.BARS[min(len(glyphs.BARS) - 1, int(value / top * len(glyphs.BARS)))]
