"""What every screen shares: keys out of the registry, and a reason for each that is dimmed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from textual import events, on
from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen

from tui import keys
from tui.next_action import held_by
from tui.widgets.header import LiveHeader
from tui.widgets.keybar import KeyHint

if TYPE_CHECKING:
    from tui.face import Face
    from tui.model import Preview, RunModel

R = TypeVar("R")


class KeyedScreen(Screen[R], Generic[R]):
    """A screen whose keys come from the registry."""

    PLACE: ClassVar[str]

    @property
    def face(self) -> Face:
        """Return the app as far as screens know it."""
        return cast("Face", self.app)

    _answer: tuple[R | None] | None = None
    """What it is closed with once nothing stands above it any more."""

    def dismiss(self, result: R | None = None) -> AwaitComplete:
        """Close this screen, and no other: a dialog or the cover may stand above it by now."""
        if self.is_active:
            return super().dismiss(result)
        self._answer = (result,)
        return AwaitComplete()

    @property
    def ending(self) -> bool:
        """Whether the screen is on its way out: what it has asked for may be answered after that.

        Whoever awaits on a screen asks this afterwards, before anything is drawn on it.
        """
        return not self.is_running or not self.display

    def live_header(self, model: RunModel) -> LiveHeader:
        """Return a header for a screen that covers the run's own."""
        face = self.face
        return LiveHeader(model.run, lambda: face.engine.read(model.dashboard), face.now)

    def halted(self) -> str:
        """Return why nothing can be done from here any more, or an empty string."""
        why = self.face.halted
        return f"the journal cannot be written, so nothing is done: {why}" if why else ""

    def watched(self, model: RunModel) -> str:
        """Return why nobody acts on a run from here, or an empty string."""
        return "" if model.writable else f"watching only; {held_by(model.holder, model.run.away)}"

    def shown_of(self, step: str) -> Preview | None:
        """Return what this screen shows of a step that may ask now, or None."""
        return None

    def why_not(self, action: str) -> str:
        """Return why an action cannot be used now, or an empty string."""
        return ""

    def label(self, key: keys.Key) -> str:
        """Return what the footer calls a key now."""
        return key.label

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if self.why_not(action) else True

    def on_key(self, event: events.Key) -> None:
        # Heard on every screen: what closes a dialog must not act on what was beneath it.
        untimely = self.face.guard.heard(event.key, event.time)
        key = keys.pressed(self.PLACE, event.key)
        if key is not None and not self._heeds(key, untimely):
            event.stop()

    @on(KeyHint.Clicked)
    async def _on_hint(self, message: KeyHint.Clicked) -> None:
        untimely = self.face.guard.heard(f"click on {message.key.name}", message.at)
        if self._heeds(message.key, untimely):
            await self.run_action(message.key.action)

    def _heeds(self, key: keys.Key, untimely: str) -> bool:
        why = self.why_not(key.action) or (untimely if key.guarded else "")
        if why:
            self.face.say_once(f"{key.shown} {key.label}: {why}")
        return not why

    def command(self, key: keys.Key) -> Callable[[], Awaitable[None]]:
        """Return what the palette calls in place of a key."""

        async def act() -> None:
            if why := self.why_not(key.action):
                self.face.say_once(f"{key.label}: {why}")
            else:
                await self.run_action(key.action)

        return act

    def refresh_keys(self) -> None:
        """Draw the footer's keys as they stand now."""
        for hint in self.query(KeyHint):
            hint.show(self.label(hint.key), self.why_not(hint.key.action))

    def on_screen_resume(self) -> None:
        if self._answer is not None and self.is_active:
            self.dismiss(*self._answer)
        self.refresh_keys()


class KeyedModal(ModalScreen[R], KeyedScreen[R]):
    """A dialog whose keys come from the registry."""
