"""The sentence that says what the key would do, and the way back from here."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui import text
from tui.sentence import Press
from tui.widgets.pane import joined, line


class NextLine(Static):
    """Two lines; their full words are in the tooltip where the screen is too narrow."""

    DEFAULT_CSS = """
    NextLine { height: 2; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._press = Press(False, "", "", "looking where the run stands…")
        self._back = ""

    def show(self, press: Press, back: str) -> None:
        """Draw another sentence."""
        if (press, back) != (self._press, self._back):
            self._press, self._back = press, back
            self._draw()

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        press = self._press
        cells = max(20, self.size.width - 2)
        head = line(
            ("enter", "bold $text-primary" if press.acts else "$foreground-muted"),
            (": " if press.acts else " does nothing now: ", "$foreground-muted"),
            f"{press.verb} " if press.verb else "",
            (press.target, "bold"),
            (" — " if press.acts else " ") if press.target else "",
        )
        then = text.shorten(press.then, cells - head.cell_length)
        back = text.shorten(self._back, cells)
        self.update(joined([line(head, then), line((back, "$foreground-muted"))]))
        self.tooltip = Content(f"{head.plain}{press.then}\n{self._back}")
