"""What a check says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import psycopg

from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.step import StepFailed


class Level(StrEnum):
    """How much a result weighs."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    """A person should know before going on."""
    BLOCK = "block"
    """The run must not begin."""
    UNKNOWN = "unknown"
    """The check could not look; never taken for good."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the preflight."""

    key: str
    """Names the check, e.g. `schema.identity`."""
    family: str
    """`account`, `cluster`, `parameters`, `capacity`, `schema`, `data`, `sessions` or `roles`."""
    level: Level
    subject: str
    """What it is about: a cluster, a group, a role, or `database/schema.table`."""
    text: str
    why: str = ""
    """Why it matters."""
    remedy: str = ""
    """What to do, with the exact command or SQL where there is one."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the journal and `check --json` keep it."""
        return asdict(self) | {"level": self.level.value}


def passed(subject: str, text: str) -> Result:
    """Return a good result: what was looked at, and what was seen."""
    return Result("", "", Level.PASS, subject, text)


def warn(subject: str, text: str, remedy: str = "") -> Result:
    """Return a result that a person should know."""
    return Result("", "", Level.WARN, subject, text, remedy=remedy)


def block(subject: str, text: str, remedy: str) -> Result:
    """Return a result that does not let the run begin."""
    return Result("", "", Level.BLOCK, subject, text, remedy=remedy)


def unknown(subject: str, error: Exception) -> Result:
    """Return a result that could not be had, with the reason in words."""
    if isinstance(error, StepFailed):
        text, remedy = error.what, error.todo
    else:
        text = str(error).strip()
        if not isinstance(error, psycopg.Error | CannotConnect | WrongServer):
            text = f"{type(error).__name__}: {text}"
        remedy = "Remove the obstacle, then run the checks again."
    return Result("", "", Level.UNKNOWN, subject, f"It could not be looked at: {text}", "", remedy)
