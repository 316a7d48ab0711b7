"""What slipped in behind the fence: found, named by table and count, and never forgotten.

After the capture new blue is held against what green was inside the fence, and old blue against
its own marks (`since_fence.py`). What differs is named; going on takes a person's word, and keeps
the run from being protected until these tables are repaired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import Refused, StepFailed
from runbook.proofs import diverged
from runbook.proofs.since_fence import since_the_fence

UNPROVED = "fence.unproved"
"""The fact that says why it is not proved that nothing slipped in; empty once it is."""

SLIPPED = "fence.slipped"
"""The tables that differ or may, as `diverged` keeps them."""

LACKS = "old-blue.lacks"
"""The fact that says what old blue may lack, as far as it was found."""


def accept_key(what: str, words: str) -> str:
    """Return the key of a gate that accepts exactly what was found: more asks anew."""
    return f"accept-{what}-{hashlib.sha256(words.encode()).hexdigest()[:10]}"


def forget(context: RunContext, watch: Watch) -> None:
    """Begin anew behind another fence: what a former capture left open is none of its business."""
    if context.fact(UNPROVED):
        watch.evidence("", key=UNPROVED, value="")
        watch.evidence("", key=SLIPPED, value=[])


def capture_gates(context: RunContext, publisher: Role, equal_to: Role) -> Sequence[Gate]:
    """Return the decision to go on with the capture although something slipped in, or may have."""
    words = context.fact(UNPROVED)
    if not words:
        return ()
    follower = ReplicationPair.of(publisher).subscriber.value
    if context.fact(SLIPPED):
        question = (
            f"Go on: not protected until these tables are re-copied to {follower} or given up by "
            f"name: {words}"
        )
    else:
        question = (
            f"Go on although it is not proved that nothing was written before the capture: {words}"
        )
    return (
        Gate(
            key=accept_key("unproved-fence", words),
            question=question,
            reversible=(
                f"These rows stay on {publisher.value}: "
                f"{ReplicationPair.of(publisher).journey} would miss them, with lag 0 and no "
                f"error. Instead: {_instead(equal_to)}."
            ),
            must_type=context.plan.cluster.identifier,
        ),
    )


async def prove_none_slipped_in(
    context: RunContext, watch: Watch, publisher: Role, equal_to: Role
) -> None:
    """Prove after the capture that the publisher has the rows that it had when it was fenced.

    `equal_to` is the closed cluster that had the same rows then. Raises `StepFailed` naming
    databases, tables and counts when rows were written in between, until a person has accepted
    exactly that. A write after the slots were made would be kept by them; it
    is named all the same, since nothing can tell it from one before.
    """
    found = await since_the_fence(context, watch, publisher, equal_to)
    for note in found.notes:
        watch.evidence(note)
    at = context.now().isoformat()
    fenced = {"proved": found.proved, "on": publisher.value, "at": at}
    if found.proved:
        watch.evidence(
            f"no row was written on {publisher.value} between the freeze and the capture",
            key="fence",
            value=fenced,
        )
        if context.fact(UNPROVED):
            watch.evidence("what was doubted is proved now", key=UNPROVED, value="")
        return
    watch.evidence(f"not proved: {found.words}", key="fence", value=fenced)
    if context.accepted(accept_key("unproved-fence", found.words)):
        watch.evidence(
            f"accepted by a person: {found.words}",
            key=diverged.FACT,
            value=diverged.as_json(diverged.merged(diverged.left(context), found.doubtful)),
        )
        return
    watch.evidence("tables that differ or may", key=SLIPPED, value=diverged.as_json(found.doubtful))
    watch.evidence(f"not proved: {found.words}", key=UNPROVED, value=found.words)
    raise StepFailed(
        f"It is not proved that nothing was written on {publisher.value} before the capture: "
        f"{found.words}.",
        now="The slots exist and keep every later write. The applications are still stopped.",
        todo=(
            f"{_instead(equal_to)}; or run the step again and accept them by name: then the run "
            "is not protected until these tables are re-copied to "
            f"{ReplicationPair.of(publisher).subscriber.value} or given up."
        ),
    )


def _instead(equal_to: Role) -> str:
    """Return what else can be done than to accept what slipped in."""
    if equal_to is Role.OLD_BLUE:
        return "Roll back to old blue, which loses just these writes"
    return f"Branch to stay on {equal_to.value}, which loses nothing that an application wrote"


def lost_gates(context: RunContext) -> Sequence[Gate]:
    """Return the decision to go back to old blue although it lacks what was found."""
    words = context.fact(LACKS) or context.fact(UNPROVED)
    if not words:
        return ()
    return (
        Gate(
            key=accept_key("lost-writes", words),
            question=f"Go back to old blue, which lacks what was written since: {words}",
            reversible="What was written stays on new blue alone, and is missing afterwards.",
            must_type=context.plan.cluster.identifier,
        ),
    )


async def refuse_if_written(context: RunContext, watch: Watch, publisher: Role) -> None:
    """Refuse to go back to old blue where it lacks what was written on new blue since the fence.

    The journal says that the applications were not let in, and may know less than the world: a
    backup of it was put back, or somebody let them in by hand. What was found is kept, so that a
    person can accept it by name.

    Raises `Refused`.
    """
    found = await since_the_fence(context, watch, publisher, Role.OLD_BLUE, returning=True)
    if found.proved:
        watch.evidence(f"nothing was written on {publisher.value} since the fence")
        if context.fact(LACKS):
            watch.evidence("old blue lacks nothing", key=LACKS, value="")
        return
    if context.accepted(accept_key("lost-writes", found.words)):
        watch.evidence(f"accepted by a person, stays behind: {found.words}")
        return
    watch.evidence(f"not proved: {found.words}", key=LACKS, value=found.words)
    raise Refused(
        f"It is not proved that old blue has every write of {publisher.value}: {found.words}.",
        now="Old blue was not opened: this way back may lose writes.",
        todo="Branch back to the upgrade and let it finish protecting; or run the step again and "
        "accept by name that these writes stay behind.",
    )
