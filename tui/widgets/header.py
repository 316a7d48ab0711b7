"""What is always in sight: which run, which world, the outage's clock, and the protection.

One line where there is room for all of it; else the protection stands on lines of its own, wrapped.
Nothing of it is cut.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from textual import work
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from runbook.amounts import counted
from runbook.base.clocks import stale
from runbook.base.downtime import Downtime
from runbook.protection.dashboard import Dashboard, Protection, Serving, Stage
from runbook.protection.urgent import DOWN, STOPPED, TWO, urgent
from state.records import Run
from tui import glyphs, text
from tui.snapshot import fresh_limit
from tui.widgets.pane import joined, line

CLOCK_S = 0.1
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The protection as the banner says it."""

    word: str
    why: str
    style: str


def verdict(protection: Protection, now: datetime, limit: float) -> Verdict:
    """Return the banner; what was seen too long ago is unknown, whatever it said."""
    if protection.looking and not stale(protection.at, now, limit):
        return Verdict("LOOKING…", _known_before(protection, now), "bold $text-warning")
    if stale(protection.at, now, limit):
        if protection.at is None:
            why = protection.text
        else:
            why = f"last seen {text.ago(text.elapsed(protection.at, now))}"
        protection = replace(protection, protected=None, text=why)
    style = {True: "bold $text-success", False: "bold $text-error", None: "bold $text-warning"}[
        protection.protected
    ]
    if protection.protected is False and protection.stage is not Stage.HELD:
        style = "$foreground-muted" if protection.stage is Stage.BEFORE else "bold $text-warning"
    return Verdict(protection.word, protection.text, style)


STYLES = {
    DOWN[Serving.DOWN]: "bold $text-error reverse",
    DOWN[Serving.SILENT]: "bold $text-error",
    DOWN[Serving.CUT]: "bold $text-warning",
    TWO: "bold $text-error reverse",
    STOPPED: "bold $text-error reverse",
}


def before_all(dashboard: Dashboard, now: datetime, limit: float) -> Verdict | None:
    """Return the banner where something is more urgent than the protection; what is old is not."""
    fresh = [each for each in urgent(dashboard) if not stale(each.at, now, limit)]
    if not fresh:
        return None
    found = fresh[0]
    ways = "" if found.word == TWO else ". b shows the ways from here"
    return Verdict(found.word, found.text + ways, STYLES[found.word])


def known_now(protection: Protection, now: datetime, limit: float) -> Protection:
    """Return the protection; what was seen too long ago is not known, whatever it said."""
    return replace(protection, protected=None) if stale(protection.at, now, limit) else protection


def _known_before(protection: Protection, now: datetime) -> str:
    if protection.before_at is None:
        return "whether anything would be lost is not known yet"
    said = {True: "protected", False: "not protected", None: "not known"}[protection.before]
    return f"last known: {said}, {text.ago(text.elapsed(protection.before_at, now))}"


WIDE = 120


class RunHeader(Widget):
    """Draws the header for the width there is."""

    DEFAULT_CSS = """
    RunHeader { height: auto; background: $panel; color: $foreground; }
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.limit = fresh_limit(run)
        self.dashboard = Dashboard()
        self.now: datetime | None = None
        self._shown: list[Content] | None = None

    def show(self, dashboard: Dashboard, now: datetime) -> None:
        """Draw newer figures."""
        self.dashboard, self.now = dashboard, now
        self.tooltip = (
            Content("\n".join(text.clean(why) for why in dashboard.protection.reasons)) or None
        )
        rows = self._rows(self.size.width)
        if self._shown is None or len(rows) != len(self._shown):
            self.refresh(layout=True)
        elif not all(row.is_same(shown) for row, shown in zip(rows, self._shown, strict=True)):
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines it takes at a width."""
        return len(self._rows(width))

    def render(self) -> Content:
        self._shown = self._rows(self.size.width)
        return joined(self._shown)

    def _rows(self, cells: int) -> list[Content]:
        wide = cells >= WIDE
        mark = glyphs.ENVIRONMENT[self.run.environment]
        left = line(
            (" blueprime  " if wide else " ", "$foreground-muted"),
            (text.shorten(text.clean(self.run.cluster), 24 if wide else 14), "bold"),
            (
                f"  {text.clean(self.run.region)} / {text.short_account(self.run.account)}"
                if wide
                else "",
                "$foreground-muted",
            ),
            "  ",
            (f" {mark.word} ", f"{mark.style} reverse"),
            "  ",
        )
        if self.now is None or self.dashboard.at is None:
            return [line(left, ("looking…", "$foreground-muted"))]
        return [*self._call(cells), *self._known(left, cells)]

    def _call(self, cells: int) -> list[Content]:
        """Return what a person must do now, before all else."""
        if not self.dashboard.to_do or not self.run.open:
            return []
        rows = text.wrap(text.clean(self.dashboard.to_do), max(20, cells - 4))
        style = "bold $text-error reverse"
        return [line((f" ▶ {text.fit(row, cells - 4)}", style)) for row in rows]

    def _known(self, left: Content, cells: int) -> list[Content]:
        assert self.now is not None
        wide = cells >= WIDE
        down, style = downtime(self.dashboard.downtime, self.now, short=not wide)
        first = line(left, (down, style))
        if not self.run.open:
            words = self.run.result.value.replace("_", " ") if self.run.result else "closed"
            said = Verdict(f"CLOSED: {words}", "", "bold $foreground-muted")
        elif self.run.away is not None:
            said = Verdict("HANDED OVER", f"it was {self.run.away.words}", "bold $text-warning")
        elif (first_of_all := before_all(self.dashboard, self.now, self.limit)) is not None:
            said = first_of_all
        else:
            said = verdict(self.dashboard.protection, self.now, self.limit)
        why = text.clean(said.why)
        warnings = sum(1 for alarm in self.dashboard.alarms if not alarm.breaks)
        if warnings and said.word == "PROTECTED":
            why = f"{why}, with {counted(warnings, 'warning')}"
        word = f"{said.word}:" if why else said.word
        if wide and first.cell_length + 3 + text.width(f"{word} {why}") < cells:
            return [line(first, "   ", (word, said.style), f" {why}" if why else "")]
        head, *rest = text.wrap(f"{word} {why}".rstrip(), max(20, cells - 2))
        cut = min(len(head), len(word))
        rows = [first, line(" ", (head[:cut], said.style), head[cut:])]
        return rows + [line(" ", row) for row in rest]


def turning(dashboard: Dashboard) -> tuple[bool | None, Stage, Serving]:
    """Return what of the figures decides which ways stand open."""
    return (dashboard.protection.protected, dashboard.protection.stage, dashboard.production.state)


class LiveHeader(RunHeader):
    """A header that looks at the run by itself, on screens that cover the run's own."""

    class Turned(Message):
        """The ways that stand open may be others than those that were looked at before."""

    def __init__(
        self, run: Run, look: Callable[[], Awaitable[Dashboard]], now: Callable[[], datetime]
    ) -> None:
        super().__init__(run)
        self._look, self._now = look, now

    def on_mount(self) -> None:
        self.set_interval(CLOCK_S, lambda: self.show(self.dashboard, self._now()))
        self._poll()

    @work
    async def _poll(self) -> None:
        # A look that fails leaves the figures as they are: their ages tell.
        with suppress(Exception):
            before, dashboard = self.dashboard, await self._look()
            self.show(dashboard, self._now())
            if before.at is not None and turning(dashboard) != turning(before):
                self.post_message(self.Turned())
        self.set_timer(POLL_S, self._poll)


def downtime(clock: Downtime, now: datetime, *, short: bool = False) -> tuple[str, str]:
    """Return the outage's clock, named for what it counts, and its style.

    It runs from the first change that stops the applications, over whichever tracks, until they
    are seen to be let in.
    """
    seconds = clock.seconds(now)
    if clock.asked_at is not None:
        passed = text.clock(max(0.0, (now - clock.asked_at).total_seconds()))
        return f"APPLICATIONS MAY BE DOWN {passed}", "bold $text-warning"
    if seconds is None:
        return ("downtime none" if short else "applications never stopped"), "$foreground-muted"
    total = f", {text.clock(clock.earlier_s + seconds)} in all" if clock.earlier_s else ""
    figure = f"{'at least ' if clock.at_least else ''}{text.clock(seconds)}"
    if clock.ended_at is not None:
        track = f" {text.clean(clock.track)}" if clock.track else ""
        return f"downtime {figure}{track}{total}", "$foreground-muted"
    if clock.letting_in:
        return f"LETTING APPLICATIONS IN {figure}{total}", "bold $text-warning"
    return f"APPLICATIONS DOWN {figure}{total}", "bold $text-error reverse"
