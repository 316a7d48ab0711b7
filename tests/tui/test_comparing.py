"""`compare` where it can compare nothing: unknown, in words, and never the code of a difference."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from runbook.failures import StepFailed
from runbook.postgres.connect import CannotConnect
from runbook.preflight import plans
from state.journal import Journal
from tests.iam.plans import plan_of
from tests.state.invented import start
from tui.cli import comparing
from tui.cli.exits import UNKNOWN


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CannotConnect("Cannot connect to blue prime: refused."), "Cannot connect to blue prime"),
        (psycopg.OperationalError("server closed the connection\nmore"), "server closed"),
        (TimeoutError(), "TimeoutError"),
        (StepFailed("AWS has no such cluster.", now="Nothing.", todo="Look."), "no such cluster"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
async def test_a_side_that_cannot_be_reached_is_unknown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    words: str,
    as_json: bool,
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise error

    plan = plan_of(limits={"connect_s": 1.0})
    monkeypatch.setattr(comparing.compare, "compare_live", broken)
    monkeypatch.setattr(plans, "of_run", lambda *_: plan)
    monkeypatch.setattr(comparing, "enter_lab", lambda run: None)
    with Journal.open(tmp_path / "journal.db") as journal:
        start(journal)
    monkeypatch.setattr(
        comparing, "read_journal", lambda: Journal.open(tmp_path / "journal.db", writer=False)
    )
    code = await comparing.compare_run(
        "run1", databases=(), wait_s=1.0, record=False, as_json=as_json
    )
    assert code == UNKNOWN
    said = capsys.readouterr()
    assert words in (said.out if as_json else said.err)
    if as_json:
        told = json.loads(said.out)
        assert (told["kind"], told["equal"], told["databases"]) == ("comparison", None, [])
