"""`compare` with a side that cannot be asked: not known, in words, and no traceback."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from runbook.postgres.connect import CannotConnect, WrongServer
from tui.cli import comparing
from tui.cli.headless import UNKNOWN


@pytest.mark.parametrize("error", [CannotConnect, WrongServer])
async def test_a_side_that_cannot_be_asked_is_not_known(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def journal() -> Any:
        yield SimpleNamespace(run=lambda run: SimpleNamespace(id=run))

    async def refused(*_: object, **__: object) -> None:
        raise error("Cannot connect to blue prime (127.0.0.1:5432).")

    async def nothing() -> None:
        return None

    plan = SimpleNamespace(cluster=SimpleNamespace(region="us-east-1"))
    world = SimpleNamespace(forget_connections=nothing)
    for name, value in (
        ("read_journal", journal),
        ("refuse_handed_over", lambda *_: None),
        ("enter_lab", lambda *_: None),
        ("World", lambda **_: world),
    ):
        monkeypatch.setattr(comparing, name, value)
    monkeypatch.setattr(comparing.planning, "of_run", lambda *_: plan)
    monkeypatch.setattr(comparing.comparing, "compare_live", refused)
    code = await comparing.compare_run(
        "k3f9qa", databases=(), wait_s=1.0, record=False, as_json=True
    )
    assert code == UNKNOWN
    out, err = capsys.readouterr()
    assert "could not be compared. Cannot connect to blue prime" in err
    said = json.loads(out.strip().splitlines()[-1])
    assert said["equal"] is None
    assert "Cannot connect" in said["error"]
