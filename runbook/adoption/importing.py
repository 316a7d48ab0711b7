"""Writes an adopted run into the journal: all of it, or nothing."""

from __future__ import annotations

from pathlib import Path

from runbook.adoption.stays import Past, Stay
from runbook.adoption.taking import Adoption
from state.errors import NoSuchRun, Refused
from state.journal import Journal
from state.records import Run
from state.words import Outcome, Status, Track

STEP = "adopt"
"""The facts that no step of the run has kept stand under this name."""


def refuse_known(journal: Journal, run: str) -> None:
    """Raise `Refused` where the journal has a run of this id, open or closed."""
    try:
        known = journal.run(run)
    except NoSuchRun:
        return
    if known.id == run:
        raise Refused(
            f"Run {run} is in this journal ({'open' if known.open else 'closed'}). Nothing was "
            f"changed, and nothing was adopted. Go on with it: blueprime resume {run}"
        )


def write(
    journal: Journal, adoption: Adoption, plan_path: Path, *, locked: tuple[str, ...], who: str
) -> Run:
    """Write a run that goes on where the world was found to stand.

    `locked` are the roles that get LOGIN back. Raises what the journal refuses: a run of that id,
    or another open one for the cluster; nothing is written then.
    """
    plan = adoption.plan
    refuse_known(journal, adoption.run)
    with journal.together():
        journal.start_run(
            adoption.run,
            cluster=plan.cluster.identifier,
            cluster_resource_id=plan.cluster.resource_id,
            account=plan.cluster.account,
            region=plan.cluster.region,
            environment=adoption.scene.world.aws.environment,
            plan=plan.as_json(),
            plan_path=str(plan_path),
        )
        _announce(journal, adoption, who)
        _keep_facts(journal, adoption, locked)
        for number, stay in enumerate(adoption.stays):
            _write_stay(journal, adoption.run, stay, first=number == 0)
    return journal.run(adoption.run)


def _announce(journal: Journal, adoption: Adoption, who: str) -> None:
    stay = adoption.stays[-1]
    where = f"{stay.track.value} {stay.way}".rstrip()
    journal.event(
        adoption.run,
        "run",
        f"run: adopted by {who} without its journal; it goes on at {adoption.next or 'the end'} "
        f"of {where}",
        {
            "who": who,
            "inferred": [[item.what, item.value, item.source] for item in adoption.scene.items],
            "unknown": [[each.what, each.means] for each in adoption.scene.unknown],
        },
    )


def _keep_facts(journal: Journal, adoption: Adoption, locked: tuple[str, ...]) -> None:
    run = adoption.run
    for item in adoption.scene.items:
        journal.evidence(run, STEP, f"{item.what}: {item.value} (from: {item.source})")
    for unknown in adoption.scene.unknown:
        journal.evidence(run, STEP, f"unknown: {unknown.what}; {unknown.means}")
    for fact in adoption.scene.draft.facts.values():
        journal.evidence(run, STEP, fact.text, key=fact.key, value=fact.value)
    if locked:
        text = f"LOGIN was taken from {', '.join(locked)}"
        journal.evidence(run, STEP, text, key="roles.locked", value=list(locked))


def _write_stay(journal: Journal, run: str, stay: Stay, *, first: bool) -> None:
    if not (first and stay.track is Track.UPGRADE):
        journal.enter_track(run, stay.track, way=stay.way, reason=stay.reason)
    for past in stay.past:
        _write_past(journal, run, past)


def _write_past(journal: Journal, run: str, past: Past) -> None:
    attempt = journal.begin_attempt(run, past.step)
    for seen in past.effects:
        effect = journal.intend(attempt.id, seen.key, seen.title, seen.preview)
        journal.settle(effect, Outcome.ADOPTED, {"seen": seen.seen, **seen.detail})
    journal.end_attempt(attempt.id, past.status, past.message)
    if past.status is Status.FAILED:
        journal.event(run, "attempt", f"step: {past.step} is to be run again: {past.why}")
