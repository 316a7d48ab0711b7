"""The watch's memory: what a look that has since failed saw is not what is so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.alert import Ages, Alert, Cause, ProbeResult
from runbook.base.clocks import about
from runbook.base.context import RunContext
from runbook.protection.dashboard import Dashboard, LagView, Protection, Trend, from_json
from runbook.protection.record import said
from runbook.watch.probes import trend
from runbook.watch.probes.patience import AGAIN_S, Patience
from runbook.watch.probes.schemas import latest

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def context(**facts: Any) -> RunContext:
    return cast(RunContext, SimpleNamespace(fact=facts.get, now=lambda: NOW))


def test_a_failed_look_for_drift_is_not_repaired_by_an_earlier_good_one() -> None:
    verified = NOW - timedelta(seconds=20)
    kept = context(schema={"differences": [], "at": verified.isoformat()})
    assert latest(kept, ProbeResult()) == ProbeResult(verified, (), "")
    drift = Alert(Cause.SCHEMA, "orders", "x", "orders: only on new blue: x", True)
    later = ProbeResult(NOW - timedelta(seconds=5), (drift,), "")
    assert latest(kept, later) is later
    failed = ProbeResult(NOW, (), "cannot be compared")
    assert latest(kept, failed) is failed


def test_what_went_is_given_a_moment_and_what_was_never_there_none() -> None:
    patience = Patience()
    assert patience.lasting("a", down=True, clock=0.0)
    assert not patience.waits
    assert not patience.lasting("a", down=False, clock=1.0)
    assert not patience.lasting("a", down=True, clock=20.0)
    assert patience.waits
    assert not patience.lasting("a", down=False, clock=20.1)
    assert not patience.waits
    assert not patience.lasting("a", down=True, clock=30.0)
    assert patience.lasting("a", down=True, clock=30.0 + AGAIN_S)
    assert not patience.waits
    assert patience.lasting("a", down=True, clock=30.1 + AGAIN_S)


def line(*values: float | None) -> trend.Line:
    made = trend.Line()
    for second, value in enumerate(values):
        made.observe(float(second), value)
    return made


def test_a_rate_is_told_over_enough_and_never_over_what_is_not_known() -> None:
    assert line(5, 4, 3).rate() is None
    assert line(50, 40, 30, 20, 10).rate() == pytest.approx(-10)
    assert line(90, 80, None, 30, 20, 10).rate() is None
    assert line(*(1000 - 2 * n for n in range(100))).rate() == pytest.approx(-2)


MB = 1 << 20


@pytest.mark.parametrize(
    ("lag", "rate", "expected"),
    [
        (None, -1.0, (Trend.UNKNOWN, None)),
        (4096, 4096.0, (Trend.STEADY, None)),
        (100 * MB, None, (Trend.UNKNOWN, None)),
        (100 * MB, 0.1 * MB, (Trend.STEADY, None)),
        (100 * MB, MB, (Trend.FALLING_BEHIND, None)),
        (100 * MB, -MB, (Trend.CATCHING_UP, 100.0)),
    ],
)
def test_where_a_lag_goes(
    lag: int | None, rate: float | None, expected: tuple[Trend, float | None]
) -> None:
    assert trend.of_lag(lag, rate) == expected


def test_how_long_a_slot_lasts() -> None:
    assert trend.until_gone(None, -5.0) is None
    assert trend.until_gone(1000, 5.0) is None
    assert trend.until_gone(1000, -5.0) == 200.0
    assert [about(s) for s in (2, 42, 180, 7300, 90 * 3600)] == [
        "about 5 s",
        "about 40 s",
        "about 3 min",
        "about 2 h",
        "about 4 days",
    ]


def test_an_alarm_keeps_since_when_it_stands_while_its_figures_change() -> None:
    ages = Ages()
    first = Alert(Cause.LAG, "orders", "slot a", "lag is 5 s", True, NOW)
    warns = Alert(Cause.SEQUENCE, "orders", "s", "3 % left", False, NOW)
    ages.dated((warns, first), NOW)
    later = NOW + timedelta(seconds=9)
    second = Alert(Cause.LAG, "orders", "slot a", "lag is 14 s", True, later)
    dated = ages.dated((warns, second), later)
    assert [(a.words, a.since) for a in dated] == [("lag is 14 s", NOW), ("3 % left", NOW)]
    ages.dated((), later)
    assert ages.dated((second,), later)[0].since == later


def test_figures_that_move_are_no_news_and_another_cause_is() -> None:
    one = Protection(False, "lag is 5 s", ("lag is 5 s",), NOW, causes=("lag orders a",))
    two = Protection(False, "lag is 9 s", ("lag is 9 s",), NOW, causes=("lag orders a",))
    three = Protection(False, "lag is 9 s", ("lag is 9 s",), NOW, causes=("lag billing b",))
    assert said(one) == said(two) != said(three)


def test_alarms_travel_with_the_board() -> None:
    alarm = Alert(Cause.STRAY, "orders", "x", 'rows of "T"', True, NOW, NOW)
    lag = LagView(
        "orders", "slot", 10, 0.1, True, "reserved", at=NOW, trend=Trend.CATCHING_UP, lost_in_s=9.0
    )
    dashboard = Dashboard(lags=(lag,), alarms=(alarm,), strays_since=NOW)
    told = dashboard.as_json()
    assert told["alarms"][0] == {
        "cause": "stray",
        "database": "orders",
        "subject": "x",
        "words": 'rows of "T"',
        "breaks": True,
        "at": "2026-11-23T03:00:00Z",
        "since": "2026-11-23T03:00:00Z",
    }
    assert from_json(told) == dashboard
