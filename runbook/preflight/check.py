"""A check: a small question about the world, and why its answer matters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from runbook.preflight.result import Level, Result
from runbook.preflight.survey import Survey

_Question = Callable[[Survey], AsyncIterator[Result]]


@dataclass(frozen=True, slots=True)
class Check:
    """One question."""

    key: str
    why: str
    question: _Question
    family: str
    waivable: bool = False
    """Whether some of its blocks can be survived, so that a plan may waive them."""

    async def ask(self, look: Survey) -> list[Result]:
        """Return what it says, signed with its key; whatever it raises is the suite's to word."""
        return [self.sign(result) async for result in self.question(look)]

    def sign(self, result: Result) -> Result:
        """Return a result with the check's own key, family and why."""
        why = "" if result.level is Level.PASS else result.why or self.why
        return replace(result, key=self.key, family=self.family, why=why)


def check(
    key: str, *, why: str, family: str = "", waivable: bool = False
) -> Callable[[_Question], Check]:
    """Make a check of a function that yields its results; its family is its key's first part."""

    def decorate(question: _Question) -> Check:
        return Check(key, why, question, family or key.split(".")[0], waivable)

    return decorate
