"""Old blue must be, when it is cloned, exactly what it was at the freeze."""

from __future__ import annotations

from collections.abc import Sequence

from runbook import fencing
from runbook.postgres import marks
from runbook.postgres.marks import Marks, MarkVerdict
from runbook.roles import Role
from runbook.step import Gate, StepFailed, Watch
from runbook.world import World

ACCEPT = "accept-unproved-freeze"


def gates(world: World) -> Sequence[Gate]:
    """Return the decision to go on where the statistics cannot tell; a change is never accepted."""
    unproved = world.fact("freeze.unproved")
    if unproved is None:
        return ()
    return (
        Gate(
            key=ACCEPT,
            question=f"Go on although it is not proved that old blue stood still: {unproved}",
            reversible="What was written there would be missing or double after a rollback.",
            must_type=world.plan.cluster.identifier,
        ),
    )


async def compare_marks(world: World, watch: Watch, when: str) -> None:
    """Compare old blue with the marks taken inside the fence; refuse on any change."""
    kept = world.fact("marks.blue")
    if kept is None:
        verdict = MarkVerdict(None, ("no marks of blue from inside the fence are kept",), "")
    else:
        async with fencing.connections(world, Role.OLD_BLUE) as opened:
            verdict = await marks.compare_now(Marks.from_json(kept), opened)
    if verdict.same:
        watch.evidence(f"old blue is unchanged since the freeze ({when}): {verdict.proof}")
        return
    words = "; ".join(verdict.changed) or "it cannot be told"
    if verdict.same is None and world.accepted(ACCEPT):
        watch.evidence(f"accepted by a person, not proved ({when}): {words}")
        return
    watch.evidence(
        f"freeze not proved ({when}): {words}",
        key="" if verdict.same is False else "freeze.unproved",
        value=words,
    )
    raise StepFailed(
        f"Old blue {'has changed' if verdict.same is False else 'cannot be proved unchanged'} "
        f"since the freeze ({when}): {words}.",
        now="A clone of it would not be the state that the slots start from.",
        todo=(
            "Find what wrote there. The way back that is still exact: restore old blue to the "
            "time of the switchover, or give up the way back and commit."
        ),
    )
