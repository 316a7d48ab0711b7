"""Where a run stands that has rolled back and goes forward again, and which ways it has there."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.plan import model as plans
from runbook.procedure.tracks import steps_of
from runbook.proofs.diverged import DIFFERENT
from runbook.run.branches import branches
from runbook.watch.position_table import BRANCHES, POSITIONS, RunPosition
from state.enums import Outcome, Status, Track
from tests.runbook.told import (
    BACK,
    FORWARD,
    HELD,
    HERE,
    ON_PRIME,
    PLAN,
    SAFE,
    THERE,
    TURN,
    UP,
    Stay,
    Told,
    begun,
)


@pytest.mark.parametrize(
    ("stays", "facts", "where", "open_ways"),
    [
        ((UP,), {"protection": SAFE}, RunPosition.PROTECTED, HERE),
        (
            (UP, begun(BACK)),
            {"protection": SAFE},
            RunPosition.PROTECTED,
            ["blue-prime*", "blue-prime-for-good"],
        ),
        (
            (UP, begun(BACK, "stop-traffic", "drop-subscriptions")),
            {},
            RunPosition.ROLLING_BACK,
            ["stay*", "blue-prime-for-good"],
        ),
        (
            (UP, begun(BACK, *TURN)),
            {"capture": ON_PRIME},
            RunPosition.BACK_NOT_PROTECTED,
            ["finalize"],
        ),
        ((UP, BACK), HELD, RunPosition.BACK_PROTECTED, THERE),
        (
            (UP, BACK),
            {"capture": ON_PRIME, "protection": {"lost": True}},
            RunPosition.BACK_WAY_LOST,
            ["finalize", "cleanup"],
        ),
        (
            (UP, BACK),
            {"capture": ON_PRIME, DIFFERENT: ["t"]},
            RunPosition.BACK_ROWS_DIFFER,
            ["forward", "finalize"],
        ),
        (
            (UP, BACK),
            {
                "capture": ON_PRIME,
                DIFFERENT: ["t"],
                "protection": {"protected": False, "causes": ["worker orders worker", "rows t"]},
            },
            RunPosition.BACK_NOT_PROTECTED,
            ["finalize"],
        ),
        ((UP, BACK), {"slots": []}, RunPosition.ROLLED_BACK, ["cleanup"]),
        ((UP, BACK, begun(FORWARD)), HELD, RunPosition.BACK_PROTECTED, THERE),
        (
            (UP, BACK, begun(FORWARD, "stop-traffic")),
            {"capture": ON_PRIME},
            RunPosition.GOING_FORWARD,
            ["stay*"],
        ),
        (
            (UP, BACK, begun(FORWARD, "stop-traffic")),
            {"capture": ON_PRIME, DIFFERENT: ["t"]},
            RunPosition.FORWARD_BLOCKED,
            ["stay*"],
        ),
        ((UP, BACK, FORWARD), {}, RunPosition.FORWARD_NOT_PROTECTED, []),
        ((UP, BACK, FORWARD), {"protection": SAFE}, RunPosition.PROTECTED, HERE),
        ((UP, BACK, FORWARD), {"protection": {"lost": True}}, RunPosition.WAY_LOST, ["commit"]),
        ((UP, BACK, FORWARD, BACK), HELD, RunPosition.BACK_PROTECTED, THERE),
        ((UP, BACK, FORWARD, BACK, FORWARD), {"protection": SAFE}, RunPosition.PROTECTED, HERE),
        (
            (UP, BACK, (Track.ROLLBACK, RollbackTarget.FINALIZE, ())),
            HELD,
            RunPosition.BACK_PROTECTED,
            ["forward*", "cleanup"],
        ),
        (
            (UP, BACK, (Track.ROLLBACK, RollbackTarget.FINALIZE, ("drop-subscriptions",))),
            {"capture": ON_PRIME},
            RunPosition.ROLLED_BACK,
            ["cleanup"],
        ),
        (
            (UP, BACK, (Track.CLEANUP, "", ())),
            HELD,
            RunPosition.BACK_PROTECTED,
            ["forward*", "finalize"],
        ),
        (
            (UP, BACK, (Track.CLEANUP, "", ("drop-subscriptions",))),
            {"capture": ON_PRIME},
            RunPosition.ROLLED_BACK,
            [],
        ),
        (
            (
                UP,
                BACK,
                FORWARD,
                (Track.COMMIT, "", ("drop-subscriptions",)),
                (Track.CLEANUP, "", ("drop-subscriptions",)),
            ),
            {"slots": []},
            RunPosition.COMMITTED,
            [],
        ),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, RunPosition) else None,
)
def test_where_it_stands_and_which_ways_are_open(
    told: Told,
    stays: tuple[Stay, ...],
    facts: dict[str, Any],
    where: RunPosition,
    open_ways: list[str],
) -> None:
    told.stays(*stays)
    told.facts.update(facts)
    assert told.position() is where
    assert told.open_ways() == open_ways


def test_going_forward_is_called_off_only_once_blue_prime_is_opened_again(told: Told) -> None:
    stay = (Track.ROLLBACK, RollbackTarget.STAY.value, ("close-new-blue",))
    told.stays(UP, BACK, begun(FORWARD, "stop-traffic", "drop-subscriptions", "create-slots"), stay)
    assert told.position() is RunPosition.GOING_FORWARD
    told.facts["capture"] = ON_PRIME
    attempt = told.journal.begin_attempt(told.run, "open-blue-prime").id
    told.journal.settle(told.journal.intend(attempt, "open", "open", ""), Outcome.SUCCEEDED)
    told.journal.end_attempt(attempt, Status.SUCCEEDED)
    assert told.position() is RunPosition.BACK_NOT_PROTECTED


def test_a_plan_that_protects_no_rollback_has_no_capture_and_no_way_forward(told: Told) -> None:
    told.facts["plan"] = {"rollback": {"protect": False}}
    plan = told.context.plan
    keys = [step.key for step in steps_of(Track.ROLLBACK, plan, RollbackTarget.BLUE_PRIME)]
    assert not {"create-slots", "subscribe-new-blue", "verify-new-blue"} & {*keys}
    told.facts["protection"] = SAFE
    told.stays(UP)
    assert "blue-prime-for-good" not in told.open_ways()


def test_finishing_the_protection_names_what_is_done_already(told: Told) -> None:
    told.stays(
        begun(UP, "switchover", "create-slots", "resume-traffic", "delete-deployment", "clone")
    )
    attempt = told.journal.begin_attempt(told.run, "clone-instances").id
    told.journal.end_attempt(attempt, Status.FAILED)
    (branch,) = [
        each for each in branches(told.context, told.journal) if each.variant.startswith("protect-")
    ]
    assert branch.recommended
    assert branch.done == ("delete-deployment", "clone"), "not what failed, nor what only looked"
    left, _, done = branch.plan.partition("; ")
    assert left.startswith("freeze-old-blue → clone-instances → subscribe → verify-protection → ")
    assert done == "done already, and looked at again: delete-deployment, clone"
    assert "delete-deployment" in branch.steps, "it is still a step of the track: it looks"


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize(
    ("track", "variant"),
    [(Track.ROLLBACK, variant) for variant in RollbackTarget]
    + [(Track.UPGRADE, variant) for variant in ("", *UpgradeVariant)]
    + [(track, "") for track in (Track.ABORT, Track.COMMIT, Track.CLEANUP)],
)
def test_no_track_has_two_steps_of_one_key(track: Track, variant: str, protect: bool) -> None:
    plan = plans.from_json(PLAN | {"rollback": {"protect": protect}})
    keys = [step.key for step in steps_of(track, plan, variant)]
    assert len(keys) == len({*keys})


@pytest.mark.parametrize(
    ("track", "variant"),
    [(Track.ROLLBACK, RollbackTarget.BLUE_PRIME), (Track.UPGRADE, UpgradeVariant.FORWARD)],
)
def test_a_turn_captures_behind_the_fence_before_it_opens_anything(
    track: Track, variant: str
) -> None:
    keys = [step.key for step in steps_of(track, plans.from_json(PLAN), variant)]
    assert len(keys) == len({*keys})
    order = (
        "compare",
        "drop-subscriptions",
        "create-slots",
        "switch-endpoint",
        "resume-traffic",
        "drop-slots",
    )
    assert [key for key in keys if key in order] == [*order]
    opening = next(key for key in keys if key.startswith("open-"))
    assert keys.index("create-slots") < keys.index(opening) < keys.index("switch-endpoint")


def test_every_position_is_in_the_table_and_recommends_only_what_it_opens() -> None:
    assert POSITIONS.keys() == set(RunPosition)
    for standing in POSITIONS.values():
        assert standing.path
        assert standing.opens.keys() <= BRANCHES.keys()
        assert standing.recommended is None or standing.recommended in standing.opens
        assert not standing.opens.keys() & standing.why_not.keys()
