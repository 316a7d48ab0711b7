"""The branches off a track: which are open where the run stands, what they lose, what they take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.base.step import Risk
from runbook.base.variants import RollbackTarget, name
from runbook.procedure.steps.rollback import forced
from runbook.procedure.tracks import protect, steps_of
from runbook.proofs import new_databases
from runbook.protection import verdicts
from runbook.protection.dashboard import Production, Serving
from runbook.watch.position import follows, position, rollback_path
from runbook.watch.position_table import (
    ABORT,
    BRANCHES,
    CLEANUP,
    COMMIT,
    FINALIZE,
    FOR_GOOD,
    FORWARD,
    POSITIONS,
    PROTECT_FIRST,
    TO_BLUE_PRIME,
    TO_OLD_BLUE,
    Key,
    RunPosition,
)
from state.enums import Track
from state.journal import Journal
from state.records import TrackEntry


@dataclass(frozen=True, slots=True)
class Branch:
    """One way to leave the current track, and its price."""

    track: Track
    variant: str
    title: str
    cost: str
    """What it loses."""
    time: str
    """How long it takes."""
    available: bool
    why_not: str
    steps: tuple[str, ...]
    recommended: bool = False
    here: str = ""
    """The way back from where the run stands, in one sentence: the same with each way."""
    done: tuple[str, ...] = ()
    """Those of its steps that were done already: each is looked at again, and changes nothing."""

    @property
    def plan(self) -> str:
        """Its steps in words: those that are to be done, then those that were."""
        left = " → ".join(step for step in self.steps if step not in self.done)
        if not self.done:
            return left
        return f"{left}; done already, and looked at again: {', '.join(self.done)}"

    @property
    def name(self) -> str:
        """The word for it on the command line."""
        return name(self.track, self.variant)


def branches(context: RunContext, journal: Journal) -> list[Branch]:
    """Return every way off the current track, the recommended one first."""
    where, entry = position(context, journal), journal.entries(context.run)[-1]
    found = [_way(context, journal, where, entry, key) for key in BRANCHES]
    if where is not RunPosition.LEFT_BEHIND and (down := verdicts.unreached(context)) is not None:
        found = [_while_down(branch, where, down) for branch in found]
    found.insert([*BRANCHES].index(TO_BLUE_PRIME) + 1, _forced(context, where, entry))
    here = rollback_path(context, where)
    found = [replace(branch, here=here) for branch in found]
    return sorted(found, key=lambda branch: (not branch.recommended, not branch.available))


def _way(
    context: RunContext, journal: Journal, where: RunPosition, entry: TrackEntry, key: Key
) -> Branch:
    branch, standing = BRANCHES[key], POSITIONS[where]
    track, variant = key
    steps = tuple(step.key for step in steps_of(track, context.plan, variant))
    why_not = "" if key in standing.opens else standing.why_not.get(key, branch.why_not)
    why_not = _refused(context, where, entry, key) or why_not
    left = new_databases.gone_by_name(context)
    cost = (standing.opens.get(key) or branch.cost).format(behind=f" but {left}" if left else "")
    return Branch(
        track,
        variant,
        branch.title,
        cost,
        _time(context, where, key),
        available=not why_not,
        why_not=why_not,
        steps=steps,
        recommended=standing.recommended == key,
        done=_done(journal, context, steps) if key == PROTECT_FIRST else (),
    )


def _refused(context: RunContext, where: RunPosition, entry: TrackEntry, key: Key) -> str:
    """Return why a branch is not open although the position would allow it, or an empty text."""
    if where is RunPosition.LEFT_BEHIND:
        return ""
    if key == FOR_GOOD and not context.plan.rollback.protect:
        return "the plan protects no rollback: the other way to blue prime is this one"
    upgrading = entry.track is Track.UPGRADE
    if key == COMMIT and not upgrading:
        return BRANCHES[COMMIT].why_not
    aborting = key == ABORT and where is RunPosition.BEFORE_SWITCHOVER and not upgrading
    on_it = key in (FOR_GOOD, FINALIZE, CLEANUP) and (entry.track, entry.variant) == key
    return "the run is on it" if aborting or on_it else ""


def _time(context: RunContext, where: RunPosition, key: Key) -> str:
    """Return how long a branch takes from here."""
    if key == PROTECT_FIRST and context.fact("subscribed"):
        return "minutes, or as long as a repair takes (key m); the applications run meanwhile"
    if key == TO_OLD_BLUE and where is RunPosition.SWITCHOVER_ASKED:
        return f"{BRANCHES[key].time}; known when the switchover's end is seen"
    return BRANCHES[key].time


def _done(journal: Journal, context: RunContext, steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the changes of finishing the protection that the present stay has made already.

    A step that only looks is never among them: what it saw may be otherwise now.
    """
    finishing = {step.key for step in protect() if step.risk is not Risk.READ_ONLY}
    entry = journal.entries(context.run)[-1]
    latest = {
        each.step: each.status for each in journal.attempts(context.run) if each.entry == entry.id
    }
    return tuple(key for key in steps if key in finishing and key in latest and latest[key].done)


_ASK_WHO_SERVES = (TO_BLUE_PRIME, FOR_GOOD, PROTECT_FIRST, FINALIZE, COMMIT, FORWARD)
"""The branches whose steps ask the cluster that serves."""


def _while_down(branch: Branch, where: RunPosition, down: Production) -> Branch:
    """Return a way as it stands while the cluster that serves does not answer."""
    key = (branch.track, branch.variant)
    forward = key == FORWARD
    if key not in _ASK_WHO_SERVES or (forward and not POSITIONS[where].way_forward):
        # Staying is open, since it may come back; that nothing is lost by it nobody knows.
        return replace(branch, recommended=False)
    more = "; the forced way (--track forced) says what it would give up"
    why_not = down.text + more * (forward or key == TO_BLUE_PRIME)
    return replace(branch, available=False, recommended=False, why_not=why_not)


def _forced(context: RunContext, where: RunPosition, entry: TrackEntry) -> Branch:
    """Return the way to the cluster that follows, for when the one that serves does not answer."""
    last_word = POSITIONS[where].last_word
    away = Role.BLUE_PRIME if last_word is Role.BLUE_PRIME else Role.NEW_BLUE
    to = ReplicationPair.of(away).subscriber
    track = Track.ROLLBACK if to is Role.BLUE_PRIME else Track.UPGRADE
    on_it = (entry.track, entry.variant) == (track, RollbackTarget.FORCED)
    fed, down = follows(context, where, away), verdicts.unreached(context)
    lost = where in (RunPosition.WAY_LOST, RunPosition.BACK_WAY_LOST)
    available = fed and down is not None and down.state is not Serving.CUT and not on_it
    why_not = (
        "this journal was left behind"
        if where is RunPosition.LEFT_BEHIND
        else "the run is on it"
        if on_it
        else f"{away.value} does not serve"
        if last_word is None
        else f"{to.value} does not follow {away.value}, and could be behind by anything: bring "
        f"{away.value} back"
        if not fed
        else f"{down.text}. {forced.HEARD}".rstrip(".")
        if down is not None
        else f"{away.value} answers, or was not looked for yet: the ordinary way gives nothing up"
    )
    return Branch(
        track,
        RollbackTarget.FORCED,
        f"Force the way to {to.value}: {away.value} is given up",
        f"what {away.value} acknowledged and did not send. Last known: "
        + forced.loss(context)
        + ("; and what the lost slot did not keep" if lost else ""),
        f"a minute or so; {away.value} is not asked for anything",
        available=available,
        why_not="" if available else why_not,
        steps=tuple(step.key for step in steps_of(track, context.plan, RollbackTarget.FORCED)),
    )
