"""Killed at each effect of each track, the journal lost with it: adopted, and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from runbook.procedure.steps.finish.abort import DeleteParameterGroup
from runbook.procedure.steps.finish.cleanup import VerifyCleanup
from tests.chaos.nights import KILLED, NIGHTS, Night, Phase, Prison
from tests.chaos.victim import AFTER_CALL
from tests.recovery.lost import lose_journal, nothing_done_twice, nothing_lost
from tests.workspace import Workspace

LAST_TRACES = (DeleteParameterGroup.key, VerifyCleanup.key)
"""An abort, or a cleanup that leaves nothing of the run's, is over with it: nothing to adopt."""


@pytest.mark.chaos
@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.name.replace(" ", "-"))
def test_killed_and_the_journal_lost_at_every_effect(
    workspace: Workspace, night: Night, record_property: Callable[[str, object], None]
) -> None:
    workspace.lab()
    plan = workspace.plan(*night.options)
    text = plan.read_text(encoding="utf-8")
    for old, new in night.edits:
        assert old in text
        text = text.replace(old, new)
    plan.write_text(text, encoding="utf-8")
    workspace.run("lab", "traffic", "start")
    run = str(plan)
    with Prison(workspace) as prison:
        for phase in night.phases:
            run = _through(workspace, prison, phase, run, str(plan))
        kills = len(prison.struck())
    assert kills > 5
    if run:
        assert workspace.json("runs", "--json")[0]["result"] == night.result
    nothing_lost(workspace)
    nothing_done_twice(workspace)
    record_property("figures", f"{night.name}: {kills} journals lost, each run adopted")


def _through(workspace: Workspace, prison: Prison, phase: Phase, run: str, plan: str) -> str:
    point = AFTER_CALL if phase.strike else ""
    while True:
        status = prison.run("auto", run, "--yes", "--json", *phase.arguments, point=point)
        if status != KILLED:
            assert status == 0, f"{prison.struck()[-2:]}: {prison.out.read_text()[-4000:]}"
            return str(json.loads(prison.out.read_text().splitlines()[-1])["run"])
        lose_journal(workspace)
        status = prison.run("adopt", "orders", "--plan", plan, "--yes", "--json")
        if status == 3 and prison.struck()[-1].step in LAST_TRACES:
            assert "No trace of any run is found" in prison.out.read_text()
            return ""
        assert status == 0, f"{prison.struck()[-1]}: {prison.out.read_text()[-4000:]}"
        run = json.loads(prison.out.read_text())["run"]
