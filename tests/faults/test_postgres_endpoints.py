"""A name that still leads to another server: SQL waits, then fails in words, and never goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from rehearsal import lab
from state.enums import Result, Status, Track
from tests.faults.night import Night, fault, night, nothing_lost
from tests.workspace import Workspace

PATIENCE_S = 2.0

ELSEWHERE = ("leads to another server", "is the instance")
"""What is said of a server that is another one than the one meant."""

SETTINGS = """
    SELECT array_agg(x ORDER BY x) FROM (
        SELECT 'role ' || rolname || ' ' || rolcanlogin FROM pg_roles
        UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots
        UNION ALL SELECT 'setting ' || setdatabase || setrole || setconfig::text
        FROM pg_db_role_setting
        UNION ALL SELECT 'publication ' || pubname FROM pg_publication
        UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
    ) AS t (x)"""


def settings(workspace: Workspace, cluster: str) -> Any:
    """Return what blueprime could have changed on a cluster, seen in the database `orders`."""
    env = workspace.lab_environment()
    found = next(each for each in lab.status()["clusters"] if each["identifier"] == cluster)
    with psycopg.connect(
        host=env["PGHOST"],
        port=found["port"],
        user=env["PGUSER"],
        passfile=env["PGPASSFILE"],
        dbname="orders",
    ) as connection:
        return connection.execute(SETTINGS).fetchone()


@pytest.mark.chaos
async def test_a_name_that_trails_the_switchover_is_waited_for_and_then_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch, connect_s=PATIENCE_S) as run:
        await run.reach("switchover")
        fault("stale-endpoint", "orders")
        text = await run.fails("create-slots", "new blue runs 18")
        assert any(words in text for words in ELSEWHERE)
        assert run.session.way_back().startswith("return to old blue")
        seen = await asyncio.to_thread(settings, workspace, "orders-old1")
        assert not any("blueprime" in each for each in seen[0])
        fault("fresh-endpoint", "orders")
        await run.reach("")
        await nothing_lost()


async def astray(workspace: Workspace, run: Night) -> set[str]:
    """Go on to the end of the track; return the steps that the wrong server has stopped.

    Before each step the production name leads to old blue, which the step must not touch.
    """
    stopped = set()
    while step := run.next:
        before = await asyncio.to_thread(settings, workspace, "orders-old1")
        fault("mislead-endpoint", "orders", "orders-old1")
        status = await run.advance()
        fault("fresh-endpoint", "orders")
        if status.done:
            continue
        assert status is Status.FAILED, f"{step}: {run.message(step)}"
        assert any(words in run.message(step) for words in ELSEWHERE), run.message(step)
        assert await asyncio.to_thread(settings, workspace, "orders-old1") == before
        stopped.add(step)
        await run.succeeds(step)
    return stopped


@pytest.mark.chaos
async def test_no_step_goes_on_where_a_name_leads_astray(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch, connect_s=PATIENCE_S) as run:
        await run.reach("create-slots")
        stopped = await astray(workspace, run)
        assert {"create-slots", "resume-traffic", "subscribe", "verify-protection"} <= stopped
        await run.branch(Track.ROLLBACK)
        stopped = await astray(workspace, run)
        assert {"stop-traffic", "drain", "sync-sequences", "compare", "close-new-blue"} <= stopped
        assert {"resume-traffic", "verify-end"} <= stopped
        assert run.session.result() is Result.ROLLED_BACK
        await nothing_lost()


@pytest.mark.chaos
async def test_a_name_that_trails_the_rename_is_waited_for_and_then_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with night(workspace, monkeypatch, connect_s=PATIENCE_S) as run:
        await run.reach("")
        await run.branch(Track.ROLLBACK)
        await run.reach("switch-endpoint")
        fault("stale-endpoint", "orders")
        text = await run.fails("switch-endpoint", "blue prime")
        assert any(words in text for words in ELSEWHERE)
        await run.fails("switch-endpoint", "blue prime")
        fault("fresh-endpoint", "orders")
        await run.reach("")
        assert run.session.result() is Result.ROLLED_BACK
        await nothing_lost()
