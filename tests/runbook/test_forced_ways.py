"""The forced ways: open while the cluster that serves does not answer, and never otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.procedure.steps.rollback import forced
from runbook.protection.dashboard import Dashboard, Production, Serving
from runbook.run.branches import branches
from runbook.watch.position import rollback_path
from runbook.watch.position_table import RunPosition
from state.enums import Track
from tests.runbook.told import (
    BACK,
    FORWARD,
    HELD,
    HERE,
    SAFE,
    UP,
    Stay,
    Told,
    begun,
)

DOWN = Production(
    Serving.DOWN,
    "orders (new blue) takes no connections",
    "new blue",
    "orders",
    datetime(2026, 11, 23, 2, 59, tzinfo=UTC),
    datetime(2026, 11, 23, 3, 0, tzinfo=UTC),
)


@pytest.mark.parametrize("protection", [SAFE, {"protected": False}])
def test_while_new_blue_does_not_answer_the_forced_way_alone_is_open(
    told: Told, protection: dict[str, Any]
) -> None:
    told.stays(UP)
    told.facts |= {"protection": protection, "subscribed": {"resource_id": "x"}}
    told.live = Dashboard(production=DOWN).as_json()
    assert told.open_ways() == ["forced"]
    by_name = {branch.variant: branch for branch in branches(told.context, told.journal)}
    assert "takes no connections" in by_name[RollbackTarget.BLUE_PRIME].why_not
    assert "nothing is lost" not in by_name[RollbackTarget.FORCED].here
    told.facts["subscribed"] = None
    assert told.open_ways() == []


def test_who_answers_or_was_not_looked_for_lately_is_not_forced_out(told: Told) -> None:
    told.stays(UP)
    told.facts |= {"protection": SAFE, "subscribed": {"resource_id": "x"}}
    for production in (
        replace(DOWN, state=Serving.ANSWERS),
        replace(DOWN, at=datetime(2026, 11, 23, 2, 58, tzinfo=UTC)),
        Production(),
    ):
        told.live = Dashboard(production=production).as_json()
        assert told.open_ways() == HERE


def test_a_look_of_long_ago_is_told_with_its_age(told: Told) -> None:
    told.stays(UP)
    told.facts |= {"protection": SAFE, "subscribed": {"resource_id": "x"}}
    for at, age in (
        (datetime(2026, 11, 23, 2, 59, 59, tzinfo=UTC), "does not answer; the"),
        (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), "(last looked for 3 h ago)"),
        (None, "(last looked for at a time that is not known)"),
    ):
        told.live = Dashboard(production=replace(DOWN, at=at)).as_json()
        words = rollback_path(told.context, RunPosition.PROTECTED, fresh=False)
        assert words.startswith("none that loses nothing")
        assert age in words


def test_a_forced_way_ends_on_the_old_version_for_good(told: Told) -> None:
    told.stays(
        UP,
        (
            Track.ROLLBACK,
            RollbackTarget.FORCED,
            ("stop-traffic", "drop-subscriptions", "switch-endpoint"),
        ),
    )
    assert told.position() is RunPosition.ROLLED_BACK


PRIME_DOWN = replace(DOWN, text="orders (blue prime) takes no connections", role="blue prime")


@pytest.mark.parametrize("stays", [(UP, BACK), (UP, BACK, begun(FORWARD, "stop-traffic"))])
def test_while_blue_prime_serves_and_does_not_answer_the_forced_way_is_forward(
    told: Told, stays: tuple[Stay, ...]
) -> None:
    told.stays(*stays)
    told.facts |= {**HELD, "verified": {"at": ""}}
    told.live = Dashboard(production=PRIME_DOWN).as_json()
    (branch,) = (
        each
        for each in branches(told.context, told.journal)
        if each.variant == UpgradeVariant.FORCED
    )
    assert (branch.track, branch.available) == (Track.UPGRADE, True)
    assert branch.title == "Force the way to new blue: blue prime is given up"
    assert "close-blue-prime" in branch.steps
    assert "the forced way to new blue" in branch.here
    told.facts["verified"] = None
    (branch,) = (
        each
        for each in branches(told.context, told.journal)
        if each.variant == UpgradeVariant.FORCED
    )
    assert not branch.available
    assert "new blue does not follow blue prime" in branch.why_not
    assert "bring it back" in branch.here


@pytest.mark.parametrize(
    "stays",
    [(UP, BACK), (UP, BACK, begun(FORWARD, "stop-traffic")), (UP, begun(BACK, "stop-traffic"))],
)
def test_while_it_is_down_no_way_that_rests_on_it_is_recommended_nor_settled(
    told: Told, stays: tuple[Stay, ...]
) -> None:
    told.stays(*stays)
    told.facts |= {**HELD, "verified": {"at": ""}}
    told.live = Dashboard(production=PRIME_DOWN).as_json()
    found = branches(told.context, told.journal)
    assert [branch.title for branch in found if branch.recommended] == []
    assert not any(
        branch.available for branch in found if branch.variant == RollbackTarget.FINALIZE
    )


def test_while_only_the_view_from_here_is_cut_no_way_is_forced(told: Told) -> None:
    told.stays(UP)
    told.facts |= {"protection": SAFE, "subscribed": {"resource_id": "x"}}
    told.live = Dashboard(production=replace(DOWN, state=Serving.CUT)).as_json()
    assert told.open_ways() == []
    (branch,) = (
        each
        for each in branches(told.context, told.journal)
        if each.variant == RollbackTarget.FORCED
    )
    assert "a machine that reaches it" in branch.why_not
    assert branch.here == (
        "from a machine that reaches new blue, not from this one: roll back to blue prime, "
        "nothing is lost"
    )


def test_a_forced_way_forward_ends_on_the_new_version_and_is_cleaned_up(told: Told) -> None:
    forward = (
        Track.UPGRADE,
        UpgradeVariant.FORCED.value,
        ("stop-traffic", "drop-subscriptions", "switch-endpoint"),
    )
    told.stays(UP, BACK, forward)
    assert told.position() is RunPosition.FORCED_FORWARD
    assert told.open_ways() == ["cleanup"]
    cleaned = (Track.CLEANUP, "", ("drop-subscriptions",))
    told.stays(begun(UP), cleaned)
    assert told.position() is RunPosition.FORCED_FORWARD


def test_a_forced_way_under_way_never_says_that_nothing_is_lost(told: Told) -> None:
    told.accepted = {forced.GATE}
    for where in (RunPosition.SWITCHING_ENDPOINT, RunPosition.SWITCHING_FORWARD):
        assert "what was not sent is given up" in rollback_path(told.context, where)
    told.accepted = set()
    assert "nothing is lost" in rollback_path(told.context, RunPosition.SWITCHING_ENDPOINT)
