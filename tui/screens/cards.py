"""A screen of a run that shows what is open to a person as cards, one of which is selected."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from textual.app import ComposeResult

from tui.model import RunModel
from tui.screens.base import KeyedScreen
from tui.widgets.cards import CardsPane
from tui.widgets.keybar import KeyBar

T = TypeVar("T")


class CardsScreen(KeyedScreen[None], Generic[T]):
    """Looks the cards up, and lets one be selected."""

    PANE: type[CardsPane[T]]

    def __init__(self, model: RunModel) -> None:
        super().__init__()
        self.model = model

    def compose(self) -> ComposeResult:
        yield self.live_header(self.model)
        yield self.PANE()
        yield KeyBar(self.PLACE)

    def on_mount(self) -> None:
        self.pane.focus()
        self.look()

    @property
    def pane(self) -> CardsPane[T]:
        """Return the pane of the cards."""
        return self.query_one(self.PANE)

    @abstractmethod
    def look(self) -> object:
        """Look the cards up, beside what else the screen does."""

    async def show_found(self, find: Callable[[], Awaitable[list[T]]]) -> None:
        """Show what is found, or in its place why that cannot be."""
        pane = self.pane
        found: list[T] = []
        error = ""
        try:
            found = await self.face.engine.call(find)
        except Exception as failed:  # the words stand where the cards would
            error = str(failed) or type(failed).__name__
        if not self.ending:
            pane.show(found, error)
            self.refresh_keys()

    def action_select(self, by: int) -> None:
        """Select another card."""
        self.pane.select(by)
        self.refresh_keys()

    def action_back(self) -> None:
        """Go back; nothing is changed."""
        self.dismiss(None)
