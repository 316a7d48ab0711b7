"""A terminal that is too small shows nothing and hears nothing, and what asks waits beneath."""

from __future__ import annotations

import asyncio

import pytest
from textual.pilot import Pilot

from runbook.run.branches import Branch
from tests.tui import scenes, trouble
from tests.tui.conftest import enter_run, sees, until
from tests.tui.fake import FakeRun
from tui.app import BlueprimeApp
from tui.screens.branch import BranchScreen
from tui.screens.confirm import ConfirmDialog, LeaveDialog
from tui.screens.notice import Notice
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.screens.small import TooSmall

WIDE, NARROW, SMALL = (160, 48), (80, 24), (79, 24)


def count(pilot: Pilot[None], kind: type) -> int:
    """Return how many screens of a kind stand on one another."""
    return sum(isinstance(screen, kind) for screen in pilot.app.screen_stack)


async def shrunk(pilot: Pilot[None], *sizes: tuple[int, int]) -> None:
    for size in sizes or (SMALL,):
        await pilot.resize_terminal(*size)
        await until(pilot, lambda: isinstance(pilot.app.screen, TooSmall), "covered")
        assert count(pilot, TooSmall) == 1


async def asked(pilot: Pilot[None]) -> None:
    await enter_run(pilot)
    await pilot.press("enter")
    await sees(pilot, "type orders here")


async def test_a_dialog_is_there_again_once_there_is_room_with_what_was_typed() -> None:
    model = scenes.before_switchover()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await asked(pilot)
        await pilot.press(*"ord")
        await shrunk(pilot, SMALL, (40, 10), (200, 23))
        await pilot.press("escape", "enter", *"ers", "tab", "enter", "space")
        assert not model.answers, "no key reaches what is not seen"
        await pilot.resize_terminal(*NARROW)
        await sees(pilot, "type orders here")
        await pilot.press(*"ers", "enter", "enter")
        await until(pilot, lambda: model.answers == ["orders"])


async def test_what_asks_while_it_is_covered_waits_beneath_and_is_asked_then() -> None:
    model = scenes.before_switchover()
    go = asyncio.Event()
    advance = model.advance

    async def later(step: str, decide: object) -> object:
        await go.wait()
        return await advance(step, decide)  # type: ignore[arg-type]

    model.advance = later  # type: ignore[method-assign, assignment]
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await shrunk(pilot)
        app.engine.post(go.set)
        await until(pilot, lambda: count(pilot, ConfirmDialog) == 1, "asked beneath")
        assert isinstance(app.screen, TooSmall)
        await pilot.press("tab", "enter", "escape")
        assert not model.answers
        await pilot.resize_terminal(*WIDE)
        await sees(pilot, "type orders here")
        await pilot.press("escape")
        await until(pilot, lambda: model.answers == [None])
        assert isinstance(app.screen, RunScreen)


async def test_what_ends_while_it_is_covered_is_gone_once_there_is_room() -> None:
    model = scenes.failed()
    go = asyncio.Event()
    at_once = model.branch

    async def slowly(branch: Branch, reason: str) -> None:
        await go.wait()
        await at_once(branch, reason)

    model.branch = slowly  # type: ignore[method-assign]
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "available · the way")
        await pilot.press("enter")
        await sees(pilot, "Put the run of orders")
        await pilot.click("#yes")
        await until(pilot, lambda: isinstance(app.screen, BranchScreen))
        await shrunk(pilot)
        app.engine.post(go.set)
        await until(pilot, lambda: model.called("branch"))
        await pilot.pause(0.1)
        assert isinstance(app.screen, TooSmall)
        await pilot.resize_terminal(*WIDE)
        await until(pilot, lambda: isinstance(app.screen, RunScreen), "the run's screen")
        await sees(pilot, "enter: run clone")


async def test_a_screen_closes_itself_and_not_the_question_above_it() -> None:
    model = trouble.inside_the_fence()
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, BranchScreen))
        ways = app.screen
        await pilot.press("ctrl+q")
        await sees(pilot, "Leave the run now?")
        ways.dismiss(None)
        await pilot.pause()
        assert isinstance(app.screen, LeaveDialog)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen), "the run's screen")


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+z"])
async def test_what_is_asked_or_said_already_stands_there_once(key: str) -> None:
    app = scenes.app(trouble.inside_the_fence(), at="k2f9qa")
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press(key)
        kind = LeaveDialog if key == "ctrl+q" else Notice
        await until(pilot, lambda: count(pilot, kind) == 1)
        await pilot.press(key)
        await pilot.press(key)
        await shrunk(pilot)
        await pilot.press(key)
        await pilot.resize_terminal(*NARROW)
        await until(pilot, lambda: isinstance(app.screen, kind))
        assert count(pilot, kind) == 1
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen), "the run's screen")


async def test_a_second_ctrl_q_leaves_the_first_question_to_be_answered() -> None:
    app = scenes.app(trouble.inside_the_fence(), at="k2f9qa")
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("ctrl+q")
        await sees(pilot, "Leave the run now?")
        await pilot.press("ctrl+q")
        await sees(pilot, "leaving is asked already")
        await pilot.click("#yes")
        await until(pilot, lambda: app.return_code is not None, "left")


@pytest.mark.parametrize("way_out", ["q", "ctrl+q"])
async def test_leaving_that_asks_first_is_not_asked_where_nobody_can_read_it(way_out: str) -> None:
    app = scenes.app(trouble.inside_the_fence(), at="k2f9qa")
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await shrunk(pilot, (60, 15))
        await pilot.press(way_out)
        await sees(pilot, "leaving asks first")
        await pilot.press("tab", "enter")
        assert app.return_code is None
        assert not count(pilot, LeaveDialog)


async def test_leaving_that_asks_nothing_goes_on_a_small_terminal_too() -> None:
    app = scenes.app(scenes.protected(), at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await shrunk(pilot)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None, "left")


async def test_no_palette_opens_where_it_cannot_be_seen() -> None:
    app = scenes.app(scenes.protected(), at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await shrunk(pilot)
        await pilot.press("ctrl+p")
        await pilot.pause()
        assert isinstance(app.screen, TooSmall)


async def test_a_run_that_is_left_on_a_small_terminal_leaves_the_list_covered() -> None:
    model: FakeRun = scenes.protected()
    app: BlueprimeApp = scenes.app(model)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.runs)
        await pilot.press("enter")
        await enter_run(pilot)
        await shrunk(pilot)
        app.leave_run(model)  # type: ignore[arg-type]
        await until(pilot, lambda: model.closed and len(app.screen_stack) == 3, "left")
        assert isinstance(app.screen, TooSmall)
        await pilot.resize_terminal(*WIDE)
        await until(pilot, lambda: isinstance(app.screen, RunsScreen), "the list")
