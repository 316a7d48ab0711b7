"""Protected is earned: whatever is wrong names itself, and whatever is not known is not good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.alarm import Alarm, Cause, Seen
from runbook.board import Board, LagView
from runbook.differing import Differing, as_json
from runbook.judge import Looks, judge
from runbook.world import World

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "switchover": {"called_at": ""},
    "capture": {"databases": ["orders"], "slots": {"orders": "bp_1"}},
    "slots": ["bp_1"],
}
LAG = LagView("orders", "bp_1", 1200, 0.8, True, "reserved", at=NOW)
FRESH = NOW - timedelta(seconds=2)
WELL = Seen(FRESH, (), "")
ALL_WELL = Looks(WELL, WELL, WELL)


def world(**facts: Any) -> World:
    known = {**FACTS, **facts}
    protection = SimpleNamespace(lag_limit_bytes=64_000, lag_limit_s=30.0, fresh_s=10.0)
    return cast(
        World,
        SimpleNamespace(
            fact=known.get, now=lambda: NOW, plan=SimpleNamespace(protection=protection)
        ),
    )


def found(cause: Cause, words: str, *, breaks: bool = True) -> Seen:
    return Seen(FRESH, (Alarm(cause, "orders", "x", words, breaks, FRESH),), "")


def test_all_is_well() -> None:
    verdict = judge(world(), Board(lags=(LAG,)), ALL_WELL)
    assert verdict.protected is True


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
    verdict = judge(world(), Board(lags=(lag,)), ALL_WELL)
    assert verdict.protected is False
    assert reason in verdict.reasons
    assert verdict.lost is (lag.state in ("lost", "missing"))


LONG_AGO = Seen(NOW - timedelta(minutes=5), (), "")


@pytest.mark.parametrize(
    ("board", "looks"),
    [
        (Board(), ALL_WELL),
        (Board(lags=(replace(LAG, bytes=None, reason="no answer"),)), ALL_WELL),
        (Board(lags=(replace(LAG, at=NOW - timedelta(seconds=11)),)), ALL_WELL),
        (Board(lags=(LAG,)), replace(ALL_WELL, workers=Seen(FRESH, (), "cannot be asked"))),
        (Board(lags=(LAG,)), replace(ALL_WELL, schemas=Seen())),
        (Board(lags=(LAG,)), replace(ALL_WELL, schemas=LONG_AGO)),
        (Board(lags=(LAG,)), replace(ALL_WELL, strays=Seen())),
        (Board(lags=(LAG,)), replace(ALL_WELL, strays=LONG_AGO)),
    ],
)
def test_what_is_not_known_is_never_protected(board: Board, looks: Looks) -> None:
    assert judge(world(), board, looks).protected is None


def test_schemas_that_take_long_to_compare_may_be_older() -> None:
    looks = replace(ALL_WELL, schemas=LONG_AGO, schemas_fresh_s=400.0)
    assert judge(world(), Board(lags=(LAG,)), looks).protected is True


def test_a_reader_that_has_just_gone_is_given_a_moment() -> None:
    lag = replace(LAG, active=False, moment=True)
    assert judge(world(), Board(lags=(lag,)), ALL_WELL).protected is True


@pytest.mark.parametrize("facts", [{"switchover": None}, {"capture": None}, {"slots": []}])
def test_without_a_capture_there_is_no_protection(facts: dict[str, Any]) -> None:
    assert judge(world(**facts), Board(lags=(LAG,)), ALL_WELL).protected is False


def test_what_the_looks_find_ends_it_and_what_warns_does_not() -> None:
    board = Board(lags=(LAG,))
    workers = found(Cause.WORKER, "the apply worker of orders does not run")
    stopped = judge(world(), board, replace(ALL_WELL, workers=workers))
    assert stopped.protected is False
    assert stopped.text == "capture held, the apply worker of orders does not run"
    schemas = found(Cause.SCHEMA, "orders: only on new blue: table x")
    drifted = judge(world(), board, replace(ALL_WELL, schemas=schemas))
    assert (drifted.protected, drifted.reasons) == (False, ("orders: only on new blue: table x",))
    assert drifted.causes == ("schema orders x",)
    strays = found(Cause.WRITABLE, "orders of blue prime is writable")
    assert judge(world(), board, replace(ALL_WELL, strays=strays)).protected is False
    warned = found(Cause.SEQUENCE, "sequence x has 3.0 % left", breaks=False)
    assert judge(world(), board, replace(ALL_WELL, strays=warned)).protected is True


def test_a_table_that_differs_ends_it_until_it_is_struck_out() -> None:
    table = Differing("orders", "public", "customer", None, None, "watch")
    facts = {"tables.differ": as_json([table])}
    differs = judge(world(**facts), Board(lags=(LAG,)), ALL_WELL)
    assert differs.protected is False
    assert "customer" in differs.text
    assert judge(world(**{"tables.differ": []}), Board(lags=(LAG,)), ALL_WELL).protected is True


def test_a_switchover_that_was_asked_for_is_not_said_to_leave_blue_serving() -> None:
    before = world(switchover=None)
    assert "blue serves" in judge(before, Board(), Looks()).text
    asked = judge(before, Board(), Looks(), asked=True)
    assert asked.protected is False
    assert "blue serves" not in asked.text


def test_rows_that_differed_end_the_protection_until_a_comparison_passes() -> None:
    differing = world(**{"compare.different": ["orders: public.customer"]})
    differs = judge(differing, Board(lags=(LAG,)), ALL_WELL)
    assert differs.protected is False
    assert "public.customer" in differs.text
    passed = world(**{"compare.different": []})
    assert judge(passed, Board(lags=(LAG,)), ALL_WELL).protected is True


def test_a_table_that_is_known_to_differ_ends_the_protection_and_is_named() -> None:
    one = {
        "database": "orders", "schema": "public", "table": "items",
        "here": 812, "there": 811, "found_by": "fence",
    }  # fmt: skip
    found = judge(world(**{"tables.differ": [one]}), Board(lags=(LAG,)), ALL_WELL)
    assert found.protected is False
    assert found.reasons == ("rows differ: public.items in orders (812 against 811 rows)",)
    mended = judge(world(**{"tables.differ": []}), Board(lags=(LAG,)), ALL_WELL)
    assert mended.protected is True
