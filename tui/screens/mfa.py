"""A code of a second factor, asked for where AWS demands one to sign in."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tui import text
from tui.screens.base import KeyedModal
from tui.widgets.words import Words

DIGITS = 6


class MfaDialog(KeyedModal[str]):
    """Asks for a code; dismissed with it, or with an empty text. It is never shown or kept."""

    PLACE = "mfa"
    CSS_PATH = "note.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel", show=False)]

    def __init__(self, device: str, trouble: str = "") -> None:
        super().__init__()
        self._device, self._trouble = device, trouble

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="-code") as dialog:
            dialog.border_title = Content("Sign in to AWS")
            said = f"{self._trouble} " if self._trouble else ""
            yield Words(
                Content(
                    f"{said}AWS asks for the code that this device shows now: "
                    f"{text.clean(self._device)}. Nothing goes on before that, and nothing is lost."
                )
            )
            yield Input(
                password=True, restrict=r"[0-9]*", max_length=DIGITS, placeholder="6 digits"
            )
            yield Words("enter signs in · esc asks again in a minute", id="hint")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    @on(Input.Submitted)
    def _given(self, event: Input.Submitted) -> None:
        if len(event.value) == DIGITS:
            self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Give no code now."""
        self.dismiss("")
