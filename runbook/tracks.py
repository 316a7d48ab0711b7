"""The procedure: five tracks as lists of steps. The page to read first.

A track may have variants (`way`): which way back a rollback takes.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from runbook.plan import Order, Plan
from runbook.roles import Role
from runbook.step import Step
from runbook.steps.abort import (
    AbortAssess,
    AbortSettled,
    DeleteGreen,
    DeleteParameterGroup,
    ReopenBlue,
)
from runbook.steps.capture import Capture, DropCapture
from runbook.steps.carry import Compare, Drain, SyncSequences
from runbook.steps.clone import Clone, CloneInstances, DeleteDeployment, HoldOldBlue
from runbook.steps.commit import (
    CommitAssess,
    CommitSettled,
    DeleteBluePrime,
    DeleteOldBlue,
    SnapshotOldBlue,
)
from runbook.steps.endpoint import SwitchEndpoint
from runbook.steps.green import AwaitGreen, CreateDeployment
from runbook.steps.identify import Identify, Preflight
from runbook.steps.parameters import PrepareParameters
from runbook.steps.protection import Bake, VerifyProtection
from runbook.steps.remove import CleanupRemains, DeleteCreated, DeleteOwnDeployment
from runbook.steps.rollback import (
    CloseSide,
    Detach,
    OpenSide,
    RollbackAssess,
    RollbackSettled,
)
from runbook.steps.subscribe import Subscribe
from runbook.steps.switch import Switchover
from runbook.steps.traffic import ResumeTraffic, StopTraffic
from runbook.steps.validate import ReadyToSwitch, ValidateGreen
from state.words import Track


class WayBack(StrEnum):
    """What a rollback goes back to."""

    BLUE_PRIME = "blue-prime"
    OLD_BLUE = "old-blue"
    PROTECT_THEN_BLUE_PRIME = "protect-then-blue-prime"


def flowing(*steps: Step) -> list[Step]:
    """Return steps that follow one another by themselves: the applications are down meanwhile."""
    for step in steps:
        step.continues = True
    return list(steps)


STAY = "stay"
"""The upgrade track after a rollback that was called off."""


def upgrade(plan: Plan, way: str = "") -> list[Step]:
    """Blue becomes new blue on the new version, and gets its rollback cluster."""
    if way == STAY:
        return stay()
    prepare = [
        Identify(),
        Preflight(),
        PrepareParameters(),
        CreateDeployment(),
        AwaitGreen(),
        ValidateGreen(),
        ReadyToSwitch(),
    ]
    pivot = flowing(
        StopTraffic(on=Role.BLUE, also=(Role.GREEN,)),
        Switchover(),
        Capture(publisher=Role.NEW_BLUE),
    )
    resume = ResumeTraffic(on=Role.NEW_BLUE, closed=(Role.OLD_BLUE,))
    if plan.upgrade.order is Order.TRAFFIC_FIRST:
        return [*prepare, *pivot, resume, *protect(), Bake()]
    return [*prepare, *pivot, *flowing(*protect()), resume, Bake()]


def protect() -> list[Step]:
    """The capture is held: make blue prime and feed it."""
    return [
        DeleteDeployment(),
        HoldOldBlue(),
        Clone(),
        CloneInstances(),
        Subscribe(publisher=Role.NEW_BLUE, subscriber=Role.BLUE_PRIME),
        VerifyProtection(publisher=Role.NEW_BLUE, subscriber=Role.BLUE_PRIME),
    ]


def stay() -> list[Step]:
    """A rollback was called off before its endpoint moved: the new version goes on serving."""
    sides = {"publisher": Role.NEW_BLUE, "subscriber": Role.BLUE_PRIME}
    return [
        *flowing(OpenSide(Role.NEW_BLUE)),
        ResumeTraffic(on=Role.NEW_BLUE, closed=(Role.OLD_BLUE,)),
        VerifyProtection(**sides),
        Bake(),
    ]


def abort(plan: Plan, way: str = "") -> list[Step]:
    """Before the switchover: blue as it was."""
    return [AbortAssess(), ReopenBlue(), DeleteGreen(), DeleteParameterGroup(), AbortSettled()]


def rollback(plan: Plan, way: str = WayBack.BLUE_PRIME) -> list[Step]:
    """After the switchover: back to the old version."""
    match WayBack(way):
        case WayBack.BLUE_PRIME:
            return to_blue_prime()
        case WayBack.PROTECT_THEN_BLUE_PRIME:
            return [*protect(), *to_blue_prime()]
        case WayBack.OLD_BLUE:
            return to_old_blue()


def to_blue_prime() -> list[Step]:
    """Blue prime has every write: it takes over."""
    sides = {"publisher": Role.NEW_BLUE, "subscriber": Role.BLUE_PRIME}
    return [
        RollbackAssess(to=Role.BLUE_PRIME),
        *flowing(
            StopTraffic(on=Role.NEW_BLUE),
            Drain(**sides),
            SyncSequences(**sides),
            Compare(**sides),
            Detach(subscriber=Role.BLUE_PRIME),
            CloseSide(Role.NEW_BLUE),
            OpenSide(Role.BLUE_PRIME),
            SwitchEndpoint(away=Role.NEW_BLUE, to=Role.BLUE_PRIME),
        ),
        ResumeTraffic(on=Role.BLUE_PRIME, closed=(Role.NEW_BLUE,)),
        DropCapture(publisher=Role.NEW_BLUE),
        RollbackSettled(on=Role.BLUE_PRIME),
    ]


def to_old_blue() -> list[Step]:
    """No application wrote to new blue: old blue is exactly what it was."""
    return [
        RollbackAssess(to=Role.OLD_BLUE),
        *flowing(
            StopTraffic(on=Role.NEW_BLUE),
            CloseSide(Role.NEW_BLUE),
            DeleteDeployment(),
            HoldOldBlue(),
            OpenSide(Role.OLD_BLUE),
            SwitchEndpoint(away=Role.NEW_BLUE, to=Role.OLD_BLUE),
        ),
        ResumeTraffic(on=Role.OLD_BLUE, closed=(Role.NEW_BLUE,)),
        DropCapture(publisher=Role.NEW_BLUE),
        RollbackSettled(on=Role.OLD_BLUE),
    ]


def commit(plan: Plan, way: str = "") -> list[Step]:
    """The end of the way back."""
    return [
        CommitAssess(),
        Detach(subscriber=Role.BLUE_PRIME),
        DropCapture(publisher=Role.NEW_BLUE),
        SnapshotOldBlue(),
        DeleteBluePrime(),
        DeleteOldBlue(),
        CommitSettled(),
    ]


def cleanup(plan: Plan, way: str = "") -> list[Step]:
    """What the run created and does not serve goes, so that nothing goes on costing money."""
    return [
        DeleteOwnDeployment(),
        Detach(subscriber=Role.BLUE_PRIME),
        DropCapture(publisher=Role.NEW_BLUE),
        DeleteCreated(),
        CleanupRemains(),
    ]


TRACKS: dict[Track, Callable[[Plan, str], list[Step]]] = {
    Track.UPGRADE: upgrade,
    Track.ABORT: abort,
    Track.ROLLBACK: rollback,
    Track.COMMIT: commit,
    Track.CLEANUP: cleanup,
}


def step_keys(plan: Plan) -> set[str]:
    """Return the keys of the steps of every track, whichever the way."""
    ways = {Track.ROLLBACK: [*WayBack], Track.UPGRADE: ["", STAY]}
    return {
        step.key
        for track in Track
        for way in ways.get(track, [""])
        for step in steps_of(track, plan, way)
    }


def steps_of(track: Track, plan: Plan, way: str = "") -> list[Step]:
    """Return a track's steps, in order."""
    if track is Track.ROLLBACK:
        return rollback(plan, way or WayBack.BLUE_PRIME)
    return TRACKS[track](plan, way)
