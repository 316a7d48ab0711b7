"""Counters that begin anew between the freeze and the capture: what the proof rests on then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runbook.postgres import fence_sql
from runbook.postgres.cluster_moment import ClusterMoment
from runbook.postgres.comparison import fenced, row_stamps
from runbook.postgres.fence_sql import FenceSample, WriteCounters
from runbook.proofs import diverged
from tests.postgres.conftest import Pair
from tests.postgres.fenced import CAPTURE, INSERT, Night, fenced_night, plan_for

RESET = "SELECT pg_stat_reset(), pg_current_xact_id()"
AT = datetime(2026, 12, 1, 1, tzinfo=UTC)
RESTS = "no row of new blue bears the id of a transaction from after the freeze"


@pytest.fixture
async def night(
    pair: Pair, database: str, application: str, tmp_path: Path
) -> AsyncIterator[Night]:
    async with fenced_night(pair, tmp_path, database, plan_for(application)) as made:
        await made.fenced()
        yield made


def reset(night: Night, *majors: int) -> None:
    for major in majors:
        for name in (night.database, "postgres"):
            night.write(major, RESET, name)


def compared(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return where the tables will be listed that are compared row by row."""
    calls: list[Any] = []
    usual = fenced.compare_databases

    async def compare(*sides: Any, **more: Any) -> Any:
        calls.append(more["only"])
        return await usual(*sides, **more)

    monkeypatch.setattr(fenced, "compare_databases", compare)
    return calls


@pytest.mark.parametrize("majors", [(18,), (16, 18)], ids=["new blue", "both sides"])
async def test_where_nothing_was_written_the_capture_says_on_what_it_rests(
    night: Night, monkeypatch: pytest.MonkeyPatch, majors: tuple[int, ...]
) -> None:
    calls = compared(monkeypatch)
    reset(night, *majors)
    await night.succeeds(CAPTURE)
    said = night.seen("create-slots")
    assert any("the statistics were reset" in text for text in said), said
    assert any(RESTS in text and "2 tables" in text for text in said), said
    assert calls == []
    assert diverged.left(night.context) == []


@pytest.mark.parametrize(
    ("statements", "here"),
    [
        ([INSERT], 3),
        (["UPDATE public.t SET i = 7 WHERE i = -1"], 2),
        (["DELETE FROM public.t WHERE i = -1"], 1),
        ([INSERT, "VACUUM (FREEZE) public.t"], 3),
        (["TRUNCATE public.t"], 0),
    ],
    ids=["insert", "update", "delete", "frozen since", "truncate"],
)
async def test_a_write_that_slipped_in_is_found_though_the_counters_forgot_it(
    night: Night, monkeypatch: pytest.MonkeyPatch, statements: list[str], here: int
) -> None:
    calls = compared(monkeypatch)
    for statement in statements:
        night.write(18, statement)
    reset(night, 16, 18)
    await night.fails(CAPTURE, f"{night.database}: public.t", f"{here} row")
    # No other table is compared, and none of the other database.
    assert calls == [(("public", "t"),)]


async def test_what_aws_carried_over_after_the_freeze_is_no_slip(night: Night) -> None:
    for major in (16, 18):
        night.write(major, INSERT)
    reset(night, 16, 18)
    await night.succeeds(CAPTURE)
    assert any("written to, and compared" in text for text in night.seen("create-slots"))


async def test_what_could_not_be_read_is_asked_once_in_one_question(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = night.context.plan
    hasty = patient.fence.model_copy(update={"limit_s": 1e-9})
    reset(night, 16, 18)
    night.context.plan = patient.model_copy(update={"fence": hasty})
    message = await night.fails(CAPTURE, "of 2 tables (0 MB) it is not known whether rows were")
    assert message.count("public.t") == 2
    night.context.plan = patient

    async def not_again(*_: Any, **__: Any) -> None:
        raise AssertionError("the rows are read once more")

    monkeypatch.setattr(row_stamps, "look", not_again)
    await night.succeeds(CAPTURE)
    (gate,) = night.asked
    assert "of 2 tables" in gate.question
    assert gate.must_type == "orders"
    left = diverged.left(night.context)
    assert [(each.table, each.found_by) for each in left] == [("t", diverged.UNREAD)] * 2
    assert all("may differ" in each.words for each in left)


async def test_what_is_written_after_the_rows_were_read_is_found_by_the_next_try(
    night: Night,
) -> None:
    night.write(18, INSERT)
    reset(night, 16, 18)
    await night.fails(CAPTURE, "public.t: 3 rows here, 2 rows")
    night.write(18, INSERT)
    await night.fails(CAPTURE, "public.t: 4 rows here, 2 rows")


async def test_a_thousand_rows_of_before_the_freeze_are_not_taken_for_later_ones(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids go on in both servers by themselves, and those of one say nothing of the other's."""
    calls = compared(monkeypatch)
    for _ in range(50):
        night.write(16, "SELECT pg_current_xact_id()")
    reset(night, 18)
    await night.succeeds(CAPTURE)
    assert calls == []


def test_the_oldest_transaction_that_was_open_is_where_later_ids_begin() -> None:
    moment = ClusterMoment(AT, 1, AT, 900, (700, 850))
    assert row_stamps.oldest_open(moment) == 700
    assert row_stamps.oldest_open(replace(moment, running=())) == 900


@pytest.mark.parametrize(
    ("change", "is_reset", "how"),
    [
        ({"user_tables": 4}, True, "counts are lower than before"),
        ({"stats_reset": AT}, True, "stats_reset has another time"),
        # A table that was dropped takes its counts along.
        ({"user_tables": 4, "files": "others"}, False, ""),
        ({"user_tables": 6}, False, ""),
    ],
)
def test_a_reset_is_known_by_what_it_leaves(
    change: dict[str, Any], is_reset: bool, how: str
) -> None:
    counters = WriteCounters("orders", 5, 1, None, files="some")
    before = FenceSample(
        AT, 1, AT, 9, sessions=(), writers=(), prepared=(), counters={"orders": counters}
    )
    after = replace(before, next_xid=10, counters={"orders": replace(counters, **change)})
    found = fence_sql.compare_samples(before, after)
    assert found.reset is is_reset
    assert how in "; ".join(found.reasons)
    assert not (found.proved and is_reset)
