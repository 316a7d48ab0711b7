"""Faults of AWS in real nights: what the failed step says, the way on, and nothing lost."""

from __future__ import annotations

import asyncio

import pytest

from rehearsal import lab
from state.enums import Result, Track
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


async def test_one_night_with_a_fault_at_every_corner(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch) as run:
        fault("expire-credentials")
        await run.fails("identify", "credentials have expired", "Log in again")
        fault("renew-credentials")

        await run.reach("prepare-parameters")
        fault("throttle", "CreateDBClusterParameterGroup", "2")
        await _told_what_is_there(run)
        await run.reach("create-deployment")

        fault("deny", "CreateBlueGreenDeployment")
        await run.fails("create-deployment", "not authorized", "Allow the action", "did not happen")
        fault("allow", "CreateBlueGreenDeployment")
        fault("lose-response", "CreateBlueGreenDeployment")
        await run.succeeds("create-deployment")

        await run.reach("ready-to-switch")
        (green,) = names_like("-green-")
        member = members_of(green)[0]
        fault("set-status", member, "storage-full")
        await run.fails("ready-to-switch", "is storage-full", "Nothing was asked")
        assert run.session.refused
        fault("set-status", member, "available")

        fault("fail-switchover")
        await run.fails("switchover", "called the switchover off", "orders is still blue", "abort")
        assert run.session.way_back().startswith("abort")
        # AWS said AVAILABLE, and refuses for a moment: the applications are stopped, so it is
        # waited for.
        fault("set-status", member, "modifying")
        asyncio.get_running_loop().call_later(1, fault, "set-status", member, "available")
        await run.succeeds("switchover")
        attempt = run.session.checklist().line("switchover").attempt
        assert attempt is not None
        assert attempt.effects[-1].detail["refused_before"] >= 1

        failed = await _protected_on_failing_clusters(run)
        await run.reach("")
        await run.branch(Track.ROLLBACK)
        fault("trail", "1")
        await run.reach("")
        assert run.session.result() is Result.ROLLED_BACK
        await nothing_lost()
        assert created_twice() == {
            ("RestoreDBClusterToPointInTime", failed): 2,
            ("CreateDBInstance", performed("DeleteDBInstance")[0]): 2,
        }
        assert lab.status()["faults"] == []
        assert workspace.json("lab", "calls", "--json") == lab.calls()
        shown = workspace.run("lab", "calls").stdout
        assert f"RestoreDBClusterToPointInTime  {failed}\n" in shown
        assert shown.count("(the response was lost)") == 2


async def _protected_on_failing_clusters(run: Night) -> str:
    """Go on to blue prime's instances, each failing once; return the clone that failed."""
    await run.reach("delete-deployment")
    fault("perform-late", "DeleteBlueGreenDeployment", "1")
    await run.succeeds("delete-deployment")

    fault("clone-fails")
    await run.fails("clone", "ended in cloning-failed", "keep every write", "Run the step again")
    (failed,) = names_like("-prime-")
    await run.succeeds("clone")
    assert run.asked[-1].must_type == failed
    assert performed("DeleteDBCluster") == [failed]

    fault("instance-fails")
    await run.fails("clone-instances", "ended in incompatible-parameters", "Run the step again")
    await run.succeeds("clone-instances")
    assert performed("DeleteDBInstance") == [run.asked[-1].must_type]
    return failed


async def _told_what_is_there(run: Night) -> None:
    """Make the first change of the next step as one whose journal was lost would have left it."""
    before = await run.preview(run.next)
    assert before.there == ()
    waves = await run.session._step(run.next).effects(run.session._context)
    made = waves[0][0]
    await made.perform()
    told = await run.preview(run.next)
    assert [title for title, _ in told.there] == [made.title]
    assert [*told.effects] == [each for each in before.effects if each[0] != made.title]
    # All roles may log in now; the step that lets them in comes after one that shuts them out.
    assert (await run.preview("resume-traffic")).there == ()
