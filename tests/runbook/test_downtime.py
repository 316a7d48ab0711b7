"""The outage's clock: from the first change that stops the applications, over whichever tracks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.aws import Aws
from runbook.base.context import RunContext
from runbook.base.downtime import Downtime, downtime
from runbook.base.roles import Role
from runbook.plan.model import Plan
from runbook.procedure.steps.traffic import ResumeTraffic
from runbook.protection import unanswered
from runbook.protection.dashboard import Production, Serving
from state.enums import Outcome, Status, Track
from state.journal import Journal
from state.records import Sample
from tests.state.invented import start
from tests.workspace import until


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.db") as opened:
        start(opened)
        yield opened


def tried(
    journal: Journal, step: str, outcome: Outcome | None = Outcome.SUCCEEDED, *, opened: str = ""
) -> None:
    """Let a step change one thing, and, where it succeeded, keep what the traffic does then."""
    attempt = journal.begin_attempt("run1", step).id
    effect = journal.intend(attempt, step, step, "")
    if outcome is not None:
        journal.settle(effect, outcome)
    done = outcome is Outcome.SUCCEEDED
    if done:
        value = {"open": bool(opened), "on": opened}
        journal.evidence("run1", step, step, key="traffic", value=value, attempt=attempt)
    if outcome is not None:
        journal.end_attempt(attempt, Status.SUCCEEDED if done else Status.FAILED)


def test_there_is_none_before_anything_was_stopped(journal: Journal) -> None:
    tried(journal, "stop-traffic", Outcome.FAILED)
    assert downtime(journal, "run1").started_at is None


def test_it_runs_from_the_intent(journal: Journal) -> None:
    tried(journal, "stop-traffic", None)
    clock = downtime(journal, "run1")
    (attempt,) = journal.attempts("run1")
    assert clock.started_at == attempt.effects[0].intent_at
    assert clock.ended_at is None


def asked(journal: Journal) -> datetime:
    """Ask a person to stop the applications by hand, and return when."""
    journal.decide("run1", "stop-traffic", "pivot", who="ann", typed="orders")
    return journal.decisions("run1")[-1].at


def answered(journal: Journal) -> None:
    journal.decide("run1", "stop-traffic", "applications-stopped-blue", who="ann", typed="yes")
    tried(journal, "stop-traffic")


def test_stopped_by_hand_it_runs_from_the_question_and_not_from_its_answer(
    journal: Journal,
) -> None:
    at = asked(journal)
    answered(journal)
    assert downtime(journal, "run1").started_at == at


@pytest.mark.parametrize("stop", ["manual", "command"])
def test_stopped_by_hand_they_may_be_down_from_the_question_on(tmp_path: Path, stop: str) -> None:
    with Journal.open(tmp_path / "by-hand.db") as journal:
        start(journal, plan={"traffic": {"stop": stop}})
        assert downtime(journal, "run1") == Downtime()
        at = asked(journal)
        assert downtime(journal, "run1").asked_at == (at if stop == "manual" else None)
        answered(journal)
        clock = downtime(journal, "run1")
        assert (clock.asked_at, clock.started_at) == (None, at)


@pytest.mark.parametrize(
    ("rates", "last"),
    [
        ((), 0),
        ((0.0, 0.0, 0.0), 0),
        ((None, None, None), 0),
        ((50.0, 50.0, 0.0, 0.0), 1),
        ((50.0, 0.0, 50.0, 0.0), 2),
        ((50.0, None, None), 0),
        ((50.0, 50.0, 50.0), 2),
    ],
)
def test_stopped_by_hand_it_runs_from_when_writes_were_last_seen(
    journal: Journal, rates: tuple[float | None, ...], last: int
) -> None:
    at = asked(journal)
    times = [at + timedelta(milliseconds=each) for each in range(len(rates) + 1)]
    samples = zip(times[1:], rates, strict=True)
    journal.samples("run1", [Sample(each, "writes_per_s", "orders", v) for each, v in samples])
    until(lambda: datetime.now(UTC) > times[-1])
    answered(journal)
    after = [Sample(datetime.now(UTC), "writes_per_s", "orders", 7.0)]
    journal.samples("run1", after)
    assert downtime(journal, "run1").started_at == times[last]


def test_branching_lets_nobody_in(journal: Journal) -> None:
    tried(journal, "stop-traffic")
    began = downtime(journal, "run1").started_at
    journal.enter_track("run1", Track.ROLLBACK, variant="old-blue")
    clock = downtime(journal, "run1")
    assert (clock.started_at, clock.ended_at, clock.track) == (began, None, "upgrade")
    tried(journal, "stop-traffic")
    assert downtime(journal, "run1").started_at == began


def test_being_asked_in_is_not_being_in(journal: Journal) -> None:
    tried(journal, "stop-traffic")
    assert not downtime(journal, "run1").letting_in
    tried(journal, "resume-traffic", Outcome.FAILED)
    assert not downtime(journal, "run1").letting_in
    tried(journal, "resume-traffic", None)
    clock = downtime(journal, "run1")
    assert clock.letting_in
    assert clock.ended_at is None


def test_a_second_outage_counts_the_first(journal: Journal) -> None:
    tried(journal, "stop-traffic")
    tried(journal, "resume-traffic", opened="new blue")
    first = downtime(journal, "run1")
    assert first.ended_at is not None
    assert first.earlier_s == 0
    journal.enter_track("run1", Track.ROLLBACK)
    tried(journal, "stop-traffic")
    second = downtime(journal, "run1")
    assert second.track == "rollback"
    assert second.ended_at is None
    assert second.earlier_s > 0


def found(
    journal: Journal, state: Serving, since: datetime | None = None, role: str = "new blue"
) -> datetime:
    """Let the watch find production in a state; return when."""
    at = datetime.now(UTC)
    unanswered.keep(journal, "run1", Production(state, "", role, "orders", since, at), "production")
    return at


def served(journal: Journal) -> datetime:
    """Let the applications in on new blue, and return a moment after that."""
    tried(journal, "stop-traffic")
    tried(journal, "resume-traffic", opened="new blue")
    at = datetime.now(UTC)
    until(lambda: datetime.now(UTC) > at + timedelta(milliseconds=2))
    return at + timedelta(milliseconds=1)


def test_it_runs_from_when_production_died_and_not_from_the_forced_way(journal: Journal) -> None:
    died = served(journal)
    found(journal, Serving.CUT, died)
    assert downtime(journal, "run1").ended_at is not None, "only not seen from here"
    found(journal, Serving.DOWN, died)
    clock = downtime(journal, "run1")
    assert (clock.started_at, clock.ended_at, clock.died) == (died, None, True)
    assert not clock.at_least
    assert not clock.letting_in
    journal.enter_track("run1", Track.ROLLBACK, variant="forced")
    tried(journal, "stop-traffic")
    assert downtime(journal, "run1").started_at == died
    tried(journal, "resume-traffic", opened="blue prime")
    clock = downtime(journal, "run1")
    assert (clock.started_at, clock.track) == (died, "forced")
    found(journal, Serving.DOWN, died)
    found(journal, Serving.ANSWERS)
    assert downtime(journal, "run1") == clock, "new blue serves no more"


def test_named_as_down_within_the_forced_way_it_runs_from_when_it_did_not_answer(
    journal: Journal,
) -> None:
    died = served(journal)
    found(journal, Serving.SILENT, died)
    journal.enter_track("run1", Track.ROLLBACK, variant="forced")
    tried(journal, "stop-traffic")
    clock = downtime(journal, "run1")
    assert clock.started_at is not None
    assert clock.started_at > died
    assert clock.at_least, "when it died is not known"
    found(journal, Serving.DOWN, died)
    clock = downtime(journal, "run1")
    assert (clock.started_at, clock.at_least) == (died, False)


def test_production_that_is_back_ends_it_unless_a_step_has_stopped_the_applications(
    journal: Journal,
) -> None:
    died = served(journal)
    found(journal, Serving.DOWN, died)
    found(journal, Serving.SILENT, died)
    assert downtime(journal, "run1").ended_at is None
    back = found(journal, Serving.ANSWERS)
    assert downtime(journal, "run1").ended_at == back
    again = found(journal, Serving.DOWN, datetime.now(UTC))
    clock = downtime(journal, "run1")
    assert clock.started_at is not None
    assert back <= clock.started_at <= again
    tried(journal, "stop-traffic")
    found(journal, Serving.ANSWERS)
    assert downtime(journal, "run1").ended_at is None


def test_heard_of_and_then_down_since_the_same_moment_it_is_one(journal: Journal) -> None:
    died = served(journal)
    earlier = downtime(journal, "run1").seconds(died)
    found(journal, Serving.DOWN, died)
    found(journal, Serving.CUT, died)
    assert downtime(journal, "run1").ended_at is not None
    found(journal, Serving.DOWN, died)
    clock = downtime(journal, "run1")
    assert (clock.started_at, clock.ended_at, clock.earlier_s) == (died, None, earlier)


def test_a_death_inside_the_fence_leaves_the_clock_as_it_is(journal: Journal) -> None:
    tried(journal, "stop-traffic")
    began = downtime(journal, "run1").started_at
    found(journal, Serving.DOWN, datetime.now(UTC), "blue")
    found(journal, Serving.ANSWERS, role="blue")
    clock = downtime(journal, "run1")
    assert (clock.started_at, clock.ended_at, clock.died) == (began, None, False)


def test_what_the_report_is_told_is_by_the_same_clock(journal: Journal) -> None:
    died = served(journal)
    found(journal, Serving.DOWN, died)
    journal.enter_track("run1", Track.ROLLBACK, variant="forced")
    tried(journal, "stop-traffic")
    tried(journal, "resume-traffic", opened="blue prime")
    plan = SimpleNamespace(limits=SimpleNamespace(connect_s=1.0))
    context = RunContext(run="run1", plan=cast(Plan, plan), journal=journal, aws=cast(Aws, None))
    told: dict[str, Any] = {}
    watch: Any = SimpleNamespace(evidence=lambda _, key, value: told.update({key: value}))
    ResumeTraffic(on=Role.BLUE_PRIME, captured=False, phase="rollback").tell_downtime(
        context, watch
    )
    clock = downtime(journal, "run1")
    assert clock.ended_at is not None
    assert told["downtime.rollback"] == {
        "started_at": died.isoformat(),
        "ended_at": clock.ended_at.isoformat(),
        "seconds": clock.seconds(clock.ended_at),
    }
