"""What a signal to a run without a screen says: what stays, and who is down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.downtime import Downtime
from runbook.run.session import Session
from tests.tui.fake import ago
from tui.cli.leaving import NOTHING_UNDONE, leave
from tui.cli.rehearse import GOES


def told(clock: Downtime, stays: str, capsys: pytest.CaptureFixture[str]) -> str:
    left: list[str] = []
    session = SimpleNamespace(
        run=SimpleNamespace(id="k2f9qa"),
        dashboard=lambda: SimpleNamespace(downtime=clock),
        leave=left.append,
    )
    leave(cast(Session, cast(Any, session)), stays, "SIGTERM")
    assert left == ["SIGTERM"]
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        (Downtime(), ""),
        (Downtime(ago(60), ago(50)), ""),
        (Downtime(ago(60)), "THE APPLICATIONS ARE DOWN since "),
        (Downtime(ago(60), letting_in=True), "THE APPLICATIONS MAY BE DOWN since "),
        (Downtime(asked_at=ago(60)), "THE APPLICATIONS MAY BE DOWN since "),
        (Downtime(ago(90), ago(80), asked_at=ago(60)), "THE APPLICATIONS MAY BE DOWN since "),
    ],
)
def test_a_signal_in_an_outage_says_so(
    clock: Downtime, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(clock, NOTHING_UNDONE, capsys)
    assert "Nothing is undone" in said
    assert ("DOWN" in said) == bool(words)
    assert words in said


def test_a_rehearsal_whose_lab_goes_does_not_say_that_nothing_is_undone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = told(Downtime(), GOES, capsys)
    assert "Nothing is undone" not in said
    assert "Its lab goes too" in said
