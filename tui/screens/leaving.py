"""What is seen while the effect in flight settles."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui import text
from tui.screens.base import KeyedModal


class Leaving(KeyedModal[None]):
    """Says that blueprime is waiting for what it has started, and that nothing is undone."""

    PLACE = "leaving"
    CSS_PATH = "leaving.tcss"

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content("Leaving")
            yield Static(
                Content(
                    f"{text.clean(self._step)} is running. No further change is started; the one "
                    "in flight is let to its end, so that the journal knows its outcome.\n\n"
                    "Nothing is undone, and what AWS is doing goes on."
                ),
                markup=False,
            )
