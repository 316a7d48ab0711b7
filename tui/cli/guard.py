"""What leaves this process as text: no secret, no control character, no file for others to read."""

from __future__ import annotations

import logging
import os
import resource
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from state.home import journal_path, open_private
from state.masking import masked, masked_by_value, remember_environment
from tui.cli.streams import OutputLost, guarded, quiet
from tui.text import clean


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
        guards = guarded(masked_by_value)
        out, err = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = guards
        try:
            return super().main(*args, **options)
        except OutputLost as lost:
            if not quiet(lost):
                click.echo(f"Not everything could be printed: {lost.strerror}.", err=True)
            raise SystemExit(1) from None
        except Exception as error:
            if words := _of_a_changed_journal():
                click.echo(f"{words}\nMet with: {type(error).__name__}: {error}", err=True)
            else:
                traceback.print_exc()
            raise SystemExit(1) from None
        finally:
            sys.stdout, sys.stderr = out, err


def _of_a_changed_journal() -> str:
    """Return that the journal was changed from outside, if so: what is read was never written."""
    from state.errors import JournalError
    from state.journal_files import trouble_of_changes

    try:
        return trouble_of_changes(journal_path())
    except JournalError:
        return ""


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
