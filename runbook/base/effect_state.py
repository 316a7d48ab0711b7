"""What a look told of changes: whether each has happened, by the world or by a person's ruling."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from runbook.base.step import Effect, Wave
from runbook.failures import Ambiguous, Answer, Finding, StepFailed
from runbook.postgres.connect import UNREACHABLE
from state.enums import Outcome
from state.records import Effect as Record

PROBE = "probe"
"""Who is named where a look, and not a person, has decided an unknown outcome."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look told of an effect, and its records whose outcome was unknown until then."""

    finding: Finding
    open_ones: Sequence[Record]

    @property
    def to_be_made(self) -> bool:
        """Whether it is known not to be there."""
        return self.finding.answer is Answer.NO


async def probe_safely(effect: Effect) -> Finding:
    """Return what a probe finds; one that fails finds that it cannot be told."""
    try:
        return await effect.probe()
    except (StepFailed, Ambiguous, *UNREACHABLE) as error:
        return Finding(Answer.UNKNOWN, f"it could not be looked at: {first_line(error)}")


async def seen_there(waves: Sequence[Wave]) -> dict[str, str]:
    """Return what was seen of the changes that need not be made, by their keys.

    What a change finds tells nothing of it while one of an earlier wave, which may turn it over,
    is still to be made.
    """
    there: dict[str, str] = {}
    for wave in waves:
        findings = await asyncio.gather(*(probe_safely(effect) for effect in wave))
        for effect, finding in zip(wave, findings, strict=True):
            if finding.answer is Answer.YES:
                there[effect.key] = finding.seen
        if any(finding.answer is not Answer.YES for finding in findings):
            break
    return there


def by_person(record: Record) -> bool:
    """Return whether a person has decided an outcome that no look could tell."""
    return record.decided not in ("", PROBE)


def ruled(finding: Finding, ruling: Record) -> Finding:
    """Return what a person decided of a change that no look can tell of."""
    answer = Answer.YES if ruling.outcome is Outcome.ADOPTED else Answer.NO
    reason = ruling.detail.get("reason", "")
    return Finding(answer, f"{finding.seen}; {ruling.decided} decided: {reason}")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's words, or its kind where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
