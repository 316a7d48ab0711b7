"""How long an attempt took: by no clock that was set, and no longer than it was seen to live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from state import ending, insert, writing
from state.enums import Outcome, Status
from state.journal import Journal
from tests.state.invented import start

BEGAN = datetime(2026, 5, 2, 23, 0, tzinfo=UTC)


class Clocks:
    """The wall's clock, and the one that nobody sets."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.wall, self.unset = BEGAN, 1000.0
        for module in (ending, insert, writing):
            patch.setattr(module, "now", lambda: self.wall)
        patch.setattr(ending, "unset", lambda: self.unset)

    def pass_(self, seconds: float, *, set_s: float = 0.0) -> None:
        self.unset += seconds
        self.wall += timedelta(seconds=seconds + set_s)


@pytest.mark.parametrize("set_s", [0.0, 1.5, 3600.0, -3600.0, -20.0])
def test_a_clock_that_is_set_makes_no_attempt_longer_or_shorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_s: float
) -> None:
    clocks = Clocks(monkeypatch)
    with Journal.open(tmp_path / "journal.db") as journal:
        start(journal)
        attempt = journal.begin_attempt("run1", "switchover").id
        clocks.pass_(30.0, set_s=set_s)
        journal.end_attempt(attempt, Status.SUCCEEDED)
        (found,) = journal.attempts("run1")
    # Less than two seconds is a clock that is nudged.
    nudged = set_s if abs(set_s) < 2 else 0.0
    assert found.seconds == pytest.approx(30.0 + nudged)
    if not nudged and set_s:
        assert found.ended_at == BEGAN + timedelta(seconds=30)


def test_an_attempt_whose_process_is_gone_ended_when_it_was_last_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(monkeypatch)
    with Journal.open(tmp_path / "journal.db") as journal:
        start(journal)
        attempt = journal.begin_attempt("run1", "clone").id
        clocks.pass_(2.0)
        effect = journal.intend(attempt, "clone", "Clone", "x")
        clocks.pass_(1.0)
        journal.settle(effect, Outcome.SUCCEEDED)
        clocks.pass_(4.0)
        journal.evidence("run1", "clone", "creating", attempt=attempt)
        clocks.pass_(5.0)
        journal.intend(attempt, "another", "Another", "x")
        clocks.pass_(300.0)
        journal.event("run1", "wait", "creating", {"step": "clone"})
        clocks.pass_(60.0)
        journal.event("run1", "wait", "of another step", {"step": "drain"})
    with Journal.open(tmp_path / "journal.db") as journal:
        clocks.pass_(900.0)
        journal.mark_unknown("run1")
        (found,) = journal.attempts("run1")
    assert (found.status, found.seconds) == (Status.UNKNOWN, 312.0)
