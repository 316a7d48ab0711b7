"""The ways off a track: which exist from where the run stands, what they lose, what they take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runbook.base.context import World
from runbook.base.pair import Sides
from runbook.base.roles import Role
from runbook.base.step import Risk
from runbook.base.variants import WayBack, WayUp, name
from runbook.procedure.steps.rollback import forced
from runbook.procedure.tracks import protect, steps_of
from runbook.proofs import new_databases
from runbook.protection import verdicts
from runbook.protection.dashboard import Production, Serving
from runbook.watch.position import FORCED_FROM, Position, follows, position, way_back_now
from state.enums import Track
from state.journal import Journal
from state.records import TrackEntry


@dataclass(frozen=True, slots=True)
class Way:
    """One way to leave the current track, and its price."""

    track: Track
    way: str
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
        return name(self.track, self.way)


BACK = (
    Position.BACK_NOT_PROTECTED,
    Position.BACK_PROTECTED,
    Position.BACK_WAY_LOST,
    Position.BACK_ROWS_DIFFER,
)
"""The positions after a rollback in which the way forward is held by slots on blue prime."""


def ways(world: World, journal: Journal) -> list[Way]:
    """Return every way off the current track, the recommended one first."""
    where = position(world, journal)
    entry = journal.entries(world.run)[-1]
    before = where is Position.BEFORE_SWITCHOVER
    to_old_blue = where in (
        Position.BEFORE_TRAFFIC,
        Position.SLIPPED_IN,
        Position.SWITCHOVER_ASKED,
    )
    asked = where is Position.SWITCHOVER_ASKED
    back = where in BACK or where is Position.ROLLED_BACK
    left = new_databases.gone_by_name(world)
    behind = f" but {left}" if left else ""
    found = [
        _way(
            world,
            Track.ABORT,
            "",
            "Abort: delete green, blue stays as it is",
            "nothing",
            "minutes; the applications are let in first",
            available=before and entry.track is Track.UPGRADE,
            why_not="the switchover was asked for, and its end is not seen yet"
            if asked
            else "after the switchover there is nothing to abort"
            if not before
            else "the run is on it",
            recommended=before,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.OLD_BLUE,
            "Roll back to old blue",
            "what slipped in before the capture, as named, and nothing else"
            if where is Position.SLIPPED_IN
            else "nothing: no application has written to new blue",
            "minutes, the applications being down"
            + ("; known when the switchover's end is seen" if asked else ""),
            available=to_old_blue,
            why_not="before the switchover: abort"
            if before
            else "the applications have written since, and old blue lacks it",
            recommended=to_old_blue,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.BLUE_PRIME,
            "Roll back to blue prime",
            f"nothing{behind}, if the comparison passes: rows differed at the last one"
            if where is Position.ROWS_DIFFER
            else f"nothing{behind}: blue prime has every write",
            "a minute or so, the applications being down",
            available=where in (Position.PROTECTED, Position.ROWS_DIFFER),
            why_not={
                Position.WAY_LOST: "a slot is gone: blue prime misses writes, for good",
                Position.FORWARD_NOT_PROTECTED: "first the next steps here: they feed blue prime",
                Position.ROLLING_BACK: "the run is on it: its next step goes on",
                Position.SWITCHING_ENDPOINT: "the run is on it: its next step goes on",
            }.get(
                where,
                "it serves already" if back else "blue prime does not have every write yet",
            ),
            recommended=where is Position.PROTECTED,
        ),
        _forced(world, where, entry),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.FOR_GOOD,
            "Roll back to blue prime for good: no way forward is held",
            "the way forward: what is written then is on the old version alone",
            "a minute or so, the applications being down",
            available=world.plan.rollback.protect
            and where in (Position.PROTECTED, Position.ROLLING_BACK)
            and entry.way != WayBack.FOR_GOOD,
            why_not="the plan protects no rollback: the other way to blue prime is this one"
            if not world.plan.rollback.protect
            else "blue prime serves already"
            if back
            else "the run is on it"
            if entry.way == WayBack.FOR_GOOD
            else "blue prime does not have every write yet",
            recommended=False,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.PROTECT_THEN_BLUE_PRIME,
            "Finish protecting, then roll back to blue prime",
            "nothing: the slots keep every write",
            "as long as mending does: m shows what is offered; the applications run meanwhile"
            if world.fact("subscribed")
            else "the time of a clone and its instances; the applications run meanwhile",
            available=where is Position.NOT_PROTECTED,
            why_not={
                Position.PROTECTED: "already protected",
                Position.ROWS_DIFFER: "it is finished; the rows differ",
                Position.ROLLBACK_BLOCKED: "it is finished; the rows differ",
                Position.WAY_LOST: "a slot is gone: what it did not keep cannot be applied",
                Position.FORWARD_NOT_PROTECTED: "it is there: the next steps here feed it",
            }.get(where, "it has taken over" if back else "no write has to be kept yet"),
            recommended=where is Position.NOT_PROTECTED,
        ),
        _way(
            world,
            Track.COMMIT,
            "",
            "Commit: end the way back, stay on the new version",
            "the way back itself",
            "minutes; nothing stops",
            available=where in (Position.PROTECTED, Position.WAY_LOST, Position.ROWS_DIFFER)
            and entry.track is Track.UPGRADE,
            why_not="only from the protected position",
            recommended=False,
        ),
        _way(
            world,
            Track.UPGRADE,
            WayUp.STAY,
            "Stay on the new version: let the applications in on new blue again",
            "nothing",
            "seconds",
            available=where in (Position.ROLLING_BACK, Position.ROLLBACK_BLOCKED),
            why_not="only while a rollback has not switched the endpoint",
            recommended=where in (Position.ROLLING_BACK, Position.ROLLBACK_BLOCKED),
        ),
        _way(
            world,
            Track.UPGRADE,
            WayUp.FORWARD,
            "Go forward again to new blue",
            "nothing, if the comparison passes: rows differed at the last one"
            if where is Position.BACK_ROWS_DIFFER
            else "nothing: new blue has every write",
            "a minute or so, the applications being down",
            available=where in (Position.BACK_PROTECTED, Position.BACK_ROWS_DIFFER),
            why_not={
                Position.FORCED_FORWARD: "the new version serves already",
                Position.BACK_WAY_LOST: "a slot is gone: new blue misses writes, for good",
                Position.BACK_NOT_PROTECTED: "new blue does not have every write yet: first the "
                "next steps of this track",
                Position.ROLLED_BACK: "no slot has kept what was written since: it is a new "
                "upgrade",
            }.get(where, "only after a rollback that was protected"),
            recommended=where is Position.BACK_PROTECTED,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.STAY,
            "Stay on the old version: let the applications in on blue prime again",
            "nothing",
            "seconds",
            available=where in (Position.GOING_FORWARD, Position.FORWARD_BLOCKED),
            why_not="only while going forward has not switched the endpoint",
            recommended=where in (Position.GOING_FORWARD, Position.FORWARD_BLOCKED),
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.SETTLE,
            "Settle: end the way forward, stay on the old version",
            "the way forward itself",
            "seconds; nothing stops",
            available=where in BACK and entry.way != WayBack.SETTLE,
            why_not="the run is on it"
            if entry.way == WayBack.SETTLE
            else "no way forward is held"
            if where is Position.ROLLED_BACK
            else "only after a rollback that was protected",
            recommended=False,
        ),
        _way(
            world,
            Track.CLEANUP,
            "",
            "Clean up: delete what the run created and does not serve",
            "the clusters that it names, and with new blue the way forward"
            if where in BACK
            else "the clusters that it names",
            "minutes",
            available=where
            in (
                Position.ROLLED_BACK,
                Position.BACK_PROTECTED,
                Position.BACK_WAY_LOST,
                Position.FORCED_FORWARD,
                Position.COMMITTED,
                Position.ABORTED,
            )
            and entry.track is not Track.CLEANUP,
            why_not="only once the run has ended one way or the other",
            recommended=False,
        ),
    ]
    if (down := verdicts.unreached(world)) is not None:
        found = [_while_down(way, where, down) for way in found]
    if where is Position.LEFT_BEHIND:
        found = [replace(way, why_not="this journal was left behind") for way in found]
    found = [replace(way, here=way_back_now(world, where)) for way in found]
    found = [
        replace(way, done=_done(journal, world, way))
        if way.way == WayBack.PROTECT_THEN_BLUE_PRIME
        else way
        for way in found
    ]
    return sorted(found, key=lambda way: (not way.recommended, not way.available))


def _done(journal: Journal, world: World, way: Way) -> tuple[str, ...]:
    """Return the changes of finishing the protection that the present stay has made already.

    A step that only looks is never among them: what it saw may be otherwise now.
    """
    finishing = {step.key for step in protect() if step.risk is not Risk.READ_ONLY}
    entry = journal.entries(world.run)[-1]
    latest = {
        each.step: each.status for each in journal.attempts(world.run) if each.entry == entry.id
    }
    return tuple(
        key for key in way.steps if key in finishing and key in latest and latest[key].done
    )


_ASK_WHO_SERVES = (
    (Track.ROLLBACK, WayBack.BLUE_PRIME),
    (Track.ROLLBACK, WayBack.FOR_GOOD),
    (Track.ROLLBACK, WayBack.PROTECT_THEN_BLUE_PRIME),
    (Track.ROLLBACK, WayBack.SETTLE),
    (Track.COMMIT, ""),
    (Track.UPGRADE, WayUp.FORWARD),
)
"""The ways whose steps ask the cluster that serves."""


def _while_down(way: Way, where: Position, down: Production) -> Way:
    """Return a way as it stands while the cluster that serves does not answer."""
    forward = way.way == WayUp.FORWARD
    if (way.track, way.way) not in _ASK_WHO_SERVES or (forward and where not in BACK):
        # Staying is open, since it may come back; that nothing is lost by it nobody knows.
        return replace(way, recommended=False)
    more = "; the forced way (--track forced) says what it would give up"
    why_not = down.text + more * (forward or way.way == WayBack.BLUE_PRIME)
    return replace(way, available=False, recommended=False, why_not=why_not)


def _forced(world: World, where: Position, entry: TrackEntry) -> Way:
    """Return the way to the cluster that follows, for when the one that serves does not answer."""
    rolled_back = where in FORCED_FROM[Role.BLUE_PRIME]
    away = Role.BLUE_PRIME if rolled_back else Role.NEW_BLUE
    to = Sides.of(away).subscriber
    track = Track.ROLLBACK if to is Role.BLUE_PRIME else Track.UPGRADE
    on_it = (entry.track, entry.way) == (track, WayBack.FORCED)
    fed, down = follows(world, where, away), verdicts.unreached(world)
    lost = where in (Position.WAY_LOST, Position.BACK_WAY_LOST)
    return _way(
        world,
        track,
        WayBack.FORCED,
        f"Force the way to {to.value}: {away.value} is given up",
        f"what {away.value} acknowledged and did not send. Last known: "
        + forced.loss(world)
        + ("; and what the lost slot did not keep" if lost else ""),
        f"a minute or so; {away.value} is not asked for anything",
        available=fed and down is not None and down.state is not Serving.CUT and not on_it,
        why_not="the run is on it"
        if on_it
        else f"{away.value} does not serve"
        if where not in FORCED_FROM[away]
        else f"{to.value} does not follow {away.value}, and could be behind by anything: bring "
        f"{away.value} back"
        if not fed
        else f"{down.text}. {forced.HEARD}".rstrip(".")
        if down is not None
        else f"{away.value} answers, or was not looked for yet: the ordinary way gives nothing up",
        recommended=False,
    )


def _way(
    world: World,
    track: Track,
    way: str,
    title: str,
    cost: str,
    time: str,
    *,
    available: bool,
    why_not: str,
    recommended: bool,
) -> Way:
    steps = tuple(step.key for step in steps_of(track, world.plan, way))
    return Way(
        track, way, title, cost, time, available, "" if available else why_not, steps, recommended
    )
