"""Pictures of settled screens, at both sizes. Look at each before updating it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from textual import _doc
from textual.pilot import Pilot

from tests.tui import scenes, trouble
from tests.tui.conftest import Before, enter_run, sees, still, until
from tests.tui.fake import FakeRun
from tests.tui.test_repairs import BY_HAND, GIVE_UP, RECOPY, offering
from tui.screens.resume import ResumeScreen

SIZES = [(80, 24), (160, 48)]
Compare = Callable[..., bool]

on_both_sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])


def going(*keys: str, until: tuple[str, ...] = ()) -> Before:
    """Return what enters the run, presses keys, and waits until words are seen."""

    async def before(pilot: Pilot[None]) -> None:
        await enter_run(pilot)
        await pilot.press(*keys)
        await sees(pilot, *until)
        await still(pilot)

    return before


def seeing(*words: str) -> Before:
    """Return what waits until words are seen, and the ways that stand beneath them are known."""

    async def before(pilot: Pilot[None]) -> None:
        await sees(pilot, *words)
        screen = pilot.app.screen
        if isinstance(screen, ResumeScreen):
            await until(pilot, lambda: screen._ways is not None)
        await still(pilot)

    return before


_RECT = re.compile(r'<rect fill="([^"]+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" ([^>]*)/>')


def joined(svg: str) -> str:
    """Return a picture whose backgrounds do not tell in how many pieces they were drawn."""
    found: list[list[str]] = []

    def take(match: re.Match[str]) -> str:
        fill, x, y, width, rest = match.groups()
        last = found[-1] if found else None
        ends = float(last[1]) + float(last[3]) if last else -1.0
        if last and [fill, y, rest] == [last[0], last[2], last[4]] and abs(ends - float(x)) < 0.05:
            last[3] = f"{float(last[3]) + float(width):.1f}"
            return ""
        found.append([fill, x, y, f"{float(width):.1f}", rest])
        return f"<rect {len(found) - 1}/>"

    def whole(match: re.Match[str]) -> str:
        fill, x, y, width, rest = found[int(match.group(1))]
        return f'<rect fill="{fill}" x="{x}" y="{y}" width="{width}" {rest}/>'

    return re.sub(r"<rect (\d+)/>", whole, _RECT.sub(take, svg))


@pytest.fixture(autouse=True)
def _in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare what is seen: a line may be drawn in pieces, by how fast the machine is."""
    real = _doc.take_svg_screenshot
    monkeypatch.setattr(_doc, "take_svg_screenshot", lambda *a, **k: joined(real(*a, **k)))


@on_both_sizes
def test_runs(snap_compare: Compare, size: tuple[int, int]) -> None:
    before = seeing("k2f9qa", "holds slots")
    assert snap_compare(scenes.app(), terminal_size=size, run_before=before)


@on_both_sizes
def test_no_runs(snap_compare: Compare, size: tuple[int, int]) -> None:
    before = seeing("No run was started")
    assert snap_compare(scenes.app(runs=[]), terminal_size=size, run_before=before)


@on_both_sizes
@pytest.mark.parametrize(
    "scene",
    [
        scenes.before_switchover,
        scenes.during_downtime,
        scenes.protected,
        scenes.failed,
        scenes.unknown,
        scenes.rolled_onto,
        scenes.hostile,
    ],
)
def test_run(snap_compare: Compare, size: tuple[int, int], scene: Callable[[], FakeRun]) -> None:
    app = scenes.app(scene(), at="k2f9qa")
    assert snap_compare(app, terminal_size=size, run_before=going())


@pytest.mark.parametrize("pane", ["2", "3", "4", "5"])
def test_panes(snap_compare: Compare, pane: str) -> None:
    app = scenes.app(scenes.failed(), at="k2f9qa")
    assert snap_compare(app, terminal_size=SIZES[0], run_before=going(pane))


@on_both_sizes
def test_gate(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = scenes.app(scenes.before_switchover(), at="k2f9qa")
    before = going("enter", until=("type orders here",))
    assert snap_compare(app, terminal_size=size, run_before=before)


@on_both_sizes
def test_branch(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = scenes.app(scenes.failed(), at="k2f9qa")
    before = going("b", until=("the way back", "NOT PROTECTED"))
    assert snap_compare(app, terminal_size=size, run_before=before)


@on_both_sizes
def test_resume(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = scenes.app(scenes.unknown(), at="k2f9qa")
    before = seeing("1 effect is of unknown outcome", "PROTECTION UNKNOWN:", "abort")
    assert snap_compare(app, terminal_size=size, run_before=before)


@on_both_sizes
@pytest.mark.parametrize(
    "scene",
    [
        trouble.switchover_returned,
        trouble.credentials_expired,
        trouble.everything_lost,
        trouble.unprotected,
        trouble.warned,
        trouble.watched,
        trouble.journal_failing,
    ],
)
def test_trouble(
    snap_compare: Compare, size: tuple[int, int], scene: Callable[[], FakeRun]
) -> None:
    app = scenes.app(scene(), at="k2f9qa")
    assert snap_compare(app, terminal_size=size, run_before=going())


def test_warnings_at_80x24(snap_compare: Compare) -> None:
    app = scenes.app(trouble.warned(), at="k2f9qa")
    assert snap_compare(app, terminal_size=(80, 24), run_before=going("4"))


@on_both_sizes
def test_resume_inside_the_fence(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = scenes.app(trouble.inside_the_fence(), at="k2f9qa")
    before = seeing("2 effects are of unknown outcome", "loses nothing", "APPLICATIONS DOWN")
    assert snap_compare(app, terminal_size=size, run_before=before)


@on_both_sizes
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = scenes.app(scenes.protected(), at="k2f9qa")
    before = going("question_mark", until=("Run the step that is ready",))
    assert snap_compare(app, terminal_size=size, run_before=before)


def test_log(snap_compare: Compare) -> None:
    app = scenes.app(scenes.before_switchover(), at="k2f9qa")
    before = going("l", until=("4 events", "NOT PROTECTED"))
    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


def test_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = scenes.app(scenes.failed(), at="k2f9qa")
    assert snap_compare(app, terminal_size=SIZES[1], run_before=going())


def test_too_small(snap_compare: Compare) -> None:
    before = seeing("This terminal has 60×20 cells.", "80×24")
    app: Any = scenes.app(scenes.protected(), at="k2f9qa")
    assert snap_compare(app, terminal_size=(60, 20), run_before=before)


@on_both_sizes
def test_repairs(snap_compare: Compare, size: tuple[int, int]) -> None:
    model = offering(RECOPY, GIVE_UP, BY_HAND)
    app = scenes.app(model, at="k2f9qa")
    before = going("m", until=("Give up public.items",))
    assert snap_compare(app, terminal_size=size, run_before=before)
