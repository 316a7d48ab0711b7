"""Giving and accepting, journal to journal: one side at a time may act, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from state import journal_files, report
from state.enums import HandoverKind, Outcome, Result, Status, Track
from state.errors import (
    AttemptIsOpen,
    BadHandover,
    HandedOver,
    JournalUnusable,
    Refused,
    RunIsOpen,
)
from state.handover import VERSION, HandoverFile, read_parcel
from state.journal import Journal
from state.records import Sample
from state.times import now
from tests.state import night
from tests.state.invented import start


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "ours" / "journal.db") as journal:
        yield journal


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Journal]:
    """The other machine's journal, where other runs have taken the first numbers."""
    with Journal.open(tmp_path / "theirs" / "journal.db") as journal:
        start(journal, "other", resource="cluster-B")
        live(journal, "other")
        yield journal


def live(journal: Journal, run: str) -> None:
    """Go through a step that succeeds and one that stays unknown."""
    attempt = journal.begin_attempt(run, "identify").id
    journal.settle(journal.intend(attempt, "key", "Title", "preview"), Outcome.SUCCEEDED, {"a": 1})
    journal.evidence(run, "identify", "seen", key="role.green", value=[1], attempt=attempt)
    journal.end_attempt(attempt, Status.SUCCEEDED)
    journal.decide(run, "create", "gate", who="ann", typed="orders")
    attempt = journal.begin_attempt(run, "create").id
    journal.intend(attempt, "made", "Make it", "rds.Make()")
    journal.end_attempt(attempt, Status.UNKNOWN, "The answer was lost.")
    journal.samples(
        run, [Sample(now(), "lag_bytes", "a", 1.5), Sample(now(), "lag_bytes", "a", None)]
    )


def given(journal: Journal, run: str = "run1", to: str = "ben") -> HandoverFile:
    return journal.give(run, to=to)


def accepted(journal: Journal, parcel: HandoverFile) -> None:
    journal.accept(parcel, plan_path=Path("/plans/there.toml"))


def handed_over(ours: Journal, theirs: Journal) -> HandoverFile:
    start(ours)
    live(ours, "run1")
    parcel = given(ours)
    accepted(theirs, parcel)
    return parcel


def test_the_other_side_has_all_of_it_and_goes_on(ours: Journal, theirs: Journal) -> None:
    start(ours, "earlier", resource="cluster-C")
    live(ours, "earlier")
    handed_over(ours, theirs)
    there, here = (report.collect(journal, "run1") for journal in (theirs, ours))
    last = there["events"].pop()
    assert last["text"].startswith("accepted from ")
    assert here["events"][-1]["text"].startswith("handed over to ben by ")
    for member in ("tracks", "decisions", "evidence", "facts", "samples"):
        assert there[member] == here[member]
    assert [e | {"data": {}} for e in there["events"]] == [e | {"data": {}} for e in here["events"]]
    assert theirs.run("run1").plan_path == "/plans/there.toml"
    assert theirs.fact("run1", "role.green") == [1]
    unknown = theirs.attempts("run1")[-1].effects[0]
    assert unknown.outcome is Outcome.UNKNOWN
    theirs.resolve(unknown.id, Outcome.ADOPTED, who="ben", reason="it is there")
    theirs.begin_attempt("run1", "next")


def test_events_point_to_the_rows_of_their_own_journal(ours: Journal, theirs: Journal) -> None:
    handed_over(ours, theirs)
    effects = {effect.id for attempt in theirs.attempts("run1") for effect in attempt.effects}
    told = {e.data["effect"] for e in theirs.events("run1", limit=-1) if "effect" in e.data}
    assert told == effects
    assert told.isdisjoint({e.data.get("effect") for e in theirs.events("other", limit=-1)})


def test_both_sides_record_it(ours: Journal, theirs: Journal) -> None:
    parcel = handed_over(ours, theirs)
    (gave,), (took,) = ours.handovers("run1"), theirs.handovers("run1")
    assert (gave.kind, took.kind) == (HandoverKind.GIVEN, HandoverKind.ACCEPTED)
    assert gave.peer == "ben"
    assert took.peer == f"{gave.who} on {gave.host}"
    assert gave.fingerprint == took.fingerprint == parcel.fingerprint
    assert gave.at <= took.at


WRITES: dict[str, Callable[[Journal, dict[str, int]], Any]] = {
    "enter_track": lambda j, ids: j.enter_track("run1", Track.ABORT),
    "begin_attempt": lambda j, ids: j.begin_attempt("run1", "create"),
    "intend": lambda j, ids: j.intend(ids["attempt"], "key", "Title", ""),
    "settle": lambda j, ids: j.settle(ids["effect"], Outcome.SUCCEEDED),
    "resolve": lambda j, ids: j.resolve(ids["effect"], Outcome.ADOPTED, who="ann", reason="so"),
    "end_attempt": lambda j, ids: j.end_attempt(ids["attempt"], Status.FAILED),
    "resolve_attempt": lambda j, ids: j.resolve_attempt(
        ids["attempt"], Status.FAILED, who="ann", reason="so"
    ),
    "decide": lambda j, ids: j.decide("run1", "step", "gate", who="ann", typed="yes"),
    "evidence": lambda j, ids: j.evidence("run1", "step", "seen"),
    "event": lambda j, ids: j.event("run1", "note", "a word"),
    "samples": lambda j, ids: j.samples("run1", [Sample(now(), "lag_bytes", "a", 1.0)]),
    "publish": lambda j, ids: j.publish("run1", {}),
    "set_result": lambda j, ids: j.set_result("run1", Result.PROTECTED),
    "close_run": lambda j, ids: j.close_run("run1", Result.ABORTED),
    "reopen_run": lambda j, ids: j.reopen_run("run1"),
    "give": lambda j, ids: j.give("run1"),
}


@pytest.mark.parametrize("write", WRITES)
def test_the_first_side_can_write_nothing_any_more(ours: Journal, write: str) -> None:
    start(ours)
    live(ours, "run1")
    last = ours.attempts("run1")[-1]
    given(ours)
    before = ours.given("run1")
    with pytest.raises(HandedOver, match=r"handed over to ben at .* UTC.*--take-back"):
        WRITES[write](ours, {"attempt": last.id, "effect": last.effects[0].id})
    assert ours.given("run1") == before


def test_every_write_of_the_journal_is_among_those_tried() -> None:
    from state.writing import Writer

    public = {name for name in vars(Writer) if not name.startswith("_")}
    assert public - set(WRITES) == {"start_run", "mark_unknown", "together"}


def test_a_second_run_of_the_cluster_is_refused_while_the_first_is_away(ours: Journal) -> None:
    start(ours)
    given(ours)
    with pytest.raises(RunIsOpen, match="handed over to ben"):
        start(ours, "run2")
    assert ours.mark_unknown("run1") == []


def test_it_is_not_given_with_an_open_attempt(ours: Journal) -> None:
    start(ours)
    ours.begin_attempt("run1", "identify")
    with pytest.raises(AttemptIsOpen):
        given(ours)
    assert ours.handovers("run1") == []
    assert not [e for e in ours.events("run1") if e.kind == "handover"]


def test_the_file_is_the_same_when_it_is_written_again(ours: Journal, tmp_path: Path) -> None:
    night.live_through(ours)
    parcel = ours.give("k2f9", to="ben")
    ours.close()
    with Journal.open(tmp_path / "ours" / "journal.db") as again:
        assert again.given("k2f9").as_bytes() == parcel.as_bytes()


def test_a_run_that_never_arrived_is_taken_back(ours: Journal) -> None:
    start(ours)
    given(ours)
    ours.take_back("run1", typed="orders")
    ours.begin_attempt("run1", "identify")
    assert [h.kind for h in ours.handovers("run1")] == [HandoverKind.GIVEN, HandoverKind.TAKEN_BACK]
    assert ours.events("run1")[-2].data["typed"] == "orders"
    with pytest.raises(Refused, match="was not handed over"):
        ours.take_back("run1", typed="orders")


def test_it_goes_back_with_what_was_done_meanwhile(ours: Journal, theirs: Journal) -> None:
    handed_over(ours, theirs)
    path = ours.run("run1").plan_path
    attempt = theirs.attempts("run1")[-1]
    theirs.resolve(attempt.effects[0].id, Outcome.ADOPTED, who="ben", reason="it is there")
    theirs.resolve_attempt(attempt.id, Status.SUCCEEDED, who="ben", reason="it is there")
    theirs.enter_track("run1", Track.ROLLBACK, variant="blue-prime", reason="slow")
    live(theirs, "run1")
    theirs.set_result("run1", Result.PROTECTED)
    accepted(ours, given(theirs, to="ann"))
    assert ours.attempts("run1")[1].decided == "ben"
    assert ours.run("run1").plan_path == path
    assert ours.run("run1").result is Result.PROTECTED
    ours.begin_attempt("run1", "next")
    with pytest.raises(HandedOver):
        theirs.begin_attempt("run1", "next")


def test_it_goes_back_closed_and_is_opened_again(ours: Journal, theirs: Journal) -> None:
    handed_over(ours, theirs)
    theirs.close_run("run1", Result.ABORTED)
    accepted(ours, given(theirs))
    assert not ours.run("run1").open
    accepted(theirs, given(ours))
    theirs.reopen_run("run1")
    theirs.enter_track("run1", Track.CLEANUP)
    accepted(ours, given(theirs))
    assert ours.run("run1").open
    assert ours.run("run1").track is Track.CLEANUP


def test_a_file_is_accepted_once(ours: Journal, theirs: Journal) -> None:
    parcel = handed_over(ours, theirs)
    with pytest.raises(Refused, match=r"to be acted on here. It was accepted from"):
        accepted(theirs, parcel)
    given(theirs)
    with pytest.raises(BadHandover, match="different histories"):
        accepted(theirs, parcel)


def test_the_giver_cannot_accept_its_own_file(ours: Journal) -> None:
    start(ours)
    parcel = given(ours)
    with pytest.raises(Refused, match="--take-back"):
        accepted(ours, parcel)


def test_a_run_that_went_on_at_two_places_is_refused(ours: Journal, theirs: Journal) -> None:
    start(ours)
    parcel = given(ours)
    ours.take_back("run1", typed="orders")
    accepted(theirs, parcel)
    theirs.event("run1", "note", "there")
    ours.event("run1", "note", "here")
    given(ours, to="cat")
    back = given(theirs, to="ann")
    with pytest.raises(BadHandover, match="different histories"):
        accepted(ours, back)
    with pytest.raises(HandedOver):
        ours.begin_attempt("run1", "identify")


def test_no_other_run_of_the_cluster_may_be_open(ours: Journal, theirs: Journal) -> None:
    start(ours)
    start(theirs, "run2")
    with pytest.raises(RunIsOpen, match="run2 is open"):
        accepted(theirs, given(ours))
    assert [run.run for run in theirs.runs()] == ["run2", "other"]


def damaged(parcel: HandoverFile, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a file whose content was changed, under a fingerprint that fits."""
    from state.handover import _fingerprint

    head = json.loads(parcel.as_bytes())
    change(head["content"])
    head["fingerprint"] = _fingerprint(head["content"])
    return json.dumps(head).encode()


@pytest.fixture
def parcel(ours: Journal) -> HandoverFile:
    start(ours)
    live(ours, "run1")
    return given(ours)


def test_a_file_of_which_anything_is_missing_or_changed_is_refused(
    parcel: HandoverFile, tmp_path: Path
) -> None:
    path = tmp_path / "file.json"
    whole = parcel.as_bytes()
    path.write_bytes(whole)
    assert read_parcel(path) == parcel
    for cut in (*range(0, len(whole) - 2, 97), len(whole) - 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(BadHandover, match="Nothing was taken over"):
            read_parcel(path)
    changed = whole.replace(b'"succeeded"', b'"failed"', 1)
    assert changed != whole
    path.write_bytes(changed)
    with pytest.raises(BadHandover, match="does not bear out its fingerprint"):
        read_parcel(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "It is empty"),
        (b"\x00\xff", "cut short or damaged"),
        (b"[]", "not a handover file"),
        (b'{"kind": "blueprime handover", "version": NaN}', "NaN is no JSON"),
        (b"[" * 100_000, "cut short or damaged"),
        (json.dumps({"kind": "blueprime handover", "version": VERSION + 1}).encode(), "newer"),
    ],
)
def test_what_is_no_file_of_this_version_is_refused(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(data)
    with pytest.raises(BadHandover, match=words) as bad:
        read_parcel(path)
    assert str(path) in str(bad.value)
    assert "Nothing was taken over" in str(bad.value)


def _of(table: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["slice"][table][0].update(values)


FORGED: dict[str, Callable[[dict[str, Any]], None]] = {
    "a word that there is not": _of("attempt", status="perhaps"),
    "a time that there is not": _of("event", at="2026-13-45T99:00:00.000000Z"),
    "another key": _of("decision", extra=1),
    "a row of another run": _of("decision", entry=7),
    "an effect of no attempt": _of("effect", attempt=99),
    "success with an unknown change": lambda content: content["slice"]["attempt"][1].update(
        status="succeeded"
    ),
    "a number beyond SQLite's": _of("attempt", number=2**70),
    "half a character": _of("evidence", value="\ud800"),
    "a run named to leave its folder": lambda content: content["slice"]["run"].update(id="../x"),
    "no track": lambda content: content["slice"].update(track_entry=[]),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_file_is_refused_and_leaves_nothing(
    parcel: HandoverFile, theirs: Journal, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(damaged(parcel, FORGED[what]))
    with pytest.raises(BadHandover, match="Nothing was taken over"):
        accepted(theirs, read_parcel(path))
    assert [run.run for run in theirs.runs()] == ["other"]


def test_the_report_says_who_acts(ours: Journal, theirs: Journal) -> None:
    parcel = handed_over(ours, theirs)
    here, there = report.collect(ours, "run1"), report.collect(theirs, "run1")
    assert (here["run"]["handed_over"], there["run"]["handed_over"]) == (True, False)
    told = report.report(ours, "run1", "md")
    assert "**Handed over to ben at " in told
    assert parcel.fingerprint[:12] in told
    assert "| accepted from " in report.report(theirs, "run1", "md").replace(" UTC, by", "")


def test_the_list_of_runs_says_who_acts(ours: Journal, theirs: Journal) -> None:
    handed_over(ours, theirs)
    away = ours.runs()[0].away
    assert away is not None
    assert away.peer == "ben"
    assert theirs.runs()[0].away is None


def test_no_backup_that_forgets_a_handover_is_put_back(ours: Journal) -> None:
    start(ours)
    ours.keep_backup()
    given(ours)
    ours.keep_backup()
    ours.close()
    (newest, older, *_) = journal_files.inspect(ours.path).backups
    with pytest.raises(JournalUnusable, match="Run run1 was handed over since"):
        journal_files.restore(ours.path, older.number)
    journal_files.restore(ours.path, newest.number)
    with Journal.open(ours.path, writer=False) as journal:
        assert journal.run("run1").away is not None
