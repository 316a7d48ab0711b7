"""What is shown on a terminal that is too small to show a run truthfully."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from tui.screens.base import KeyedModal
from tui.widgets.words import Words

COLUMNS, ROWS = 80, 24


class TooSmall(KeyedModal[None]):
    """Covers everything until the terminal has grown; what runs goes on beneath."""

    PLACE = "small"
    CSS_PATH = "small.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "leave", "leave", show=False)]

    def compose(self) -> ComposeResult:
        yield Words(id="words")

    def on_resize(self, event: events.Resize) -> None:
        width, height = self.app.size
        self.query_one(Words).update(
            Content(
                f"This terminal has {width}×{height} cells.\n"
                f"blueprime needs {COLUMNS}×{ROWS}.\n"
                "Make it larger to go on. q leaves;\nnothing is undone."
            )
        )

    def action_leave(self) -> None:
        """Leave blueprime."""
        self.face.run_worker(self.face.action_quit())
