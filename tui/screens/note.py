"""A remark for the journal, or another line of text that a screen asks for."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tui.screens.base import KeyedModal
from tui.widgets.words import Words


class NoteDialog(KeyedModal[str]):
    """Asks for one line; dismissed with it, or with an empty text."""

    PLACE = "note"
    CSS_PATH = "note.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel", show=False)]

    def __init__(
        self,
        heading: str = "Note",
        words: str = "A remark for the journal. It is kept with the time and your name.",
        *,
        placeholder: str = "",
    ) -> None:
        super().__init__()
        self._heading, self._words, self._placeholder = heading, words, placeholder

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content(self._heading)
            yield Words(Content(self._words))
            yield Input(placeholder=self._placeholder, select_on_focus=False)
            yield Words("enter keeps it · esc cancels", id="hint")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        """Leave without a remark."""
        self.dismiss("")
