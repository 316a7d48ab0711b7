"""The ways off a track: which exist, what each one costs, and one more question."""

from __future__ import annotations

from dataclasses import replace

from runbook.protection.dashboard import Protection
from tests.tui import scenes
from tests.tui.conftest import dim, enter_run, sees, shown, until
from tests.tui.fake import NOW
from tui.model import Branch
from tui.screens.branch import BranchScreen, WaysPane
from tui.screens.confirm import ConfirmDialog
from tui.screens.run import RunScreen

WIDE, NARROW = (160, 48), (80, 24)


async def test_the_recommended_way_comes_first_with_its_price() -> None:
    async with scenes.app(scenes.failed(), at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        text = await sees(pilot, "available · the way", "why not")
        first = next(line for line in text.splitlines() if "›" in line)
        assert "Finish protecting, then roll back to blue prime" in first
        assert "✓ available" in first
        assert "loses   nothing: the slots keep every write" in text
        assert "after the switchover there is nothing to abort" in text


async def test_branching_asks_once_more_and_keeps_the_reason() -> None:
    model = scenes.failed()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "available · the way")
        await pilot.press("enter")
        await sees(pilot, "Put the run of orders onto the track rollback")
        focused = pilot.app.focused
        assert focused is not None
        assert focused.id == "cancel"
        await pilot.click("#reason")
        await pilot.press(*"slow queries")
        await pilot.click("#yes")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert model.called("branch") == [
            ("branch", "rollback", "protect-then-blue-prime", "slow queries")
        ]
        await sees(pilot, "enter: run clone", "Rollback ▸ protect-then-blue-prime")


async def test_letters_go_to_the_reason_and_enter_there_leads_to_the_yes() -> None:
    model = scenes.failed()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "available · the way")
        await pilot.press("enter")
        await sees(pilot, "Put the run of orders onto the track rollback")
        await pilot.press(*"slow", "enter", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert [call[-1] for call in model.called("branch")] == ["slow"]


async def test_a_way_that_is_not_there_cannot_be_chosen_and_says_why() -> None:
    model = scenes.failed()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "available · the way")
        await pilot.press("j", "j")
        await until(pilot, lambda: dim(pilot, "choose"))
        await pilot.press("enter")
        await sees(pilot, "enter choose: after the switchover")
        assert not model.called("branch")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, RunScreen)


async def test_ending_the_way_back_asks_for_the_clusters_name() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "Commit: end the way back")
        await pilot.press("down", "enter")
        await sees(pilot, "What it loses: the way back itself", "type orders here")
        assert pilot.app.screen.query_one("#yes").disabled
        await pilot.press("escape")
        assert not model.called("branch")


async def test_a_refused_branch_is_told_and_the_screen_stays() -> None:
    model = scenes.failed()

    async def branch(branch: object, reason: str) -> None:
        raise RuntimeError("clone is running")

    model.branch = branch  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "available · the way")
        await pilot.press("enter")
        await sees(pilot, "Put the run of orders")
        await pilot.click("#yes")
        await sees(pilot, "Not branched", "clone is running")
        assert isinstance(pilot.app.screen, BranchScreen)


async def test_the_protection_stays_in_sight() -> None:
    async with scenes.app(scenes.failed(), at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(
            pilot, "available · the way", "NOT PROTECTED: capture held", "downtime 00:00:28.4"
        )
        assert "REHEARSAL" in shown(pilot.app)


async def test_arrows_select_where_there_is_more_than_can_be_shown() -> None:
    model = scenes.protected()
    ways = [*await model.ways()] * 5

    async def many() -> list[Branch]:
        return ways

    model.ways = many  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        pane = pilot.app.screen.query_one(WaysPane)
        await until(pilot, lambda: pane.max_scroll_y > 0)
        for number in range(1, len(ways)):
            await pilot.press("down")
            assert pane.selected == number
            top = pane._tops[number]
            assert pane.scroll_offset.y <= top < pane.scroll_offset.y + pane.size.height
        await pilot.resize_terminal(*WIDE)
        await until(
            pilot,
            lambda: (
                pane.scroll_offset.y
                <= pane._tops[pane.selected]
                < pane.scroll_offset.y + pane.size.height
            ),
        )


async def test_a_dialog_that_is_answered_before_it_is_drawn_says_no_more() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "Commit: end the way back")
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        dialog = pilot.app.screen
        assert isinstance(dialog, ConfirmDialog)
        await dialog.query("#dialog").remove()
        dialog._hint()


async def test_the_ways_are_looked_at_again_when_the_banner_turns() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "Commit: end the way back", "PROTECTED: a rollback")
        await pilot.press("down")
        pane = pilot.app.screen.query_one(WaysPane)
        chosen = pane.chosen()
        assert chosen is not None
        model.offered = [
            replace(branch, available=False, recommended=False, why_not="a slot is gone")
            if branch.recommended
            else branch
            for branch in reversed(model.offered)
        ]
        gone = Protection(False, "a slot is gone", at=NOW)
        model.figures = replace(model.figures, protection=gone)
        await sees(pilot, "NOT PROTECTED: a slot is gone", "why not a slot is gone")
        again = pane.chosen()
        assert again is not None
        assert again.title == chosen.title, "what is marked stays marked"
