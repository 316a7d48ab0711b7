"""The line that is always in sight: which run, which world, the outage's clock, the protection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from textual import work
from textual.content import Content
from textual.widget import Widget

from runbook.board import Board, Downtime, Protection
from state.records import Run
from tui import glyphs, text
from tui.picture import fresh_limit, stale
from tui.widgets.pane import line

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
    if stale(protection.at, now, limit):
        if protection.at is None:
            why = protection.text
        else:
            why = f"last seen {text.ago(text.elapsed(protection.at, now))}"
        return Verdict("PROTECTION UNKNOWN", why, "bold $text-warning")
    if protection.protected is None:
        return Verdict("PROTECTION UNKNOWN", protection.text, "bold $text-warning")
    if protection.protected:
        return Verdict("PROTECTED", protection.text, "bold $text-success")
    return Verdict("NOT PROTECTED", protection.text, "bold $text-error")


class RunHeader(Widget):
    """Draws the line for the width there is: the clock and the verdict are never cut."""

    DEFAULT_CSS = """
    RunHeader { height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.limit = fresh_limit(run)
        self.board = Board()
        self.now: datetime | None = None
        self._shown: Content | None = None

    def show(self, board: Board, now: datetime) -> None:
        """Draw newer figures."""
        self.board, self.now = board, now
        self.tooltip = (
            Content("\n".join(text.clean(why) for why in board.protection.reasons)) or None
        )
        if self._shown is None or not self._content().is_same(self._shown):
            self.refresh()

    def render(self) -> Content:
        self._shown = self._content()
        return self._shown

    def _content(self) -> Content:
        cells = self.size.width
        wide = cells >= 120
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
            "   " if wide else "  ",
        )
        return line(left, *self._right(cells - left.cell_length, wide))

    def _right(self, cells: int, wide: bool) -> list[tuple[str, str]]:
        if self.now is None:
            return [("looking…", "$foreground-muted")]
        down, style = downtime(self.board.downtime, self.now)
        gap = "   " if wide else "  "
        if not self.run.open:
            words = self.run.result.value.replace("_", " ") if self.run.result else "closed"
            return [(down, style), (gap, ""), (f"CLOSED: {words}", "bold $foreground-muted")]
        said = verdict(self.board.protection, self.now, self.limit)
        room = cells - len(down) - len(gap) - len(said.word) - 3
        why = text.clean(said.why)
        if not why or room < 8:
            return [(down, style), (gap, ""), (said.word, said.style)]
        shown = text.shorten(why, room)
        return [(down, style), (gap, ""), (f"{said.word}:", said.style), (f" {shown}", "")]


class LiveHeader(RunHeader):
    """A header that looks at the run by itself, on screens that cover the run's own."""

    def __init__(
        self, run: Run, look: Callable[[], Awaitable[Board]], now: Callable[[], datetime]
    ) -> None:
        super().__init__(run)
        self._look, self._now = look, now

    def on_mount(self) -> None:
        self.set_interval(CLOCK_S, lambda: self.show(self.board, self._now()))
        self._poll()

    @work
    async def _poll(self) -> None:
        # A look that fails leaves the figures as they are: their ages tell.
        with suppress(Exception):
            self.show(await self._look(), self._now())
        self.set_timer(POLL_S, self._poll)


def downtime(clock: Downtime, now: datetime) -> tuple[str, str]:
    """Return the outage's clock and its style; it stands still once the outage is over."""
    seconds = clock.seconds(now)
    if seconds is None:
        return "downtime none", "$foreground-muted"
    running = clock.ended_at is None
    return (
        f"downtime {text.clock(seconds)}",
        "bold $text-warning" if running else "$foreground-muted",
    )
