"""The budget of calls: what is spent, what it makes wait, and what AWS's refusals do to it."""

from __future__ import annotations

import pytest

from runbook.aws import Aws, Call, budget
from runbook.aws.budget import BURST_S, PER_S, RECOVERS_S, SHARE_SHOWN, Budget, spending
from runbook.aws.errors import AwsRefused
from tests.aws.conftest import Endpoint

HOUR = 3600.0
REBOOT = Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": "orders-1"})


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def looks(made: Budget, clock: Clock, every_s: float, *, calls: int = 1, shown: bool) -> float:
    """Return the calls a second of something that looks over and over for an hour."""
    began, sent = clock.now, 0
    with spending(shown=shown, budget=made) as spender:
        while clock.now < began + HOUR:
            for _ in range(calls):
                spender.sent()
                sent += 1
            clock.now += spender.rest_s(every_s)
    return sent / HOUR


@pytest.mark.parametrize("every_s", [0.05, 0.5, 1.0, 5.0])
@pytest.mark.parametrize(("shown", "share"), [(False, 1.0), (True, SHARE_SHOWN)])
def test_on_average_no_more_is_asked_than_is_allowed(
    every_s: float, shown: bool, share: float
) -> None:
    clock = Clock()
    allowed = PER_S * share + PER_S * BURST_S / HOUR
    assert looks(Budget(clock=clock), clock, every_s, shown=shown) <= allowed
    if not shown and every_s >= 1:
        assert looks(Budget(clock=clock), clock, every_s, calls=4, shown=shown) <= allowed


def test_a_fence_waits_least_and_what_is_only_shown_most() -> None:
    clock = Clock()
    made = Budget(clock=clock)
    for _ in range(int(BURST_S * 0.7)):
        made.sent(shown=False)
    assert made.rest_s(0.5, shown=False) == 0.5
    assert made.rest_s(5.0, shown=False) == pytest.approx(BURST_S * 0.2, abs=1)
    for _ in range(200):
        made.sent(shown=True)
    # Whatever is owed, one look a second is made inside the fence.
    assert made.rest_s(0.5, shown=False) == 1.0
    assert made.rest_s(5.0, shown=False) > 30
    made = Budget(clock=clock)
    for _ in range(int(BURST_S * SHARE_SHOWN)):
        made.sent(shown=True)
    assert made.rest_s(5.0, shown=True) > made.rest_s(5.0, shown=False) == 5.0


def test_what_asks_aws_nothing_pauses_for_nothing() -> None:
    clock = Clock()
    made = Budget(clock=clock)
    for _ in range(100):
        made.sent(shown=False)
    with spending(budget=made) as spender:
        assert spender.rest_s(0.001) == 0.001
        spender.sent()
        assert spender.rest_s(5.0) > 5.0
        assert spender.rest_s(5.0) == 5.0


def test_refusals_slow_everything_down_for_some_minutes() -> None:
    clock = Clock()
    made = Budget(clock=clock)
    for _ in range(3):
        made.refused()
    assert made.slowed
    slow = looks(made, clock, 5.0, calls=9, shown=False)
    assert slow < looks(Budget(clock=clock), clock, 5.0, calls=9, shown=False)
    assert not made.slowed
    made.refused()
    clock.now += RECOVERS_S
    assert not made.slowed


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    clock = Clock()
    made = Budget(clock=clock)
    clock.now = -100.0
    for _ in range(100):
        made.sent(shown=False)
    assert made.rest_s(5.0, shown=False) > 30


async def test_each_try_of_a_call_is_counted_and_a_refusal_is_taken_in(
    aws: Aws, endpoint: Endpoint
) -> None:
    endpoint.error(400, "Throttling", "Rate exceeded")
    refused = endpoint.answers
    endpoint.result("DescribeDBClusters", "<DBClusters/>")
    endpoint.answers = [*refused, *endpoint.answers]
    made = Budget()
    with spending(budget=made) as spender:
        assert await aws.rds.clusters() == []
    assert spender.calls == len(endpoint.requests) == 2
    assert made.slowed
    assert budget.spender().calls == 0


async def test_a_change_that_is_refused_for_too_many_calls_slows_down_as_well(
    aws: Aws, endpoint: Endpoint
) -> None:
    endpoint.error(400, "Throttling", "Rate exceeded")
    made = Budget()
    with spending(budget=made), pytest.raises(AwsRefused):
        await aws.perform(REBOOT)
    assert made.slowed
