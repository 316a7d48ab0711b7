"""The monitor's memory: what was seen long ago, or by a look that has since failed, is unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from runbook.monitor import Monitor
from runbook.world import World
from state.journal import Journal

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def monitor(**facts: Any) -> Any:
    plan = SimpleNamespace(protection=SimpleNamespace(fresh_s=10.0))
    world = SimpleNamespace(fact=facts.get, now=lambda: NOW, plan=plan)
    return Monitor(cast(World, world), cast(Journal, None))


def test_subscriptions_seen_long_ago_are_unknown() -> None:
    watch = monitor()
    assert watch._latest_subscribed()[0] is None
    watch._subscribed, watch._subscribed_at = (True, ""), NOW - timedelta(seconds=2)
    assert watch._latest_subscribed() == (True, "")
    watch._subscribed_at = NOW - timedelta(seconds=11)
    assert watch._latest_subscribed()[0] is None


def test_a_failed_look_for_drift_is_not_mended_by_an_earlier_good_one() -> None:
    verified = NOW - timedelta(seconds=20)
    watch = monitor(schema={"differences": [], "at": verified.isoformat()})
    assert watch._latest_drift() == ((), verified)
    watch._drift, watch._drift_at = ("orders: only on new blue: x",), NOW - timedelta(seconds=5)
    assert watch._latest_drift()[0] == ("orders: only on new blue: x",)
    watch._drift = None
    assert watch._latest_drift()[0] is None
