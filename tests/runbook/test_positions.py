"""Where a run stands that has rolled back and goes forward again, and which ways it has there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.branches import branches
from runbook.plan import model as plans
from runbook.procedure.steps.rollback import forced
from runbook.procedure.tracks import steps_of
from runbook.proofs.diverged import DIFFERENT
from runbook.protection.dashboard import Dashboard, Production, Serving
from runbook.watch.position import position, rollback_path
from runbook.watch.position_table import BRANCHES, POSITIONS, RunPosition
from state.enums import Outcome, Status, Track
from state.journal import Journal
from tests.state.invented import start

PLAN: dict[str, Any] = {
    "version": 1,
    "cluster": {
        "identifier": "orders",
        "resource_id": "cluster-A",
        "region": "us-east-1",
        "account": "471100000815",
    },
    "upgrade": {"target_version": "18.4"},
    "credentials": {"user": "postgres", "password": "pgpass"},
    "traffic": {"stop": "manual"},
}

Stay = tuple[Track, str, tuple[str, ...]]
"""A stay on a track: its way, and the steps that were done, each with one change."""

UP: Stay = (Track.UPGRADE, "", ("switchover", "capture", "resume-traffic", "subscribe"))
TURN = ("stop-traffic", "detach", "capture", "switch-endpoint", "resume-traffic")
BACK: Stay = (Track.ROLLBACK, RollbackTarget.BLUE_PRIME, (*TURN, "drop-capture", "subscribe"))
FORWARD: Stay = (Track.UPGRADE, UpgradeVariant.FORWARD, TURN)

ON_NEW = {"publisher": "new blue"}
ON_PRIME = {"publisher": "blue prime"}
SAFE = {"protected": True}
HELD = {"capture": ON_PRIME, "protection": SAFE}
HERE = ["blue-prime*", "blue-prime-for-good", "commit"]
THERE = ["forward*", "settle", "cleanup"]


def begun(stay: Stay, *steps: str) -> Stay:
    """Return a stay of which only these steps were done."""
    return (*stay[:2], steps)


class Told:
    """A journal and its facts: what a position is told from."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.run = start(journal).id
        self.live: Any = None
        self.accepted: set[str] = set()
        self.facts: dict[str, Any] = {
            "switchover": {},
            "traffic": {"open": True},
            "slots": ["s_1"],
            "capture": ON_NEW,
        }

    @property
    def context(self) -> RunContext:
        plan = plans.from_json(PLAN | self.facts.get("plan", {}))
        return cast(
            RunContext,
            SimpleNamespace(
                run=self.run,
                fact=self.facts.get,
                plan=plan,
                live=lambda: self.live,
                now=lambda: datetime(2026, 11, 23, 3, 0, tzinfo=UTC),
                accepted=lambda gate: gate in self.accepted,
            ),
        )

    def stays(self, *stays: Stay) -> None:
        """Write down a run's stays, the first of them on the track that it began on."""
        for number, (track, way, steps) in enumerate(stays):
            if number:
                self.journal.enter_track(self.run, track, way=way)
            for step in steps:
                attempt = self.journal.begin_attempt(self.run, step).id
                effect = self.journal.intend(attempt, step, step, "")
                self.journal.settle(effect, Outcome.SUCCEEDED)
                self.journal.end_attempt(attempt, Status.SUCCEEDED)

    def position(self) -> RunPosition:
        return position(self.context, self.journal)

    def open_ways(self) -> list[str]:
        """Return the names of the ways that are open, the recommended one with a star."""
        return [
            (way.way or way.track.value) + "*" * way.recommended
            for way in branches(self.context, self.journal)
            if way.available
        ]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with Journal.open(tmp_path / "journal.db") as journal:
        yield Told(journal)


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
            (UP, begun(BACK, "stop-traffic", "detach")),
            {},
            RunPosition.ROLLING_BACK,
            ["stay*", "blue-prime-for-good"],
        ),
        (
            (UP, begun(BACK, *TURN)),
            {"capture": ON_PRIME},
            RunPosition.BACK_NOT_PROTECTED,
            ["settle"],
        ),
        ((UP, BACK), HELD, RunPosition.BACK_PROTECTED, THERE),
        (
            (UP, BACK),
            {"capture": ON_PRIME, "protection": {"lost": True}},
            RunPosition.BACK_WAY_LOST,
            ["settle", "cleanup"],
        ),
        (
            (UP, BACK),
            {"capture": ON_PRIME, DIFFERENT: ["t"]},
            RunPosition.BACK_ROWS_DIFFER,
            ["forward", "settle"],
        ),
        (
            (UP, BACK),
            {
                "capture": ON_PRIME,
                DIFFERENT: ["t"],
                "protection": {"protected": False, "causes": ["worker orders worker", "rows t"]},
            },
            RunPosition.BACK_NOT_PROTECTED,
            ["settle"],
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
            (UP, BACK, (Track.ROLLBACK, RollbackTarget.SETTLE, ())),
            HELD,
            RunPosition.BACK_PROTECTED,
            ["forward*", "cleanup"],
        ),
        (
            (UP, BACK, (Track.ROLLBACK, RollbackTarget.SETTLE, ("detach",))),
            {"capture": ON_PRIME},
            RunPosition.ROLLED_BACK,
            ["cleanup"],
        ),
        (
            (UP, BACK, (Track.CLEANUP, "", ())),
            HELD,
            RunPosition.BACK_PROTECTED,
            ["forward*", "settle"],
        ),
        (
            (UP, BACK, (Track.CLEANUP, "", ("detach",))),
            {"capture": ON_PRIME},
            RunPosition.ROLLED_BACK,
            [],
        ),
        (
            (UP, BACK, FORWARD, (Track.COMMIT, "", ("detach",)), (Track.CLEANUP, "", ("detach",))),
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
    told.stays(UP, BACK, begun(FORWARD, "stop-traffic", "detach", "capture"), stay)
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
    assert not {"capture", "subscribe-new-blue", "verify-new-blue"} & {*keys}
    told.facts["protection"] = SAFE
    told.stays(UP)
    assert "blue-prime-for-good" not in told.open_ways()


def test_finishing_the_protection_names_what_is_done_already(told: Told) -> None:
    told.stays(begun(UP, "switchover", "capture", "resume-traffic", "delete-deployment", "clone"))
    attempt = told.journal.begin_attempt(told.run, "clone-instances").id
    told.journal.end_attempt(attempt, Status.FAILED)
    (way,) = [
        each for each in branches(told.context, told.journal) if each.way.startswith("protect-")
    ]
    assert way.recommended
    assert way.done == ("delete-deployment", "clone"), "not what failed, nor what only looked"
    left, _, done = way.plan.partition("; ")
    assert left.startswith("hold-old-blue → clone-instances → subscribe → verify-protection → ")
    assert done == "done already, and looked at again: delete-deployment, clone"
    assert "delete-deployment" in way.steps, "it is still a step of the track: it looks"


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize(
    ("track", "way"),
    [(Track.ROLLBACK, way) for way in RollbackTarget]
    + [(Track.UPGRADE, way) for way in ("", *UpgradeVariant)]
    + [(track, "") for track in (Track.ABORT, Track.COMMIT, Track.CLEANUP)],
)
def test_no_track_has_two_steps_of_one_key(track: Track, way: str, protect: bool) -> None:
    plan = plans.from_json(PLAN | {"rollback": {"protect": protect}})
    keys = [step.key for step in steps_of(track, plan, way)]
    assert len(keys) == len({*keys})


@pytest.mark.parametrize(
    ("track", "way"),
    [(Track.ROLLBACK, RollbackTarget.BLUE_PRIME), (Track.UPGRADE, UpgradeVariant.FORWARD)],
)
def test_a_turn_captures_behind_the_fence_before_it_opens_anything(track: Track, way: str) -> None:
    keys = [step.key for step in steps_of(track, plans.from_json(PLAN), way)]
    assert len(keys) == len({*keys})
    order = ("compare", "detach", "capture", "switch-endpoint", "resume-traffic", "drop-capture")
    assert [key for key in keys if key in order] == [*order]
    opening = next(key for key in keys if key.startswith("open-"))
    assert keys.index("capture") < keys.index(opening) < keys.index("switch-endpoint")


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
    by_name = {way.way: way for way in branches(told.context, told.journal)}
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
        UP, (Track.ROLLBACK, RollbackTarget.FORCED, ("stop-traffic", "detach", "switch-endpoint"))
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
    (way,) = (
        each for each in branches(told.context, told.journal) if each.way == UpgradeVariant.FORCED
    )
    assert (way.track, way.available) == (Track.UPGRADE, True)
    assert way.title == "Force the way to new blue: blue prime is given up"
    assert "close-blue-prime" in way.steps
    assert "the forced way to new blue" in way.here
    told.facts["verified"] = None
    (way,) = (
        each for each in branches(told.context, told.journal) if each.way == UpgradeVariant.FORCED
    )
    assert not way.available
    assert "new blue does not follow blue prime" in way.why_not
    assert "bring it back" in way.here


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
    assert [way.title for way in found if way.recommended] == []
    assert not any(way.available for way in found if way.way == RollbackTarget.SETTLE)


def test_while_only_the_view_from_here_is_cut_no_way_is_forced(told: Told) -> None:
    told.stays(UP)
    told.facts |= {"protection": SAFE, "subscribed": {"resource_id": "x"}}
    told.live = Dashboard(production=replace(DOWN, state=Serving.CUT)).as_json()
    assert told.open_ways() == []
    (way,) = (
        each for each in branches(told.context, told.journal) if each.way == RollbackTarget.FORCED
    )
    assert "a machine that reaches it" in way.why_not
    assert way.here == (
        "from a machine that reaches new blue, not from this one: roll back to blue prime, "
        "nothing is lost"
    )


def test_a_forced_way_forward_ends_on_the_new_version_and_is_cleaned_up(told: Told) -> None:
    forward = (
        Track.UPGRADE,
        UpgradeVariant.FORCED.value,
        ("stop-traffic", "detach", "switch-endpoint"),
    )
    told.stays(UP, BACK, forward)
    assert told.position() is RunPosition.FORCED_FORWARD
    assert told.open_ways() == ["cleanup"]
    cleaned = (Track.CLEANUP, "", ("detach",))
    told.stays(begun(UP), cleaned)
    assert told.position() is RunPosition.FORCED_FORWARD


def test_a_forced_way_under_way_never_says_that_nothing_is_lost(told: Told) -> None:
    told.accepted = {forced.GATE}
    for where in (RunPosition.SWITCHING_ENDPOINT, RunPosition.SWITCHING_FORWARD):
        assert "what was not sent is given up" in rollback_path(told.context, where)
    told.accepted = set()
    assert "nothing is lost" in rollback_path(told.context, RunPosition.SWITCHING_ENDPOINT)


def test_every_position_is_in_the_table_and_recommends_only_what_it_opens() -> None:
    assert POSITIONS.keys() == set(RunPosition)
    for standing in POSITIONS.values():
        assert standing.path
        assert standing.opens.keys() <= BRANCHES.keys()
        assert standing.recommended is None or standing.recommended in standing.opens
        assert not standing.opens.keys() & standing.why_not.keys()
