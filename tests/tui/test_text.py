"""Figures and fitting: digits are never cut, cells are counted as terminals count them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.base.alert import Alert, Cause
from runbook.protection.dashboard import Dashboard, Production, Protection, Serving, Stage
from state.records import Sample
from tests.tui.fake import NOW
from tui import text
from tui.widgets import header
from tui.widgets.lag import sparkline


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0s"), (0.44, "0.4s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"),
        (59.6, "1m00s"), (662, "11m02s"), (3599.6, "1h00m"), (90061, "1d01h"), (None, ""),
    ],
)  # fmt: skip
def test_duration(seconds: float | None, words: str) -> None:
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7.43, "00:00:07.4"), (0, "00:00:00.0"), (3661.99, "01:01:01.9"), (360000, "100:00:00.0")],
)
def test_clock(seconds: float, words: str) -> None:
    assert text.clock(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "?"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 kB"), (1_258_291, "1.2 MB"),
        (1024**2 - 1, "1.0 MB"), (500 * 1024**3, "500 GB"), (2**80, "1073741824 PB"),
    ],
)  # fmt: skip
def test_volume(count: int | None, words: str) -> None:
    assert text.volume(count) == words


@given(st.text(max_size=60), st.integers(1, 40))
def test_fit_takes_exactly_its_cells(words: str, cells: int) -> None:
    assert text.width(text.fit(text.clean(words), cells)) == cells


@given(st.text(max_size=200), st.integers(4, 40))
def test_wrap_keeps_every_word_and_its_width(words: str, cells: int) -> None:
    cleaned = text.clean(words)
    rows = text.wrap(cleaned, cells)
    assert all(text.width(row) <= cells for row in rows)
    assert "".join("".join(rows).split()) == "".join(cleaned.split())


def test_a_figure_outgrows_its_column_rather_than_lose_a_digit() -> None:
    assert text.right("123456", 4) == "123456"


def test_a_sparkline_shows_gaps_for_what_was_not_known() -> None:
    values = (1.0, 8.0, None, None, 4.0)
    samples = [
        Sample(NOW - timedelta(seconds=300 - 60 * index - 30), "lag_bytes", "orders", value)
        for index, value in enumerate(values)
    ]
    assert sparkline(samples, 5, NOW) == "▂█··▅"
    assert sparkline([], 5, NOW) == "·····"
    assert sparkline(samples[:1], 5, NOW) == "█····", "silence is not the last value for ever"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "never"), (0.4, "just now"), (1.9, "1s ago"), (94, "94s ago"), (119.9, "119s ago"),
        (120, "2m ago"), (7200, "2h ago"), (200_000, "2d ago"),
    ],
)  # fmt: skip
def test_ago(seconds: float | None, words: str) -> None:
    assert text.ago(seconds) == words


@pytest.mark.parametrize(
    ("stage", "word", "red"),
    [
        (Stage.BEFORE, "NOT PROTECTED YET", False),
        (Stage.MAKING, "NOT PROTECTED YET", False),
        (Stage.HELD, "NOT PROTECTED", True),
    ],
)
def test_where_nothing_could_be_protected_yet_nothing_is_red(
    stage: Stage, word: str, red: bool
) -> None:
    now = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    said = header.verdict(Protection(False, "why", at=now, stage=stage), now, 10.0)
    assert (said.word, said.why, "error" in said.style) == (word, "why", red)


def test_a_cluster_that_was_given_up_and_is_back_is_above_the_protection() -> None:
    now = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    back = Alert(Cause.RETURNED, "", "given up", "orders-new is back, and open", True, now)
    said = header.before_all(Dashboard(alarms=(back,)), now, 10.0)
    assert said is not None
    assert (said.word, said.why) == ("TWO CLUSTERS TAKE WRITES", "orders-new is back, and open")
    assert header.before_all(Dashboard(alarms=(back,)), now + timedelta(seconds=11), 10.0) is None
    other = replace(back, cause=Cause.WORKER)
    assert header.before_all(Dashboard(alarms=(other,)), now, 10.0) is None


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (Serving.DOWN, "PRODUCTION DOWN"),
        (Serving.SILENT, "PRODUCTION DOES NOT ANSWER"),
        (Serving.CUT, "PRODUCTION NOT SEEN FROM HERE"),
    ],
)
def test_that_production_does_not_answer_comes_before_everything_else(
    state: Serving, word: str
) -> None:
    now = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    down = Production(state, "orders is down", "new blue", "orders", now, now)
    well = Protection(True, "well", at=now)
    said = header.before_all(Dashboard(production=down, protection=well), now, 10.0)
    assert said is not None
    assert (said.word, "since 03:00:00 UTC" in said.why) == (word, True)
    late = now + timedelta(seconds=11)
    assert header.before_all(Dashboard(production=down), late, 10.0) is None
    assert (
        header.before_all(Dashboard(production=replace(down, state=Serving.ANSWERS)), now, 10.0)
        is None
    )
    assert header.before_all(Dashboard(production=down, left_behind="another"), now, 10.0) is None
