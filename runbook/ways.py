"""The ways off a track: which exist from where the run stands, what they lose, what they take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runbook.tracks import STAY, WayBack, steps_of
from runbook.world import World
from state.journal import Journal
from state.words import Outcome, Status, Track


class Position(StrEnum):
    """Where a run stands, as far as the way back is concerned."""

    BEFORE_SWITCHOVER = "before the switchover"
    BEFORE_TRAFFIC = "switched over, traffic not resumed"
    NOT_PROTECTED = "traffic resumed, not yet protected"
    PROTECTED = "protected"
    ROLLING_BACK = "rolling back"
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


def position(world: World, journal: Journal) -> Position:
    """Return where the run stands, by its journal."""
    entry = journal.entries(world.run)[-1]
    performed = _performed(world, journal)
    if entry.track is Track.COMMIT and performed & {"detach", "drop-capture", "delete-blue-prime"}:
        return Position.COMMITTED
    if entry.track is Track.ABORT and "delete-green" in performed:
        return Position.ABORTED
    if entry.track is Track.ROLLBACK and "switch-endpoint" in performed:
        return Position.ROLLED_BACK
    if entry.track is Track.ROLLBACK and performed & {"stop-traffic", "detach"}:
        return Position.ROLLING_BACK
    if world.fact("switchover") is None and not _switchover_asked(world, journal):
        return Position.BEFORE_SWITCHOVER
    traffic = world.fact("traffic") or {}
    resumed = any(
        attempt.step == "resume-traffic" and attempt.effects
        for attempt in journal.attempts(world.run)
        if attempt.track is Track.UPGRADE
    )
    if not resumed and not traffic.get("open"):
        verified = (world.fact("protection") or {}).get("protected")
        return Position.PROTECTED if verified else Position.BEFORE_TRAFFIC
    protected = (world.fact("protection") or {}).get("protected")
    return Position.PROTECTED if protected else Position.NOT_PROTECTED


def _performed(world: World, journal: Journal) -> set[str]:
    """Return the steps of the present stay whose effects have begun."""
    entry = journal.entries(world.run)[-1]
    return {
        attempt.step
        for attempt in journal.attempts(world.run)
        if attempt.entry == entry.id and attempt.effects
    }


def _switchover_asked(world: World, journal: Journal) -> bool:
    """Return whether the pivot was called and not seen to return."""
    for attempt in reversed(journal.attempts(world.run)):
        if attempt.step == "switchover" and attempt.track is Track.UPGRADE:
            # A failed attempt means that AWS was seen to have called it off.
            return attempt.status is not Status.FAILED and any(
                effect.outcome is not Outcome.FAILED for effect in attempt.effects
            )
    return False


def way_back(where: Position) -> str:
    """Return the sentence that every screen shows: the way back from here and what it loses."""
    return {
        Position.BEFORE_SWITCHOVER: "abort: blue stays as it is, nothing is lost",
        Position.BEFORE_TRAFFIC: "return to old blue, nothing is lost",
        Position.NOT_PROTECTED: "finish protecting, then roll back: nothing is lost, it takes time",
        Position.PROTECTED: "roll back to blue prime, nothing is lost",
        Position.ROLLING_BACK: "go on rolling back, nothing is lost",
        Position.ROLLED_BACK: "none is held: the old version serves",
        Position.COMMITTED: "none: the way back has ended",
        Position.ABORTED: "none is needed: blue serves as before",
    }[where]


def ways(world: World, journal: Journal) -> list[Way]:
    """Return every way off the current track, the recommended one first."""
    where = position(world, journal)
    entry = journal.entries(world.run)[-1]
    before = where is Position.BEFORE_SWITCHOVER
    found = [
        _way(
            world,
            Track.ABORT,
            "",
            "Abort: delete green, blue stays as it is",
            "nothing",
            "minutes; the applications are let in first",
            available=before and entry.track is Track.UPGRADE,
            why_not="after the switchover there is nothing to abort"
            if not before
            else "the run is on it",
            recommended=before,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.OLD_BLUE,
            "Roll back to old blue",
            "nothing: no application has written to new blue",
            "minutes, the applications being down",
            available=where is Position.BEFORE_TRAFFIC,
            why_not="before the switchover: abort"
            if before
            else "new blue has writes that old blue lacks",
            recommended=where is Position.BEFORE_TRAFFIC,
        ),
        _way(
            world,
            Track.ROLLBACK,
            WayBack.BLUE_PRIME,
            "Roll back to blue prime",
            "nothing: blue prime has every write",
            "a minute or so, the applications being down",
            available=where is Position.PROTECTED,
            why_not="blue prime does not have every write yet",
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
            why_not="already protected"
            if where is Position.PROTECTED
            else "no write has to be kept yet",
            recommended=where is Position.NOT_PROTECTED,
        ),
        _way(
            world,
            Track.COMMIT,
            "",
            "Commit: end the way back, stay on the new version",
            "the way back itself",
            "minutes; nothing stops",
            available=where is Position.PROTECTED and entry.track is Track.UPGRADE,
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
            available=where is Position.ROLLING_BACK,
            why_not="only while a rollback has not switched the endpoint",
            recommended=where is Position.ROLLING_BACK,
        ),
        _way(
            world,
            Track.CLEANUP,
            "",
            "Clean up: delete what the run created and does not serve",
            "the clusters that it names",
            "minutes",
            available=where in (Position.ROLLED_BACK, Position.COMMITTED, Position.ABORTED),
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
