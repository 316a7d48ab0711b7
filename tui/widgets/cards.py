"""A pane of cards, one of which is selected: ways from a track, or repairs that are offered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Generic, TypeVar

from textual import events
from textual.content import Content

from tui import text
from tui.widgets.pane import Pane, hanging, indented, joined, line

T = TypeVar("T")


class CardsPane(Pane, Generic[T]):
    """Draws what was looked up as cards; says in its own words why there are none."""

    ID: str
    TITLE: str
    LOOKING: str
    """What stands there until it is known."""
    NOTHING: str
    FAILED: str
    """What could not be looked up, e.g. `The ways`."""

    def __init__(self) -> None:
        super().__init__(self.TITLE, id=self.ID)
        self.cards: list[T] | None = None
        self.error = ""
        self.selected = 0
        self._tops: list[int] = []

    def show(self, cards: list[T] | None, error: str = "") -> None:
        """Draw what was found; None while it is looked for."""
        self.cards, self.error = cards, error
        self.selected = max(0, min(self.selected, len(cards or ()) - 1))
        self.redraw()

    def select(self, by: int) -> None:
        """Select another card."""
        if self.cards:
            self.selected = max(0, min(len(self.cards) - 1, self.selected + by))
            self.redraw()
            self._to_selected()

    def _to_selected(self) -> None:
        if self.cards and self.selected < len(self._tops):
            self.scroll_to(y=self._tops[self.selected], animate=False)

    def on_resize(self, event: events.Resize) -> None:
        """Go on showing the card that is selected, once all are drawn for the new size."""
        self.call_after_refresh(self._to_selected)

    def chosen(self) -> T | None:
        """Return what is selected."""
        return self.cards[self.selected] if self.cards else None

    @abstractmethod
    def card(self, item: T, selected: bool, cells: int) -> Iterable[Content]:
        """Yield the lines of one card."""

    def draw(self, cells: int) -> Content:
        if self.error:
            words = f"? {self.FAILED} could not be looked up: {text.clean(self.error)}"
            return joined(indented(words, cells, "$text-warning"))
        if not self.cards:
            words = self.LOOKING if self.cards is None else self.NOTHING
            return line((words, "$foreground-muted"))
        rows: list[Content] = []
        self._tops = []
        for index, item in enumerate(self.cards):
            self._tops.append(len(rows))
            rows += [*self.card(item, index == self.selected, cells), line()]
        return joined(rows)


def fact(label: str, words: str, cells: int) -> Iterable[Content]:
    """Yield what a card says under a label; nothing where there is nothing to say."""
    if words:
        head = line("    ", (text.fit(label, 8), "$foreground-muted"))
        yield from hanging(head, text.clean(words, lines=True), cells)
