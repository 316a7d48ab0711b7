"""The facts that later steps read, rebuilt; what cannot be is named, and its gates are raised."""

from __future__ import annotations

from runbook.amounts import counted
from runbook.base.pair import DETACHED, ReplicationPair, capture_fact, slot_name
from runbook.base.roles import Role
from runbook.base.variants import RollbackTarget
from runbook.ownership.serving import Access, door_fact
from runbook.postgres import marks
from runbook.procedure.steps.protect.create_slots import CreateSlots
from runbook.procedure.steps.protect.drop_subscriptions import DropSubscriptions
from runbook.procedure.steps.rollback.endpoints import SwitchEndpoint
from runbook.procedure.steps.traffic import ResumeTraffic
from runbook.proofs import write_fence
from runbook.recovery.cluster_roles import COMPLETED
from runbook.recovery.database_state import Traffic
from runbook.recovery.evidence import RecoveryEvidence
from runbook.recovery.stays import Stay
from state.enums import Track
from state.records import Json

LOST_FREEZE = (
    "the marks of blue from inside the fence were lost with the journal, and AWS's lock on old "
    "blue had ended before new ones could be taken"
)


def roles(scene: RecoveryEvidence) -> None:
    """Keep which cluster plays which part, and the deployment: the probes need these."""
    cast, draft = scene.cast, scene.draft
    if cast.green is not None and (cast.switched or _ready(scene)):
        value = {"resource_id": cast.green.resource_id, "name": cast.green.identifier}
        draft.keep("role.green", value, f"new blue or green is {cast.green.identifier}")
    if cast.prime is not None:
        value = {"resource_id": cast.prime.resource_id, "name": cast.prime.identifier}
        draft.keep("role.blue-prime", value, f"blue prime is {cast.prime.identifier}")
    if cast.deployment is not None:
        value = {"identifier": cast.deployment.identifier, "name": cast.deployment.name}
        draft.keep("deployment", value, f"{cast.deployment.name} is {cast.deployment.identifier}")


def _ready(scene: RecoveryEvidence) -> bool:
    """Return whether green was or may be bound: AWS says that the deployment is complete."""
    cast = scene.cast
    made = cast.deployment is None or cast.deployment.status not in ("PROVISIONING",)
    return made and cast.green is not None and cast.green.available and bool(cast.green.members)


async def rest(scene: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep everything else that later steps read."""
    _production(scene)
    _databases(scene)
    if scene.cast.switched:
        _switchover(scene)
        _capture(scene, stays)
        await _freeze(scene)
        _ends(scene, stays)
    _traffic(scene, stays)
    _served(scene, stays)


def _production(scene: RecoveryEvidence) -> None:
    cast = scene.cast
    old = cast.blue or cast.prime
    serving = next((c for c in (cast.blue, cast.green, cast.prime) if cast.bears(c)), None)
    if old is None or serving is None:
        scene.doubt("where production was and on which version", "the report does not name it")
        return
    scene.draft.keep(
        "production",
        {
            "name": cast.production,
            "version": old.engine_version,
            "endpoint": serving.endpoint,
            "port": serving.port,
            "members": [member.identifier for member in serving.members],
        },
        f"{cast.production} was on version {old.engine_version}",
    )


def _databases(scene: RecoveryEvidence) -> None:
    looked = [scene.sides[role] for role in scene.sides]
    if looked:
        databases = scene.captured or list(looked[0].databases)
        scene.draft.keep("databases", databases, "databases: " + ", ".join(databases))


def _switchover(scene: RecoveryEvidence) -> None:
    cast = scene.cast
    scene.draft.keep(
        "switchover",
        {
            "called_at": None,
            "completed_at": None,
            "new_blue": cast.green.identifier if cast.green else None,
            "old_blue": cast.blue.identifier if cast.blue else None,
        },
        "the switchover has been made",
    )
    scene.doubt(
        "when the applications were stopped and the switchover was called",
        "no downtime and no switchover time is reported; a clock begins at the adoption",
    )
    scene.doubt(
        "whether the fence was proved before the switchover",
        "before a capture that is not complete it is proved by comparing the rows of new blue "
        "with old blue's; after it, a rollback compares the rows before blue prime opens",
    )


def _capture(scene: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep the captures once their steps have passed; before that the step makes it itself."""
    if Role.NEW_BLUE not in scene.sides or CreateSlots.key not in stays[0].done():
        return
    held = Role.BLUE_PRIME if _led(stays) is Role.BLUE_PRIME else Role.NEW_BLUE
    prime = scene.sides.get(Role.BLUE_PRIME)
    if prime is None or not prime.captured:
        held = Role.NEW_BLUE
    for publisher in (Role.NEW_BLUE, Role.BLUE_PRIME):
        if publisher in scene.sides and scene.captured_on(publisher):
            scene.draft.keep(
                capture_fact(publisher), _value(scene, publisher), f"capture on {publisher.value}"
            )
    slots = scene.sides[held].slots
    scene.draft.keep(
        "slots",
        [slot.name for slot in slots],
        f"{counted(len(slots), 'slot is', 'slots are')} held",
    )
    if not scene.captured_on(held):
        return
    value = _value(scene, held)
    text = f"the capture on {held.value} covers {', '.join(value['databases'])}"
    scene.draft.keep("capture", value, text)
    _subscribed(scene, ReplicationPair.of(held))
    for name in sorted(set(value["slots"].values()) - {slot.name for slot in slots}):
        scene.doubt(f"what became of the slot {name}", "it is not there: no way back through it")


def _value(scene: RecoveryEvidence, publisher: Role) -> dict[str, Json]:
    """Return a capture as its step would have kept it."""
    databases = scene.captured_on(publisher)
    slots = scene.sides[publisher].slots
    names = {name: slot_name(scene.context, databases, name) for name in databases}
    # A slot that was read holds nothing from before: no clone may begin with it any more.
    began = {slot.name: 0 if slot.used else slot.confirmed for slot in slots}
    value = {"databases": databases, "slots": names, "publisher": publisher.value}
    if began and None not in began.values():
        value["from"] = began
    return value


def _subscribed(scene: RecoveryEvidence, sides: ReplicationPair) -> None:
    follower = scene.sides.get(sides.subscriber)
    clusters = {Role.BLUE_PRIME: scene.cast.prime, Role.NEW_BLUE: scene.cast.green}
    cluster = clusters[sides.subscriber]
    if follower is not None and follower.subscriptions and cluster is not None:
        value = {"resource_id": cluster.resource_id}
        text = f"{sides.subscriber.value} has subscribed to the slots"
        scene.draft.keep("subscribed", value, text)
    elif scene.called_off(sides.publisher) and cluster is not None:
        text = (
            f"{sides.subscriber.value} had every write when it was unsubscribed: it has a capture"
        )
        scene.draft.keep("subscribed", {"resource_id": cluster.resource_id}, text)
    elif scene.slots_used(sides.publisher):
        scene.doubt(
            "who has read from the slots: no subscription of this run is there",
            "the slots no longer hold every write since the capture: no new clone is made for them",
        )


async def _freeze(scene: RecoveryEvidence) -> None:
    """Take the marks of old blue anew while AWS's lock stands; else raise the gate."""
    cast = scene.cast
    locked = cast.deployment is not None and cast.deployment.status == COMPLETED
    if locked and cast.prime is None and Role.OLD_BLUE in scene.sides:
        async with write_fence.connections(scene.context, Role.OLD_BLUE) as opened:
            taken = await marks.take(opened)
        scene.draft.keep(
            "marks.blue",
            taken.as_json(),
            "marks of old blue taken by adopt: AWS's lock has stood since the switchover",
        )
        scene.say(
            "old blue unchanged since the freeze",
            "marks taken anew",
            "AWS keeps old blue read-only until the deployment is deleted, and it still exists",
        )
        return
    scene.draft.keep("freeze.unproved", LOST_FREEZE, f"freeze not proved: {LOST_FREEZE}")
    scene.doubt(
        "whether old blue stood still between the freeze and the clone",
        "each step that rests on it asks for an acceptance by name; a rollback compares the rows "
        "of blue prime with new blue's before it opens blue prime",
    )


def _ends(scene: RecoveryEvidence, stays: list[Stay]) -> None:
    led = _led(stays)
    if led is not None:
        scene.draft.keep("endpoint", {"on": led.value}, f"the applications are led to {led.value}")
    follower = _detached(scene, stays[-1])
    if follower is not None:
        scene.draft.keep(DETACHED, [follower.value], f"{follower.value} has no subscription")
        return
    scene.doubt(
        "whether the run is protected",
        "it counts as not protected until verify-protection has proved it anew",
    )


def _traffic(scene: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep whether the applications may write, and where: the first thing that resuming settles."""
    serving = _serving(scene, stays)
    traffic = scene.traffic(serving)
    side = scene.sides.get(serving)
    words = {
        Traffic.OPEN: f"open on {serving.value}",
        Traffic.LET_IN: f"let in on {serving.value}, no session seen",
        Traffic.CLOSED: f"closed on {serving.value}",
        Traffic.UNKNOWN: "unknown",
    }[traffic]
    sessions = side.sessions if side else 0
    source = f"{counted(sessions, 'session')} of the plan's application roles" + (
        f"; may log in: {', '.join(sorted(side.able)) or 'none'}" if side and scene.locks else ""
    )
    scene.say("traffic", words, source)
    if traffic is not Traffic.OPEN:
        scene.doubt(
            "whether this run stopped the applications, and whether they run now"
            if traffic is not Traffic.CLOSED
            else "whether the applications were told to stop, besides their roles being locked",
            f"look at them yourself; {ResumeTraffic.key} (or reopen-blue, in an abort) starts them",
        )
    if serving is Role.BLUE and traffic is Traffic.OPEN:
        # As in a run that has not stopped them yet.
        return
    opened = traffic in (Traffic.OPEN, Traffic.LET_IN)
    value = {"open": opened, "on": serving.value if opened else ""}
    scene.draft.keep("traffic", value, f"traffic {words}")


def _served(scene: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep which clusters are open to the applications, and which are closed to them."""
    serving = _serving(scene, stays)
    for role, side in scene.sides.items():
        traffic = scene.traffic(role)
        if all(side.read_only.values()) or traffic is Traffic.CLOSED:
            door = Access.CLOSED
        elif role is serving and traffic in (Traffic.OPEN, Traffic.LET_IN):
            door = Access.OPEN
        else:
            continue
        scene.draft.keep(door_fact(role), door.value, f"{role.value} is {door.value}")


def _led(stays: list[Stay]) -> Role | None:
    """Return where the run has led the applications after its switchover, or None."""
    for stay in reversed(stays):
        if SwitchEndpoint.key in stay.done():
            if stay.track is Track.UPGRADE:
                return Role.NEW_BLUE
            return Role.OLD_BLUE if stay.way == RollbackTarget.OLD_BLUE else Role.BLUE_PRIME
    return None


def _detached(scene: RecoveryEvidence, stay: Stay) -> Role | None:
    """Return the cluster that the last stay has detached and that is not to be fed again."""
    if DropSubscriptions.key not in stay.done():
        return None
    if stay.track is Track.COMMIT:
        return Role.BLUE_PRIME
    if stay.way == RollbackTarget.FINALIZE:
        return Role.NEW_BLUE
    turned = SwitchEndpoint.key in stay.done()
    if stay.track is Track.UPGRADE:
        return None if turned else Role.NEW_BLUE
    prime = scene.sides.get(Role.BLUE_PRIME)
    fed = turned and prime is not None and prime.captured
    return None if fed else Role.BLUE_PRIME


def _serving(scene: RecoveryEvidence, stays: list[Stay]) -> Role:
    if not scene.cast.switched:
        return Role.BLUE
    return _led(stays) or Role.NEW_BLUE
