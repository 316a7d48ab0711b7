"""A framed part of the run screen that draws itself anew for its width and scrolls if it must."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from tui import text
from tui.widgets.words import Words

Part = str | Content | tuple[str, str]

NEWLINE = Content("\n")


def joined(lines: Iterable[Content]) -> Content:
    """Return lines as one content."""
    return NEWLINE.join(lines)


def line(*parts: Part) -> Content:
    """Return one line out of literal texts, texts with a style, and contents; no markup is read."""
    return Content.assemble(*parts)


def hanging(head: Content, words: str, cells: int, style: str = "") -> Iterable[Content]:
    """Yield words behind a head, wrapped: further lines begin below the first word."""
    first, *rest = text.wrap(words, cells - head.cell_length)
    yield line(head, (first, style))
    yield from (line((" " * head.cell_length, style), (row, style)) for row in rest)


def indented(words: str, cells: int, style: str = "", by: int = 0) -> Iterable[Content]:
    """Yield words as lines that are set in by so many cells."""
    for row in text.wrap(words, cells - by):
        yield line(" " * by, (row, style))


def heading(title: str, beside: str = "") -> Iterable[Content]:
    """Yield the heading of what follows, below an empty line."""
    yield Content()
    yield line((title, "bold"), (f"  {beside}" if beside else "", "$foreground-muted"))


class Pane(VerticalScroll, can_focus=True):
    """A frame with a title; `draw` says what is in it."""

    DEFAULT_CSS = """
    Pane {
        border: round $border;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        background: $background;
        padding: 0 0 0 1;
        scrollbar-gutter: stable;
        scrollbar-size: 0 1;
        &:focus { border: round $primary; border-title-color: $primary; }
        & > .body { width: 1fr; height: auto; }
    }
    """

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = Content(title)
        self._shown = Content()

    def compose(self) -> ComposeResult:
        yield Words(classes="body")

    @abstractmethod
    def draw(self, cells: int) -> Content:
        """Return what stands in the pane, for lines of so many cells."""

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()

    def redraw(self) -> None:
        """Draw again; the screen is left alone where nothing changed."""
        cells = self.scrollable_content_region.width
        if not self.is_mounted or cells <= 0:
            return
        content = self.draw(cells)
        if not content.is_same(self._shown):
            self._shown = content
            # A pane that is being removed has lost its body already.
            for body in self.query(".body").results(Words):
                body.update(content)
