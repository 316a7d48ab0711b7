"""Protected is earned: whatever is wrong names itself, and whatever is not known is not good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.board import Board, LagView
from runbook.judge import judge
from runbook.world import World

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "switchover": {"called_at": ""},
    "capture": {"databases": ["orders"], "slots": {"orders": "bp_1"}},
    "slots": ["bp_1"],
}
LAG = LagView("orders", "bp_1", 1200, 0.8, True, "reserved", at=NOW)
FRESH = NOW - timedelta(seconds=2)


def world(**facts: Any) -> World:
    known = {**FACTS, **facts}
    protection = SimpleNamespace(lag_limit_bytes=64_000, lag_limit_s=30.0, fresh_s=10.0)
    return cast(
        World,
        SimpleNamespace(
            fact=known.get, now=lambda: NOW, plan=SimpleNamespace(protection=protection)
        ),
    )


def test_all_is_well() -> None:
    found = judge(world(), Board(lags=(LAG,)), (True, ""), (), FRESH)
    assert found.protected is True


@pytest.mark.parametrize(
    ("lag", "reason"),
    [
        (replace(LAG, state="lost"), "slot bp_1 of orders is lost"),
        (replace(LAG, state="missing", bytes=None), "slot bp_1 of orders is missing"),
        (replace(LAG, active=False), "slot bp_1 of orders feeds nobody"),
        (replace(LAG, bytes=64_001), "lag of orders is 64001 bytes"),
        (replace(LAG, seconds=31.0), "lag of orders is 31 s"),
    ],
)
def test_a_slot_that_is_not_well_ends_the_protection(lag: LagView, reason: str) -> None:
    found = judge(world(), Board(lags=(lag,)), (True, ""), (), FRESH)
    assert found.protected is False
    assert reason in found.reasons
    assert found.lost is (lag.state in ("lost", "missing"))


@pytest.mark.parametrize(
    ("board", "subscribed", "drift", "drift_at"),
    [
        (Board(), (True, ""), (), FRESH),
        (Board(lags=(replace(LAG, bytes=None, reason="no answer"),)), (True, ""), (), FRESH),
        (Board(lags=(replace(LAG, at=NOW - timedelta(seconds=11)),)), (True, ""), (), FRESH),
        (Board(lags=(LAG,)), (None, "blue prime cannot be asked"), (), FRESH),
        (Board(lags=(LAG,)), (True, ""), None, None),
        (Board(lags=(LAG,)), (True, ""), (), NOW - timedelta(minutes=5)),
    ],
)
def test_what_is_not_known_is_never_protected(
    board: Board,
    subscribed: tuple[bool | None, str],
    drift: tuple[str, ...] | None,
    drift_at: datetime | None,
) -> None:
    assert judge(world(), board, subscribed, drift, drift_at).protected is None


@pytest.mark.parametrize("facts", [{"switchover": None}, {"capture": None}, {"slots": []}])
def test_without_a_capture_there_is_no_protection(facts: dict[str, Any]) -> None:
    assert judge(world(**facts), Board(lags=(LAG,)), (True, ""), (), FRESH).protected is False


def test_a_worker_that_does_not_run_and_a_schema_that_drifts_end_it() -> None:
    board = Board(lags=(LAG,))
    stopped = judge(world(), board, (False, "the apply worker of orders does not run"), (), FRESH)
    assert stopped.protected is False
    assert "apply worker" in stopped.text
    drifted = judge(world(), board, (True, ""), ("orders: only on new blue: table x",), FRESH)
    assert drifted.protected is False
    assert "only on new blue" in drifted.reasons[0]


def test_a_switchover_that_was_asked_for_is_not_said_to_leave_blue_serving() -> None:
    before = world(switchover=None)
    assert "blue serves" in judge(before, Board(), (None, ""), None, None).text
    asked = judge(before, Board(), (None, ""), None, None, asked=True)
    assert asked.protected is False
    assert "blue serves" not in asked.text


def test_rows_that_differed_end_the_protection_until_a_comparison_passes() -> None:
    differing = world(**{"compare.different": ["orders: public.customer"]})
    found = judge(differing, Board(lags=(LAG,)), (True, ""), (), FRESH)
    assert found.protected is False
    assert "public.customer" in found.text
    passed = world(**{"compare.different": []})
    assert judge(passed, Board(lags=(LAG,)), (True, ""), (), FRESH).protected is True


def test_a_table_that_is_known_to_differ_ends_the_protection_and_is_named() -> None:
    one = {
        "database": "orders", "schema": "public", "table": "items",
        "here": 812, "there": 811, "found_by": "fence",
    }  # fmt: skip
    found = judge(world(**{"tables.differ": [one]}), Board(lags=(LAG,)), (True, ""), (), FRESH)
    assert found.protected is False
    assert found.reasons == ("rows differ: public.items in orders (812 against 811 rows)",)
    mended = judge(world(**{"tables.differ": []}), Board(lags=(LAG,)), (True, ""), (), FRESH)
    assert mended.protected is True
