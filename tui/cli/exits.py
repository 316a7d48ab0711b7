"""How a command ends: its exit code, one clear sentence on standard error, or a JSON value."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

from tui.cli.streams import OutputLost

P = ParamSpec("P")

R = TypeVar("R")

DONE, FAILED, USAGE, BLOCKED, UNKNOWN = 0, 1, 2, 3, 4


def in_words(command: Callable[P, None]) -> Callable[P, None]:
    """Turn every foreseeable failure into one clear sentence and its exit code."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        from rehearsal.hook import LabError
        from runbook.aws.errors import MfaCodeNeeded
        from runbook.failures import Ambiguous, Refused, StepFailed
        from runbook.plan.model import PlanError
        from state.errors import JournalError, NoSuchRun

        try:
            command(*args, **kwargs)
        except (PlanError, NoSuchRun) as error:
            stop(str(error), USAGE)
        except MfaCodeNeeded as error:
            stop(_sentence(error), USAGE)
        except Refused as error:
            stop(_sentence(error), BLOCKED)
        except StepFailed as error:
            stop(_sentence(error), FAILED)
        except Ambiguous as error:
            stop(str(error), UNKNOWN)
        except (JournalError, LabError) as error:
            stop(str(error), FAILED)
        except OutputLost:
            raise
        except OSError as error:
            stop(_about_a_file(error), FAILED)

    return wrapped


def stop(words: str, code: int) -> NoReturn:
    """End the program with words on standard error and an exit code."""
    click.echo(words, err=True)
    raise SystemExit(code)


def _about_a_file(error: OSError) -> str:
    what = f"{error.filename}: " if error.filename else ""
    return (
        f"{what}{error.strerror or error}. Nothing further was done. "
        "Check the path and its permissions (BLUEPRIME_HOME names the workspace), and try again."
    )


def _sentence(error: Any) -> str:
    return "\n".join((error.what, error.now, error.todo))


def run_async(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end."""
    return asyncio.run(work)


def print_json(value: object) -> None:
    """Print a JSON value, readable."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
