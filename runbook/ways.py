"""The ways off a track: which exist from where the run stands, what they lose, what they take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runbook import differing
from runbook.slipped import UNPROVED
from runbook.steps import switch
from runbook.steps.carry import DIFFERENT
from runbook.tracks import STAY, WayBack, steps_of
from runbook.world import World
from state.journal import Journal
from state.words import Outcome, Status, Track


class Position(StrEnum):
    """Where a run stands, as far as the way back is concerned."""

    BEFORE_SWITCHOVER = "before the switchover"
    SWITCHOVER_ASKED = "the switchover was asked for, its end not seen yet"
    BEFORE_TRAFFIC = "switched over, traffic not resumed"
    SLIPPED_IN = "switched over, and rows slipped in before the capture"
    NOT_PROTECTED = "traffic resumed, not yet protected"
    PROTECTED = "protected"
    WAY_LOST = "a slot is gone: blue prime misses writes"
    ROWS_DIFFER = "rows differed at the last comparison"
    ROLLING_BACK = "rolling back"
    ROLLBACK_BLOCKED = "rolling back, and rows differ"
    SWITCHING_ENDPOINT = "the endpoint is on its way to the old version"
    ROLLED_BACK = "rolled back"
    COMMITTED = "committed"
    ABORTED = "aborted"


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


ENDED = {
    Track.ROLLBACK: Position.ROLLED_BACK,
    Track.COMMIT: Position.COMMITTED,
    Track.ABORT: Position.ABORTED,
}
"""Where a run stands once a cleanup has begun, by the track that was ended before it."""


def position(world: World, journal: Journal) -> Position:
    """Return where the run stands, by its journal."""
    entries = journal.entries(world.run)
    entry = entries[-1]
    if entry.track is Track.CLEANUP:
        ended = (ENDED[each.track] for each in reversed(entries) if each.track in ENDED)
        if (how := next(ended, None)) is not None:
            return how
    performed = _performed(world, journal)
    if entry.track is Track.COMMIT and performed & {"detach", "drop-capture", "delete-blue-prime"}:
        return Position.COMMITTED
    if entry.track is Track.ABORT and "delete-green" in performed:
        return Position.ABORTED
    if entry.track is Track.ROLLBACK and (moved := _endpoint(world, journal)) is not None:
        done = moved is Status.SUCCEEDED
        return Position.ROLLED_BACK if done else Position.SWITCHING_ENDPOINT
    if entry.track is Track.ROLLBACK and performed & {"stop-traffic", "detach"}:
        return Position.ROLLBACK_BLOCKED if _unlike(world) else Position.ROLLING_BACK
    if world.fact("switchover") is None and not switchover_asked(world, journal):
        return Position.BEFORE_SWITCHOVER
    if world.fact("switchover") is None:
        return Position.SWITCHOVER_ASKED
    traffic = world.fact("traffic") or {}
    resumed = any(
        attempt.step == "resume-traffic"
        # By hand it has no effects: then that it was done counts.
        and (attempt.effects or attempt.status is Status.SUCCEEDED)
        for attempt in journal.attempts(world.run)
        if attempt.track is Track.UPGRADE
    )
    if not resumed and not traffic.get("open"):
        verified = (world.fact("protection") or {}).get("protected")
        if verified:
            return Position.PROTECTED
        return Position.SLIPPED_IN if world.fact(UNPROVED) else Position.BEFORE_TRAFFIC
    protection = world.fact("protection") or {}
    if protection.get("lost"):
        return Position.WAY_LOST
    if _unlike(world) and world.fact("subscribed"):
        # Before blue prime follows, nothing is mended yet: protecting goes on first.
        return Position.ROWS_DIFFER
    return Position.PROTECTED if protection.get("protected") else Position.NOT_PROTECTED


def _unlike(world: World) -> bool:
    """Return whether a table is known to differ, and was neither mended nor given up."""
    return bool(world.fact(DIFFERENT) or differing.left(world))


def _performed(world: World, journal: Journal) -> set[str]:
    """Return the steps of the present stay whose effects have begun."""
    entry = journal.entries(world.run)[-1]
    return {
        attempt.step
        for attempt in journal.attempts(world.run)
        if attempt.entry == entry.id and attempt.effects
    }


def _endpoint(world: World, journal: Journal) -> Status | None:
    """Return how far the present stay has taken the endpoint: SUCCEEDED, UNKNOWN, or None.

    A change that was asked for and is not known to have failed may have moved it; one that failed
    has not.
    """
    entry = journal.entries(world.run)[-1]
    tried = [
        attempt
        for attempt in journal.attempts(world.run)
        if attempt.entry == entry.id and attempt.step == "switch-endpoint"
    ]
    if any(attempt.status is Status.SUCCEEDED for attempt in tried):
        return Status.SUCCEEDED
    moved = any(
        effect.outcome is not Outcome.FAILED for attempt in tried for effect in attempt.effects
    )
    return Status.UNKNOWN if moved else None


def switchover_asked(world: World, journal: Journal) -> bool:
    """Return whether the pivot was called, and not seen to return since.

    A failed attempt alone does not say so: its wait may have ended before the switchover did.
    """
    returned = (world.fact(switch.RETURNED) or {}).get("at")
    return any(
        effect.outcome is not Outcome.FAILED
        and (returned is None or effect.intent_at > datetime.fromisoformat(returned))
        for attempt in journal.attempts(world.run)
        if attempt.step == switch.Switchover.key and attempt.track is Track.UPGRADE
        for effect in attempt.effects
    )


def way_back(where: Position) -> str:
    """Return the sentence that every screen shows: the way back from here and what it loses."""
    return {
        Position.BEFORE_SWITCHOVER: "abort: blue stays as it is, nothing is lost",
        Position.SWITCHOVER_ASKED: "known when the switchover's end is seen; nothing is lost",
        Position.BEFORE_TRAFFIC: "return to old blue, nothing is lost",
        Position.SLIPPED_IN: "return to old blue, which loses only what slipped in, as named",
        Position.NOT_PROTECTED: "finish protecting, then roll back: nothing is lost, it takes time",
        Position.PROTECTED: "roll back to blue prime, nothing is lost",
        Position.WAY_LOST: "none that loses nothing: a slot is gone, blue prime misses writes",
        Position.ROWS_DIFFER: "re-copy the tables that differ, then roll back; compare proves it",
        Position.ROLLBACK_BLOCKED: "stay on the new version: it has every write; rows differ",
        Position.ROLLING_BACK: "go on rolling back, nothing is lost",
        Position.SWITCHING_ENDPOINT: "go on rolling back, nothing is lost",
        Position.ROLLED_BACK: "none is held: the old version serves",
        Position.COMMITTED: "none: the way back has ended",
        Position.ABORTED: "none is needed: blue serves as before",
    }[where]


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
            else "new blue has writes that old blue lacks",
            recommended=to_old_blue,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.BLUE_PRIME,
            "Roll back to blue prime",
            "nothing, if the comparison passes: rows differed at the last one"
            if where is Position.ROWS_DIFFER
            else "nothing: blue prime has every write",
            "a minute or so, the applications being down",
            available=where in (Position.PROTECTED, Position.ROWS_DIFFER),
            why_not="a slot is gone: blue prime misses writes, for good"
            if where is Position.WAY_LOST
            else "blue prime does not have every write yet",
            recommended=where is Position.PROTECTED,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.PROTECT_THEN_BLUE_PRIME,
            "Finish protecting, then roll back to blue prime",
            "nothing: the slots keep every write",
            "the time of a clone and its instances; the applications run meanwhile",
            available=where is Position.NOT_PROTECTED,
            why_not={
                Position.PROTECTED: "already protected",
                Position.ROWS_DIFFER: "it is finished; the rows differ",
                Position.ROLLBACK_BLOCKED: "it is finished; the rows differ",
                Position.WAY_LOST: "a slot is gone: what it did not keep cannot be applied",
            }.get(where, "no write has to be kept yet"),
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
            STAY,
            "Stay on the new version: let the applications in on new blue again",
            "nothing",
            "seconds",
            available=where in (Position.ROLLING_BACK, Position.ROLLBACK_BLOCKED),
            why_not="only while a rollback has not switched the endpoint",
            recommended=where in (Position.ROLLING_BACK, Position.ROLLBACK_BLOCKED),
        ),
        _way(
            world,
            Track.CLEANUP,
            "",
            "Clean up: delete what the run created and does not serve",
            "the clusters that it names",
            "minutes",
            available=where in (Position.ROLLED_BACK, Position.COMMITTED, Position.ABORTED)
            and entry.track is not Track.CLEANUP,
            why_not="only once the run has ended one way or the other",
            recommended=False,
        ),
    ]
    return sorted(found, key=lambda way: (not way.recommended, not way.available))


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
