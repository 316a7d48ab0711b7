"""The sentence that says what the key would do, and the way back from here."""

from __future__ import annotations

from textual.content import Content

from tui import text
from tui.next_action import Press
from tui.widgets.pane import joined, line
from tui.widgets.words import Words

ROWS = 3
"""The lines that one sentence may take."""


class NextLine(Words):
    """Two sentences, each on as many lines as it needs, up to `ROWS`."""

    DEFAULT_CSS = """
    NextLine { height: auto; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
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
        head = _head(press)
        first, *rest = _fitted(f"{head.plain}{press.then}", cells)
        if not first.startswith(head.plain.rstrip()):
            head = line()
        loud = "bold $text-warning reverse" if press.calls else ""
        rows = [
            line(head, (first[len(head.plain) :], loud)),
            *(line((row, loud)) for row in rest),
        ]
        style = "" if " loses nothing" in self._back else "$text-warning"
        rows += [line((row, style)) for row in _fitted(self._back, cells)]
        self.update(joined(rows))


def _head(press: Press) -> Content:
    if press.calls:
        # A person is waited for: what enter does is not what has to be said.
        return line((f"{press.target} " if press.target else "", "bold $text-warning reverse"))
    return line(
        ("enter", "bold $text-primary" if press.acts else "$foreground-muted"),
        (": " if press.acts else " does nothing now: ", "$foreground-muted"),
        f"{press.verb} " if press.verb else "",
        (press.target, "bold"),
        (" — " if press.acts else " ") if press.target else "",
    )


def _fitted(words: str, cells: int) -> list[str]:
    """Return a sentence as a few lines; only one that is longer still ends with an ellipsis."""
    rows = text.wrap(words, cells)
    if len(rows) <= ROWS:
        return rows
    return [*rows[: ROWS - 1], text.shorten(" ".join(rows[ROWS - 1 :]), cells)]
