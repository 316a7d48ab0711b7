"""How this journal stands to a run that was found: without it, left behind, or on a par with it."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.base.context import RunContext
from runbook.ownership import holder, serving
from runbook.plan.model import Plan
from runbook.preflight import plans
from runbook.recovery.infer import Adoption
from state.enums import Environment
from state.errors import HandedOver, NoSuchRun, Refused
from state.journal import Journal
from state.records import Run


@dataclass(frozen=True, slots=True)
class Standing:
    """What becomes of this journal by the adoption of a run."""

    run: Run | None = None
    """The run as this journal has it, to be read anew; None where it has none of that id."""
    why: str = ""
    """What tells that this journal was left behind."""
    idle: Run | None = None
    """Another open run of the same cluster, which has changed nothing: it is closed first."""


def known(journal: Journal, run: str) -> Run | None:
    """Return a run by its whole id; raise `HandedOver` where another machine acts on it."""
    try:
        found = journal.run(run)
    except NoSuchRun:
        return None
    if found.id != run:
        return None
    if found.away is not None:
        raise HandedOver(found, found.away)
    return found


async def stand(journal: Journal, found: Adoption) -> Standing:
    """Return how the journal stands to what was found.

    Raise `Refused` where it is on a par with the clusters, and where another run of the same
    cluster is open that has changed something; `HandedOver` where another machine acts.
    """
    idle = _idle(journal, found)
    run = known(journal, found.run)
    if run is None:
        return Standing(idle=idle)
    why = await _left_behind(journal, run, found)
    if not why:
        raise Refused(
            f"Run {run.id} is in this journal ({'open' if run.open else 'closed'}), which knows "
            "what the clusters show. Nothing was changed, and nothing was adopted. Go on with it: "
            f"blueprime resume {run.id}"
        )
    return Standing(run, why, idle)


async def _left_behind(journal: Journal, run: Run, found: Adoption) -> str:
    """Return what tells that the journal knows less than the clusters, or an empty string."""
    plan = plans.of_run(journal, run)
    context = RunContext(run=run.id, plan=plan, journal=journal, aws=found.evidence.context.aws)
    if mark := holder.left_behind(context, found.evidence.roles.clusters):
        return (
            f"was left behind: {mark.who} on {mark.machine} "
            f"{'ended it at' if mark.ended else 'holds it since'} {mark.at:%Y-%m-%d %H:%M:%S} UTC"
        )
    if words := context.fact(holder.LEFT_BEHIND):
        # The mark that told so may have been taken away since.
        return f"was left behind: {words} holds it"
    try:
        different = serving.differences(context, await serving.look(context))
    finally:
        await context.forget_connections()
    return f"disagrees with the clusters: {'; '.join(different)}" if different else ""


def _idle(journal: Journal, found: Adoption) -> Run | None:
    """Return an open run of the same cluster that has changed nothing; refuse one that has."""
    environment = found.evidence.context.aws.environment
    for summary in journal.runs():
        run = journal.run(summary.run)
        if run.id == found.run or not run.open or not _same(run, found.plan, environment):
            continue
        if run.away is not None:
            raise HandedOver(run, run.away)
        if first := _changed(journal, run.id):
            raise Refused(
                f"Run {run.id} of cluster {run.cluster} is open in this journal, and it {first}. "
                f"Nothing was changed, and run {found.run} was not adopted. Bring {run.id} to its "
                f"end first (blueprime auto {run.id} --track abort, rollback or commit), then "
                "adopt again."
            )
        return run
    return None


def _same(run: Run, plan: Plan, environment: Environment) -> bool:
    """Return whether a run is of the plan's cluster, by what the journal itself goes by."""
    wanted = plan.cluster
    if run.cluster_resource_id == wanted.resource_id:
        return True
    named = (run.cluster, run.account, run.region, run.environment)
    return environment is Environment.AWS and named == (
        wanted.identifier,
        wanted.account,
        wanted.region,
        environment,
    )


def _changed(journal: Journal, run: str) -> str:
    """Return what a run has changed, or may have, as the end of a sentence; empty: nothing."""
    for attempt in journal.attempts(run):
        for effect in attempt.effects:
            return f"has changed something or may have (first: {effect.title})"
    return "has taken hold of the clusters" if journal.fact(run, holder.FACT) else ""
