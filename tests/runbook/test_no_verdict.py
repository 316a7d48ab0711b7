"""Without a look there is no verdict: what cannot be told is never told as good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.postgres import fence_sql, marks
from runbook.postgres.fence_sql import ClientSession, FenceSample, FenceVerdict, WriteCounters
from runbook.postgres.marks import ClusterMarks, DatabaseMarks
from runbook.proofs import diverged, since_fence, write_fence

AT = datetime(2026, 5, 2, tzinfo=UTC)
COUNTERS = st.builds(
    WriteCounters,
    database=st.just("orders"),
    user_tables=st.integers(0, 3),
    catalogs=st.integers(0, 3),
    stats_reset=st.sampled_from([None, AT, AT + timedelta(seconds=1)]),
    large_objects=st.integers(0, 1),
    files=st.sampled_from(["a", "b"]),
)
SAMPLES = st.builds(
    FenceSample,
    at=st.just(AT),
    system_identifier=st.integers(1, 2),
    postmaster_started=st.sampled_from([AT, AT + timedelta(seconds=1)]),
    next_xid=st.integers(1, 3),
    sessions=st.just(()),
    writers=st.just(()),
    prepared=st.just(()),
    counters=st.dictionaries(st.sampled_from(["orders", "billing"]), COUNTERS, max_size=2),
    running=st.lists(st.integers(1, 2), max_size=2).map(tuple),
)


@given(before=SAMPLES, after=SAMPLES)
def test_a_fence_is_proved_only_on_one_server_whose_counts_were_kept_and_stand_still(
    before: FenceSample, after: FenceSample
) -> None:
    verdict = fence_sql.compare_samples(before, after)
    assert bool(write_fence.reasons_of(verdict)) != bool(verdict.proved)
    if not verdict.proved:
        return
    assert before.system_identifier == after.system_identifier
    if not fence_sql.none_ended(before, after):
        assert write_fence.rows_of(before) == write_fence.rows_of(after)
        assert [c.stats_reset for c in before.counters.values()] == [
            after.counters[name].stats_reset for name in before.counters
        ]


@pytest.mark.parametrize("proved", [None, False])
def test_what_is_not_proved_has_a_reason(proved: bool | None) -> None:
    assert write_fence.reasons_of(FenceVerdict(proved, ()))


def marked(rows: int, *, started: datetime = AT, reset: datetime | None = None) -> ClusterMarks:
    tables = {"public.t": (rows, 0, 0, 1)}
    databases = {"orders": DatabaseMarks(tables, reset, "s", 0)}
    return ClusterMarks(AT, 1, started, rows + 5, databases=databases)


def test_a_database_whose_counts_were_lost_may_have_moved() -> None:
    before = marked(3)
    assert marks.moved(before, before) == []
    assert marks.moved(before, marked(4)) == ["orders"]
    assert marks.moved(before, marked(4, reset=AT)) == ["orders"]
    assert marks.moved(before, marked(0, started=AT + timedelta(1))) == ["orders"]
    late = replace(marked(3), next_xid=99, unsettled=("a session of monitoring",))
    assert marks.moved(before, late) == []


def test_a_table_that_was_not_compared_is_named_like_one_that_differs() -> None:
    found = since_fence.Found(
        tables=(diverged.Differing("orders", "public", "t", None, None, "fence"),)
    )
    assert not found.proved
    assert "public.t" in found.words


def test_a_session_speaks_against_a_fence_without_any_earlier_look() -> None:
    inside = ClientSession(7, "app", "orders", "", "10.0.0.1", "idle", 1.0)
    now = FenceSample(AT, 1, AT, 9, sessions=(inside,), writers=(), prepared=(), counters={})
    against, _ = fence_sql.named(now, now)
    assert against == [str(inside)]
