"""The whole journal of a run, with a filter."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input

from runbook.amounts import counted
from state.records import Event
from tui import keys, text
from tui.model import RunModel
from tui.screens.base import KeyedScreen
from tui.widgets.journal import JournalPane
from tui.widgets.keybar import KeyBar


class LogScreen(KeyedScreen[None]):
    """All events, oldest first."""

    PLACE = "log"
    CSS_PATH = "log.tcss"
    BINDINGS = keys.bindings("log")

    def __init__(self, model: RunModel) -> None:
        super().__init__()
        self.model = model
        self.events: list[Event] = []

    def compose(self) -> ComposeResult:
        yield self.live_header(self.model)
        yield JournalPane(id="journal")
        yield Input(placeholder="text to look for", id="filter", select_on_focus=False)
        yield KeyBar("log")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(JournalPane).focus()
        self.action_refresh()

    @work
    async def action_refresh(self) -> None:
        """Read everything that is new."""
        last = self.events[-1].id if self.events else 0
        self.events += await self.face.engine.read(lambda: self.model.events(last, -1))
        if not self.ending:
            self._draw()

    def action_filter(self) -> None:
        """Ask for the text to look for."""
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _draw(self) -> None:
        found = self._found()
        pane = self.query_one(JournalPane)
        pane.nothing = "No event holds that text." if self.events else "Nothing was written yet."
        pane.show(found)
        every = counted(len(self.events), "event")
        count = f"{len(found)} of {every}" if len(found) < len(self.events) else every
        pane.border_title = Content(
            f"Journal of {text.clean(self.model.run.cluster)} · {count} · times are UTC"
        )

    @on(Input.Submitted)
    def _read(self) -> None:
        self.query_one(JournalPane).focus()

    def _found(self) -> list[Event]:
        wanted = self.query_one(Input).value.casefold()
        return [
            event
            for event in self.events
            if wanted in event.text.casefold() or wanted in event.kind.casefold()
        ]

    def action_copy(self) -> None:
        """Copy the lines shown."""
        rows = [f"{event.at.isoformat()} {event.kind} {event.text}" for event in self._found()]
        self.face.copy("\n".join(rows) + "\n", f"{self.model.run.id}-journal")

    def action_back(self) -> None:
        """Go back, from the filter to the lines first."""
        if self.query_one(Input).has_focus:
            self.query_one(JournalPane).focus()
        else:
            self.dismiss(None)
