"""The dialog before anything dangerous: verb, target, reversibility, undo, and what it loses.

Focus rests on Cancel and escape cancels; where a text must be typed, the other button stays
disabled until it matches to the letter. There is no default yes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input

from tui import text
from tui.questions import Question
from tui.screens.base import KeyedModal
from tui.widgets.pane import joined, line
from tui.widgets.words import Words

HINT = "esc cancels · tab and ⇧tab move · enter in a field leads on"


@dataclass(frozen=True, slots=True)
class Consent:
    """A yes, with what was typed for it."""

    typed: str
    reason: str = field(default="")


class ConfirmDialog(KeyedModal[Consent | None]):
    """Asks; dismissed with a consent, or with None where it was declined."""

    PLACE = "confirm"
    CSS_PATH = "confirm.tcss"
    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "decline", "cancel", show=False),
        Binding("pageup", "read(-1)", show=False, priority=True),
        Binding("pagedown", "read(1)", show=False, priority=True),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question
        self._typed_into = False

    def compose(self) -> ComposeResult:
        asked = self.question
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content(text.clean(asked.heading))
            with VerticalScroll(id="words", can_focus=False):
                yield Words(self._words())
            if asked.reason:
                yield Words("Why? The journal keeps it (may stay empty).")
                yield Input(id="reason", max_length=400, select_on_focus=False)
            if asked.must_type:
                yield Words(
                    line("To go on, type ", (text.clean(asked.must_type), "bold"), " here:"),
                )
                yield Input(id="typed", select_on_focus=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel")
                yield Button(
                    Content(text.clean(asked.yes)),
                    id="yes",
                    variant="error" if asked.grave else "primary",
                    disabled=bool(asked.must_type),
                )
            yield Words(HINT, id="hint")

    def on_mount(self) -> None:
        self.query_one("#dialog").set_class(self.question.grave, "-grave")
        for field_ in self.query(Input):
            field_.cursor_blink = False
        self.call_after_refresh(self._hint)

    def _hint(self, wrong: str = "") -> None:
        """Say what the keys do; first, that there is more to read than fits."""
        words = self.query("#words")
        if not words:
            # It was answered before it was drawn.
            return
        more = words.first().max_scroll_y > 0
        hint = (
            "pgdn reads on · esc cancels · tab moves · enter in a field leads on" if more else HINT
        )
        shown = line((wrong, "bold $text-warning")) if wrong else line(hint)
        self.query_one("#hint", Words).update(shown)

    def action_read(self, pages: int) -> None:
        """Scroll what is to be read before the answer."""
        words = self.query_one("#words")
        words.scroll_relative(y=pages * max(1, words.size.height - 1), animate=False)

    def _words(self) -> Content:
        asked = self.question
        lines = [line((text.clean(asked.question, lines=True), "bold")), line()]
        for label, words in asked.facts:
            if words:
                lines.append(
                    line((f"{label}: ", "$foreground-muted"), text.clean(words, lines=True))
                )
        if asked.calls:
            lines += [line(), line(("Will run", "$foreground-muted"))]
            lines += [
                line(("  · ", "$foreground-muted"), text.clean(call)) for call in asked.calls[:12]
            ]
            if len(asked.calls) > 12:
                lines.append(line((f"  · and {len(asked.calls) - 12} more", "$foreground-muted")))
        return joined(lines)

    @on(Input.Changed, "#typed")
    def _compare(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = event.value != self.question.must_type
        self._hint()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        # Enter in a field only moves on: a yes is always a button of its own.
        yes = self.query_one("#yes", Button)
        if event.input.id == "reason" and self.question.must_type:
            self.query_one("#typed").focus()
        elif not yes.disabled:
            yes.focus()
        else:
            wanted = text.clean(self.question.must_type)
            self._hint(f"That is not {wanted}: nothing was done.")

    def on_key(self, event: events.Key) -> None:
        """Send letters to the field that asks for them, wherever the focus rests."""
        if isinstance(self.focused, Input) or not event.is_printable:
            return
        if event.character == " " and not self._typed_into:
            return  # it may be meant for a button
        fields = list(self.query(Input))
        if fields and event.character:
            # The last one is what must be typed, where anything must.
            self._typed_into = True  # the focus follows later than the next letter
            fields[-1].focus()
            fields[-1].insert_text_at_cursor(event.character)
            event.stop()

    @on(Button.Pressed, "#yes")
    def _accept(self) -> None:
        typed = self.query_one("#typed", Input).value if self.question.must_type else "yes"
        reason = self.query_one("#reason", Input).value.strip() if self.question.reason else ""
        self.dismiss(Consent(typed, reason))

    @on(Button.Pressed, "#cancel")
    def action_decline(self) -> None:
        """Decline."""
        self.dismiss(None)


class LeaveDialog(ConfirmDialog):
    """Asks before a run is left that needs somebody; there is one at most."""
