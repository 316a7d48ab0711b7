"""The tail of the journal: what happened last, newest at the bottom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


class JournalPane(Pane):
    """Draws the newest events; it stays at the end unless somebody scrolled up to read."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("Journal · times are UTC", id=id)
        self.events: Sequence[Event] = ()

    def show(self, events: Sequence[Event]) -> None:
        """Draw newer events."""
        if events == self.events:
            return
        reading = self.max_scroll_y - self.scroll_offset.y > 1
        self.events = events
        self.redraw()
        if not reading:
            self.call_after_refresh(self.scroll_end, animate=False)

    def draw(self, cells: int) -> Content:
        if not self.events:
            return line(("Nothing was written yet.", "$foreground-muted"))
        return joined(rows(self.events, cells))


def rows(events: Iterable[Event], cells: int) -> list[Content]:
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
        for event in events
    ]
