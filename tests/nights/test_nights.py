"""Each track from one command, with the workload running: nothing acknowledged may be missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workspace import NIGHT, Workspace


def assert_nothing_lost(night: dict[str, Any]) -> None:
    assert night["ledger"]["acknowledged"] > 0
    assert night["ledger"]["missing"] == 0
    assert night["ledger"]["mismatched"] == 0


@pytest.mark.parametrize(
    ("track", "order", "databases", "result"),
    [
        ("rollback", "traffic-first", "3", "rolled_back"),
        ("rollback", "protect-first", "2", "rolled_back"),
        ("commit", "traffic-first", "2", "committed"),
        ("abort", "traffic-first", "2", "aborted"),
    ],
)
def test_a_night(workspace: Workspace, track: str, order: str, databases: str, result: str) -> None:
    night = workspace.last_line(
        *("rehearse", *NIGHT, "--track", track, "--order", order, "--databases", databases)
    )
    assert night["result"] == result
    assert night["engine"]["from"].startswith("16.")
    assert night["engine"]["to"].startswith("18.")
    assert_nothing_lost(night)
    assert {step["status"] for step in night["steps"]} <= {"succeeded", "skipped"}
    if track != "abort":
        assert night["switchover_s"] > 0
        assert night["downtime_s"]["upgrade"] >= night["switchover_s"] - night["added_downtime_s"]
    assert (night["downtime_s"]["rollback"] is not None) == (track == "rollback")

    runs = workspace.json("runs", "--json")
    assert [(run["run"], run["open"], run["result"]) for run in runs] == [
        (night["run"], False, result)
    ]
    assert not runs[0]["slots_held"]
    report = workspace.json("report", night["run"], "--format", "json")
    assert report["report"] == 1
    assert night["run"] in workspace.run("report", night["run"]).stdout
