"""A terminal that may go away under the app: a lost connection, a closed window.

Textual's own driver dies on it: its writing thread ends with the first error, the app's loop then
blocks on the full queue in front of it, and its reading thread spins on the end of input. Here
writes into nothing are dropped and reading stops, so that the run can be left in order.
"""

from __future__ import annotations

import sys
import termios
from contextlib import suppress
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message


class LossyFile:
    """A terminal's file that drops what can no longer be written."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.lost = False

    def write(self, text: str) -> int:
        """Write a text, or drop it where the terminal is gone."""
        if not self.lost:
            try:
                return self._file.write(text)
            except OSError:
                self.lost = True
        return len(text)

    def flush(self) -> None:
        """Flush, unless the terminal is gone."""
        if not self.lost:
            try:
                self._file.flush()
            except OSError:
                self.lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def drawn_on(usual: IO[str]) -> IO[str]:
    """Return the stream to draw on: Textual's own, or standard output where that is no terminal.

    Textual draws on standard error, so that a `2>file` would send the screen into the file.
    """
    out = sys.__stdout__
    return usual if usual.isatty() or out is None or not out.isatty() else out


class Continued(Message):
    """The process goes on after it was stopped."""


class SurvivingDriver(LinuxDriver):
    """Textual's driver for a Unix terminal, which outlives that terminal."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._file: Any = LossyFile(drawn_on(self._file))

    @property
    def gone(self) -> bool:
        """Whether the terminal is gone; a hung-up one has no attributes to ask for."""
        if self._file.lost:
            return True
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return True
        return False

    def _sigcont_application(self, *args: Any) -> None:
        """Go on after a stop: what was typed meanwhile was meant for a shell."""
        with suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)
        super()._sigcont_application(*args)
        self._app.post_message(Continued())

    def let_go(self) -> None:
        """Stop reading, and drop what would be written."""
        self._file.lost = True
        self.exit_event.set()
