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


def roles(evidence: RecoveryEvidence) -> None:
    """Keep which cluster plays which part, and the deployment: the probes need these."""
    roles, draft = evidence.roles, evidence.draft
    if roles.green is not None and (roles.switched or _ready(evidence)):
        value = {"resource_id": roles.green.resource_id, "name": roles.green.identifier}
        draft.keep("role.green", value, f"new blue or green is {roles.green.identifier}")
    if roles.prime is not None:
        value = {"resource_id": roles.prime.resource_id, "name": roles.prime.identifier}
        draft.keep("role.blue-prime", value, f"blue prime is {roles.prime.identifier}")
    if roles.deployment is not None:
        value = {"identifier": roles.deployment.identifier, "name": roles.deployment.name}
        draft.keep("deployment", value, f"{roles.deployment.name} is {roles.deployment.identifier}")


def _ready(evidence: RecoveryEvidence) -> bool:
    """Return whether green was or may be bound: AWS says that the deployment is complete."""
    roles = evidence.roles
    made = roles.deployment is None or roles.deployment.status not in ("PROVISIONING",)
    return made and roles.green is not None and roles.green.available and bool(roles.green.members)


async def rest(evidence: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep everything else that later steps read."""
    _production(evidence)
    _databases(evidence)
    if evidence.roles.switched:
        _switchover(evidence)
        _capture(evidence, stays)
        await _freeze(evidence)
        _ends(evidence, stays)
    _traffic(evidence, stays)
    _served(evidence, stays)


def _production(evidence: RecoveryEvidence) -> None:
    roles = evidence.roles
    old = roles.blue or roles.prime
    serving = next((c for c in (roles.blue, roles.green, roles.prime) if roles.bears(c)), None)
    if old is None or serving is None:
        evidence.doubt("where production was and on which version", "the report does not name it")
        return
    evidence.draft.keep(
        "production",
        {
            "name": roles.production,
            "version": old.engine_version,
            "endpoint": serving.endpoint,
            "port": serving.port,
            "members": [member.identifier for member in serving.members],
        },
        f"{roles.production} was on version {old.engine_version}",
    )


def _databases(evidence: RecoveryEvidence) -> None:
    looked = [evidence.sides[role] for role in evidence.sides]
    if looked:
        databases = evidence.captured or list(looked[0].databases)
        evidence.draft.keep("databases", databases, "databases: " + ", ".join(databases))


def _switchover(evidence: RecoveryEvidence) -> None:
    roles = evidence.roles
    evidence.draft.keep(
        "switchover",
        {
            "called_at": None,
            "completed_at": None,
            "new_blue": roles.green.identifier if roles.green else None,
            "old_blue": roles.blue.identifier if roles.blue else None,
        },
        "the switchover has been made",
    )
    evidence.doubt(
        "when the applications were stopped and the switchover was called",
        "no downtime and no switchover time is reported; a clock begins at the adoption",
    )
    evidence.doubt(
        "whether the fence was proved before the switchover",
        "before a capture that is not complete it is proved by comparing the rows of new blue "
        "with old blue's; after it, a rollback compares the rows before blue prime opens",
    )


def _capture(evidence: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep the captures once their steps have passed; before that the step makes it itself."""
    if Role.NEW_BLUE not in evidence.sides or CreateSlots.key not in stays[0].done():
        return
    held = Role.BLUE_PRIME if _led(stays) is Role.BLUE_PRIME else Role.NEW_BLUE
    prime = evidence.sides.get(Role.BLUE_PRIME)
    if prime is None or not prime.captured:
        held = Role.NEW_BLUE
    for publisher in (Role.NEW_BLUE, Role.BLUE_PRIME):
        if publisher in evidence.sides and evidence.captured_on(publisher):
            evidence.draft.keep(
                capture_fact(publisher),
                _value(evidence, publisher),
                f"capture on {publisher.value}",
            )
    slots = evidence.sides[held].slots
    evidence.draft.keep(
        "slots",
        [slot.name for slot in slots],
        f"{counted(len(slots), 'slot is', 'slots are')} held",
    )
    if not evidence.captured_on(held):
        return
    value = _value(evidence, held)
    text = f"the capture on {held.value} covers {', '.join(value['databases'])}"
    evidence.draft.keep("capture", value, text)
    _subscribed(evidence, ReplicationPair.of(held))
    for name in sorted(set(value["slots"].values()) - {slot.name for slot in slots}):
        evidence.doubt(f"what became of the slot {name}", "it is not there: no way back through it")


def _value(evidence: RecoveryEvidence, publisher: Role) -> dict[str, Json]:
    """Return a capture as its step would have kept it."""
    databases = evidence.captured_on(publisher)
    slots = evidence.sides[publisher].slots
    names = {name: slot_name(evidence.context, databases, name) for name in databases}
    # A slot that was read holds nothing from before: no clone may begin with it any more.
    began = {slot.name: 0 if slot.used else slot.confirmed for slot in slots}
    value = {"databases": databases, "slots": names, "publisher": publisher.value}
    if began and None not in began.values():
        value["from"] = began
    return value


def _subscribed(evidence: RecoveryEvidence, sides: ReplicationPair) -> None:
    follower = evidence.sides.get(sides.subscriber)
    clusters = {Role.BLUE_PRIME: evidence.roles.prime, Role.NEW_BLUE: evidence.roles.green}
    cluster = clusters[sides.subscriber]
    if follower is not None and follower.subscriptions and cluster is not None:
        value = {"resource_id": cluster.resource_id}
        text = f"{sides.subscriber.value} has subscribed to the slots"
        evidence.draft.keep("subscribed", value, text)
    elif evidence.called_off(sides.publisher) and cluster is not None:
        text = (
            f"{sides.subscriber.value} had every write when it was unsubscribed: it has a capture"
        )
        evidence.draft.keep("subscribed", {"resource_id": cluster.resource_id}, text)
    elif evidence.slots_used(sides.publisher):
        evidence.doubt(
            "who has read from the slots: no subscription of this run is there",
            "the slots no longer hold every write since the capture: no new clone is made for them",
        )


async def _freeze(evidence: RecoveryEvidence) -> None:
    """Take the marks of old blue anew while AWS's lock stands; else raise the gate."""
    roles = evidence.roles
    locked = roles.deployment is not None and roles.deployment.status == COMPLETED
    if locked and roles.prime is None and Role.OLD_BLUE in evidence.sides:
        async with write_fence.connections(evidence.context, Role.OLD_BLUE) as opened:
            taken = await marks.take(opened)
        evidence.draft.keep(
            "marks.blue",
            taken.as_json(),
            "marks of old blue taken by adopt: AWS's lock has stood since the switchover",
        )
        evidence.say(
            "old blue unchanged since the freeze",
            "marks taken anew",
            "AWS keeps old blue read-only until the deployment is deleted, and it still exists",
        )
        return
    evidence.draft.keep("freeze.unproved", LOST_FREEZE, f"freeze not proved: {LOST_FREEZE}")
    evidence.doubt(
        "whether old blue stood still between the freeze and the clone",
        "each step that rests on it asks for an acceptance by name; a rollback compares the rows "
        "of blue prime with new blue's before it opens blue prime",
    )


def _ends(evidence: RecoveryEvidence, stays: list[Stay]) -> None:
    led = _led(stays)
    if led is not None:
        evidence.draft.keep(
            "endpoint", {"on": led.value}, f"the applications are led to {led.value}"
        )
    follower = _detached(evidence, stays[-1])
    if follower is not None:
        evidence.draft.keep(DETACHED, [follower.value], f"{follower.value} has no subscription")
        return
    evidence.doubt(
        "whether the run is protected",
        "it counts as not protected until verify-protection has proved it anew",
    )


def _traffic(evidence: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep whether the applications may write, and where: the first thing that resuming settles."""
    serving = _serving(evidence, stays)
    traffic = evidence.traffic(serving)
    side = evidence.sides.get(serving)
    words = {
        Traffic.OPEN: f"open on {serving.value}",
        Traffic.LET_IN: f"let in on {serving.value}, no session seen",
        Traffic.CLOSED: f"closed on {serving.value}",
        Traffic.UNKNOWN: "unknown",
    }[traffic]
    sessions = side.sessions if side else 0
    source = f"{counted(sessions, 'session')} of the plan's application roles" + (
        f"; may log in: {', '.join(sorted(side.able)) or 'none'}" if side and evidence.locks else ""
    )
    evidence.say("traffic", words, source)
    if traffic is not Traffic.OPEN:
        evidence.doubt(
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
    evidence.draft.keep("traffic", value, f"traffic {words}")


def _served(evidence: RecoveryEvidence, stays: list[Stay]) -> None:
    """Keep which clusters are open to the applications, and which are closed to them."""
    serving = _serving(evidence, stays)
    for role, side in evidence.sides.items():
        traffic = evidence.traffic(role)
        if all(side.read_only.values()) or traffic is Traffic.CLOSED:
            door = Access.CLOSED
        elif role is serving and traffic in (Traffic.OPEN, Traffic.LET_IN):
            door = Access.OPEN
        else:
            continue
        evidence.draft.keep(door_fact(role), door.value, f"{role.value} is {door.value}")


def _led(stays: list[Stay]) -> Role | None:
    """Return where the run has led the applications after its switchover, or None."""
    for stay in reversed(stays):
        if SwitchEndpoint.key in stay.done():
            if stay.track is Track.UPGRADE:
                return Role.NEW_BLUE
            return Role.OLD_BLUE if stay.variant == RollbackTarget.OLD_BLUE else Role.BLUE_PRIME
    return None


def _detached(evidence: RecoveryEvidence, stay: Stay) -> Role | None:
    """Return the cluster that the last stay has detached and that is not to be fed again."""
    if DropSubscriptions.key not in stay.done():
        return None
    if stay.track is Track.COMMIT:
        return Role.BLUE_PRIME
    if stay.variant == RollbackTarget.FINALIZE:
        return Role.NEW_BLUE
    turned = SwitchEndpoint.key in stay.done()
    if stay.track is Track.UPGRADE:
        return None if turned else Role.NEW_BLUE
    prime = evidence.sides.get(Role.BLUE_PRIME)
    fed = turned and prime is not None and prime.captured
    return None if fed else Role.BLUE_PRIME


def _serving(evidence: RecoveryEvidence, stays: list[Stay]) -> Role:
    if not evidence.roles.switched:
        return Role.BLUE
    return _led(stays) or Role.NEW_BLUE
