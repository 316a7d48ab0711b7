"""Rights on the clusters that a later step changes, proved before the applications are stopped."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.failures import Refused
from runbook.postgres.right_proof import Part
from runbook.preflight import Level
from runbook.preflight.checks.rights import all_proved, results_of
from runbook.procedure.steps.shared.checks import in_order, words
from runbook.proofs import rights

FACT = "rights"
"""What the latest proof found, as the preflight keeps its results."""


async def require(
    context: RunContext,
    watch: Watch,
    clusters: Mapping[Role, Collection[Part]],
    *,
    now: str,
    databases: Collection[str] | None = None,
) -> None:
    """Do on each cluster what the run will do there as these parts, and roll it back.

    Raises `Refused` where something that the run needs is refused, or could not be tried.
    """
    results = []
    for role, parts in clusters.items():
        found = await rights.prove(context, role, parts, databases=databases)
        results += list(results_of(role, found)) or [all_proved(context, role)]
    watch.evidence(
        "rights: " + "; ".join(result.text for result in results),
        key=FACT,
        value=[result.as_json() for result in results],
    )
    open_ = in_order(results)
    for result in open_:
        watch.evidence(words(result))
    stopping = [result for result in open_ if result.level is not Level.WARN]
    if stopping:
        raise Refused(
            f"{stopping[0].text}" + (f" And {len(stopping) - 1} more." if stopping[1:] else ""),
            now=now,
            todo=f"{stopping[0].remedy} Then run the step again; m, or blueprime repair, makes "
            "what blueprime's user may make itself.",
        )
