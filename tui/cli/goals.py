"""Where an unattended run is to go, and the step after which it stops there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.base import variants
from runbook.base.variants import RollbackTarget
from runbook.failures import Refused, StepFailed
from runbook.plan.model import Plan
from runbook.procedure import tracks
from runbook.run.branches import Branch
from runbook.run.checklist import Line, Section
from runbook.run.session import Session
from state.enums import Track
from state.records import TrackEntry

ABORT_FROM = "ready-to-switch"
"""An unattended abort goes back from here: the last step before anything is stopped."""

HELD_S = 30.0
"""How long a way that the last steps have opened may take to be seen open."""

HELD_EVERY_S = 0.2

FIRST_LOOK_S = 120.0
"""How long a way that is not known to be open waits for the first look at everything."""

NEVER_UNATTENDED = (RollbackTarget.FOR_GOOD,)
"""Giving up the way forward is a person's choice, never an unattended run's."""


class Goal(StrEnum):
    """Where an unattended run is to go: a track, or one of its ways that has a name of its own."""

    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    FORCED = "forced"
    FORWARD = "forward"
    FINALIZE = "finalize"
    COMMIT = "commit"
    ABORT = "abort"
    CLEANUP = "cleanup"

    def is_of(self, entry: TrackEntry) -> bool:
        """Return whether a stay on a track is on the way to it."""
        return variants.name(entry.track, entry.variant) == self.value

    def step_keys(self, plan: Plan) -> set[str]:
        """Return the keys of the steps of all ways that lead to it unattended."""
        return {
            step.key
            for track, variant in tracks.ways_of()
            if variants.name(track, variant) == self.value and variant not in NEVER_UNATTENDED
            for step in tracks.steps_of(track, plan, variant)
        }


@dataclass
class UnattendedPlan:
    """The goals of an unattended run, and the step after which it stops.

    The step counts on the last stay alone that the run is to be brought to: that of the last goal,
    or without goals the present one. A step of the same name on a stay before it stops nothing, and
    one that is done on an earlier stay is not done.
    """

    goals: Sequence[Goal] = ()
    until: str = ""
    """Key of the step, or an empty string: to the end."""
    already: bool = False
    """Whether the step was done before anything was performed."""
    left: list[Goal] = field(init=False)
    """The goals that are not reached yet."""

    def __post_init__(self) -> None:
        self.left = list(self.goals)

    def until_on(self, entry: TrackEntry) -> str:
        """Return the step after which to stop on a stay; empty where none counts there."""
        last = not self.left or (len(self.left) == 1 and self.left[0].is_of(entry))
        return self.until if last else ""

    def stops_at(self, stay: Section) -> Line | None:
        """Return the line of the step to stop after, if it counts on a stay and is done there."""
        until = self.until_on(stay.entry)
        return next((each for each in stay.lines if each.step == until and each.status.done), None)

    def refuse_elsewhere(self, branch: Branch) -> None:
        """Raise `Refused` where the last way to take does not have the step to stop after."""
        if self.until and len(self.left) == 1 and self.until not in branch.steps:
            raise Refused(
                f"The way from here ({branch.title}) has no step {self.until}.",
                now="Nothing was changed.",
                todo=f"Stop after one of its steps: {', '.join(branch.steps)}.",
            )


async def branch_if_possible(session: Session, course: UnattendedPlan) -> None:
    """Put the run onto the first goal's track where a way leads there from the present position."""
    goal = course.left[0]
    if goal.is_of(session.checklist().current.entry):
        return
    await session.looked()
    lost = goal is Goal.ROLLBACK and session.dashboard().protection.lost
    if lost or goal is Goal.FORCED:
        # No further step leads there, so none is run on the way to a refusal.
        await branch(session, course)
        return
    if any(branch.name == goal.value and branch.available for branch in await session.ways()):
        await branch(session, course)


async def branch(session: Session, course: UnattendedPlan) -> None:
    """Put the run onto the first goal's track; raise `StepFailed` where no way leads there."""
    goal = course.left[0]
    looked = await session.looked()
    found = await _ways_to(session, goal)
    if not found[0].available and not looked:
        # What a former process knew refuses nothing before the first look has come to its end.
        looked = await session.looked(FIRST_LOOK_S)
        found = await _ways_to(session, goal)
    if not found[0].available and not looked:
        raise StepFailed(
            f"Whether this is possible from here is not known: {found[0].title}. Not everything "
            f"could be looked at in {FIRST_LOOK_S:.0f} s.",
            now="Nothing was changed.",
            todo=f"See what does not answer with: blueprime show {session.run.id}; then try again.",
        )
    deadline = time.monotonic() + HELD_S
    while not found[0].available and _may_open(session) and time.monotonic() < deadline:
        # What was verified a moment ago may not have been looked at since.
        await asyncio.sleep(HELD_EVERY_S)
        found = await _ways_to(session, goal)
    if found[0].available:
        course.refuse_elsewhere(found[0])
    await session.branch(found[0], "asked for on the command line")


async def seen_protected(session: Session) -> bool:
    """Wait until the watch says that the run is protected; return whether it does."""
    await session.looked(FIRST_LOOK_S)
    deadline = time.monotonic() + HELD_S
    while (found := session.dashboard().protection).protected is not True:
        if found.lost or time.monotonic() > deadline:
            return False
        await asyncio.sleep(HELD_EVERY_S)
    return True


async def _ways_to(session: Session, goal: Goal) -> list[Branch]:
    """Return the ways to a goal, one that is available first; at least one."""
    found = [
        branch
        for branch in await session.ways()
        if branch.name == goal.value and branch.variant not in NEVER_UNATTENDED
    ]
    # Where none is open, what is said is why not to where every write would be.
    first = RollbackTarget.BLUE_PRIME
    found.sort(key=lambda branch: (not branch.available, branch.variant != first))
    return found or [_no_way(goal)]


def _may_open(session: Session) -> bool:
    """Return whether protection is only about to be seen: every step of the track is done."""
    protection = session.dashboard().protection
    done = session.checklist().next is None
    return done and session.run.open and protection.protected is not True and not protection.lost


def _no_way(goal: Goal) -> Branch:
    track = Track.ABORT
    return Branch(track, "", f"The track {goal.value}", "", "", False, "it does not exist here", ())
