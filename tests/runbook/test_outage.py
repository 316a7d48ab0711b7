"""The outage's clock: from the first change that stops the applications, over whichever tracks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.board import Downtime
from runbook.outage import downtime
from state.journal import Journal
from state.records import Sample
from state.words import Outcome, Status, Track
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
    journal.enter_track("run1", Track.ROLLBACK, way="old-blue")
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
