"""What keeps a key from acting unseen: on a terminal too small, beneath a palette or a shell."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.geometry import Size
from textual.screen import Screen

from tui.pressing import PressGuard
from tui.screens.base import KeyedScreen
from tui.screens.notice import Notice
from tui.screens.small import COLUMNS, ROWS, TooSmall

NOT_SUSPENDED = (
    "ctrl+z does not suspend blueprime: the watch, and a step that runs, would stand still while "
    "the applications may be waiting. Open another terminal for other work. q leaves; nothing is "
    "undone, and blueprime resume comes back."
)


class Covering(App[None]):
    """The part of the app that shows nothing, and hears no key, where a run has no room.

    There is one cover, and it is on top: what asks meanwhile waits beneath it.
    """

    BINDINGS = [Binding("ctrl+z", "stay", show=False, priority=True)]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.guard = PressGuard()

    async def on_event(self, event: events.Event) -> None:
        # A screen that is none of ours hears for itself alone: what is pressed at the palette must
        # not act on the run when it closes.
        if (
            isinstance(event, events.Key)
            and not event.is_forwarded
            and not isinstance(self.screen, KeyedScreen)
        ):
            self.guard.heard(event.key, event.time)
        await super().on_event(event)

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

    def action_stay(self) -> None:
        """Say that ctrl+z suspends nothing; what is typed for a shell is answered by the notice."""
        if not any(isinstance(screen, Notice) for screen in self.screen_stack):
            self.push_screen(Notice("Not suspended", NOT_SUSPENDED))
