"""The cluster that a forced way has left behind: it may come back, open to the applications.

What a client writes there that still finds it is on no other cluster, and nobody reads it any more.
So it is looked for until it was closed.
"""

from __future__ import annotations

from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.ownership import serving
from runbook.ownership.serving import ClusterUse as Asked
from state.journal import Journal

FACT = "given-up"
"""The fact that names the role of the cluster; emptied once it was closed."""


def of(context: RunContext) -> Role | None:
    """Return the cluster that was given up, and was not closed since; None where there is none."""
    kept = context.fact(FACT)
    return Role(kept) if kept and not serving.believed(context, Role(kept)).serves else None


async def look(context: RunContext) -> Asked | None:
    """Ask it. None: there is none, or AWS has it no more."""
    role = of(context)
    cluster = None if role is None else await context.find(role)
    if role is None or cluster is None:
        return None
    return (await serving.look(context, [cluster])).get(role)


def words(seen: Asked | None) -> str:
    """Return what is wrong with it; empty where no client can write there."""
    if seen is None or not seen.answers:
        return ""
    name = f"{seen.cluster.identifier} ({seen.role.value}), which was given up, answers again"
    if seen.admission is None:
        return f"{name}; whether it is open to the applications cannot be asked: {seen.unknown}"
    how = [serving.open_words(seen.admission)] if seen.admission.open else []
    if inside := seen.admission.inside:
        how.append(serving.sessions_words(inside))
    return f"{name}, and is open: {'; '.join(how)}" if how else ""


async def watched(context: RunContext, journal: Journal, before: ProbeResult | None) -> ProbeResult:
    """Look as the watch does, and journal that it is back; `before` is what the last look saw."""
    found, now = words(await look(context)), context.now()
    if not found:
        return ProbeResult(now, (), "")
    found += (
        ". What is written there stays there alone. Close it: m, or blueprime repair "
        f"{context.run} all"
    )
    if before is None or not before.alarms:
        journal.evidence(context.run, "monitor", found)
    return ProbeResult(now, (Alert(Cause.RETURNED, "", "given up", found, True, now),), "")
