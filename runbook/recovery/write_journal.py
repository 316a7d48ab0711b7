"""Writes an adopted run into the journal: all of it, or nothing."""

from __future__ import annotations

from pathlib import Path

from runbook.ownership import holder
from runbook.preflight import plans
from runbook.procedure.steps.finish.abort import DeleteGreen
from runbook.procedure.steps.protect.drop_slots import DropSlots
from runbook.protection.dashboard import Dashboard
from runbook.recovery.existing_run import Standing
from runbook.recovery.infer import Adoption, Ended
from runbook.recovery.rebase import empty_facts
from runbook.recovery.stays import Past, Stay, StayEvidence
from state.enums import Outcome, Result, Status, Track
from state.journal import Journal
from state.rebasing import ADOPT
from state.records import Run


def write(
    journal: Journal,
    adoption: Adoption,
    plan_path: Path,
    standing: Standing,
    *,
    locked: tuple[str, ...],
    who: str,
) -> Run:
    """Write a run that goes on where the world was found to stand.

    One that the journal has already is read anew: what it knew stays behind as its history.
    `locked` are the roles that get LOGIN back. Raises what the journal refuses; nothing is written
    then.
    """
    with journal.together():
        if standing.idle is not None:
            _close_idle(journal, standing.idle, adoption.run)
        if standing.run is None:
            environment = adoption.evidence.context.aws.environment
            plans.begin(journal, adoption.run, adoption.plan, plan_path, environment)
        else:
            _read_anew(journal, standing.run, adoption)
        _announce(journal, adoption, standing, who)
        _keep_facts(journal, adoption, locked)
        for number, stay in enumerate(adoption.stays):
            _write_stay(journal, adoption.run, stay, standing if number == 0 else None)
    return journal.run(adoption.run)


def _close_idle(journal: Journal, idle: Run, adopted: str) -> None:
    journal.mark_unknown(idle.id)
    words = f"run: it has changed nothing; run {adopted} of the same cluster is adopted instead"
    journal.event(idle.id, "run", words)
    journal.close_run(idle.id, Result.ABORTED)


def close_ended(journal: Journal, run: Run, ended: Ended, *, who: str) -> None:
    """Close a run that was brought to its end elsewhere, with nothing of it left."""
    words = str(ended)
    aborted = ended.production.resource_id == run.cluster_resource_id
    stay = Stay(Track.ABORT if aborted else Track.COMMIT)
    gone = StayEvidence("nothing-left", "bring the run to its end", "-- seen by adopt", words)
    step = DeleteGreen.key if aborted else DropSlots.key
    stay.past.append(Past(step, Status.SUCCEEDED, words, (gone,)))
    with journal.together():
        _empty(journal, run.id)
        value = holder.as_fact(ended.mark)
        journal.evidence(run.id, ADOPT, words, key=holder.FACT, value=value)
        _write_stay(journal, run.id, stay, Standing(run, "was left behind"))
        journal.event(run.id, "run", f"run: closed by {who}: {words}")
        journal.close_run(run.id, Result.CLEANED)


def _read_anew(journal: Journal, run: Run, adoption: Adoption) -> None:
    """Open a run again where it was closed, and empty it of what it knew of the clusters."""
    if not run.open:
        journal.reopen_run(run.id)
    _empty(journal, run.id)
    journal.set_result(run.id, None)
    if adoption.plan != plans.of_run(journal, run):
        text = "the run goes by the plan that it was adopted with"
        journal.evidence(run.id, ADOPT, text, key=plans.FACT, value=adoption.plan.as_json())


def _empty(journal: Journal, run: str) -> None:
    """Let a run's journal say nothing of the clusters any more, nor the figures put up last."""
    journal.mark_unknown(run)
    empty_facts(journal, run, ADOPT)
    if journal.live(run) is not None:
        journal.publish(run, Dashboard().as_json())


def _announce(journal: Journal, adoption: Adoption, standing: Standing, who: str) -> None:
    stay = adoption.stays[-1]
    where = f"{stay.track.value} {stay.variant}".rstrip()
    how = "without its journal" if standing.run is None else f"anew, since it {standing.why}"
    journal.event(
        adoption.run,
        "run",
        f"run: adopted by {who} {how}; it goes on at {adoption.next or 'the end'} of {where}",
        {
            "who": who,
            "rebased": standing.run is not None,
            "inferred": [[item.what, item.value, item.source] for item in adoption.evidence.items],
            "unknown": [[each.what, each.means] for each in adoption.evidence.unknown],
        },
    )


def _keep_facts(journal: Journal, adoption: Adoption, locked: tuple[str, ...]) -> None:
    run = adoption.run
    for item in adoption.evidence.items:
        journal.evidence(run, ADOPT, f"{item.what}: {item.value} (from: {item.source})")
    for unknown in adoption.evidence.unknown:
        journal.evidence(run, ADOPT, f"unknown: {unknown.what}; {unknown.means}")
    own = journal.fact(run, holder.FACT) or {"number": 0}
    for fact in adoption.evidence.draft.facts.values():
        if fact.key == holder.FACT and own["number"] > fact.value["number"]:
            continue
        journal.evidence(run, ADOPT, fact.text, key=fact.key, value=fact.value)
    if locked:
        text = f"LOGIN was taken from {', '.join(locked)}"
        journal.evidence(run, ADOPT, text, key="roles.locked", value=list(locked))


def _write_stay(journal: Journal, run: str, stay: Stay, first: Standing | None) -> None:
    """Write one stay on a track; `first`: how the journal stood, for the first one of all."""
    if first is not None and first.run is not None:
        reason = "; ".join(filter(None, (f"this journal {first.why}", stay.reason)))
        journal.enter_track(run, stay.track, variant=stay.variant, from_step=ADOPT, reason=reason)
    elif first is None or stay.track is not Track.UPGRADE:
        journal.enter_track(run, stay.track, variant=stay.variant, reason=stay.reason)
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
