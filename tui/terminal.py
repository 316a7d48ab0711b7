"""A terminal that may go away under the app: a lost connection, a closed window.

Textual's own driver dies on it: its writing thread ends with the first error, the app's loop then
blocks on the full queue in front of it, and its reading thread spins on the end of input. Here
writes into nothing are dropped and reading stops, so that the run can be left in order.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import termios
from contextlib import suppress
from queue import Full
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

LAST_WORDS_S = 2.0
"""How long the end of the app waits for a terminal that takes nothing, as under Ctrl-S."""


class LossyFile:
    """A terminal's file that drops what can no longer be written, and never hangs in a write.

    Where it can, it writes by a description of its own, which does not block: that of the terminal
    is shared with the shell.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._own = _opened_again(file)
        self.lost = False

    def write(self, text: str) -> int:
        """Write a text, or drop it where the terminal is gone, or is given up meanwhile."""
        if self.lost:
            return len(text)
        try:
            if self._own is None:
                return self._file.write(text)
            left = text.encode(getattr(self._file, "encoding", None) or "utf-8", "replace")
            while left and not self.lost:
                try:
                    left = left[os.write(self._own, left) :]
                except BlockingIOError:
                    select.select([], [self._own], [], 0.1)
        except OSError:
            self.lost = True
        return len(text)

    def flush(self) -> None:
        """Flush, unless the terminal is gone."""
        if not self.lost and self._own is None:
            try:
                self._file.flush()
            except OSError:
                self.lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _opened_again(file: IO[str]) -> int | None:
    """Open a terminal once more, not to block; None where it is none, or may not be opened."""
    try:
        path = os.ttyname(file.fileno())
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None


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
        self._behind = False
        self._unreadable = False

    def write(self, data: str) -> None:
        """Write, but for what a terminal that takes nothing has no room for.

        Waiting for it would hold up every key and signal. Once it takes something again, all is
        drawn anew.
        """
        if self._writer_thread is not None and self._writer_thread._queue.full():
            self._behind = True
            return
        super().write(data)
        if self._behind:
            self._behind = False
            self._app.call_later(self._app.refresh, layout=True)

    def close(self) -> None:
        """End the writing thread, whether the terminal takes its last words or not."""
        thread = self._writer_thread
        if thread is None:
            return
        with suppress(Full):
            thread._queue.put(None, timeout=LAST_WORDS_S)
        thread.join(LAST_WORDS_S)
        if thread.is_alive():
            self._file.lost = True
            thread.join(LAST_WORDS_S)

    @property
    def gone(self) -> bool:
        """Whether the terminal is gone; a hung-up one has no attributes to ask for."""
        if self._file.lost or self._unreadable:
            return True
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return True
        return False

    def run_input_thread(self) -> None:
        """Read until the app ends, or nobody can type any more.

        Between the closing of its other side and the hang-up Linux answers a read with an error
        while it still knows the terminal's attributes. Textual would take it for a failure of the
        app.
        """
        try:
            super().run_input_thread()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._unreadable = True

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
