"""Where a rollback, a way forward after one, a commit or a cleanup stands.

What can be proved again is left to be run again: the fence, the sequences, the comparison of the
rows. Only what cannot be repeated counts as done.
"""

from __future__ import annotations

from runbook.base import derived_names
from runbook.base.context import RUN_TAG
from runbook.base.roles import Role
from runbook.base.step import Step
from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.plan.model import EndpointMethod
from runbook.procedure.steps.finish.cleanup import DeleteOwnDeployment
from runbook.procedure.steps.protect.drop_slots import DropSlots
from runbook.procedure.steps.protect.drop_subscriptions import DropSubscriptions
from runbook.procedure.steps.rollback.counters import Drain
from runbook.procedure.steps.rollback.endpoints import SwitchEndpoint
from runbook.procedure.steps.rollback.fail_back import Assess
from runbook.procedure.steps.traffic import ResumeTraffic, StopTraffic
from runbook.procedure.tracks import steps_of
from runbook.recovery.cluster_roles import no_guess
from runbook.recovery.database_state import Traffic
from runbook.recovery.evidence import RecoveryEvidence
from runbook.recovery.infer_upgrade import until_capture, whole
from runbook.recovery.stays import Past, Stay, StayEvidence, let_in, probe, seen
from state.enums import Status, Track


def way_of(evidence: RecoveryEvidence) -> RollbackTarget | UpgradeVariant | None:
    """Return the way on which a run has left its upgrade, or None where it has not."""
    roles = evidence.roles
    aside = roles.green is not None and roles.green.identifier == derived_names.aside(
        roles.production, roles.run
    )
    new = evidence.sides.get(Role.NEW_BLUE)
    closed = (
        new is not None
        and any(new.read_only.values())
        and evidence.traffic(Role.NEW_BLUE) is not Traffic.OPEN
    )
    if _going_forward(evidence):
        return UpgradeVariant.FORWARD
    if roles.bears(roles.prime) or evidence.unlocked_on_prime:
        return RollbackTarget.BLUE_PRIME
    if roles.bears(roles.blue):
        return RollbackTarget.OLD_BLUE
    if aside or closed:
        return RollbackTarget.OLD_BLUE if roles.prime is None else RollbackTarget.BLUE_PRIME
    if evidence.detaching() and evidence.traffic(Role.NEW_BLUE) in (
        Traffic.CLOSED,
        Traffic.UNKNOWN,
    ):
        return RollbackTarget.BLUE_PRIME
    if _stopped_once_more(evidence):
        return RollbackTarget.BLUE_PRIME
    return None


def _going_forward(evidence: RecoveryEvidence) -> bool:
    """Return whether a run that had rolled back is on its way to new blue again.

    A capture on blue prime whose slots were read is one that new blue has followed; in the rollback
    that makes it nobody has read them before the applications are let in.
    """
    prime = evidence.sides.get(Role.BLUE_PRIME)
    if prime is None or Role.NEW_BLUE not in evidence.sides or not prime.captured:
        return False
    if has_gone_forward(evidence):
        return True
    traffic = evidence.traffic(Role.BLUE_PRIME)
    if not evidence.slots_used(Role.BLUE_PRIME):
        return False
    return traffic is Traffic.CLOSED or (
        traffic is Traffic.UNKNOWN and evidence.detaching(Role.BLUE_PRIME)
    )


def has_gone_forward(evidence: RecoveryEvidence) -> bool:
    """Return whether the applications are led to new blue again, after a rollback.

    A rollback marks new blue as made by the run when it settles, and nothing takes that away.
    """
    prime, green = evidence.sides.get(Role.BLUE_PRIME), evidence.roles.green
    if prime is None or green is None:
        return False
    if not prime.captured:
        return evidence.roles.bears(green) and green.tags.get(RUN_TAG) == evidence.roles.run
    if evidence.traffic(Role.NEW_BLUE) in (Traffic.OPEN, Traffic.LET_IN):
        return True
    by_name = evidence.context.plan.endpoint.method is EndpointMethod.RENAME
    return (
        by_name
        and evidence.roles.bears(evidence.roles.green)
        and evidence.slots_used(Role.BLUE_PRIME)
    )


def _stopped_once_more(evidence: RecoveryEvidence) -> bool:
    """Return whether the applications were stopped after blue prime had followed their writes."""
    return (
        evidence.traffic(Role.NEW_BLUE) is Traffic.CLOSED
        and evidence.rows is not None
        and evidence.rows.same is False
        and bool(evidence.captured)
        and Role.BLUE_PRIME in evidence.sides
        and not evidence.unsubscribed()
    )


def committing(evidence: RecoveryEvidence) -> bool:
    """Return whether the way back is being ended, or has been."""
    if evidence.roles.deployment is not None or Role.NEW_BLUE not in evidence.sides:
        return False
    prime = evidence.sides.get(Role.BLUE_PRIME)
    if prime is not None and prime.subscriptions and not evidence.detaching():
        return False
    return evidence.detaching() or not evidence.sides[Role.NEW_BLUE].slots


async def rolling_back(evidence: RecoveryEvidence, variant: RollbackTarget) -> list[Stay]:
    """Return the stays of a run on its way back."""
    to = Role.BLUE_PRIME if variant is RollbackTarget.BLUE_PRIME else Role.OLD_BLUE
    upgrade = whole(evidence) if variant is RollbackTarget.BLUE_PRIME else until_capture(evidence)
    if _switched_endpoint(evidence, to):
        return [upgrade, *await _rolled_back(evidence, variant, to)]
    _refuse_untold_endpoint(evidence)
    stay = Stay(Track.ROLLBACK, variant, f"a rollback to {to.value} was under way")
    stay.past = await _fenced(evidence, stay, Role.NEW_BLUE, to)
    return [upgrade, stay]


async def going_forward(evidence: RecoveryEvidence) -> list[Stay]:
    """Return the stays of a run that had rolled back and goes to new blue again."""
    stay = Stay(Track.UPGRADE, UpgradeVariant.FORWARD, "going forward again was under way")
    before = [whole(evidence), _whole_rollback(evidence)]
    if has_gone_forward(evidence):
        steps = steps_of(Track.UPGRADE, evidence.context.plan, UpgradeVariant.FORWARD)
        stay.past = await _switched(evidence, steps, Role.NEW_BLUE)
        return [*before, stay]
    _refuse_untold_endpoint(evidence)
    stay.past = await _fenced(evidence, stay, Role.BLUE_PRIME, Role.NEW_BLUE)
    return [*before, stay]


def _whole_rollback(evidence: RecoveryEvidence) -> Stay:
    """Return a rollback that is behind the run, protected in its turn."""
    stay = Stay(Track.ROLLBACK, RollbackTarget.BLUE_PRIME, "new blue has followed blue prime")
    record = let_in(Role.BLUE_PRIME.value, "new blue has followed what was written there")
    for step in steps_of(Track.ROLLBACK, evidence.context.plan, stay.variant):
        effects: tuple[StayEvidence, ...] = ()
        if step.key == ResumeTraffic.key:
            effects = (record,)
        elif step.key == SwitchEndpoint.key:
            effects = (_led(Role.BLUE_PRIME),)
        stay.past.append(Past(step.key, Status.SUCCEEDED, "the run has left this track", effects))
    return stay


async def _rolled_back(evidence: RecoveryEvidence, variant: RollbackTarget, to: Role) -> list[Stay]:
    """Return the stay of a run whose applications are led to the old version, and its end."""
    if _settling(evidence):
        finalize = Stay(Track.ROLLBACK, RollbackTarget.FINALIZE, "the way forward was being ended")
        finalize.past = await _looked_at(evidence, finalize)
        return [_whole_rollback(evidence), finalize]
    if evidence.called_off(Role.BLUE_PRIME):
        stay = Stay(Track.ROLLBACK, RollbackTarget.STAY, "going forward was called off")
        stay.past = await _switched(
            evidence, steps_of(Track.ROLLBACK, evidence.context.plan, stay.variant), to
        )
        return [_whole_rollback(evidence), stay]
    if variant is RollbackTarget.BLUE_PRIME and _not_held(evidence):
        variant = RollbackTarget.FOR_GOOD
    stay = Stay(Track.ROLLBACK, variant, f"a rollback to {to.value} was under way")
    stay.past = await _switched(
        evidence, steps_of(Track.ROLLBACK, evidence.context.plan, variant), to
    )
    return [stay]


def _not_held(evidence: RecoveryEvidence) -> bool:
    """Return whether nothing on blue prime keeps what is written, though the plan wants it."""
    prime = evidence.sides.get(Role.BLUE_PRIME)
    return evidence.context.plan.rollback.protect and prime is not None and not prime.captured


def _settling(evidence: RecoveryEvidence) -> bool:
    """Return whether the way forward is being ended, or has been: new blue was detached."""
    prime, green = evidence.sides.get(Role.BLUE_PRIME), evidence.roles.green
    if _not_held(evidence):
        # A rollback that has come to its end has marked new blue.
        return green is not None and green.tags.get(RUN_TAG) == evidence.roles.run
    if prime is None or not prime.captured or evidence.traffic(Role.BLUE_PRIME) is Traffic.CLOSED:
        return False
    if evidence.called_off(Role.BLUE_PRIME):
        return False
    return evidence.detaching(Role.BLUE_PRIME) or not evidence.capture_complete(Role.BLUE_PRIME)


def _refuse_untold_endpoint(evidence: RecoveryEvidence) -> None:
    if evidence.context.plan.endpoint.method is not EndpointMethod.RENAME and not evidence.locks:
        raise no_guess(
            "Whether the endpoint was switched already cannot be told: the plan's way of doing it "
            "leaves no trace, and the applications' roles are not locked by the run.",
            "Look where the applications are led to, and finish by hand, or restore the journal.",
        )


def _switched_endpoint(evidence: RecoveryEvidence, to: Role) -> bool:
    """Return whether the applications are led to the cluster that takes over."""
    cluster = evidence.roles.prime if to is Role.BLUE_PRIME else evidence.roles.blue
    if evidence.roles.bears(cluster):
        return True
    return to is Role.BLUE_PRIME and evidence.unlocked_on_prime


async def _switched(evidence: RecoveryEvidence, steps: list[Step], to: Role) -> list[Past]:
    """Return everything up to the switch of the endpoint, and the traffic if it is open again."""
    past = []
    for step in steps:
        if step.key == ResumeTraffic.key:
            break
        effects: tuple[StayEvidence, ...] = ()
        if step.key == SwitchEndpoint.key:
            effects = seen(await probe(evidence, step)) or (_led(to),)
        past.append(
            Past(step.key, Status.SUCCEEDED, f"{to.value} is the one applications find", effects)
        )
    if evidence.traffic(to) is Traffic.OPEN:
        record = let_in(to.value, "sessions of the applications are there")
        past.append(Past(ResumeTraffic.key, Status.SUCCEEDED, record.seen, (record,)))
    return past


def _led(to: Role) -> StayEvidence:
    return StayEvidence(
        f"{to.slug}/led",
        f"lead the applications to {to.value}",
        "-- seen by adopt",
        f"their roles were given LOGIN back on {to.value}",
    )


async def _fenced(evidence: RecoveryEvidence, stay: Stay, away: Role, to: Role) -> list[Past]:
    """Return what cannot be repeated of a turn that has not switched the endpoint."""
    steps = steps_of(stay.track, evidence.context.plan, stay.variant)
    stop = next(step for step in steps if step.key == StopTraffic.key)
    record = seen(await probe(evidence, stop)) or (
        StayEvidence(
            f"{away.slug}/closed",
            f"stop the applications on {away.value}",
            "-- seen by adopt",
            "closed",
        ),
    )
    why = "the fence is proved anew"
    past = [Past(stop.key, Status.FAILED, why, record)]
    follower = evidence.sides.get(to)
    if to is Role.OLD_BLUE or follower is None:
        return past
    if follower.subscriptions and not evidence.unsubscribed(away):
        return past
    detach = next(step for step in steps if step.key == DropSubscriptions.key)
    effects = seen(await probe(evidence, detach))
    status = Status.FAILED if follower.subscriptions else Status.SUCCEEDED
    past += [
        Past(Assess.key, Status.SUCCEEDED, "the subscriptions are being dropped"),
        Past(Drain.key, Status.SUCCEEDED, "subscriptions are dropped only after it"),
        Past(detach.key, status, "; ".join(each.seen for each in effects), effects),
    ]
    return past


async def ending(evidence: RecoveryEvidence) -> list[Stay]:
    """Return the stays of a run whose way back is being ended; its gate is asked again."""
    stay = Stay(Track.COMMIT, reason="the way back was being ended")
    stay.past = await _looked_at(evidence, stay)
    return [whole(evidence), stay]


async def _looked_at(evidence: RecoveryEvidence, stay: Stay) -> list[Past]:
    """Return what is seen of the subscriptions and slots that a track drops."""
    past = []
    for step in steps_of(stay.track, evidence.context.plan, stay.variant):
        if step.key not in (DropSubscriptions.key, DropSlots.key):
            continue
        found = await probe(evidence, step)
        effects = seen(found)
        if effects:
            status = Status.SUCCEEDED if len(effects) == len(found) else Status.FAILED
            past.append(Past(step.key, status, "; ".join(each.seen for each in effects), effects))
    return past


def cleaning(evidence: RecoveryEvidence) -> list[Stay]:
    """Return the stays of a run that has rolled back and whose new blue is gone or going.

    Raise `Refused` where new blue is there and is not seen to be on its way out.
    """
    going = _going(evidence)
    variant = (
        RollbackTarget.BLUE_PRIME
        if evidence.roles.bears(evidence.roles.prime)
        else RollbackTarget.OLD_BLUE
    )
    upgrade = whole(evidence) if variant is RollbackTarget.BLUE_PRIME else until_capture(evidence)
    steps = steps_of(Track.ROLLBACK, evidence.context.plan, variant)
    back = Stay(Track.ROLLBACK, variant, "the old version serves again")
    back.past = [Past(step.key, Status.SUCCEEDED, going) for step in steps]
    cleanup = Stay(Track.CLEANUP, reason=going)
    if evidence.roles.green is not None:
        # Nobody can connect to it any more, so that these could not be looked at.
        cleanup.past = [
            Past(step.key, Status.SUCCEEDED, going)
            for step in steps_of(Track.CLEANUP, evidence.context.plan)
            if step.key in (DeleteOwnDeployment.key, DropSubscriptions.key, DropSlots.key)
        ]
    return [upgrade, back, cleanup]


def _going(evidence: RecoveryEvidence) -> str:
    green = evidence.roles.green
    if green is None:
        return "new blue is gone"
    if green.status == "deleting" or (not green.members and green.tags.get(RUN_TAG)):
        return "new blue is being deleted"
    raise no_guess(
        f"The databases of new blue ({green.identifier}, {green.status}) cannot be looked at.",
        "Wait until it is available with an instance, then try again.",
    )
