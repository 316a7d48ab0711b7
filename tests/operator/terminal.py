"""A command in a terminal of its own, which can be closed under it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.workspace import NONE, Workspace, until

_SCREEN = {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}

# Under `nohup` the tests were given SIGHUP to ignore; in a terminal of its own nothing is ignored.
_IN_ITS_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A pseudo-terminal with a command on it; what it prints is read all the while."""

    def __init__(self, process: subprocess.Popen[bytes], leader: int) -> None:
        self.process = process
        self._leader = leader
        self._got = b""
        self._closed = False
        self._wake = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            readable, _, _ = select.select([self._leader, self._wake[0]], [], [])
            if self._wake[0] in readable:
                return
            try:
                self._got += os.read(self._leader, 65536)
            except OSError:  # nothing is on the other side any more
                return

    @property
    def text(self) -> str:
        return self._got.decode(errors="replace")

    def shows(self, *words: str) -> None:
        """Wait until each of these was printed."""
        until(lambda: all(word in self.text for word in words))

    def press(self, keys: str) -> None:
        os.write(self._leader, keys.encode())

    def suspend(self) -> None:
        """Suspend the command as a shell's `kill -TSTP` does, and see it stopped."""
        os.kill(self.process.pid, signal.SIGTSTP)
        until(lambda: os.WIFSTOPPED(os.waitpid(self.process.pid, os.WUNTRACED | os.WNOHANG)[1]))

    def go_on(self) -> None:
        """Let it go on, as `fg` does."""
        os.kill(self.process.pid, signal.SIGCONT)

    def hang_up(self) -> None:
        """Close the terminal: the kernel sends SIGHUP to what runs in it."""
        if not self._closed:
            self._closed = True
            os.write(self._wake[1], b"x")
            self._reader.join()
            os.close(self._leader)

    def end(self) -> None:
        """End what is left, by its own pid."""
        self.hang_up()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in self._wake:
            os.close(descriptor)


@contextmanager
def terminal(
    workspace: Workspace, *arguments: str, env: Mapping[str, str] = NONE
) -> Iterator[Terminal]:
    """Run a command of blueprime in a terminal of 120 by 40, as its session's leader.

    It is hung up with this process, however that ends.
    """
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_ITS_TERMINAL, *workspace.command(*arguments)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**workspace.environment, **env, **_SCREEN},
        start_new_session=True,
    )
    os.close(follower)
    opened = Terminal(process, leader)
    try:
        yield opened
    finally:
        opened.end()
