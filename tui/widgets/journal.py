"""The tail of the journal: what happened last, newest at the bottom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import events
from textual.content import Content

from state.records import Event
from tui import text
from tui.widgets.pane import Pane, joined, line

_KIND = 10
_STYLES = {
    "effect": "$text-primary",
    "decision": "$text-accent",
    "protection": "$text-warning",
    "note": "$text-secondary",
}


BELOW = "newer lines below · end goes there"


class JournalPane(Pane):
    """Draws the newest events; it stays at the end unless somebody scrolled up to read."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("Journal · times are UTC", id=id)
        self.events: Sequence[Event] = ()
        self.nothing = "Nothing was written yet."
        """What is said where there is no event to show."""
        self._reading = False
        """Whether somebody has scrolled up, and not come back to the end since."""

    def show(self, newer: Sequence[Event]) -> None:
        """Draw newer events; where somebody reads further up, say that there are some."""
        if newer == self.events:
            return
        self.events = newer
        self.redraw()
        if self._reading:
            self.border_subtitle = Content(BELOW)

    def release_anchor(self) -> None:
        """Let the end go: called whenever a person scrolls; with all in sight, nobody reads on."""
        super().release_anchor()
        if self.max_scroll_y > 0:
            self._reading = True

    def on_resize(self, event: events.Resize) -> None:
        # The pane's own handler draws: Textual calls both.
        self._stay()

    def watch_virtual_size(self) -> None:
        """Follow the end as lines come, and as others take more rows or fewer."""
        self.call_next(self._stay)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """See whether the reader has come back to the end."""
        super().watch_scroll_y(old_value, new_value)
        if self._reading and new_value >= self.max_scroll_y:
            self.call_next(self._stay)

    def _stay(self) -> None:
        """Hold on to the end, unless somebody reads further up, which a resize is not."""
        if self._reading and self.scroll_y < self.max_scroll_y:
            return
        self._reading = False
        self.border_subtitle = Content("")
        self.scroll_end(animate=False, immediate=True)

    def draw(self, cells: int) -> Content:
        if not self.events:
            return line((self.nothing, "$foreground-muted"))
        return joined(rows(self.events, cells))


def rows(told: Iterable[Event], cells: int) -> list[Content]:
    """Return events as lines, one each, shortened to the width."""
    head = 8 + 1 + _KIND + 1
    return [
        line(
            (text.at(event.at), "$foreground-muted"),
            " ",
            (text.fit(text.clean(event.kind), _KIND), _STYLES.get(event.kind, "$foreground-muted")),
            " ",
            text.shorten(text.clean(event.text), cells - head),
        )
        for event in told
    ]
