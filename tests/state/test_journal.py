"""What can be told to a journal, and what it answers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from state import reading
from state.enums import Environment, Outcome, Result, Status, Track
from state.errors import AttemptIsOpen, NoSuchRun, Refused, RunIsOpen
from state.journal import Journal
from state.records import Sample
from tests.state.invented import start


def texts(journal: Journal, run: str = "run1") -> list[str]:
    return [event.text for event in journal.events(run)]


def test_a_run_starts_on_its_first_track(journal: Journal) -> None:
    run = start(journal)
    assert run == journal.run("run1")
    assert run.open
    assert run.result is None
    assert run.plan["connect"] == {"password": "env:ORDERS_PASSWORD"}
    assert [entry.track for entry in journal.entries("run1")] == [Track.UPGRADE]


def test_one_open_run_a_cluster(journal: Journal) -> None:
    start(journal)
    with pytest.raises(RunIsOpen) as refused:
        start(journal, "run2")
    assert refused.value.run.id == "run1"
    start(journal, "run3", resource="cluster-B")
    journal.close_run("run1", Result.ABORTED)
    start(journal, "run2")
    assert [run.run for run in journal.runs()] == ["run2", "run3", "run1"]


def test_one_open_run_a_production_name_on_aws(journal: Journal) -> None:
    """The resource id behind the name moves at the switchover, and the way back is held still."""
    start(journal, environment=Environment.AWS)
    with pytest.raises(RunIsOpen):
        start(journal, "run2", resource="cluster-B", environment=Environment.AWS)
    start(journal, "run3", resource="cluster-B", cluster="other", environment=Environment.AWS)


def test_a_run_id_is_given_once(journal: Journal) -> None:
    start(journal)
    with pytest.raises(Refused, match="exists"):
        start(journal, "run1", resource="cluster-B")


def test_attempts_are_numbered_within_their_track_entry(journal: Journal) -> None:
    start(journal)
    first = journal.begin_attempt("run1", "create-slots")
    with pytest.raises(AttemptIsOpen) as refused:
        journal.begin_attempt("run1", "clone")
    assert refused.value.attempt.id == first.id
    journal.end_attempt(first.id, Status.FAILED, "No slot. Nothing changed. Try again.")
    second = journal.begin_attempt("run1", "create-slots")
    journal.end_attempt(second.id, Status.SUCCEEDED)
    journal.enter_track(
        "run1", Track.ROLLBACK, variant="blue-prime", from_step="bake", reason="slow"
    )
    third = journal.begin_attempt("run1", "create-slots")
    assert (first.number, second.number, third.number) == (1, 2, 1)
    assert third.track is Track.ROLLBACK
    assert [attempt.status for attempt in journal.attempts("run1")] == [
        Status.FAILED,
        Status.SUCCEEDED,
        Status.RUNNING,
    ]
    assert "track: upgrade -> rollback, blue-prime (slow)" in texts(journal)


def test_an_effect_goes_from_intent_to_outcome(journal: Journal) -> None:
    start(journal)
    attempt = journal.begin_attempt("run1", "create-slots").id
    effect = journal.intend(attempt, "bp_run1_a", "Create slot bp_run1_a", "SELECT 1")
    [intent] = journal.attempts("run1")[0].effects
    assert (intent.outcome, intent.status) == (None, Status.RUNNING)
    journal.settle(effect, Outcome.SUCCEEDED, {"lsn": "0/1A2B"})
    with pytest.raises(Refused, match="stands as succeeded"):
        journal.settle(effect, Outcome.FAILED)
    with pytest.raises(Refused):
        journal.resolve(effect, Outcome.FAILED, who="ann", reason="changed my mind")
    journal.end_attempt(attempt, Status.SUCCEEDED)
    with pytest.raises(Refused, match="has ended"):
        journal.intend(attempt, "late", "Too late", "")
    [done] = journal.attempts("run1")[0].effects
    assert done.status is Status.SUCCEEDED
    assert done.detail == {"lsn": "0/1A2B"}
    told = ["intent: Create slot bp_run1_a", "done: Create slot bp_run1_a"]
    assert [text for text in texts(journal) if "bp_run1_a" in text] == told


@pytest.mark.parametrize("outcome", [None, Outcome.FAILED, Outcome.UNKNOWN])
@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.SKIPPED])
def test_a_step_does_not_succeed_over_an_effect_that_is_not_there(
    journal: Journal, outcome: Outcome | None, status: Status
) -> None:
    start(journal)
    attempt = journal.begin_attempt("run1", "clone").id
    effect = journal.intend(attempt, "orders-bp", "Clone", "")
    if outcome:
        journal.settle(effect, outcome, {"error": "gone"})
    with pytest.raises(Refused, match="cannot succeed"):
        journal.end_attempt(attempt, status)
    assert journal.attempts("run1")[0].status is Status.RUNNING


def test_an_intent_left_at_a_failure_is_unknown(journal: Journal) -> None:
    start(journal)
    attempt = journal.begin_attempt("run1", "clone").id
    journal.intend(attempt, "orders-bp", "Clone", "")
    journal.end_attempt(attempt, Status.FAILED, "Cancelled.")
    assert journal.attempts("run1")[0].effects[0].outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [Status.PENDING, Status.READY, Status.RUNNING])
def test_an_attempt_ends_in_an_ended_status(journal: Journal, status: Status) -> None:
    start(journal)
    attempt = journal.begin_attempt("run1", "clone").id
    with pytest.raises(Refused):
        journal.end_attempt(attempt, status)


def test_unknown_is_decided_by_a_person_and_stays_decided(journal: Journal) -> None:
    start(journal)
    attempt = journal.begin_attempt("run1", "clone").id
    effect = journal.intend(attempt, "orders-bp", "Clone orders", "")
    [left] = journal.mark_unknown("run1")
    assert (left.id, left.outcome) == (effect, Outcome.UNKNOWN)
    assert journal.mark_unknown("run1") == []
    with pytest.raises(Refused, match="cannot succeed"):
        journal.resolve_attempt(attempt, Status.SUCCEEDED, who="ann", reason="looks fine")
    with pytest.raises(Refused, match="name"):
        journal.resolve(effect, Outcome.ADOPTED, who=" ", reason="seen")
    journal.resolve(effect, Outcome.ADOPTED, who="ann", reason="it is listed")
    with pytest.raises(Refused):
        journal.resolve(effect, Outcome.FAILED, who="bob", reason="no")
    journal.resolve_attempt(attempt, Status.SUCCEEDED, who="ann", reason="it is listed")
    with pytest.raises(Refused):
        journal.resolve_attempt(attempt, Status.FAILED, who="bob", reason="no")
    [tried] = journal.attempts("run1")
    assert (tried.status, tried.decided) == (Status.SUCCEEDED, "ann")
    [decided] = tried.effects
    assert (decided.outcome, decided.decided) == (Outcome.ADOPTED, "ann")
    assert decided.detail["reason"] == "it is listed"
    assert "decided by ann: Clone orders adopted (it is listed)" in texts(journal)


def test_branching_waits_for_the_open_attempt(journal: Journal) -> None:
    start(journal)
    attempt = journal.begin_attempt("run1", "await-green").id
    with pytest.raises(AttemptIsOpen):
        journal.enter_track("run1", Track.ABORT)
    with pytest.raises(AttemptIsOpen):
        journal.close_run("run1", Result.FAILED)
    journal.end_attempt(attempt, Status.FAILED)
    assert journal.enter_track("run1", Track.ABORT).track is Track.ABORT
    assert journal.run("run1").track is Track.ABORT


def test_a_closed_run_takes_nothing_until_it_is_opened_again(journal: Journal) -> None:
    start(journal)
    journal.set_result("run1", Result.PROTECTED)
    assert journal.run("run1").result is Result.PROTECTED
    journal.set_result("run1", None)
    closed = journal.close_run("run1", Result.ROLLED_BACK)
    assert not closed.open
    for refused in (
        lambda: journal.enter_track("run1", Track.CLEANUP),
        lambda: journal.begin_attempt("run1", "bake"),
        lambda: journal.close_run("run1", Result.FAILED),
        lambda: journal.set_result("run1", None),
        lambda: journal.decide("run1", "bake", "gate", who="ann", typed="orders"),
    ):
        with pytest.raises(Refused, match="closed"):
            refused()
    assert journal.reopen_run("run1").open
    with pytest.raises(Refused, match="is open"):
        journal.reopen_run("run1")
    journal.enter_track("run1", Track.CLEANUP)
    journal.close_run("run1", Result.CLEANED)
    start(journal, "run2")
    with pytest.raises(RunIsOpen):
        journal.reopen_run("run1")


def test_a_run_is_found_by_prefix_or_as_the_latest(journal: Journal) -> None:
    with pytest.raises(NoSuchRun, match="no run"):
        journal.run()
    start(journal, "ab12", resource="cluster-A")
    start(journal, "ab34", resource="cluster-B")
    start(journal, "ab3", resource="cluster-C")
    assert journal.run("ab1").id == "ab12"
    assert journal.run("ab3").id == "ab3"
    assert journal.run("").id == journal.run("latest").id == "ab3"
    journal.close_run("ab3", Result.FAILED)
    assert journal.run("latest").id == "ab34"
    with pytest.raises(NoSuchRun) as ambiguous:
        journal.run("ab")
    assert ambiguous.value.ambiguous
    assert set(ambiguous.value.known) == {"ab12", "ab34", "ab3"}
    with pytest.raises(NoSuchRun, match="There are: ab3, ab34, ab12"):
        journal.run("%")


def test_what_is_written_names_its_run_in_full(journal: Journal) -> None:
    start(journal)
    for refused in (
        lambda: journal.begin_attempt("run", "identify"),
        lambda: journal.event("", "note", "to whom?"),
        lambda: journal.evidence("latest", "identify", "seen"),
        lambda: journal.samples("run", []),
    ):
        with pytest.raises(NoSuchRun):
            refused()


def test_the_latest_evidence_of_a_key_is_the_fact(journal: Journal) -> None:
    start(journal)
    assert journal.fact("run1", "lsn") is None
    journal.evidence("run1", "create-slots", "slot at 0/1", key="lsn", value="0/1")
    journal.evidence("run1", "create-slots", "nothing to remember")
    latest = journal.evidence(
        "run1", "create-slots", "slot at 0/2", key="lsn", value={"lsn": "0/2"}
    )
    journal.evidence("run1", "clone", "", key="quiet", value=[1, None, "é 🐘"])
    assert journal.fact("run1", "lsn") == {"lsn": "0/2"}
    assert journal.facts("run1")["lsn"] == latest
    assert set(journal.facts("run1")) == {"lsn", "quiet"}
    assert journal.fact("run1", "quiet") == [1, None, "é 🐘"]
    assert len(journal.evidences("run1")) == 4
    assert [seen.key for seen in journal.evidences("run1", "clone")] == ["quiet"]
    assert sum(text.startswith("seen: ") for text in texts(journal)) == 3


def test_evidence_belongs_to_an_attempt_of_its_own_run(journal: Journal) -> None:
    start(journal)
    start(journal, "run2", resource="cluster-B")
    attempt = journal.begin_attempt("run1", "create-slots").id
    assert journal.evidence("run1", "create-slots", "seen", attempt=attempt).attempt == attempt
    with pytest.raises(Refused):
        journal.evidence("run2", "create-slots", "seen", attempt=attempt)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, datetime.now(UTC)])
def test_only_json_is_kept(journal: Journal, value: object) -> None:
    start(journal)
    with pytest.raises(Refused, match="JSON"):
        journal.evidence("run1", "create-slots", "seen", value=value)
    assert journal.evidences("run1") == []


def test_decisions_keep_what_was_typed(journal: Journal) -> None:
    start(journal)
    made = journal.decide("run1", "switchover", "pivot", who="ann", typed="orders")
    assert journal.decisions("run1") == [made]
    assert (made.who, made.typed, made.gate) == ("ann", "orders", "pivot")


def test_the_tail_is_read_from_its_end_or_from_where_one_left(journal: Journal) -> None:
    start(journal)
    told = [journal.event("run1", "note", f"note {n}") for n in range(5)]
    assert journal.events("run1", limit=2) == told[-2:]
    assert journal.events("run1", after=told[2].id) == told[3:]
    assert journal.events("run1", after=told[-1].id) == []
    assert len(journal.events("run1", limit=-1)) == 6


def test_samples_are_read_by_kind_subject_and_time(journal: Journal) -> None:
    start(journal)
    noon = datetime(2026, 5, 2, 12, tzinfo=UTC)
    lag = [
        Sample(noon + timedelta(seconds=n), "lag_bytes", subject, value)
        for n, subject, value in ((0, "a", 1.0), (1, "b", 2.0), (2, "a", None))
    ]
    journal.samples("run1", [*lag, Sample(noon, "writes_per_s", "orders", 7.0)])
    assert journal.samples_of("run1", "lag_bytes") == lag
    assert journal.samples_of("run1", "lag_bytes", "a") == [lag[0], lag[2]]
    assert journal.samples_of("run1", "lag_bytes", since=lag[1].at) == lag[1:]
    with pytest.raises(ValueError, match="zone"):
        journal.samples("run1", [Sample(datetime(2026, 1, 1), "lag_bytes", "a", 1.0)])  # noqa: DTZ001


@pytest.mark.parametrize(
    ("value", "age_s", "protected"),
    [
        ({"protected": True}, 0, True),
        ({"protected": False, "reason": "slot lost"}, 0, False),
        ({"protected": True}, 16, None),
        ({"protected": False}, 16, None),
        ({"protected": "yes"}, 0, None),
        ({"protected": None}, 0, None),
        ("true", 0, None),
        ({"protected": True, "at": "2020-01-01T00:00:00+00:00"}, 0, None),
        ({"protected": True, "at": "9999-01-01T00:00:00+00:00"}, 16, None),
        ({"protected": True, "at": "soon"}, 16, None),
    ],
)
def test_protection_is_only_good_while_fresh(
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    value: object,
    age_s: int,
    protected: bool | None,
) -> None:
    start(journal)
    assert journal.runs()[0].protected is None
    seen = journal.evidence("run1", "bake", "", key="protection", value=value)
    monkeypatch.setattr(reading, "now", lambda: seen.at + timedelta(seconds=age_s))
    [summary] = journal.runs()
    assert summary.protected is protected
    assert summary.protection_seen_at is not None
    assert summary.protection_seen_at <= seen.at


def test_protection_is_told_by_the_later_of_board_and_fact(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(journal)
    kept = journal.evidence("run1", "bake", "", key="protection", value={"protected": True})
    journal.publish("run1", {"protection": {"protected": False}})
    assert journal.runs()[0].protected is False
    journal.publish("run1", {"protection": {"protected": None, "text": "nothing measured"}})
    assert journal.runs()[0].protected is None
    long_ago = (kept.at - timedelta(minutes=1)).isoformat()
    journal.publish("run1", {"protection": {"protected": False, "at": long_ago}})
    assert journal.runs()[0].protected is True
    monkeypatch.setattr(reading, "now", lambda: kept.at + timedelta(seconds=16))
    assert journal.runs()[0].protected is None


def test_the_board_shows_the_latest_alone(journal: Journal, path: Path) -> None:
    start(journal)
    assert journal.live("run1") is None
    with Journal.open(path, writer=False) as watching:
        for n in range(3):
            journal.publish("run1", {"n": n})
            assert watching.live("run1") == {"n": n}
    with pytest.raises(NoSuchRun):
        journal.publish("run2", {})


def test_a_summary_says_where_the_run_stands(journal: Journal) -> None:
    start(journal)
    [summary] = journal.runs()
    assert (summary.step, summary.status, summary.slots_held) == ("", Status.PENDING, False)
    attempt = journal.begin_attempt("run1", "create-slots").id
    journal.evidence("run1", "create-slots", "slots", key="slots", value=["bp_a", "bp_b"])
    [summary] = journal.runs()
    assert (summary.step, summary.status, summary.slots_held) == (
        "create-slots",
        Status.RUNNING,
        True,
    )
    journal.end_attempt(attempt, Status.SUCCEEDED)
    journal.evidence("run1", "drop-subscriptions", "slots dropped", key="slots", value=[])
    [summary] = journal.runs()
    assert (summary.status, summary.slots_held) == (Status.SUCCEEDED, False)
