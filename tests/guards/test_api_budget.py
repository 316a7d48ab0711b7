"""How many calls to RDS a night makes, by simulated time: the product against an imitated AWS."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.aws.budget import BURST_S, PER_S, RECOVERS_S, SHARE_SHOWN
from runbook.base.clocks import age
from runbook.run.session import Session
from tests.guards.night import Night, Settings
from tests.guards.play import checkpoint
from tests.guards.process import RunProcess

BAKED = 16
"""So many steps that all went well lead to the end of the upgrade."""

BAKES_S = 300.0
WATCHED_AT_LEAST_S = 25.0
SETTLED_S = 40.0
"""By then what was asked for at the start does not count any more."""


@pytest.fixture
def baked(tmp_path: Path) -> Iterator[RunProcess]:
    night = Night.resume(tmp_path, checkpoint(Settings(), BAKED))
    process = night.opened()
    assert process.session.checklist().current.complete
    yield process
    night.end()


def asked(process: RunProcess, since: float) -> Counter[str]:
    return Counter(action for at, action in process.requests if at >= since)


async def bake(session: Session) -> None:
    await session.start_watching()
    await asyncio.sleep(BAKES_S)


def test_while_baking_a_fifth_of_a_call_a_second_is_made_at_most(baked: RunProcess) -> None:
    began = baked.world.clock.now
    baked.do(bake(baked.session))
    found = asked(baked, began + SETTLED_S)
    assert found.total() / (BAKES_S - SETTLED_S) <= PER_S * SHARE_SHOWN, found
    # One call for all clusters and one for all instances, however many there are.
    assert found["DescribeDBClusters"] == found["DescribeDBInstances"] > 5
    board = baked.session.dashboard()
    assert board.protection.protected is True
    ages = [age(view.at, baked.session._context.now()) for view in board.clusters]
    assert all(each is not None and each <= WATCHED_AT_LEAST_S for each in ages), ages
    # What was deleted is not asked for any more.
    assert asked(baked, began)["DescribeBlueGreenDeployments"] == 3
    assert asked(baked, began + 100)["DescribeBlueGreenDeployments"] == 0


def test_what_aws_said_before_it_refused_everything_is_shown_as_old(baked: RunProcess) -> None:
    refused_s, session = 150.0, baked.session
    seen = []

    async def refused() -> None:
        await session.start_watching()
        await asyncio.sleep(SETTLED_S)
        baked.throttled_until = baked.world.clock.now + refused_s
        await asyncio.sleep(refused_s)
        seen.append((session.dashboard(), session._context.now()))
        await asyncio.sleep(RECOVERS_S * 3)
        seen.append((session.dashboard(), session._context.now()))

    began = baked.world.clock.now + SETTLED_S
    baked.do(refused())
    (board, now), (after, later) = seen
    for view in board.clusters:
        assert "Throttling" in view.error
        assert (age(view.at, now) or 0) > refused_s - WATCHED_AT_LEAST_S
    # The servers themselves are asked all the while, and where they are is known from before.
    assert board.protection.protected is True
    assert [board.production.unreached, board.traffic.error] == [False, ""]
    during = [at for at, _ in baked.requests if began <= at < baked.throttled_until]
    assert len(during) < refused_s * PER_S * SHARE_SHOWN / 2
    assert all(not v.error and (age(v.at, later) or 0) <= RECOVERS_S for v in after.clusters)


def test_a_server_that_does_not_answer_costs_no_more_calls(baked: RunProcess) -> None:
    """Each look connects anew then, and looks up where to."""
    began = baked.world.clock.now
    new_blue = baked.world.named("orders")
    assert new_blue is not None
    new_blue.status = "stopped"
    baked.do(bake(baked.session))
    found = asked(baked, began + SETTLED_S)
    assert found.total() / (BAKES_S - SETTLED_S) <= PER_S * SHARE_SHOWN, found


def test_over_the_steps_of_a_night_one_call_a_second_is_made(tmp_path: Path) -> None:
    night = Night(tmp_path, Settings())
    night.start()
    process = night.opened()
    process.do(process.session.start_watching())
    while not process.session.checklist().current.complete:
        assert night.advance() in ("succeeded", "skipped")
    began, ended = process.requests[0][0], process.world.clock.now
    # A first look never waits, so each step may ask once beyond what is left.
    steps = len(process.session.checklist().current.lines)
    allowed = PER_S * (ended - began) + PER_S * BURST_S + steps
    assert len(process.requests) <= allowed, asked(process, began)
    night.end()
