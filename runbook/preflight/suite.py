"""Asks every check at once, and words what could not be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from runbook.preflight import acceptance
from runbook.preflight.check import Check
from runbook.preflight.checks import (
    account,
    capacity,
    cluster,
    database_roles,
    derived,
    extensions,
    functions,
    identities,
    network,
    other_runs,
    parameters,
    reachability,
    replication,
    rights,
    schema,
    sessions,
    unreplicated,
    upgrade,
)
from runbook.preflight.result import Level, Result, unknown
from runbook.preflight.survey import Survey

if TYPE_CHECKING:
    from runbook.base.context import RunContext

FAMILIES = (
    account,
    cluster,
    derived,
    other_runs,
    parameters,
    capacity,
    replication,
    sessions,
    identities,
    schema,
    functions,
    upgrade,
    unreplicated,
    extensions,
    database_roles,
    rights,
    reachability,
    network,
)
CHECKS = tuple(
    each for family in FAMILIES for each in vars(family).values() if isinstance(each, Check)
)
"""Every check that the modules define, in that order."""


def waivable() -> dict[str, bool]:
    """Return the key of every check, and whether a plan may waive what it blocks."""
    return {each.key: each.waivable for each in CHECKS}


async def run(
    context: RunContext, *, progress: Callable[[str], None] | None = None
) -> list[Result]:
    """Ask every check of blue at once and return all results, in the order of the families.

    `progress` hears how far it is. Nothing is changed: every session is read-only, but those that
    prove rights, and what these do is rolled back. A check that
    cannot look yields `unknown`; checks that fail for one and the same reason share one line. What
    the plan acknowledges or waives is marked as accepted.
    """
    done = 0

    async def ask(each: Check, look: Survey) -> list[Result]:
        nonlocal done
        try:
            results = await each.ask(look)
        except Exception as error:
            results = [each.sign(unknown(each.key, error))]
        done += 1
        if progress is not None:
            progress(f"{done} of {len(CHECKS)} checks")
        return results

    async with aclosing(Survey(context)) as look:
        answers = await asyncio.gather(*(ask(each, look) for each in CHECKS))
    found = _merged([result for results in answers for result in results])
    return acceptance.apply_acceptances(found, context.plan)


_NAMED = 5
"""So many checks are named where one reason leaves several open."""


def _left_open(keys: list[str]) -> str:
    if len(keys) < 2:
        return ""
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f" Left open: {', '.join(keys[:_NAMED])}{more}."


def _merged(results: list[Result]) -> list[Result]:
    """Fold `unknown` results of one reason into the first, naming the checks left open."""
    open_checks: dict[str, list[str]] = {}
    for result in results:
        if result.level is Level.UNKNOWN:
            open_checks.setdefault(result.text, []).append(result.key)
    merged = []
    for result in results:
        if result.level is not Level.UNKNOWN:
            merged.append(result)
        elif keys := open_checks.pop(result.text, []):
            others = _left_open(list(dict.fromkeys(keys)))
            merged.append(replace(result, text=result.text + others))
    return merged
