"""A few sentences that must be read: an error with what to do next, or what leaving means."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button

from tui import text
from tui.screens.base import KeyedModal
from tui.widgets.words import Words


class Notice(KeyedModal[str]):
    """Shows words; dismissed with the id of the button that was chosen, the first by escape."""

    PLACE = "notice"
    CSS_PATH = "notice.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(
        self, heading: str, words: str, *, buttons: tuple[tuple[str, str], ...] = (("ok", "OK"),)
    ) -> None:
        super().__init__()
        self._heading, self._words, self._buttons = heading, words, buttons

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content(text.clean(self._heading))
            with VerticalScroll(id="words", can_focus=False):
                yield Words(Content(text.clean(self._words, lines=True)))
            with Horizontal(id="buttons"):
                for key, label in self._buttons:
                    yield Button(Content(label), id=key)

    @on(Button.Pressed)
    def _chosen(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id or "")

    def action_close(self) -> None:
        """Close, as the first button does."""
        self.dismiss(self._buttons[0][0] if self._buttons else "")
