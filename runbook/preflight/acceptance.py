"""What a plan lets through: warnings that it acknowledges, and blocks that it waives by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from runbook.plan.model import Plan, Waive
from runbook.preflight.result import Level, Result

ACKNOWLEDGED = "acknowledged in the plan"


def apply_acceptances(results: Iterable[Result], plan: Plan) -> list[Result]:
    """Return the results, those that the plan accepts marked with how it does.

    Unknown is never accepted with its whole check: only by its name, and where a check says what
    nobody has looked at then. A block that cannot be survived stands, and says so.
    """
    return [_settled(result, plan) for result in results]


def _settled(result: Result, plan: Plan) -> Result:
    if result.level is Level.WARN and not result.accepted:
        if {result.key, result.name} & set(plan.acknowledge):
            return replace(result, accepted=ACKNOWLEDGED)
    elif result.level is Level.UNKNOWN and result.survives:
        if result.name in plan.acknowledge:
            return replace(result, accepted=f"{ACKNOWLEDGED}, not looked at: {result.survives}")
    elif result.level is Level.BLOCK and (waiver := _waiver(result, plan.waive)):
        if result.survives:
            return replace(result, accepted=f"waived in the plan, giving up: {waiver.gives_up}")
        return replace(result, text=f"{result.text} The plan waives it, but it is not survivable.")
    return result


def way_through(result: Result) -> str:
    """Return how a plan would let a result through that stops a run, and what that gives up."""
    if not result.survives or result.accepted:
        return ""
    if result.level is Level.UNKNOWN:
        name = json.dumps(result.name, ensure_ascii=False)
        return f"add {name} to acknowledge in the plan: {result.survives}"
    return f"waive {result.key} in the plan: {result.survives}"


def _waiver(result: Result, waivers: Sequence[Waive]) -> Waive | None:
    found = (w for w in waivers if (w.check, w.subject) == (result.key, result.subject))
    return next(found, None)


def unused(results: Iterable[Result], plan: Plan) -> list[Waive]:
    """Return the waivers that no result of these answers to: misspelt, or no longer needed."""
    names = {result.name for result in results}
    return [waiver for waiver in plan.waive if f"{waiver.check}:{waiver.subject}" not in names]
