"""A check: a small question about the world, and why its answer matters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from runbook.preflight.result import Level, Result, passed
from runbook.preflight.survey import Survey

_Question = Callable[[Survey], AsyncIterator[Result]]


@dataclass(frozen=True, slots=True)
class Check:
    """One question."""

    key: str
    why: str
    question: _Question
    family: str
    none: str = ""
    """What is said of the cluster where there is nothing else to say; empty: nothing is."""
    waivable: bool = False
    """Whether some of its blocks can be survived, so that a plan may waive them."""

    async def ask(self, look: Survey) -> list[Result]:
        """Return what it says, signed with its key; whatever it raises is the suite's to word."""
        said = [result async for result in self.question(look)]
        if self.none and not said:
            said = [passed(look.plan.cluster.identifier, self.none)]
        return [self.sign(result) for result in said]

    def sign(self, result: Result) -> Result:
        """Return a result with the check's own key, family and why."""
        why = "" if result.level is Level.PASS else result.why or self.why
        return replace(result, key=self.key, family=self.family, why=why)


def check(
    key: str, *, why: str, none: str = "", family: str = "", waivable: bool = False
) -> Callable[[_Question], Check]:
    """Make a check of a function that yields its results; its family is its key's first part.

    `none` is what is said where it yields nothing.
    """

    def decorate(question: _Question) -> Check:
        return Check(key, why, question, family or key.split(".")[0], none, waivable)

    return decorate
