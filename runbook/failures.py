"""What may come of a look or a change: it is there, it is not, it failed, nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from state.records import Json


class Answer(StrEnum):
    """What a probe says to: has this effect already happened?"""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of a probe, with one sentence on what was looked at and seen."""

    answer: Answer
    seen: str
    detail: Mapping[str, Json] = field(default_factory=dict)


class StepFailed(Exception):
    """A foreseeable failure, in the words that a person reads.

    `what` happened and to which object; what is `now` true; what to do `next`.
    """

    def __init__(self, what: str, *, now: str, todo: str) -> None:
        super().__init__(f"{what} {now} {todo}")
        self.what = what
        self.now = now
        self.todo = todo


class Refused(StepFailed):
    """A check blocks: nothing was changed, and going on is not offered."""

    def __init__(self, what: str, *, now: str = "Nothing was changed.", todo: str) -> None:
        super().__init__(what, now=now, todo=todo)


class Ambiguous(Exception):
    """`perform` cannot tell whether the effect happened (a lost response, a lost connection)."""
