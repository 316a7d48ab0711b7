"""Old blue must be, when it is cloned, exactly what it was at the freeze."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import StepFailed
from runbook.postgres import marks
from runbook.postgres.marks import ClusterMarks, MarkVerdict
from runbook.proofs import late_writes, since_fence, write_fence

ACCEPT = "accept-unproved-freeze"


def gates(context: RunContext) -> Sequence[Gate]:
    """Return the decision to go on where the statistics cannot tell; a change is never accepted."""
    unproved = context.fact("freeze.unproved")
    if unproved is None:
        return ()
    return (
        Gate(
            key=ACCEPT,
            question=f"Go on although it is not proved that old blue stood still: {unproved}",
            reversible="What was written there would be missing or double after a rollback.",
            must_type=context.plan.cluster.identifier,
        ),
    )


async def compare_marks(context: RunContext, watch: Watch, when: str) -> None:
    """Compare old blue with the marks taken inside the fence; refuse on any change.

    A restart, a checkpoint, hint bits, VACUUM and ANALYZE leave the marks as they are.

    Raises `StepFailed`.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-deleting.html
    """
    verdict = await _since_the_freeze(context)
    if verdict.same is None and await _same_rows(context, watch, verdict):
        return
    if verdict.same:
        watch.evidence(f"old blue is unchanged since the freeze ({when}): {verdict.proof}")
        return
    words = "; ".join(verdict.changed) or "it cannot be told"
    if verdict.same is None and context.accepted(ACCEPT):
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


async def _since_the_freeze(context: RunContext) -> MarkVerdict:
    kept = context.fact(write_fence.OLD_BLUE_MARKS) or context.fact("marks.blue")
    if kept is None:
        return MarkVerdict(None, ("no marks of blue from inside the fence are kept",), "")
    async with write_fence.connections(context, Role.OLD_BLUE) as opened:
        return await marks.compare_now(ClusterMarks.from_json(kept), opened)


async def _same_rows(context: RunContext, watch: Watch, verdict: MarkVerdict) -> bool:
    """Return whether the rows prove what marks cannot tell (lost in a crash, say).

    Only while the applications have not been let in: then new blue is as it was fenced.
    """
    traffic = context.fact("traffic") or {}
    if traffic.get("open", True) or context.fact(late_writes.UNPROVED):
        return False
    watch.evidence(f"not told by marks ({'; '.join(verdict.changed)}): comparing the rows")
    databases = await context.databases(Role.OLD_BLUE)
    found = await since_fence.compare_rows(
        context, watch, (Role.OLD_BLUE, Role.NEW_BLUE), databases
    )
    if found.proved:
        watch.evidence("old blue is unchanged since the freeze: every row equals new blue's")
    return found.proved


async def name_later_writes(context: RunContext, watch: Watch) -> None:
    """Name what was written on old blue after it was cloned.

    Blue prime is exact without it: the clone was seen to be complete before. But whoever wrote
    there takes old blue for production, and must hear of it.
    """
    verdict = await _since_the_freeze(context)
    words = "; ".join(verdict.changed)
    told = {
        True: "",
        False: f"WRITTEN on old blue after the clone, and on no other cluster: {words}. Blue prime "
        "is exact without it; find out who writes there.",
        None: f"Whether anything was written on old blue after the clone cannot be told: {words}. "
        "Blue prime is exact without it.",
    }
    watch.warning(told[verdict.same], key="old-blue.written")
