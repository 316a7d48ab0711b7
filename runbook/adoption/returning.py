"""Where a rollback, a commit or a cleanup stands.

What can be proved again is left to be run again: the fence, the sequences, the comparison of the
rows. Only what cannot be repeated counts as done.
"""

from __future__ import annotations

from runbook.adoption.cast import no_guess
from runbook.adoption.inside import Traffic
from runbook.adoption.scene import Scene
from runbook.adoption.stays import Past, Seen, Stay, let_in, probe, seen
from runbook.adoption.traces import aside_name
from runbook.adoption.upgrading import until_capture, whole
from runbook.plan import EndpointMethod
from runbook.roles import Role
from runbook.step import Step
from runbook.steps.capture import DropCapture
from runbook.steps.carry import Drain
from runbook.steps.endpoint import SwitchEndpoint
from runbook.steps.remove import DeleteOwnDeployment
from runbook.steps.rollback import Detach, RollbackAssess
from runbook.steps.traffic import ResumeTraffic, StopTraffic
from runbook.tracks import WayBack, steps_of
from runbook.world import RUN_TAG
from state.words import Status, Track


def way_of(scene: Scene) -> WayBack | None:
    """Return what a rollback under way goes back to, or None where there is none."""
    cast = scene.cast
    aside = cast.green is not None and cast.green.identifier == aside_name(
        cast.production, cast.run
    )
    new = scene.sides.get(Role.NEW_BLUE)
    closed = (
        new is not None
        and any(new.read_only.values())
        and scene.traffic(Role.NEW_BLUE) is not Traffic.OPEN
    )
    if cast.bears(cast.prime) or scene.unlocked_on_prime:
        return WayBack.BLUE_PRIME
    if cast.bears(cast.blue):
        return WayBack.OLD_BLUE
    if aside or closed:
        return WayBack.OLD_BLUE if cast.prime is None else WayBack.BLUE_PRIME
    if _detaching(scene) and scene.traffic(Role.NEW_BLUE) in (Traffic.CLOSED, Traffic.UNKNOWN):
        return WayBack.BLUE_PRIME
    if _stopped_once_more(scene):
        return WayBack.BLUE_PRIME
    return None


def _detaching(scene: Scene) -> bool:
    """Return whether subscriptions are gone that have been there: somebody read their slots.

    A subscription that is still to be made has a slot that nobody has read.
    """
    new, prime = scene.sides.get(Role.NEW_BLUE), scene.sides.get(Role.BLUE_PRIME)
    if new is None or prime is None:
        return False
    return any(slot.used and slot.database not in prime.subscriptions for slot in new.slots)


def _stopped_once_more(scene: Scene) -> bool:
    """Return whether the applications were stopped after blue prime had followed their writes."""
    return (
        scene.traffic(Role.NEW_BLUE) is Traffic.CLOSED
        and scene.rows is not None
        and scene.rows.same is False
        and bool(scene.captured)
        and Role.BLUE_PRIME in scene.sides
        and not scene.unsubscribed
    )


def committing(scene: Scene) -> bool:
    """Return whether the way back is being ended, or has been."""
    if scene.cast.deployment is not None or Role.NEW_BLUE not in scene.sides:
        return False
    prime = scene.sides.get(Role.BLUE_PRIME)
    if prime is not None and prime.subscriptions and not _detaching(scene):
        return False
    return _detaching(scene) or not scene.sides[Role.NEW_BLUE].slots


async def rolling_back(scene: Scene, way: WayBack) -> list[Stay]:
    """Return the stays of a run on its way back."""
    to = Role.BLUE_PRIME if way is WayBack.BLUE_PRIME else Role.OLD_BLUE
    upgrade = whole(scene) if way is WayBack.BLUE_PRIME else until_capture(scene)
    stay = Stay(Track.ROLLBACK, way, f"a rollback to {to.value} was under way")
    steps = steps_of(Track.ROLLBACK, scene.world.plan, way)
    if _switched_endpoint(scene, to):
        stay.past = await _switched(scene, steps, to)
        return [upgrade, stay]
    if scene.world.plan.endpoint.method is not EndpointMethod.RENAME and not scene.locks:
        raise no_guess(
            "Whether the endpoint was switched already cannot be told: the plan's way of doing it "
            "leaves no trace, and the applications' roles are not locked by the run.",
            "Look where the applications are led to, and finish by hand, or restore the journal.",
        )
    stay.past = await _fenced(scene, way, steps)
    return [upgrade, stay]


def _switched_endpoint(scene: Scene, to: Role) -> bool:
    """Return whether the applications are led to the cluster that takes over."""
    cluster = scene.cast.prime if to is Role.BLUE_PRIME else scene.cast.blue
    if scene.cast.bears(cluster):
        return True
    return to is Role.BLUE_PRIME and scene.unlocked_on_prime


async def _switched(scene: Scene, steps: list[Step], to: Role) -> list[Past]:
    """Return everything up to the switch of the endpoint, and the traffic if it is open again."""
    past = []
    for step in steps:
        if step.key == ResumeTraffic.key:
            break
        effects: tuple[Seen, ...] = ()
        if step.key == SwitchEndpoint.key:
            effects = seen(await probe(scene, step)) or (_led(to),)
        past.append(
            Past(step.key, Status.SUCCEEDED, f"{to.value} is the one applications find", effects)
        )
    if scene.traffic(to) is Traffic.OPEN:
        record = let_in(to.value, "sessions of the applications are there")
        past.append(Past(ResumeTraffic.key, Status.SUCCEEDED, record.seen, (record,)))
    return past


def _led(to: Role) -> Seen:
    return Seen(
        f"{to.slug}/led",
        f"lead the applications to {to.value}",
        "-- seen by adopt",
        f"their roles were given LOGIN back on {to.value}",
    )


async def _fenced(scene: Scene, way: WayBack, steps: list[Step]) -> list[Past]:
    """Return what cannot be repeated of a rollback that has not switched the endpoint."""
    stop = next(step for step in steps if step.key == StopTraffic.key)
    record = seen(await probe(scene, stop)) or (
        Seen("new-blue/closed", "stop the applications on new blue", "-- seen by adopt", "closed"),
    )
    why = "the fence is proved anew"
    past = [Past(stop.key, Status.FAILED, why, record)]
    if way is WayBack.OLD_BLUE or not _has_begun_to_detach(scene):
        return past
    detach = next(step for step in steps if step.key == Detach.key)
    effects = seen(await probe(scene, detach))
    whole_ = not _left_to_detach(scene)
    status = Status.SUCCEEDED if whole_ else Status.FAILED
    past += [
        Past(RollbackAssess.key, Status.SUCCEEDED, "the subscriptions are being dropped"),
        Past(Drain.key, Status.SUCCEEDED, "subscriptions are dropped only after it"),
        Past(detach.key, status, "; ".join(each.seen for each in effects), effects),
    ]
    return past


def _has_begun_to_detach(scene: Scene) -> bool:
    prime = scene.sides.get(Role.BLUE_PRIME)
    return prime is not None and (not prime.subscriptions or bool(scene.unsubscribed))


def _left_to_detach(scene: Scene) -> bool:
    prime = scene.sides.get(Role.BLUE_PRIME)
    return prime is not None and bool(prime.subscriptions)


async def ending(scene: Scene) -> list[Stay]:
    """Return the stays of a run whose way back is being ended; its gate is asked again."""
    stay = Stay(Track.COMMIT, reason="the way back was being ended")
    for step in steps_of(Track.COMMIT, scene.world.plan):
        if step.key not in (Detach.key, DropCapture.key):
            continue
        found = await probe(scene, step)
        effects = seen(found)
        if effects:
            status = Status.SUCCEEDED if len(effects) == len(found) else Status.FAILED
            stay.past.append(
                Past(step.key, status, "; ".join(each.seen for each in effects), effects)
            )
    return [whole(scene), stay]


def cleaning(scene: Scene) -> list[Stay]:
    """Return the stays of a run that has rolled back and whose new blue is gone or going.

    Raise `Refused` where new blue is there and is not seen to be on its way out.
    """
    going = _going(scene)
    way = WayBack.BLUE_PRIME if scene.cast.bears(scene.cast.prime) else WayBack.OLD_BLUE
    upgrade = whole(scene) if way is WayBack.BLUE_PRIME else until_capture(scene)
    steps = steps_of(Track.ROLLBACK, scene.world.plan, way)
    back = Stay(Track.ROLLBACK, way, "the old version serves again")
    back.past = [Past(step.key, Status.SUCCEEDED, going) for step in steps]
    cleanup = Stay(Track.CLEANUP, reason=going)
    if scene.cast.green is not None:
        # Nobody can connect to it any more, so that these could not be looked at.
        cleanup.past = [
            Past(step.key, Status.SUCCEEDED, going)
            for step in steps_of(Track.CLEANUP, scene.world.plan)
            if step.key in (DeleteOwnDeployment.key, Detach.key, DropCapture.key)
        ]
    return [upgrade, back, cleanup]


def _going(scene: Scene) -> str:
    green = scene.cast.green
    if green is None:
        return "new blue is gone"
    if green.status == "deleting" or (not green.members and green.tags.get(RUN_TAG)):
        return "new blue is being deleted"
    raise no_guess(
        f"The databases of new blue ({green.identifier}, {green.status}) cannot be looked at.",
        "Wait until it is available with an instance, then try again.",
    )
