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
    ("track", "then", "order", "databases", "result"),
    [
        # As far as it goes, `test_until.py` and most other nights go this way too.
        pytest.param(
            *("rollback", "", "traffic-first", "3", "rolled_back"), marks=pytest.mark.chaos
        ),
        ("rollback", "forward", "protect-first", "3", "protected"),
        ("commit", "", "traffic-first", "2", "committed"),
        ("abort", "", "traffic-first", "2", "aborted"),
        pytest.param(
            *("rollback", "forward,rollback,forward", "traffic-first", "3", "protected"),
            marks=pytest.mark.chaos,
        ),
        pytest.param(
            *("rollback", "forward,rollback,finalize,cleanup", "protect-first", "3", "cleaned"),
            marks=pytest.mark.chaos,
        ),
    ],
)
def test_a_night(
    workspace: Workspace, track: str, then: str, order: str, databases: str, result: str
) -> None:
    night = workspace.last_line(
        *("rehearse", *NIGHT, "--track", track, "--order", order, "--databases", databases),
        *("--then", then),
        # Under no more than the policy that `blueprime policy` prints.
        "--iam",
    )
    assert night["result"] == result
    assert night["engine"]["from"].startswith("16.")
    assert night["engine"]["to"].startswith("18.")
    assert_nothing_lost(night)
    assert {step["status"] for step in night["steps"]} <= {"succeeded", "skipped"}
    assert workspace.answers_held()[0] > 100
    if track != "abort":
        assert night["switchover_s"] > 0
        assert night["downtime_s"]["upgrade"] >= night["switchover_s"] - night["added_downtime_s"]
    assert (night["downtime_s"]["rollback"] is not None) == (track == "rollback")
    assert ("forward" in night["downtime_s"]) == ("forward" in then)
    turns = [step["track"] for step in night["steps"] if step["step"] == "switch-endpoint"]
    assert turns == [name for name in (track, *then.split(",")) if name in ("rollback", "forward")]

    runs = workspace.json("runs", "--json")
    # Protected, before a rollback or after it, its way is held by slots, and the run is open.
    held = result in ("protected", "rolled_back")
    assert [(run["run"], run["open"], run["result"]) for run in runs] == [
        (night["run"], held, result)
    ]
    assert runs[0]["slots_held"] is held
    if then.endswith("forward"):
        assert (runs[0]["track"], runs[0]["variant"]) == ("upgrade", "forward")
        assert " forward " in workspace.run("runs").stdout
    report = workspace.json("report", night["run"], "--format", "json")
    assert report["report"] == 1
    refuted = {each["id"] for each in report["showed"] if each["verdict"] == "refuted"}
    # In the lab old blue is locked as a standby.
    assert refuted <= {"lock-of-old-blue-is-invisible"}
    assert night["run"] in workspace.run("report", night["run"]).stdout
