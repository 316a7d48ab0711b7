"""`rehearse` where a lab runs already: what lives in it is named, and each way on is offered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from rehearsal import lab
from rehearsal.lab import LabRuns, Options
from state.home import journal_path
from state.journal import Journal
from tests.state.invented import start
from tui.cli import main


class Running:
    """Stands for the lab that runs; remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def start(self, options: Options) -> None:
        if "stop" not in self.done:
            raise LabRuns("A lab runs already.")
        self.done.append("start")
        raise Begun

    def stop(self) -> None:
        self.done.append("stop")


class Begun(Exception):
    """The night went on with a lab: that is all that is looked at here."""


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Running:
    made = Running()

    def begun() -> None:
        raise Begun

    monkeypatch.setattr(lab, "up_since", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(lab, "start", made.start)
    monkeypatch.setattr(lab, "stop", made.stop)
    monkeypatch.setattr(lab, "env", begun)
    return made


def said(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["rehearse", "--auto", *options])
    return result.exit_code, result.output


def test_a_lab_in_which_no_run_lives_is_used_or_replaced_as_asked(running: Running) -> None:
    code, words = said()
    assert code == 1
    assert "no open run lives in it. Nothing was changed" in words
    assert "blueprime rehearse --lab use" in words
    assert "blueprime rehearse --lab replace" in words
    assert running.done == []

    assert "The lab that runs is used as it is." in said("--lab", "use", "--keep")[1]
    assert running.done == []
    assert "its clusters with it" in said("--lab", "replace", "--keep")[1]
    assert running.done == ["stop", "start"]


def test_a_run_that_lives_in_it_is_named_with_how_to_go_on(running: Running) -> None:
    with Journal.open(journal_path()) as journal:
        start(journal)
    for options in ((), ("--lab", "use")):
        code, words = said(*options)
        assert code == 1
        assert "run run1 lives in it, on track upgrade" in words
        assert "blueprime resume run1" in words
        assert "blueprime auto run1 --yes" in words
        assert "blueprime rehearse --lab replace" in words
    assert running.done == []
