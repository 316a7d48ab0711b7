"""What an open run offers to a person: a step's preview and its unknown outcomes.

The values live here, below the screens that draw them and beside the session that makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.base.step import Gate, Risk
from runbook.failures import Answer, Finding
from state.records import Effect


@dataclass(frozen=True, slots=True)
class Preview:
    """What a step would ask and do, looked up without changing anything."""

    step: str
    gates: tuple[Gate, ...]
    effects: tuple[tuple[str, str], ...]
    """Title, and the exact call or SQL."""
    note: str
    """Why it would be skipped, or why not everything can be known yet; else empty."""
    there: tuple[tuple[str, str], ...] = ()
    """Changes that were seen to have happened and would not be made again: title, what was seen."""
    passed: tuple[str, ...] = ()
    """Who has passed its other gates lately, and when, which it does not ask again."""
    where: str = ""
    """On which cluster and in which databases its changes are made, where a gate asks for them."""
    unknown: str = ""
    """Why neither its gates nor its changes could be looked up, or empty."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An effect whose outcome is not known, with what its probe found."""

    effect: Effect
    step: str
    finding: Finding
    offers: tuple[str, ...]
    """Out of `adopt`, `retry`, `failed`, `branch`."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A repair that is offered, with what it would ask and run, looked up without changing."""

    key: str
    """The key of its step; empty where only a person can do it."""
    title: str
    why: str
    risk: Risk = Risk.READ_ONLY
    undo: str = ""
    gates: tuple[Gate, ...] = ()
    effects: tuple[tuple[str, str], ...] = ()
    """Title, and the exact SQL."""
    where: str = ""
    """On which cluster and in which databases that is run; empty where nothing is."""
    note: str = ""
    """Why what it runs is not known now, or empty."""
    by_hand: str = ""
    """What a person does, in the right order, where blueprime cannot."""


def choices(finding: Finding) -> tuple[str, ...]:
    """Return how a person may decide what became of a change, by what a look tells of it."""
    if finding.answer is Answer.YES:
        return ("adopt", "branch")
    if finding.answer is Answer.NO:
        return ("retry", "failed", "branch")
    return ("adopt", "retry", "failed", "branch")
