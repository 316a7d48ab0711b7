"""Where a run stands while the endpoint moves: said of what is known, not of what was asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from runbook.base.context import RunContext
from runbook.watch.position import position
from runbook.watch.position_table import RunPosition
from state.enums import Outcome, Status, Track
from state.journal import Journal
from tests.state.invented import start


@pytest.mark.parametrize(
    ("outcome", "status", "where"),
    [
        (None, None, RunPosition.SWITCHING_ENDPOINT),
        (Outcome.UNKNOWN, Status.UNKNOWN, RunPosition.SWITCHING_ENDPOINT),
        (Outcome.SUCCEEDED, Status.FAILED, RunPosition.SWITCHING_ENDPOINT),
        (Outcome.FAILED, Status.FAILED, RunPosition.ROLLING_BACK),
        (Outcome.SUCCEEDED, Status.SUCCEEDED, RunPosition.ROLLED_BACK),
    ],
)
def test_a_rollback_is_done_with_the_endpoint_only_when_that_was_seen(
    tmp_path: Path, outcome: Outcome | None, status: Status | None, where: RunPosition
) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        run = start(journal)
        journal.enter_track(run.id, Track.ROLLBACK, variant="blue-prime")
        stopped = journal.begin_attempt(run.id, "stop-traffic").id
        journal.settle(journal.intend(stopped, "lock", "lock", ""), Outcome.SUCCEEDED)
        journal.end_attempt(stopped, Status.SUCCEEDED)
        moving = journal.begin_attempt(run.id, "switch-endpoint").id
        effect = journal.intend(moving, "rename", "rename", "")
        if outcome is not None and status is not None:
            journal.settle(effect, outcome)
            journal.end_attempt(moving, status)
        context = cast(RunContext, SimpleNamespace(run=run.id, fact={"switchover": {}}.get))
        assert position(context, journal) is where
