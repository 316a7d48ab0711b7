"""Every figure says what it is of, and nothing is shown of another time, step or track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from textual import events
from textual.geometry import Size

from runbook.base.offer import Preview
from runbook.protection.dashboard import Trend
from runbook.run.branches import Branch
from runbook.watch.probes import trend
from state.enums import Status
from state.records import Evidence, Sample
from tests.tui import scenes
from tests.tui.conftest import enter_run, sees, shown, until
from tests.tui.fake import NOW, FakeRun, ago
from tui import glyphs
from tui.screens.resume import ResumeScreen
from tui.screens.run import RunScreen
from tui.widgets.checklist import ChecklistPane
from tui.widgets.journal import BELOW, JournalPane
from tui.widgets.lag import sparkline

WIDE, NARROW = (160, 48), (80, 24)
LOW, HIGH = glyphs.BARS[0], glyphs.BARS[-1]


def measured(values: Sequence[float | None], every_s: float = 1.0) -> list[Sample]:
    """Return values that were measured one after another, the last one just now."""
    count = len(values)
    return [
        Sample(NOW - timedelta(seconds=every_s * (count - 1 - place)), "x", "", value)
        for place, value in enumerate(values)
    ]


@pytest.mark.parametrize("cells", [5, 16, 40])
def test_an_outage_shorter_than_a_bar_leaves_a_dip(cells: int) -> None:
    values = [200.0] * 300
    values[150:153] = [0.0] * 3
    drawn = sparkline(measured(values), cells, NOW + timedelta(seconds=0.5))
    assert drawn.count(LOW) in (1, 2)
    assert set(drawn) == {LOW, HIGH}


@pytest.mark.parametrize("cells", [5, 16])
def test_a_lag_that_has_drained_is_drawn_as_drained_at_once(cells: int) -> None:
    values = [0.0] * 270 + [5e6] * 28 + [0.0]
    assert sparkline(measured(values), cells, NOW + timedelta(seconds=0.5))[-1] == LOW


def test_what_is_unknown_now_is_no_bar() -> None:
    drawn = sparkline(measured([9.0] * 20 + [None]), 16, NOW + timedelta(seconds=0.5))
    assert drawn[-1] == glyphs.GAP


def grown(values: Sequence[int], *, over_s: float) -> Trend:
    line = trend.Line()
    for place, value in enumerate(values):
        line.observe(float(place), value)
    return trend.of_lag(values[-1], line.rate(), grows=line.grows(over_s))[0]


def test_a_small_lag_that_only_grows_is_not_called_steady() -> None:
    assert grown([68_000 + 40_000 * n for n in range(20)], over_s=12) is Trend.FALLING_BEHIND
    assert grown([68_000 + 40_000 * n for n in range(6)], over_s=4) is Trend.FALLING_BEHIND


def test_a_small_lag_that_comes_and_goes_is_steady() -> None:
    assert grown([100 * (n % 10) for n in range(30)], over_s=12) is Trend.STEADY
    assert grown([4096] * 30, over_s=12) is Trend.STEADY
    assert grown([100 * n for n in range(8)], over_s=12) is Trend.STEADY, "not for long enough"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_bars_have_a_scale_and_a_span(size: tuple[int, int]) -> None:
    async with scenes.app(scenes.protected(), at="k2f9qa").run_test(size=size) as pilot:
        await enter_run(pilot)
        await pilot.press("4")
        await sees(pilot, "bars: 5 min, top 230 rows/s", "top 12 B")


def told(count: int) -> FakeRun:
    model = scenes.protected()
    model.history = scenes.events(*(("note", f"line {n}") for n in range(1, count + 1)))
    return model


@pytest.mark.parametrize(
    ("before", "after"), [((100, 30), (200, 60)), (NARROW, WIDE), (WIDE, NARROW), (WIDE, (120, 30))]
)
@pytest.mark.parametrize("shown_first", [True, False])
async def test_the_tail_goes_on_after_a_resize(
    before: tuple[int, int], after: tuple[int, int], shown_first: bool
) -> None:
    model = told(150)
    async with scenes.app(model, at="k2f9qa").run_test(size=before) as pilot:
        await enter_run(pilot)
        if shown_first:
            await pilot.press("5")
            await sees(pilot, "line 150")
        await pilot.resize_terminal(*after)
        await pilot.press("5")
        await sees(pilot, "line 150")
        model.touch("line 151")
        await sees(pilot, "line 151")
        assert BELOW not in shown(pilot.app)


async def test_whoever_reads_further_up_is_left_there_and_told_of_newer_lines() -> None:
    model = told(150)
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("5")
        await sees(pilot, "line 150")
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: "line 150" not in shown(pilot.app))
        model.touch("line 151")
        await sees(pilot, BELOW)
        assert "line 151" not in shown(pilot.app)
        await pilot.press("end")
        await sees(pilot, "line 151")
        await until(pilot, lambda: BELOW not in shown(pilot.app))


async def test_scrolling_where_all_is_in_sight_stops_nothing() -> None:
    model = told(2)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        pilot.app.screen.query_one(JournalPane).focus()
        await pilot.press("up", "pageup")
        for n in range(3, 40):
            model.touch(f"line {n}")
        await sees(pilot, "line 39")


async def test_a_step_shows_what_was_seen_on_its_own_track_alone() -> None:
    model = scenes.rolled_onto()
    model.before = [
        (model.before[0][0], [*model.before[0][1]], {**model.before[0][2]}),
    ]
    asked: list[tuple[str, int | None]] = []
    seen = {1: "blue answers at 10.0.0.1", 2: "blue prime answers at 10.0.0.2"}

    def evidences(step: str, entry: int | None = None) -> list[Evidence]:
        asked.append((step, entry))
        words = seen.get(entry or 0, "whose is this")
        return [Evidence(1, "k2f9qa", 1, step, "", words, None, ago(9))]

    model.evidences = evidences  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        screen = await enter_run(pilot)
        await sees(pilot, seen[2])
        screen.query_one(ChecklistPane).select((1, "stop-traffic"))
        await sees(pilot, seen[1])
        assert seen[2] not in shown(pilot.app)
        assert all(entry is not None for _, entry in asked)


async def test_a_bake_that_has_begun_is_not_called_done() -> None:
    model = scenes.protected()
    model.scripts = [*model.scripts[:-1], replace(model.scripts[-1], lasts=True)]
    model.tried["bake"] = scenes.Tried(Status.SUCCEEDED, 0.0, started=ago(725))
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        row = next(row for row in shown(pilot.app).splitlines() if "✓ bake" in row)
        assert "goes on" in row
        assert "12m" in row
        assert "succeeded" not in row.split("│")[1]


async def test_a_decision_that_stands_is_not_said_to_be_asked() -> None:
    model = scenes.before_switchover()

    async def preview(step: str) -> Preview:
        return Preview(step, (), (), "", (), ("pivot: by ann at 12:01:00 UTC",))

    model.preview = preview  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        text = await sees(pilot, "Asked already", "pivot: by ann at 12:01:00 UTC")
        assert "Asks first" not in text


async def test_a_step_that_was_cut_off_is_not_shown_beside_all_is_known() -> None:
    model = scenes.unknown()
    model.tried["switchover"] = replace(model.tried["switchover"], outcomes=())
    model.pending = []
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await sees(pilot, "No effect is unknown, but switchover was cut off")
        assert "✓ No effect" not in shown(pilot.app)


class Late(FakeRun):
    """A run whose ways are answered late."""

    async def ways(self) -> list[Branch]:
        self.calls.append(("ways",))
        await self._go.wait()
        return await super().ways()


async def test_ways_that_come_after_the_resume_screen_is_gone_draw_nothing() -> None:
    model = scenes.protected()
    model.__class__ = Late
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "No effect is unknown")
        screen = app.screen
        assert isinstance(screen, ResumeScreen)
        assert screen.picture is not None
        await until(pilot, lambda: model.called("ways"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and not screen.is_running)
        # What a worker does that its screen outlived no more.
        screen._stand(screen.picture)
        model._go.set()
        await sees(pilot, "enter: run bake")
    assert app.return_code in (None, 0)


@pytest.mark.parametrize("kind", [JournalPane, ChecklistPane])
async def test_a_pane_is_drawn_once_for_a_new_size(
    kind: type[JournalPane | ChecklistPane], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scenes.app(scenes.protected(), at="k2f9qa").run_test(size=WIDE) as pilot:
        screen = await enter_run(pilot)
        pane = screen.query_one(kind)
        drawn: list[int] = []
        monkeypatch.setattr(pane, "redraw", lambda: drawn.append(1))
        await pane._on_message(events.Resize(Size(90, 20), Size(90, 20)))
        assert drawn == [1]
