"""The proof that both sides of a rollback stand still from the comparison until one is opened.

A write behind the fence is carried over as long as the subscriber follows; from then on it would
stay behind, on the side that is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

from runbook import fencing
from runbook.postgres import fence, marks
from runbook.postgres.marks import Marks
from runbook.roles import Role
from runbook.slipped import SETTLES_S, Found, accept_key, compare_rows, words_of
from runbook.step import Gate, StepFailed, Watch
from runbook.world import World

LOST = "closed.lost"
"""The fact that says what the side that takes over may lack of what was written meanwhile."""


async def prove_equal_still(world: World, watch: Watch, publisher: Role, subscriber: Role) -> None:
    """Prove, once the rows were compared, that the publisher has not moved since it was fenced.

    Keeps a look at the subscriber, which must not move from now on either. Raises `StepFailed`
    naming what was written: nothing is lost yet, since the subscriber still follows.
    """
    if written := await _written_since(world, watch, publisher):
        raise StepFailed(
            f"{publisher.value} was written while the applications were stopped: "
            f"{'; '.join(written)}.",
            now=f"{publisher.value} has every write, and {subscriber.value} still follows it. The "
            "applications are stopped.",
            todo="Branch to stay on the new version, which lets them in again and loses nothing. "
            "Stop what is named, then roll back.",
        )
    async with fencing.connections(world, subscriber) as opened:
        sample = await fence.sample(opened)
    watch.evidence(
        f"{subscriber.value} looked at after the comparison",
        key=f"fence.{subscriber.identity.slug}",
        value=fencing.sample_json(sample),
    )


def closed_gates(world: World) -> Sequence[Gate]:
    """Return the decision to go on although the side that takes over may lack what was found."""
    words = world.fact(LOST)
    if not words:
        return ()
    return (
        Gate(
            key=accept_key("late-writes", words),
            question=f"Go on, and leave behind what was written since: {words}",
            reversible="What was written stays where it is, on the side that is closed.",
            must_type=world.plan.cluster.identifier,
        ),
    )


async def prove_closed(world: World, watch: Watch, role: Role, successor: Role) -> None:
    """Prove, right before the successor is opened, that neither side has moved since compared.

    Raises `StepFailed` naming tables and counts, until a person has accepted exactly that.
    """
    reasons = await _written_since(world, watch, role)
    found = await _moved_since(world, watch, successor, role)
    words = "; ".join((*reasons, *map(words_of, found.tables)))
    if not words:
        watch.evidence(f"nothing was written on {role.value} since it was fenced")
        return
    if world.accepted(accept_key("late-writes", words)):
        watch.evidence(f"accepted by a person, stays behind: {words}")
        return
    watch.evidence(f"written behind the fence: {words}", key=LOST, value=words)
    raise StepFailed(
        f"{role.value} and {successor.value} may have parted since they were compared: {words}.",
        now=f"{successor.value} was not opened, and follows no more. {role.value} has every write.",
        todo="Branch to stay on the new version, which loses nothing, but has no way back then; or "
        "run the step again and accept by name that these writes stay behind.",
    )


async def _written_since(world: World, watch: Watch, role: Role) -> tuple[str, ...]:
    """Name who may write on a fenced cluster and what was written there since the proof."""
    kept, frozen = fencing.kept_sample(world, role), world.fact(f"marks.{role.slug}")
    if kept is None or frozen is None:
        watch.evidence(f"no look at {role.value} from inside the fence is kept to hold it against")
        return ()
    roles = world.plan.traffic.application_roles or None
    async with fencing.connections(world, role) as opened:
        now = await fence.sample(opened)
        verdict = fence.compare_samples(kept, now, application_roles=roles)
        if verdict.proved:
            return ()
        changed = await marks.compare_now(Marks.from_json(frozen), opened, patience_s=SETTLES_S)
    who, _ = fence.named(kept, now, application_roles=roles)
    if verdict.proved is None and changed.same and not who:
        return ()
    # What has no mark of its own, as a column that was added, is in the verdict's words alone.
    return (*who, *changed.changed) if changed.changed else verdict.reasons


async def _moved_since(world: World, watch: Watch, successor: Role, role: Role) -> Found:
    """Compare the rows of both sides where the successor's own have moved since the comparison."""
    kept = fencing.kept_sample(world, successor.identity)
    if kept is None:
        return Found()
    async with fencing.connections(world, successor) as opened:
        now = await fence.sample(opened)
    was, rows = fencing.rows_of(kept), fencing.rows_of(now)
    moved = sorted(name for name in was.keys() & rows.keys() if was[name] != rows[name])
    return await compare_rows(world, watch, (successor, role), moved) if moved else Found()
