"""The keys of a screen at its foot; one that cannot be used now is dimmed and says why."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message

from tui.keys import Key, at
from tui.widgets.pane import line
from tui.widgets.words import Words


class KeyHint(Words):
    """One key with its label; a click does what the key does."""

    DEFAULT_CSS = """
    KeyHint { width: auto; height: 1; padding: 0 1; }
    KeyHint:hover { background: $panel; }
    """

    class Clicked(Message):
        """A key was clicked, at a moment of the monotonic clock."""

        def __init__(self, key: Key, at: float) -> None:
            super().__init__()
            self.key, self.at = key, at

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key
        self._shown: tuple[str, str] | None = None

    def show(self, label: str, why_not: str) -> None:
        """Draw the key as it stands now."""
        if (label, why_not) == self._shown:
            return
        self._shown = (label, why_not)
        self.set_class(bool(why_not), "-dim")
        styles = (
            ("$foreground-muted dim", "$foreground-muted dim")
            if why_not
            else ("bold $text-accent", "")
        )
        self.update(line((self.key.shown, styles[0]), " ", (label, styles[1])))
        self.tooltip = Content(f"Not now: {why_not}" if why_not else self.key.says)

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(self.key, event.time))


class KeyBar(Horizontal):
    """The footer."""

    DEFAULT_CSS = """
    KeyBar { height: 1; background: $panel; }
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def compose(self) -> ComposeResult:
        for key in at(self.place):
            if key.footer:
                yield KeyHint(key)
