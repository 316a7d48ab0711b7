"""The keys of a screen at its foot; one that cannot be used now is dimmed and says why."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.keys import Key, at
from tui.widgets.pane import line


class KeyHint(Static):
    """One key with its label; a click does what the key does."""

    DEFAULT_CSS = """
    KeyHint { width: auto; height: 1; padding: 0 1; }
    KeyHint:hover { background: $panel; }
    """

    def __init__(self, key: Key) -> None:
        super().__init__(markup=False)
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

    async def on_click(self) -> None:
        await self.run_action(f"screen.{self.key.action}")


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
