"""The whole table of AWS's faults: each is said, each has its way on, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import lab
from state.enums import Result, Status, Track
from tests.faults.night import (
    Night,
    created_twice,
    fault,
    members_of,
    names_like,
    night,
    nothing_lost,
    performed,
)
from tests.workspace import Workspace

pytestmark = pytest.mark.chaos


async def abort(run: Night) -> None:
    """Take the way that is offered, to its end: blue serves as before."""
    assert run.session.way_back().startswith("abort")
    await run.branch(Track.ABORT)
    await run.reach("")
    assert run.session.result() is Result.ABORTED
    await nothing_lost()
    assert created_twice() == {}
    assert names_like("orders") == ["orders"]


async def test_a_green_that_cannot_be_made_is_deleted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        fault("green-fails")
        await run.fails(
            "await-green", "INVALID_CONFIGURATION", "incompatible parameter settings", "abort"
        )
        await abort(run)


async def test_a_green_that_turns_invalid_is_not_switched_to(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("ready-to-switch")
        fault("invalidate-deployment", "orders")
        await run.fails("ready-to-switch", "INVALID_CONFIGURATION", "promoted manually", "abort")
        await abort(run)


async def test_a_green_that_turns_invalid_behind_the_fence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("switchover")
        fault("invalidate-deployment", "orders")
        await run.fails("switchover", "turned INVALID_CONFIGURATION", "Branch to abort")
        await abort(run)


async def test_a_deployment_that_somebody_deleted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("ready-to-switch")
        fault("lose-deployment", "orders")
        await run.fails("ready-to-switch", "no blue/green deployment", "abort")
        assert run.session.way_back().startswith("abort")
        await run.branch(Track.ABORT)
        await run.reach("")
        (left,) = names_like("-green-")
        seen = [each.text for each in run.session.evidences("verify-end")]
        assert any(left in text and "by hand" in text for text in seen)
        await nothing_lost()


async def test_a_green_that_somebody_deleted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("ready-to-switch")
        fault("lose-cluster", names_like("-green-")[0])
        await run.fails("ready-to-switch", "no cluster with the resource id", "green")
        await abort(run)


async def test_switchovers_that_return_and_one_that_does_not(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch, catch_up_s=2) as run:
        await run.reach("ready-to-switch")
        fault("stall-green", "orders")
        await run.fails("ready-to-switch", "Green does not follow", "nobody reads the slot")
        fault("resume-green", "orders")
        await run.reach("switchover")
        fault("switchover-times-out", "2")
        await run.fails("switchover", "longer than the timeout", "still blue", "run the step again")
        fault("switchover-fails")
        await run.fails("switchover", "SWITCHOVER_FAILED", "still blue", "Branch to abort")
        assert len(performed("SwitchoverBlueGreenDeployment")) == 2
        assert run.session.way_back().startswith("abort")
        await run.branch(Track.ABORT)
        await run.reach("")
        assert run.session.result() is Result.ABORTED
        await nothing_lost()


async def test_a_switchover_that_outlasts_its_wait(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch, switchover_grace_s=0.1) as run:
        _shorten_the_switchover(run)
        await run.reach("switchover")
        fault("switchover-times-out", "40")
        await run.fails("switchover", "for the switchover to end", "go on waiting")
        # It goes on: nobody may be told that blue is left alone.
        told = "known when the switchover's end is seen; nothing is lost"
        assert run.session.way_back() == told
        assert not {title for title in await run.ways() if title.startswith("Abort")}
        await run.fails("switchover", "longer than the timeout", "still blue")
        await abort(run)


def _shorten_the_switchover(run: Night) -> None:
    path = Path(run.session.run.plan_path)
    text = path.read_text(encoding="utf-8")
    assert "switchover_timeout_s = 300" in text
    path.write_text(text.replace("switchover_timeout_s = 300", "switchover_timeout_s = 30"))


@pytest.mark.parametrize("track", [Track.ROLLBACK, Track.COMMIT, Track.ABORT])
async def test_describes_that_trail_all_night(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, track: Track
) -> None:
    async with night(workspace, monkeypatch, late_effect_s=4) as run:
        fault("trail", "1.5")
        await run.reach("stop-traffic" if track is Track.ABORT else "")
        await run.branch(track)
        await run.reach("")
        if track is not Track.ABORT:
            await run.branch(Track.CLEANUP)
            await run.reach("")
        await nothing_lost()
        assert created_twice() == {}
        assert lab.status()["deployments"] == []
        assert names_like("-green-") == []


async def test_what_is_shown_as_available_too_early(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("create-deployment")
        fault("early", "20")
        await run.reach("clone")
        fault("early", "3")
        await run.succeeds("clone")
        fault("early", "3")
        await run.reach("")
        await nothing_lost()
        assert created_twice() == {}


async def test_calls_that_are_lost_either_way(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach("create-deployment")
        fault("server-error", "CreateBlueGreenDeployment")
        await run.fails("create-deployment", "no clear answer", status=Status.UNKNOWN)
        await run.reach("switchover")
        fault("perform-late", "SwitchoverBlueGreenDeployment", "1")
        await run.reach("clone")
        fault("hang", "RestoreDBClusterToPointInTime")
        await run.fails("clone", "no clear answer", status=Status.UNKNOWN)
        await run.succeeds("clone")
        fault("lose-request", "CreateDBInstance")
        await run.fails("clone-instances", "no clear answer", status=Status.UNKNOWN)
        fault("lose-response", "CreateDBInstance")
        await run.reach("")
        await nothing_lost()
        assert created_twice() == {}


async def test_an_instance_that_hangs_and_a_clone_that_vanishes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch, instance_s=3) as run:
        await run.reach("clone-instances")
        fault("lose-cluster", names_like("-prime-")[0])
        fault("instance-hangs", "12")
        await run.fails(
            "clone-instances", "of 2 instances of blue prime are available", "is creating"
        )
        while await run.advance() is not Status.SUCCEEDED:
            assert "is creating" in run.message("clone-instances")
        await run.reach("")
        await nothing_lost()
        assert len(performed("RestoreDBClusterToPointInTime")) == 2
        assert created_twice().keys() == {
            ("RestoreDBClusterToPointInTime", names_like("-prime-")[0])
        }


@pytest.mark.parametrize("step", ["await-green", "switchover", "clone", "subscribe"])
async def test_credentials_that_expire_on_the_way(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async with night(workspace, monkeypatch) as run:
        await run.reach(step)
        fault("expire-credentials")
        await run.fails(step, "credentials have expired", "blueprime resume")
        fault("renew-credentials")
        await run.reach("")
        await run.branch(Track.ROLLBACK)
        await run.reach("switch-endpoint")
        fault("expire-credentials")
        await run.fails("switch-endpoint", "credentials have expired")
        fault("renew-credentials")
        fault("throttle", "ModifyDBCluster", "3")
        await run.reach("")
        assert run.session.result() is Result.ROLLED_BACK
        await nothing_lost()
        assert created_twice() == {}
        assert len(members_of("orders")) == 2
