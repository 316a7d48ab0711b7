"""Where an upgrade stands: by the probes of its own steps, and by the traffic where they are mute.

The step of which the last trace is seen is run again: its probes adopt what is there, and its
verification proves it anew. So a position may be told too early without harm, and never too late.
"""

from __future__ import annotations

from collections.abc import Sequence

from runbook.base.roles import Role
from runbook.base.step import Step
from runbook.procedure.steps.protect.blue_prime import FreezeOldBlue
from runbook.procedure.steps.protect.create_slots import CreateSlots
from runbook.procedure.steps.traffic import ResumeTraffic, StopTraffic
from runbook.procedure.steps.upgrade.switchover import Switchover
from runbook.procedure.tracks import steps_of
from runbook.recovery.database_state import Traffic
from runbook.recovery.evidence import RecoveryEvidence
from runbook.recovery.stays import Past, Stay, StayEvidence, furthest, let_in, probe, seen
from state.enums import Status, Track

AFTER_IT = "later steps have left their traces"


def _steps(evidence: RecoveryEvidence) -> list[Step]:
    return steps_of(Track.UPGRADE, evidence.context.plan)


def _index(steps: Sequence[Step], key: str) -> int:
    return next(index for index, step in enumerate(steps) if step.key == key)


def _passed(step: Step, effects: tuple[StayEvidence, ...]) -> Past:
    why = "; ".join(each.seen for each in effects) or AFTER_IT
    return Past(step.key, Status.SUCCEEDED, why, effects)


async def before(evidence: RecoveryEvidence) -> Stay:
    """Return the stay of a run that has not switched over."""
    steps = _steps(evidence)
    stop = _index(steps, StopTraffic.key)
    last, found = await furthest(evidence, steps[:stop])
    blue = evidence.sides.get(Role.BLUE)
    if blue is not None and evidence.traffic(Role.BLUE) is Traffic.CLOSED:
        evidence.say(
            "the applications",
            "stopped on blue: their roles may not log in",
            f"the roles {', '.join(sorted(blue.locked))} on blue",
        )
        last = stop
    stay = Stay(Track.UPGRADE)
    stay.past = [_passed(s, e) for s, e in zip(steps[:last], found, strict=False)]
    if _may_be_stopped(evidence):
        # An abort starts the applications again only where it knows that they may be stopped.
        record = seen(await probe(evidence, steps[stop])) or (_STOPPED,)
        why = "whether this run has stopped the applications cannot be told"
        stay.past.append(Past(StopTraffic.key, Status.FAILED, why, record))
    return stay


_STOPPED = StayEvidence(
    "blue/stopped",
    "stop the applications on blue",
    "-- on blue: seen by adopt",
    "no session of theirs is seen on blue",
)


def _may_be_stopped(evidence: RecoveryEvidence) -> bool:
    """Return whether the applications may have been stopped: green is ready, and none is seen."""
    deployment = evidence.roles.deployment
    ready = deployment is not None and deployment.status not in ("PROVISIONING", "DELETING")
    traffic = evidence.traffic(Role.BLUE)
    return traffic is Traffic.CLOSED or (ready and traffic is not Traffic.OPEN)


async def after(evidence: RecoveryEvidence) -> Stay:
    """Return the stay of a run that has switched over and is not on its way back."""
    steps = _steps(evidence)
    capture, resume = _index(steps, CreateSlots.key), _index(steps, ResumeTraffic.key)
    last, found = await _furthest_after(evidence, steps, capture)
    traffic = evidence.traffic(Role.NEW_BLUE)
    if last == capture and evidence.capture_complete() and traffic is Traffic.OPEN:
        last = capture + 1
    stay = Stay(Track.UPGRADE, past=passed_pivot(steps))
    stay.past += [
        _passed(step, effects)
        for step, effects in zip(steps[capture:last], found, strict=False)
        if step.key != ResumeTraffic.key
    ]
    if not evidence.never_opened:
        stay.past.append(_resumed(evidence, traffic, found[resume - capture]))
    return stay


async def _furthest_after(
    evidence: RecoveryEvidence, steps: Sequence[Step], capture: int
) -> tuple[int, list[tuple[StayEvidence, ...]]]:
    """Return the index of the step to run again from the capture on, and what is seen of each."""
    _, found = await furthest(evidence, steps[capture:])
    telling = [
        capture + index
        for index, effects in enumerate(found)
        if effects and steps[capture + index].key != ResumeTraffic.key
    ]
    last = max([capture, *telling])
    if evidence.roles.deployment is None and last == capture:
        last = _index(steps, FreezeOldBlue.key)
    return last, found


def passed_pivot(steps: Sequence[Step]) -> list[Past]:
    """Return everything up to the switchover, which has been made."""
    end = _index(steps, Switchover.key) + 1
    return [
        Past(step.key, Status.SUCCEEDED, "the switchover has been made") for step in steps[:end]
    ]


def _resumed(
    evidence: RecoveryEvidence, traffic: Traffic, effects: tuple[StayEvidence, ...]
) -> Past:
    """Return what is known of the traffic having been let in on new blue."""
    rows = evidence.rows.words if evidence.rows else "their rows were not compared"
    why = {
        Traffic.OPEN: "sessions of the applications are there",
        Traffic.LET_IN: "the applications' roles may log in, and no session of theirs is seen",
        Traffic.CLOSED: f"that it was never let in is not proved: {rows}",
        Traffic.UNKNOWN: "whether the applications run cannot be told",
    }[traffic]
    status = Status.SUCCEEDED if traffic is Traffic.OPEN else Status.FAILED
    record = let_in(Role.NEW_BLUE.value, why)
    return Past(ResumeTraffic.key, status, why, (*effects, record))


def whole(evidence: RecoveryEvidence) -> Stay:
    """Return an upgrade that is behind the run, up to its protection."""
    steps = _steps(evidence)
    pivot = passed_pivot(steps)
    rest = [
        Past(step.key, Status.SUCCEEDED, "the run has left this track")
        for step in steps[len(pivot) : -1]
        if step.key != ResumeTraffic.key
    ]
    record = let_in(Role.NEW_BLUE.value, "a rollback or a commit comes after it")
    resumed = Past(ResumeTraffic.key, Status.SUCCEEDED, record.seen, (record,))
    return Stay(Track.UPGRADE, past=[*pivot, *rest, resumed])


def until_capture(evidence: RecoveryEvidence) -> Stay:
    """Return an upgrade that was left before the traffic resumed."""
    steps = _steps(evidence)
    pivot = passed_pivot(steps)
    done = Past(CreateSlots.key, Status.SUCCEEDED, "the run has left this track")
    return Stay(Track.UPGRADE, past=[*pivot, done])


async def aborting(evidence: RecoveryEvidence) -> list[Stay]:
    """Return the stays of a run whose green is going: each step of the abort looks for itself."""
    return [
        await before(evidence),
        Stay(Track.ABORT, reason="green is being deleted, or its record"),
    ]
