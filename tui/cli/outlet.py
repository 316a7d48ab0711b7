"""Output that holds nothing up: a thread of its own writes what a slow reader is to take.

A pipe that nobody reads, a terminal under Ctrl-S and a connection that hangs block whoever writes
to them. The run must not stand still for that, least of all with the applications down.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from runbook.amounts import counted
from tui.cli.streams import Guarded, OutputLost

_log = logging.getLogger("blueprime.outlet")

BOUND = 1_000_000
"""How many characters wait for a reader before lines are left out."""

PATIENCE_S = 30.0
"""How long the end of the program waits for a reader that takes nothing."""

LeftOut = Callable[[int], str]
"""Says, in the stream itself, that so many lines were left out."""


@dataclass(slots=True)
class _Text:
    text: str
    passing: bool


class Outlet:
    """A text stream that never blocks: what it is given is written by a thread of its own.

    Beyond a bound lines are left out, those of mere progress first, then the oldest; the newest
    stay, so that the last word is said once the reader takes something again.
    """

    def __init__(self, stream: TextIO, left_out: LeftOut, *, bound: int = BOUND) -> None:
        self._stream = stream
        self._say_left_out = left_out
        self._bound = bound
        self._waiting: deque[_Text] = deque()
        self._size = 0
        self._missed = 0
        self._taken = 0
        self._writing = False
        self._closed = False
        self._lost: OutputLost | None = None
        self._tell: Callable[[str], object] | None = None
        self._told = False
        """Whether somebody has heard that it is lost."""
        self._changed = threading.Condition()
        # A daemon: one that hangs in a write must not keep the process.
        self._thread = threading.Thread(target=self._run, name="blueprime-output", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether nobody can read what is written any more."""
        return self._lost is not None

    def outlived(self, tell: Callable[[str], object]) -> None:
        """Drop from now on what cannot be written, and tell why, once, instead of raising.

        It is told by whoever writes next, in that thread.
        """
        self._tell = tell
        self._told = False

    def write(self, text: str) -> int:
        """Take a text to be written; raise `OutputLost` where the stream is lost."""
        self.put(text)
        return len(text)

    def put(self, text: str, *, passing: bool = False) -> None:
        """Take a text; one that is `passing` may be left out where the reader is slow."""
        if not isinstance(text, str):
            # Whoever tries what kind of stream it is must not take it for one of bytes.
            raise TypeError(f"a text stream takes str, not {type(text).__name__}")
        with self._changed:
            lost = self._lost
            if text and lost is None:
                self._waiting.append(_Text(text, passing))
                self._size += len(text)
                self._make_room()
                self._changed.notify_all()
        if lost is None:
            return
        told, self._told = self._told, True
        if self._tell is None:
            raise lost
        if not told:
            self._tell(str(lost.strerror))

    def flush(self) -> None:
        """Do nothing: the thread writes at once what there is."""

    def close(self, patience_s: float = PATIENCE_S) -> bool:
        """Wait until all is written, as long as the reader takes something; tell if it was.

        A reader that takes nothing for `patience_s` is given up.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            seen, since = self._taken, time.monotonic()
            while (self._waiting or self._writing) and not self.lost:
                self._changed.wait(0.1)
                if self._taken != seen:
                    seen, since = self._taken, time.monotonic()
                elif time.monotonic() - since >= patience_s:
                    return False
        self._thread.join(1.0)
        return not self.lost

    def unread(self) -> str:
        """Return why what was written last reached nobody, where nobody heard of that; else empty.

        It is asked once the outlet is closed.
        """
        if self._lost is not None:
            return "" if self._told else str(self._lost.strerror)
        return "nobody took it in time" if self._waiting or self._writing else ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _make_room(self) -> None:
        """Leave out what is beyond the bound: whole texts, and never the newest."""
        if self._size <= self._bound:
            return
        kept: deque[_Text] = deque()
        for each in self._waiting:
            if each.passing and self._size > self._bound:
                self._leave_out(each)
            else:
                kept.append(each)
        while self._size > self._bound and len(kept) > 1:
            self._leave_out(kept.popleft())
        self._waiting = kept

    def _leave_out(self, text: _Text) -> None:
        self._size -= len(text.text)
        self._missed += max(1, text.text.count("\n"))

    def _run(self) -> None:
        while (text := self._next()) is not None:
            try:
                self._hand_over(text)
            except Exception as error:
                _log.exception("output is lost")
                number = getattr(error, "errno", None)
                with self._changed:
                    self._lost = OutputLost(number, getattr(error, "strerror", "") or str(error))
                    self._waiting.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _next(self) -> str | None:
        """Wait for a text to write; None once the outlet is closed and all is written."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            text = self._waiting.popleft().text
            self._size -= len(text)
            if self._missed:
                text = self._say_left_out(self._missed) + text
                self._missed = 0
            self._writing = True
            return text

    def _hand_over(self, text: str) -> None:
        """Write past Python's own buffer, whose lock would hold up the end of the program."""
        try:
            number = self._stream.fileno()
        except (AttributeError, OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
            self._taken += len(text)
            return
        if isinstance(self._stream, Guarded):
            left = self._stream.encoded(text)
        else:
            left = text.encode(self._stream.encoding or "utf-8", self._stream.errors or "strict")
        while left:
            try:
                written = os.write(number, left)
            except BlockingIOError:
                select.select([], [number], [], 1.0)
                continue
            left = left[written:]
            self._taken += written


@contextmanager
def patient_output(*, as_json: bool) -> Iterator[None]:
    """Have standard output and error written by threads of their own until the block ends."""
    out, err = sys.stdout, sys.stderr
    if out is not None:
        out.flush()
        sys.stdout = Outlet(out, _left_out_json if as_json else _left_out)
    if err is not None:
        err.flush()
        sys.stderr = Outlet(err, _left_out)
        # Nobody is left to tell.
        sys.stderr.outlived(lambda why: None)
    try:
        yield
    finally:
        _end(sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = out, err


def _end(out: object, err: object) -> None:
    """Close both, standard error last: it is told there where the end of the other was not read."""
    if isinstance(out, Outlet):
        out.close()
        if isinstance(err, Outlet) and (why := out.unread()):
            err.write(
                f"The end of standard output was not read ({why}). How it ended is kept: "
                "blueprime runs, blueprime show RUN.\n"
            )
    if isinstance(err, Outlet):
        err.close()


def _left_out(lines: int) -> str:
    return (
        f"({counted(lines, 'line was', 'lines were')} left out here: nobody read them in time; "
        "the journal has them)\n"
    )


def _left_out_json(lines: int) -> str:
    return f'{{"kind": "left-out", "text": "nobody read in time", "data": {{"lines": {lines}}}}}\n'
