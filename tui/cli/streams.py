"""Standard input, output and error as every command finds them, whatever the shell made of them.

A stream that was closed is /dev/null; a character that the terminal's encoding lacks is escaped as
JSON escapes it; secrets are masked; and what cannot be written any more is dropped, and that is
told once. So no line that is printed, or cannot be, ends a command or changes a run.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO, Any, Protocol, TextIO, runtime_checkable

from state.masking import masked
from tui.text import clean, escaped

ESCAPED = "blueprime.escaped"
"""The name of the error handler that escapes what an encoding lacks."""

_NAMES = ("stdin", "stdout", "stderr")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(escaped(character) for character in lacking), error.end


codecs.register_error(ESCAPED, _escape)


class OutputLost(OSError):
    """Standard output cannot be written any more; it goes nowhere from now on."""


def open_closed() -> None:
    """Put /dev/null in the place of each standard stream that was closed (`<&-`, `>&-`).

    A file or a socket that is opened later would get its number, and a stray word its content.
    """
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is not None:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number and not _is_open(number):
            os.dup2(nowhere, number)
            os.close(nowhere)
            nowhere = number
        os.set_inheritable(nowhere, True)
        setattr(sys, name, os.fdopen(nowhere, "w" if number else "r", encoding="utf-8"))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def writes_utf8(stream: IO[str]) -> bool:
    """Return whether a stream takes every character; one that names no encoding does."""
    name = getattr(stream, "encoding", None) or "utf-8"
    return codecs.lookup(name).name.startswith("utf")


def send_nowhere(stream: TextIO) -> None:
    """Have what a stream is given vanish: the journal has it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@runtime_checkable
class Outlives(Protocol):
    """A stream that can go on dropping what it is given once nobody can read it."""

    def outlived(self, tell: Callable[[str], object]) -> None:
        """Drop from now on what cannot be written, and tell why, once, instead of raising."""


class Guarded:
    """A text stream that masks secrets and escapes what does not print, whoever writes to it.

    Standard output and error stand behind it: tracebacks, warnings, a server's words, the report.
    What is read by programs is masked by the secrets' values alone: JSON has to stay JSON, and
    `lab env` has to set the lab's own dummy credentials.
    """

    encoding = "utf-8"
    """It takes every character, so that nobody writes past it to what lies behind."""

    def __init__(self, stream: TextIO, mask: Callable[[str], str] = masked) -> None:
        self._stream = stream
        self._mask = mask
        self._tell: Callable[[str], object] | None = None
        self._lost: OutputLost | None = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ESCAPED)

    def outlived(self, tell: Callable[[str], object]) -> None:
        """Drop from now on what cannot be written, and tell why, once, instead of raising."""
        self._tell = tell

    def write(self, text: str) -> int:
        """Write a text as a terminal may have it; raise `OutputLost` where that is not possible."""
        if not isinstance(text, str):
            raise TypeError(f"a text stream takes str, not {type(text).__name__}")
        self._unless_lost(lambda: self._stream.write(self.shown(text)))
        return len(text)

    def shown(self, text: str) -> str:
        """Return a text as a terminal may have it."""
        return clean(self._mask(text), lines=True)

    def encoded(self, text: str) -> bytes:
        """Return the bytes that writing a text sends, for whoever writes them by itself."""
        return self.shown(text).encode(self._stream.encoding or "utf-8", ESCAPED)

    def flush(self) -> None:
        """Have written what is held back; raise `OutputLost` where that is not possible."""
        self._unless_lost(self._stream.flush)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def _unless_lost(self, act: Callable[[], object]) -> None:
        if self._lost is None:
            try:
                act()
            except OSError as error:
                self._lost = OutputLost(error.errno, error.strerror or str(error))
                # Python itself writes what is held back once more, at its end. A stream of a
                # test's has no descriptor.
                with suppress(io.UnsupportedOperation):
                    send_nowhere(self._stream)
                if self._tell is not None:
                    self._tell(str(self._lost.strerror))
        # Not only the first: who merely tries what kind of stream it is swallows that.
        if self._lost is not None and self._tell is None:
            raise self._lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guarded(mask: Callable[[str], str]) -> tuple[Guarded, Guarded]:
    """Return standard output, masked by `mask`, and standard error as they are to be used.

    Where standard error is lost there is nobody left to tell.
    """
    open_closed()
    out, err = Guarded(sys.stdout, mask), Guarded(sys.stderr)
    err.outlived(lambda why: None)
    return out, err


def outlive_output(tell: Callable[[str], object]) -> None:
    """Let what follows go on whatever becomes of standard output; `tell` is told why it is lost.

    It is said on standard error too. For a run: nobody to read it is no reason to drop it.
    """

    def both(why: str) -> None:
        words = f"Standard output cannot be written any more ({why})."
        sys.stderr.write(f"{words} The run goes on, and its journal has every event.\n")
        tell(words)

    if isinstance(sys.stdout, Outlives):
        sys.stdout.outlived(both)


def quiet(lost: OutputLost) -> bool:
    """Return whether output was lost because its reader has seen enough, `head` for instance."""
    return lost.errno == errno.EPIPE
