"""What is seen while the effect in flight settles, or a look under way comes to its end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tui import text
from tui.screens.base import KeyedModal
from tui.widgets.words import Words

NOTHING_UNDONE = "Nothing is undone, and what AWS is doing goes on."


class Leaving(KeyedModal[None]):
    """Says that blueprime is waiting for what it has started, and that nothing is undone."""

    PLACE = "leaving"
    CSS_PATH = "leaving.tcss"

    def __init__(self, step: str = "") -> None:
        super().__init__()
        self._step = step

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("Leaving")
            yield Words(Content(f"{self._waits_for()}\n\n{NOTHING_UNDONE}"))

    def _waits_for(self) -> str:
        if not self._step:
            return "Waiting for the looks under way: an answer of AWS may take up to 10 s."
        return (
            f"{text.clean(self._step)} is running. No further change starts; the one in flight "
            "ends first, so that the journal knows its outcome. This takes at most a minute."
        )
