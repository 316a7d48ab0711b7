"""The procedure: five tracks as lists of steps. The page to read first.

A track may have variants (`way`): which way back a rollback takes, whether an upgrade goes forward
again after one.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.base.step import Step
from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.plan.model import Order, Plan
from runbook.procedure.steps.finish.abort import (
    AssessAbort,
    DeleteGreen,
    DeleteParameterGroup,
    ReopenBlue,
    VerifyAborted,
)
from runbook.procedure.steps.finish.cleanup import (
    DeleteCreated,
    DeleteOwnDeployment,
    VerifyCleanup,
)
from runbook.procedure.steps.finish.commit import (
    AssessCommit,
    AssessFinalize,
    DeleteBluePrime,
    DeleteOldBlue,
    SnapshotOldBlue,
    VerifyCommitted,
)
from runbook.procedure.steps.protect.blue_prime import (
    Clone,
    CloneInstances,
    DeleteDeployment,
    FreezeOldBlue,
)
from runbook.procedure.steps.protect.create_slots import CreateSlots, KeepSlots
from runbook.procedure.steps.protect.drop_slots import DropSlots
from runbook.procedure.steps.protect.drop_subscriptions import DropSubscriptions
from runbook.procedure.steps.protect.subscribe import Subscribe
from runbook.procedure.steps.protect.verify import Bake, VerifyProtection
from runbook.procedure.steps.rollback.counters import Compare, Drain, SyncSequences
from runbook.procedure.steps.rollback.endpoints import SwitchEndpoint
from runbook.procedure.steps.rollback.fail_back import (
    Assess,
    CloseCluster,
    OpenCluster,
    VerifyRolledBack,
)
from runbook.procedure.steps.rollback.forced import (
    AdvanceSequences,
    ApplyReceived,
    AssessForced,
    OpenForced,
    StopTrafficForced,
    VerifyForced,
)
from runbook.procedure.steps.rollback.given_up import CloseGivenUp
from runbook.procedure.steps.shared.parameters import PrepareParameters
from runbook.procedure.steps.traffic import ResumeTraffic, StopTraffic
from runbook.procedure.steps.upgrade.create_deployment import AwaitGreen, CreateDeployment
from runbook.procedure.steps.upgrade.identify import Identify, Preflight
from runbook.procedure.steps.upgrade.switchover import Switchover
from runbook.procedure.steps.upgrade.validate import ReadyToSwitch, ValidateGreen
from state.enums import Result, Track


def runs_unattended(*steps: Step) -> list[Step]:
    """Return steps that follow one another by themselves: the applications are down meanwhile."""
    followed = [copy(step) for step in steps]
    for step in followed:
        step.continues = True
    return followed


def upgrade(plan: Plan, variant: str = "") -> list[Step]:
    """Blue becomes new blue on the new version, and gets its rollback cluster."""
    match variant:
        case UpgradeVariant.STAY:
            return cancel_cutover(Role.NEW_BLUE)
        case UpgradeVariant.FORWARD:
            return cutover(Role.BLUE_PRIME, Role.NEW_BLUE)
        case UpgradeVariant.FORCED:
            return forced(Role.BLUE_PRIME, Role.NEW_BLUE)
    prepare = [
        Identify(),
        Preflight(),
        PrepareParameters(),
        CreateDeployment(),
        AwaitGreen(),
        ValidateGreen(),
        ReadyToSwitch(),
    ]
    pivot = runs_unattended(
        StopTraffic(on=Role.BLUE, also=(Role.GREEN,)),
        Switchover(),
        CreateSlots(publisher=Role.NEW_BLUE, equal_to=Role.OLD_BLUE),
    )
    resume = ResumeTraffic(
        on=Role.NEW_BLUE, closed=(Role.OLD_BLUE,), captured=True, phase="upgrade"
    )
    bake = Bake(publisher=Role.NEW_BLUE, subscriber=Role.BLUE_PRIME)
    if plan.upgrade.order is Order.TRAFFIC_FIRST:
        return [*prepare, *pivot, resume, *protect(), bake]
    return [*prepare, *pivot, *runs_unattended(*protect()), resume, bake]


def protect() -> list[Step]:
    """The capture is held: make blue prime and feed it."""
    return [
        DeleteDeployment(),
        FreezeOldBlue(),
        Clone(),
        CloneInstances(),
        *start_replication(publisher=Role.NEW_BLUE, subscriber=Role.BLUE_PRIME),
    ]


def start_replication(publisher: Role, subscriber: Role) -> list[Step]:
    """The slots start at exactly what the subscriber has: let it follow, and prove that it does."""
    return [
        Subscribe(publisher=publisher, subscriber=subscriber),
        VerifyProtection(publisher=publisher, subscriber=subscriber),
    ]


def cutover(away: Role, to: Role, *, protected: bool = True) -> list[Step]:
    """The cluster that follows has every write: it takes over, and is followed in its turn.

    The way back is a turn from new blue to blue prime, the way forward one from blue prime to new
    blue; each leaves the run where the other can begin.
    """
    sides = {"publisher": away, "subscriber": to}
    phase = "forward" if to is Role.NEW_BLUE else "rollback"
    capture: list[Step] = [CreateSlots(publisher=to, equal_to=away)] if protected else []
    fed: list[Step] = []
    if protected:
        fed = [
            *start_replication(publisher=to, subscriber=away),
            Bake(publisher=to, subscriber=away),
        ]
    return [
        Assess(away=away, to=to, protects=protected),
        *runs_unattended(
            StopTraffic(on=away),
            Drain(**sides),
            SyncSequences(**sides),
            Compare(**sides),
            DropSubscriptions(to),
            CloseCluster(away, to),
            *capture,
            OpenCluster(to),
            SwitchEndpoint(away=away, to=to),
        ),
        ResumeTraffic(on=to, closed=(away,), captured=protected, phase=phase, leaves=away),
        DropSlots(away) if protected else DropSlots(away, to),
        *fed,
    ]


def cancel_cutover(on: Role) -> list[Step]:
    """A turn was called off before its endpoint moved: the cluster that served goes on serving.

    Its slots were not dropped yet and the other one has changed nothing: it is fed from them again.
    """
    sides = ReplicationPair.of(on)
    return [
        *runs_unattended(CloseCluster(sides.subscriber), KeepSlots(on), OpenCluster(on)),
        ResumeTraffic(
            on=on,
            closed=(sides.subscriber,),
            captured=True,
            phase="rollback" if on is Role.NEW_BLUE else "forward",
        ),
        # Its capture shows, to whoever comes without a journal, that it has every write.
        *start_replication(on, sides.subscriber),
        DropSlots(sides.subscriber),
        Bake(on, sides.subscriber),
    ]


def abort(plan: Plan, variant: str = "") -> list[Step]:
    """Before the switchover: blue as it was."""
    return [AssessAbort(), ReopenBlue(), DeleteGreen(), DeleteParameterGroup(), VerifyAborted()]


def rollback(plan: Plan, variant: str = RollbackTarget.BLUE_PRIME) -> list[Step]:
    """After the switchover: back to the old version."""
    verify_end = VerifyRolledBack(on=Role.BLUE_PRIME)
    back = cutover(Role.NEW_BLUE, Role.BLUE_PRIME, protected=plan.rollback.protect)
    match RollbackTarget(variant):
        case RollbackTarget.BLUE_PRIME:
            return [*back, verify_end]
        case RollbackTarget.PROTECT_THEN_BLUE_PRIME:
            return [*protect(), *back, verify_end]
        case RollbackTarget.FOR_GOOD:
            return [*cutover(Role.NEW_BLUE, Role.BLUE_PRIME, protected=False), verify_end]
        case RollbackTarget.OLD_BLUE:
            return to_old_blue()
        case RollbackTarget.FORCED:
            return forced(Role.NEW_BLUE, Role.BLUE_PRIME)
        case RollbackTarget.STAY:
            return [*cancel_cutover(Role.BLUE_PRIME), verify_end]
        case RollbackTarget.FINALIZE:
            return [
                AssessFinalize(),
                DropSubscriptions(Role.NEW_BLUE),
                DropSlots(Role.BLUE_PRIME, Role.NEW_BLUE),
                verify_end,
            ]


def to_old_blue() -> list[Step]:
    """No application wrote to new blue: old blue is exactly what it was."""
    return [
        Assess(away=Role.NEW_BLUE, to=Role.OLD_BLUE),
        *runs_unattended(
            StopTraffic(on=Role.NEW_BLUE),
            CloseCluster(Role.NEW_BLUE, Role.OLD_BLUE),
            DeleteDeployment(),
            FreezeOldBlue(),
            OpenCluster(Role.OLD_BLUE),
            SwitchEndpoint(away=Role.NEW_BLUE, to=Role.OLD_BLUE),
        ),
        ResumeTraffic(
            on=Role.OLD_BLUE,
            closed=(Role.NEW_BLUE,),
            captured=False,
            phase="rollback",
            leaves=Role.NEW_BLUE,
        ),
        DropSlots(Role.NEW_BLUE),
        VerifyRolledBack(on=Role.OLD_BLUE),
    ]


def forced(away: Role, to: Role) -> list[Step]:
    """The one that serves does not answer: the one that follows takes over with what it has."""
    return [
        AssessForced(away, to),
        *runs_unattended(
            StopTrafficForced(on=away),
            ApplyReceived(to),
            DropSubscriptions(to),
            AdvanceSequences(away, to),
            OpenForced(away, to),
            SwitchEndpoint(away=away, to=to),
        ),
        ResumeTraffic(
            on=to,
            closed=(away,),
            captured=False,
            phase="forward" if to is Role.NEW_BLUE else "rollback",
            leaves=away,
        ),
        CloseGivenUp(away),
        VerifyForced(away, to),
    ]


def commit(plan: Plan, variant: str = "") -> list[Step]:
    """The end of the way back."""
    return [
        AssessCommit(),
        DropSubscriptions(Role.BLUE_PRIME, doomed=True),
        DropSlots(Role.NEW_BLUE),
        SnapshotOldBlue(),
        DeleteBluePrime(),
        DeleteOldBlue(),
        VerifyCommitted(),
    ]


def cleanup(plan: Plan, variant: str = "") -> list[Step]:
    """What the run created and does not serve goes, so that nothing goes on costing money."""
    return [
        DeleteOwnDeployment(),
        DropSubscriptions(Role.BLUE_PRIME, Role.NEW_BLUE, doomed=True),
        DropSlots(Role.NEW_BLUE, Role.BLUE_PRIME, doomed=True),
        DeleteCreated(),
        VerifyCleanup(),
    ]


ENDS = {
    Track.ABORT: Result.ABORTED,
    Track.ROLLBACK: Result.ROLLED_BACK,
    Track.COMMIT: Result.COMMITTED,
    Track.CLEANUP: Result.CLEANED,
}


def ends_with(track: Track, variant: str) -> Result | None:
    """Return the result with which a run ends once a stay is at its end; None: it goes on."""
    forward = (track, variant) == (Track.UPGRADE, UpgradeVariant.FORCED)
    return Result.COMMITTED if forward else ENDS.get(track)


TRACKS: dict[Track, Callable[[Plan, str], list[Step]]] = {
    Track.UPGRADE: upgrade,
    Track.ABORT: abort,
    Track.ROLLBACK: rollback,
    Track.COMMIT: commit,
    Track.CLEANUP: cleanup,
}


def ways_of() -> list[tuple[Track, str]]:
    """Return every track with each of its ways."""
    ways: dict[Track, list[str]] = {
        Track.ROLLBACK: [*RollbackTarget],
        Track.UPGRADE: ["", *UpgradeVariant],
    }
    return [(track, variant) for track in Track for variant in ways.get(track, [""])]


def step_keys(plan: Plan) -> set[str]:
    """Return the keys of the steps of every track, whichever the way."""
    return {step.key for track, variant in ways_of() for step in steps_of(track, plan, variant)}


def steps_of(track: Track, plan: Plan, variant: str = "") -> list[Step]:
    """Return a track's steps, in order."""
    if track is Track.ROLLBACK:
        return rollback(plan, variant or RollbackTarget.BLUE_PRIME)
    return TRACKS[track](plan, variant)
