"""What keeps a terminal that is too small from acting unseen: a cover above all that stands."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import App
from textual.geometry import Size
from textual.screen import Screen

from tui.screens.small import COLUMNS, ROWS, TooSmall


class Covering(App[None]):
    """The part of the app that shows nothing, and hears no key, where a run has no room.

    There is one cover, and it is on top: what asks meanwhile waits beneath it.
    """

    @property
    def covered(self) -> bool:
        """Whether the terminal is too small, and nothing else is seen."""
        return isinstance(self.screen, TooSmall)

    def on_resize(self, event: events.Resize) -> None:
        self.cover(event.size)

    def cover(self, size: Size | None = None) -> None:
        """Cover all, or no longer, as the size of the terminal asks for."""
        size = size or self.size
        small = size.width < COLUMNS or size.height < ROWS
        if small and not self.covered:
            super().push_screen(TooSmall())
        elif self.covered and not small:
            self.pop_screen()

    def push_screen(
        self,
        screen: Screen[Any] | str,
        callback: Any = None,
        wait_for_dismiss: bool = False,
        *,
        mode: str | None = None,
    ) -> Any:
        """Put a screen on top, beneath the cover where there is one."""
        covered = bool(self.screen_stack) and self.covered
        if covered:
            self.pop_screen()
        # Which of its overloads is called is the caller's choice.
        textual: Any = super()
        pushed = textual.push_screen(screen, callback, wait_for_dismiss, mode=mode)
        if covered:
            super().push_screen(TooSmall())
        return pushed

    def action_command_palette(self) -> None:
        """Show the palette, where it can be seen."""
        if not self.covered:
            super().action_command_palette()
