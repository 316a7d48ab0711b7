"""Where an unattended run goes, on which stay `--until` counts, and what it waits for before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.failures import Refused, StepFailed
from runbook.protection.dashboard import Dashboard, Protection
from runbook.run.branches import Branch
from runbook.run.checklist import Section
from runbook.run.session import Session
from state.enums import Status, Track
from state.records import TrackEntry
from tui.cli import goals, headless
from tui.cli.deciding import nobody
from tui.cli.exits import DONE
from tui.cli.goals import FIRST_LOOK_S, Goal, UnattendedPlan, branch, seen_protected

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TO_PRIME = Branch(
    Track.ROLLBACK,
    RollbackTarget.BLUE_PRIME,
    "Back",
    "nothing",
    "",
    True,
    "",
    ("assess", "create-slots"),
)


def stay(track: Track, variant: str = "", **statuses: Status) -> Section:
    entry = cast(TrackEntry, SimpleNamespace(track=track, variant=variant))
    lines = [
        SimpleNamespace(step=step.replace("_", "-"), status=status)
        for step, status in statuses.items()
    ]
    return Section(entry, cast(Any, tuple(lines)))


UPGRADE = stay(Track.UPGRADE, create_slots=Status.SUCCEEDED, bake=Status.SUCCEEDED)
BACK = stay(Track.ROLLBACK, RollbackTarget.BLUE_PRIME, create_slots=Status.SUCCEEDED)
FORWARD = stay(Track.UPGRADE, UpgradeVariant.FORWARD, create_slots=Status.SKIPPED)


def test_a_step_counts_on_the_last_stay_alone() -> None:
    course = UnattendedPlan([Goal.ROLLBACK, Goal.FORWARD], "create-slots")
    for before in (UPGRADE, BACK, FORWARD):
        assert course.until_on(before.entry) == ""
        assert course.stops_at(before) is None
    del course.left[0]
    assert course.stops_at(BACK) is None
    last = course.stops_at(FORWARD)
    assert last is not None, "a skipped step is a done one"
    assert last.status is Status.SKIPPED


@pytest.mark.parametrize("goals", [[], [Goal.UPGRADE]])
def test_without_another_goal_it_counts_on_the_present_stay(goals: list[Goal]) -> None:
    course = UnattendedPlan(goals, "create-slots")
    assert course.stops_at(UPGRADE) is not None
    undone = stay(Track.UPGRADE, create_slots=Status.FAILED)
    assert course.stops_at(undone) is None
    assert course.until_on(undone.entry) == "create-slots"


class Opened:
    """A session whose first look at everything ends at the n-th time it is waited for."""

    def __init__(self, branch: Branch, *, looked_at: int) -> None:
        self.run = SimpleNamespace(id="k2f9qa", open=True)
        self.asked: list[float] = []
        self.branched: list[Branch] = []
        self._way, self._looked_at = branch, looked_at

    async def looked(self, limit_s: float = 20.0) -> bool:
        self.asked.append(limit_s)
        return len(self.asked) >= self._looked_at

    async def ways(self) -> list[Branch]:
        return [replace(self._way, available=len(self.asked) >= self._looked_at)]

    async def branch(self, branch: Branch, reason: str) -> None:
        self.branched.append(branch)

    def dashboard(self) -> Dashboard:
        return Dashboard(protection=Protection(None, "looking…"))

    def checklist(self) -> Any:
        return SimpleNamespace(next=SimpleNamespace(step="bake"))


async def test_a_way_is_refused_by_a_look_and_never_for_want_of_one() -> None:
    slow = Opened(TO_PRIME, looked_at=2)
    await branch(cast(Session, slow), UnattendedPlan([Goal.ROLLBACK]))
    assert slow.asked == [20.0, FIRST_LOOK_S]
    assert slow.branched == [TO_PRIME]
    never = Opened(TO_PRIME, looked_at=9)
    with pytest.raises(StepFailed, match="is not known: Back") as told:
        await branch(cast(Session, never), UnattendedPlan([Goal.ROLLBACK]))
    assert "blueprime show k2f9qa" in told.value.todo
    assert never.branched == []


async def test_a_way_without_the_step_is_refused_before_it_is_taken() -> None:
    session = Opened(TO_PRIME, looked_at=1)
    with pytest.raises(Refused, match="has no step drain"):
        await branch(cast(Session, session), UnattendedPlan([Goal.ROLLBACK], "drain"))
    assert session.branched == []
    # On the way to a further goal the step is not looked for.
    await branch(cast(Session, session), UnattendedPlan([Goal.ROLLBACK, Goal.FORWARD], "drain"))
    assert session.branched == [TO_PRIME]


class Resting:
    """A session at rest, whose watch says one thing after another."""

    def __init__(self, *said: Protection) -> None:
        self._said = list(said)

    async def looked(self, limit_s: float = 20.0) -> bool:
        return True

    def dashboard(self) -> Dashboard:
        return Dashboard(protection=self._said.pop(0) if self._said[1:] else self._said[0])


async def test_a_run_at_rest_is_called_protected_by_the_watch_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(goals, "HELD_S", 0.3)
    monkeypatch.setattr(goals, "HELD_EVERY_S", 0.01)
    well, unknown = Protection(True, "well"), Protection(None, "recovered less than 10 s ago")
    broken = Protection(False, "the apply worker does not run")
    assert await seen_protected(cast(Session, Resting(unknown, unknown, well)))
    assert not await seen_protected(cast(Session, Resting(broken)))
    assert not await seen_protected(cast(Session, Resting(replace(broken, lost=True), well)))


class Cleaned(Opened):
    """A session whose run was brought to its end by a cleanup."""

    leaving = ""

    def __init__(self) -> None:
        super().__init__(TO_PRIME, looked_at=1)
        self.run = SimpleNamespace(id="k2f9qa", open=False)

    async def ways(self) -> list[Branch]:
        return []

    async def branch(self, branch: Branch, reason: str) -> None:
        assert not branch.available
        raise Refused(branch.title, now="Nothing was changed.", todo=branch.why_not)

    def checklist(self) -> Any:
        done = stay(Track.CLEANUP, verify_cleanup=Status.SUCCEEDED)
        return SimpleNamespace(current=done, next=None)


@pytest.mark.parametrize("goal", [Goal.FORWARD, Goal.COMMIT, Goal.ROLLBACK])
async def test_a_track_that_a_cleaned_run_cannot_take_is_refused(goal: Goal) -> None:
    session = cast(Any, Cleaned())
    course = UnattendedPlan([goal])
    with pytest.raises(Refused):
        await headless._steps(
            session, nobody, headless.Unknowns(session, headless.OnUnknown.STOP), course
        )


async def test_a_run_that_is_cleaned_is_cleaned_as_asked() -> None:
    session = cast(Any, Cleaned())
    course = UnattendedPlan([Goal.CLEANUP])
    unknowns = headless.Unknowns(session, headless.OnUnknown.STOP)
    assert await headless._steps(session, nobody, unknowns, course) == DONE
