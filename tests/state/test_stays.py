"""What was seen belongs to one stay on a track, though steps of one name stand on several."""

from __future__ import annotations

import json

from state.enums import Status, Track
from state.journal import Journal
from state.rebasing import ADOPT
from state.report import report
from state.stays import on_stay
from tests.state.invented import start


def saw(journal: Journal, run: str, step: str, words: str) -> None:
    attempt = journal.begin_attempt(run, step).id
    journal.evidence(run, step, words, attempt=attempt)
    journal.end_attempt(attempt, Status.SUCCEEDED)


def of(journal: Journal, run: str, step: str) -> list[list[str]]:
    entries = journal.entries(run)
    seen = journal.evidences(run, step)
    return [
        [each.text for each in on_stay(entry.id, seen, journal.attempts(run), entries)]
        for entry in entries
    ]


def test_each_stay_has_its_own(journal: Journal) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    saw(journal, run, "assess", "on the first")
    journal.enter_track(run, Track.ROLLBACK, variant="blue-prime", from_step="bake", reason="slow")
    saw(journal, run, "assess", "on the second")
    saw(journal, run, "assess", "again on the second")
    journal.enter_track(run, Track.UPGRADE, variant="forward", from_step="bake", reason="repaired")
    assert of(journal, run, "assess") == [
        ["on the first"],
        ["on the second", "again on the second"],
        [],
    ]


def test_what_no_attempt_saw_belongs_to_the_stay_of_its_time(journal: Journal) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    journal.evidence(run, "preflight", "the plan was read again")
    journal.enter_track(run, Track.ROLLBACK, variant="blue-prime", from_step="bake", reason="slow")
    journal.evidence(run, "preflight", "and once more")
    assert of(journal, run, "preflight") == [["the plan was read again"], ["and once more"]]


def test_what_was_known_before_it_was_read_anew_is_not_of_the_present(journal: Journal) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    saw(journal, run, "clone", "the clone that was")
    journal.enter_track(run, Track.UPGRADE, variant="", from_step=ADOPT, reason="left behind")
    saw(journal, run, "clone", "the clone that is")
    assert of(journal, run, "clone")[-1] == ["the clone that is"]


def test_the_report_says_on_which_stay_something_was_seen(journal: Journal) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    saw(journal, run, "assess", "one")
    journal.enter_track(run, Track.ROLLBACK, variant="blue-prime", from_step="bake", reason="slow")
    saw(journal, run, "assess", "two")
    told = json.loads(report(journal, run, "json"))["evidence"]
    assert [(each["text"], each["stay"], each["track"]) for each in told] == [
        ("one", 0, "upgrade"),
        ("two", 1, "rollback"),
    ]
    assert "| rollback | assess | two |" in report(journal, run, "md")


def test_a_gate_that_was_declined_is_among_the_decisions(journal: Journal) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    told = {"gate": "pivot", "step": "stop-traffic", "who": "ann", "declined": True}
    journal.event(run, "decision", "declined: Stop the applications?", told)
    journal.decide(run, "stop-traffic", "pivot", who="ben", typed="orders")
    assert json.loads(report(journal, run, "json"))["declined"][0]["who"] == "ann"
    chapter = report(journal, run, "md").split("## Decisions")[1].split("##")[0]
    rows = [row for row in chapter.splitlines() if "pivot" in row]
    assert ["ann | declined" in rows[0], "ben | orders" in rows[1]] == [True, True]


def test_what_was_accepted_stands_by_name_beside_the_decision(journal: Journal) -> None:
    run = start(journal, "k2f9", cluster="orders").id
    asked = 'Accept that 2 things are not alike:\n· the role "a|b"\n· the view public.v'
    journal.event(run, "gate", "asked: Accept that 9 are", {"gate": "accept-objects/1"})
    journal.event(run, "gate", f"asked: {asked}", {"gate": "accept-objects/1"})
    journal.event(run, "gate", "asked: Switch over?", {"gate": "pivot"})
    journal.decide(run, "assess", "accept-objects/1", who="ann", typed="yes")
    journal.decide(run, "switchover", "pivot", who="ann", typed="orders")
    journal.event(run, "gate", "asked: later", {"gate": "accept-objects/1"})
    told = json.loads(report(journal, run, "json"))["decisions"]
    assert [each["asked"] for each in told] == [asked, "Switch over?"]
    chapter = report(journal, run, "md").split("## Decisions")[1].split("\n## ")[0]
    listed = [row for row in chapter.splitlines() if row.startswith("- ")]
    assert listed == ['- the role "a\\|b"', "- the view public.v"]
    assert "Accept that 2 things are not alike:" in chapter
    assert "Switch over?" not in chapter, "a question without a list is in the table's gate"
