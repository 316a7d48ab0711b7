"""What leaves this process as text: no secret, no control character, no file for others to read."""

from __future__ import annotations

import logging
import os
import resource
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import click

from state.home import open_private
from state.masking import masked, masked_by_value, remember_environment
from tui.text import clean


class Guarded:
    """A text stream that masks secrets and escapes what does not print, whoever writes to it.

    Standard output and error stand behind it: tracebacks, warnings, a server's words, the report.
    What is read by programs is masked by the secrets' values alone: JSON has to stay JSON, and
    `lab env` has to set the lab's own dummy credentials.
    """

    def __init__(self, stream: TextIO, mask: Callable[[str], str] = masked) -> None:
        self._stream = stream
        self._mask = mask

    def write(self, text: str) -> int:
        """Write a text as a terminal may have it."""
        if not isinstance(text, str):
            raise TypeError(f"a text stream takes str, not {type(text).__name__}")
        self._stream.write(clean(self._mask(text), lines=True))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class GuardedFormatter(logging.Formatter):
    """Formats a record, traceback included, masked and fit to be read with `less`."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(masked(super().format(record)), lines=True)


class GuardedGroup(click.Group):
    """A command line whose output is guarded from the first word to the last traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; what nobody foresaw ends it as Python would, but guarded."""
        remember_environment(os.environ)
        _leave_no_core()
        out, err = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = Guarded(out, masked_by_value), Guarded(err)
        try:
            return super().main(*args, **options)
        except Exception:
            traceback.print_exc()
            raise SystemExit(1) from None
        finally:
            sys.stdout, sys.stderr = out, err


def _leave_no_core() -> None:
    """Keep what is in memory from being written to a core file."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


class PrivateLog(logging.FileHandler):
    """A log file that its owner alone may read, whatever the umask, and whoever made it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self.setFormatter(GuardedFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))

    def _open(self) -> Any:
        return open_private(Path(self.baseFilename), "a")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Say nothing: a disk too full for the log is named by the journal, not by a traceback."""


class LaterGroup(click.Group):
    """Loads the commands of the module of its name when one of them is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._loaded())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._loaded().get(cmd_name)

    def _loaded(self) -> dict[str, click.Command]:
        commands: dict[str, click.Command] = import_module(f"tui.cli.{self.name}").COMMANDS
        return commands
