"""What the command line tells of a run beside its steps: who watches it, what a repair has left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from rehearsal import lab
from runbook.base.offer import Offer
from runbook.base.step import Gate, Risk
from runbook.procedure.tracks import steps_of
from runbook.run.session import Session
from state.enums import Environment, Result, Status, Track
from state.journal import Journal
from tests.runbook.told import PLAN
from tests.state.invented import start
from tui.cli import listing
from tui.cli import open as opening
from tui.cli.ending import Ending
from tui.cli.exits import BLOCKED, DONE, FAILED, UNKNOWN
from tui.cli.rehearse import Rehearsal, _in_the_app
from tui.cli.repairs import _again, _todo, _why_left

REVERSIBLE = Offer("repair/a", "A", "seen", Risk.REVERSIBLE, "drop it", effects=(("a", "SQL"),))


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Journal]:
    monkeypatch.setenv("BLUEPRIME_HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def begin(environment: Environment = Environment.AWS) -> Journal:
        journal = Journal.open(tmp_path / "journal.db")
        start(journal, "k2f9qa", environment=environment, plan=PLAN)
        return journal

    return begin


def told() -> str:
    """Return the line of `show` on who holds the run, which its report tells alike."""
    lines = [row for row in listing.show_text("k2f9qa").splitlines() if row.startswith("held by: ")]
    said = [words for label, words in listing.stands("k2f9qa")["words"] if label == "held by"]
    assert [f"held by: {words}" for words in said] == lines
    return lines[0] if lines else ""


def test_show_says_who_holds_a_run_and_where_nobody_does_how_to_watch_it(
    opened: Callable[..., Journal],
) -> None:
    with opened() as journal:
        holder = journal.holder()
        assert holder is not None
        by = f"{holder.user} on {holder.host} (pid {holder.pid})"
        assert told().startswith(f"held by: {by} since")
        assert listing.show_json("k2f9qa")["holder"]["pid"] == holder.pid
    assert told().startswith("held by: nobody, so nobody watches the run")
    assert told().endswith("blueprime resume k2f9qa")
    assert listing.show_json("k2f9qa")["holder"] is None


def test_a_rehearsal_without_its_lab_and_a_closed_run_are_not_to_be_watched(
    opened: Callable[..., Journal],
) -> None:
    with opened(Environment.REHEARSAL) as journal:
        pass
    assert told() == (
        "held by: nobody; the lab of this rehearsal is gone, and its clusters with it"
    )
    (row,) = [row for row in listing.runs_text().splitlines() if row.startswith("k2f9qa")]
    assert row.split()[-5:-3] == ["gone", "-"], "nor is it protected: there is nothing"
    with Journal.open(journal.path) as journal:
        journal.close_run("k2f9qa", Result.ABORTED)
    assert told() == ""


def test_watching_begins_with_where_it_stands_and_replays_only_what_is_asked_for(
    opened: Callable[..., Journal], capsys: pytest.CaptureFixture[str]
) -> None:
    from tui.cli.watching import watch_json

    with opened() as journal:
        journal.event("k2f9qa", "note", "long ago")
        journal.close_run("k2f9qa", Result.ABORTED)
    for history in (False, True):
        assert asyncio.run(watch_json("k2f9qa", history=history)) == 0
        first, *rest = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert first == {"kind": "stands", **listing.show_json("k2f9qa")}
        assert ("long ago" in [line.get("text") for line in rest]) is history
        assert "board" in [line["kind"] for line in rest]


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (Offer("", "A", "seen", by_hand="ALTER"), "only a person can do it"),
        (REVERSIBLE, "tried, and failed: no room"),
        (
            Offer("repair/b", "B", "", Risk.REVERSIBLE, gates=(Gate("g", "Really?", "No"),)),
            "it asks first: Really?",
        ),
        (Offer("repair/b", "B", "", Risk.REVERSIBLE, note="no answer"), "is not known: no answer"),
        (Offer("repair/b", "B", "", Risk.DESTRUCTIVE, "none"), "it is destructive: none"),
    ],
)
def test_what_repairing_all_leaves_says_why(offer: Offer, why: str) -> None:
    assert why in _why_left(offer, {"repair/a": "failed: no room"})


def test_what_asks_for_nobody_is_not_left() -> None:
    assert _why_left(REVERSIBLE, {}) == ""


def test_what_failed_is_tried_again_once_others_were_done_after_it_and_after_all_else() -> None:
    other = Offer("repair/b", "B", "seen", Risk.REVERSIBLE)
    tried = {"repair/a": "failed: b is missing"}
    failed_first = {"repair/a": FAILED, "repair/b": DONE}
    assert _again(failed_first) == ["repair/a"]
    assert _again({"repair/b": DONE, "repair/a": FAILED}) == []
    assert _again({"repair/a": UNKNOWN, "repair/c": BLOCKED, "repair/b": DONE}) == []
    assert _todo([REVERSIBLE, other], tried, ["repair/a"]) == [other]
    assert _todo([REVERSIBLE], tried, ["repair/a"]) == [REVERSIBLE]
    assert _todo([REVERSIBLE], tried, []) == []


@pytest.mark.parametrize(("track", "role"), [(Track.UPGRADE, "new"), (Track.ROLLBACK, "old")])
def test_a_forced_way_is_not_called_ended_before_what_it_gave_up_is_closed(
    opened: Callable[..., Journal], track: Track, role: str
) -> None:
    away = "blue prime" if role == "new" else "new blue"
    to = "new blue" if role == "new" else "blue prime"
    ended = Result.COMMITTED if role == "new" else Result.ROLLED_BACK
    with opened() as journal:
        journal.enter_track("k2f9qa", track, variant="forced", from_step="bake", reason="")
        session = Session.open(journal, "k2f9qa")
        for step in steps_of(track, session.plan, "forced"):
            assert Ending.of(session).word(0) == "stopped"
            attempt = journal.begin_attempt("k2f9qa", step.key)
            for key, value in (("traffic", {"open": True, "on": to}), ("given-up", away)):
                journal.evidence("k2f9qa", step.key, "", key=key, value=value)
            journal.end_attempt(attempt.id, Status.SUCCEEDED)
        assert Ending.of(session).word(0) == "not_closed"
        assert Ending.of(session).word(1) == "failed"
        asyncio.run(session._close_at_the_end())
        assert session.run.open
        journal.evidence("k2f9qa", "close", "", key="given-up", value="")
        journal.set_result("k2f9qa", ended)
        assert Ending.of(session).word(0) == ended.value
        journal.evidence("k2f9qa", "verify-end", "", key="slots", value=[])
        asyncio.run(session._close_at_the_end())
        assert (session.run.open, session.run.result) == (False, ended)


def test_whoever_leaves_a_rehearsal_in_the_app_is_told_what_its_ledger_says(
    opened: Callable[..., Journal],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"acknowledged": 1, "missing": 2, "mismatched": 0}
    monkeypatch.setattr(lab, "ledger", lambda: found)
    monkeypatch.setattr(opening, "lab_gone", lambda run: False)
    monkeypatch.setattr(opening, "enter_lab", lambda run: None)
    said = "Ledger: 1 transaction acknowledged, 2 missing, 0 mismatched"
    with opened(Environment.REHEARSAL):
        pass
    for watch, words in ((False, said), (True, "")):
        workspace = opening.Workspace()
        asyncio.run(workspace.open_run("k2f9qa", watch))
        workspace.last_words()
        workspace.close()
        assert capsys.readouterr().out.strip() == words
    # A night that is left half-way has a verdict, too, as of then.
    monkeypatch.setattr(opening, "open_app", lambda **_: 0)
    night = cast(Rehearsal, SimpleNamespace(load=1.0, keep=False))
    assert _in_the_app(night, Path("plan.toml")) == (0, False)
    assert said in capsys.readouterr().out

    def gone() -> None:
        raise lab.LabGone("the lab does not answer")

    monkeypatch.setattr(lab, "ledger", gone)
    _in_the_app(night, Path("plan.toml"))
    assert "Ledger: no verdict: " in capsys.readouterr().out
