"""The app is stopped and let go on: what was typed for the shell meanwhile performs nothing."""

from __future__ import annotations

import re
import signal
import time
import tomllib

import pytest

from runbook.plan.model import from_json
from state.enums import Environment
from state.journal import Journal
from tests.operator.nights import rows
from tests.operator.terminal import terminal
from tests.operator.test_journal_troubles import AWS_OUT_OF_REACH
from tests.state.invented import start
from tests.test_plan import GOOD
from tests.workspace import Workspace, until
from tui.pressing import BURST_S

TRIED = "SELECT step FROM attempt"


def waited(seconds: float) -> None:
    """Let so much time pass: what a key does depends on it."""
    ends = time.monotonic() + seconds
    until(lambda: time.monotonic() > ends)


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_enter_that_was_typed_for_a_shell_runs_no_step(
    workspace: Workspace, stop: signal.Signals
) -> None:
    with Journal.open(workspace.home / "journal.db") as journal:
        start(journal, plan=from_json(tomllib.loads(GOOD)).as_json(), environment=Environment.AWS)
    with terminal(workspace, "resume", "run1", env=AWS_OUT_OF_REACH) as opened:
        until(lambda: "enter: run identify" in plain(opened.text), 60)
        waited(BURST_S)
        opened.suspend(stop)
        opened.press("fg\r")
        drawn = len(opened.text)
        opened.go_on()
        until(lambda: "stood still" in plain(opened.text[drawn:]), 60)
        waited(BURST_S)
        assert rows(workspace, TRIED) == [], "nothing was begun"
        # One press on what is read now does run it, so that the line above can fail.
        opened.press("\r")
        until(lambda: rows(workspace, TRIED) == [("identify",)], 60)


def plain(text: str) -> str:
    """Return a screen's text without its sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
