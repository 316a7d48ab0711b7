"""Carries the question for a code of a second factor from whatever thread needs it to a person."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

from textual.app import App

from tui.screens.mfa import MfaDialog


class SigningIn:
    """The part of the app that is asked for codes."""

    def __init__(self) -> None:
        super().__init__()
        self._codes: set[Future[str | None]] = set()
        self._no_more_codes = False

    def ask_code(self, device: str, trouble: str) -> str | None:
        """Return the code of a device, or None; called on a thread that waits for it."""
        answer: Future[str | None] = Future()
        app = cast("App[Any]", self)

        def show() -> None:
            if self._no_more_codes:
                answer.set_result(None)
                return
            self._codes.add(answer)
            app.bell()
            app.push_screen(MfaDialog(device, trouble), _settling(answer))

        try:
            app.call_from_thread(show)
        except RuntimeError:
            # The app has ended meanwhile.
            return None
        found = answer.result()
        self._codes.discard(answer)
        return found

    def give_no_codes(self) -> None:
        """Let whoever waits for a code go: the app is left."""
        self._no_more_codes = True
        for answer in tuple(self._codes):
            if not answer.done():
                answer.set_result(None)


def _settling(answer: Future[str | None]) -> Callable[[str | None], None]:
    def settle(code: str | None) -> None:
        if not answer.done():
            answer.set_result(code or None)

    return settle
