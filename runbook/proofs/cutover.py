"""The proof that both sides of a rollback stand still from the comparison until one is opened.

A write behind the fence is carried over as long as the subscriber follows; from then on it would
stay behind, on the side that is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Gate, Watch
from runbook.failures import StepFailed
from runbook.postgres import fence_sql, marks
from runbook.postgres.connect import UNREACHABLE
from runbook.postgres.marks import ClusterMarks
from runbook.proofs import diverged, write_fence
from runbook.proofs.late_writes import accept_key
from runbook.proofs.schema_drift import given_up
from runbook.proofs.since_fence import Found, compare_rows, words_of

LOST = "closed.lost"
"""The fact that says what the side that takes over may lack of what was written meanwhile."""


async def prove_equal_still(
    context: RunContext, watch: Watch, publisher: Role, subscriber: Role
) -> None:
    """Prove, once the rows were compared, that the publisher has not moved since it was fenced.

    Keeps a look at the subscriber, which must not move from now on either. Raises `StepFailed`
    naming what was written: nothing is lost yet, since the subscriber still follows.
    """
    # What cannot be told of is compared again before the subscriber is opened: see `prove_closed`.
    written, _ = await _written_since(context, watch, publisher)
    if written:
        raise StepFailed(
            f"{publisher.value} was written while the applications were stopped: "
            f"{'; '.join(written)}.",
            now=f"{publisher.value} has every write, and {subscriber.value} still follows it. The "
            "applications are stopped.",
            todo=f"Branch to stay on {publisher.version}, which lets them in again and loses "
            "nothing. Stop what is named, then try again.",
        )
    if context.fact(LOST):
        watch.evidence("what was found on a former way is behind", key=LOST, value="")
    async with write_fence.connections(context, subscriber) as opened:
        sample = await fence_sql.sample(opened)
    watch.evidence(
        f"{subscriber.value} looked at after the comparison",
        key=f"fence.{subscriber.identity.slug}",
        value=write_fence.sample_json(sample),
    )


def closed_gates(context: RunContext) -> Sequence[Gate]:
    """Return the decision to go on although the side that takes over may lack what was found."""
    words = context.fact(LOST)
    if not words:
        return ()
    return (
        Gate(
            key=accept_key("late-writes", words),
            question=f"Go on, and leave behind what was written since: {words}",
            reversible="What was written stays where it is, on the side that is closed.",
            must_type=context.plan.cluster.identifier,
        ),
    )


async def prove_closed(context: RunContext, watch: Watch, role: Role, successor: Role) -> None:
    """Prove, right before the successor is opened, that neither side has moved since compared.

    Raises `StepFailed` naming tables and counts, until a person has accepted exactly that.
    """
    reasons, doubted = await _written_since(context, watch, role)
    found, compared = await _moved_since(context, watch, (successor, role), doubted)
    words = "; ".join((*reasons, *found.reasons, *map(words_of, found.tables)))
    if not words:
        by_rows = f": every row of {', '.join(compared)} equals {successor.value}'s"
        watch.evidence(
            f"nothing was written on {role.value} since it was fenced{by_rows if compared else ''}"
        )
        return
    if context.accepted(accept_key("late-writes", words)):
        watch.evidence(f"accepted by a person, stays behind: {words}")
        return
    watch.evidence(f"written behind the fence: {words}", key=LOST, value=words)
    raise StepFailed(
        f"The rows of {role.value} and {successor.value} may differ since they were compared: "
        f"{words}.",
        now=f"{successor.value} is not open, and its replication has ended. {role.value} has every "
        "write.",
        todo=f"Branch to stay on {role.version}: nothing is lost, but the run is not protected "
        "then. Or run the step again and accept by name that these writes stay behind.",
    )


async def _written_since(
    context: RunContext, watch: Watch, role: Role
) -> tuple[tuple[str, ...], set[str]]:
    """Name who may write on a fenced cluster, and what was written there since the proof.

    Beside it the databases of which it cannot be told: in them are sessions of other roles (as
    monitoring has) that may hold counts back, or the statistics were lost; all of them where no
    look from inside the fence is kept.
    """
    kept, frozen = write_fence.kept_sample(context, role), context.fact(f"marks.{role.slug}")
    repaired = bool(context.fact(diverged.REPAIRED))
    async with write_fence.connections(context, role) as opened:
        now = await fence_sql.sample(opened)
        if kept is None or frozen is None:
            watch.evidence(
                f"no look at {role.value} from inside the fence is kept to hold it against"
            )
            return tuple(write_fence.who_may_write(context, now, now)), set(now.counters)
        verdict = write_fence.compare(context, kept, now, own_changes=repaired)
        if verdict.proved:
            return (), set()
        changed = marks.compare(ClusterMarks.from_json(frozen), await marks.take(opened))
    who = write_fence.who_may_write(context, kept, now)
    if who or changed.same is False:
        return (*who, *(changed.changed if changed.same is False else ())), set()
    if verdict.proved is False:
        # What has no mark of its own, as a column that was added.
        return verdict.reasons, set()
    inside = {s.database for s in now.sessions if not s.settled} | {w.database for w in now.workers}
    doubted = (inside & now.counters.keys()) or set(now.counters)
    return (), set() if changed.same else doubted


async def _moved_since(
    context: RunContext, watch: Watch, sides: tuple[Role, Role], doubted: set[str]
) -> tuple[Found, list[str]]:
    """Compare the rows of both sides where it is in doubt whether they have parted since.

    `sides`: the successor, whose own counters are held against those after the comparison, and the
    one that is closed. Beside what was found are the databases whose rows were compared: all of
    them where no look at the successor is kept.
    """
    kept = write_fence.kept_sample(context, sides[0].identity)
    async with write_fence.connections(context, sides[0]) as opened:
        now = await fence_sql.sample(opened)
    rows = write_fence.rows_of(now)
    was = {} if kept is None else write_fence.rows_of(kept)
    gone = tuple(
        f"database {name} of {sides[0].value} is gone" for name in sorted(was.keys() - rows.keys())
    )
    doubted = doubted | {name for name in rows if was.get(name) != rows[name]}
    # Of one that the successor lacks no rows can be compared; a person may have given it up.
    alone = doubted - rows.keys() - was.keys() - set(given_up(context))
    gone += tuple(
        f"database {name} is on {sides[1].value} alone: whether rows were written in it since "
        "cannot be told"
        for name in sorted(alone)
    )
    both = sorted(doubted & rows.keys())
    found = await compare_rows(context, watch, sides, both) if both else Found()
    return Found((*gone, *found.reasons), found.tables), both


async def name_what_stays(
    context: RunContext, watch: Watch, closed: Role, unseen: str = ""
) -> None:
    """Name what was written on a closed cluster between its last look and the applications' return.

    They are in on the other one by now, and are not held up for it: a person must hear of it, and
    of not knowing it as well. `unseen`: why it is not asked; it did not answer a moment ago.
    """
    written: tuple[str, ...] = ()
    doubted: set[str] = set()
    try:
        if not unseen:
            written, doubted = await _written_since(context, watch, closed)
    except UNREACHABLE as error:
        unseen = str(error)
    words = ""
    behind = f"on {closed.value} behind the fence, and on no other cluster"
    if unseen:
        words = (
            f"Whether anything was written {behind}, is not known: it could not be looked at "
            f"({unseen})."
        )
    elif written:
        words = f"WRITTEN {behind}: {'; '.join(written)}."
    elif doubted:
        words = (
            f"Whether anything was written {behind}, cannot be told of: "
            f"{', '.join(sorted(doubted))}."
        )
    watch.warning(words, key=f"{closed.slug}.written")
