"""What a check says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import psycopg

from runbook.failures import StepFailed
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.postgres.fix import Fix


class Level(StrEnum):
    """How much a result weighs."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    """The plan acknowledges it by name, or a person does before going on."""
    BLOCK = "block"
    """The run must not begin, unless the plan waives it where it can be survived."""
    UNKNOWN = "unknown"
    """The check could not look; never taken for good."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the preflight."""

    key: str
    """Names the check, e.g. `schema.identity`."""
    family: str
    """The group in which it is listed, e.g. `schema`; see `suite.CHECKS`."""
    level: Level
    subject: str
    """What it is about: a cluster, a group, a role, or `database/schema.table`."""
    text: str
    why: str = ""
    """Why it matters."""
    remedy: str = ""
    """What to do, with the exact command or SQL where there is one."""
    fix: Fix | None = None
    """The repair that blueprime can make itself, if there is one."""
    survives: str = ""
    """What is given up where the plan waives a block, or acknowledges by name that something could
    not be looked at; empty, it does not let it through.
    """
    accepted: str = ""
    """How the plan lets a warning or a block through; empty, it does not."""

    @property
    def name(self) -> str:
        """What a plan calls it by: `key:subject`."""
        return f"{self.key}:{self.subject}"

    @property
    def stops(self) -> bool:
        """Whether the run must not begin."""
        return self.level in (Level.BLOCK, Level.UNKNOWN) and not self.accepted

    @property
    def asks(self) -> bool:
        """Whether a person must know of it before going on."""
        return self.level is Level.WARN and not self.accepted

    def as_json(self) -> dict[str, Any]:
        """Return it as the journal and `check --json` keep it."""
        fix = None if self.fix is None else self.fix.as_json()
        return asdict(self) | {"level": self.level.value, "fix": fix}


def passed(subject: str, text: str) -> Result:
    """Return a good result: what was looked at, and what was seen."""
    return Result("", "", Level.PASS, subject, text)


def warn(subject: str, text: str, remedy: str, *, fix: Fix | None = None) -> Result:
    """Return a result that a person should know."""
    return Result("", "", Level.WARN, subject, text, remedy=remedy, fix=fix)


def block(
    subject: str, text: str, remedy: str, *, fix: Fix | None = None, survives: str = ""
) -> Result:
    """Return a result that does not let the run begin.

    `survives` says what a plan gives up that waives it.
    """
    return Result("", "", Level.BLOCK, subject, text, remedy=remedy, fix=fix, survives=survives)


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


def unseen(subject: str, text: str, remedy: str, *, survives: str) -> Result:
    """Return what could not be looked at, though the rest could.

    The plan lets it through by its name alone: `survives` says what nobody has looked at then.
    """
    return Result("", "", Level.UNKNOWN, subject, text, remedy=remedy, survives=survives)


def grouped(results: Iterable[Result]) -> list[list[Result]]:
    """Return results in groups of one check, level and reason, each where its first one stands."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        alike = (result.key, result.level, result.why, bool(result.accepted))
        groups.setdefault(alike, []).append(result)
    return list(groups.values())
