"""The registry of keys: every key acts, few are in the footer, and no Ctrl chord is needed."""

from __future__ import annotations

import pytest

from tests.tui import scenes
from tests.tui.conftest import enter_run, sees
from tui import keys
from tui.screens.branch import BranchScreen
from tui.screens.help import PLACES, HelpScreen
from tui.screens.log import LogScreen
from tui.screens.repairs import RepairsScreen
from tui.screens.resume import ResumeScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen

SCREENS = {
    screen.PLACE: screen
    for screen in (
        RunScreen,
        RunsScreen,
        ResumeScreen,
        BranchScreen,
        RepairsScreen,
        LogScreen,
        HelpScreen,
    )
}


@pytest.mark.parametrize("key", keys.KEYS, ids=lambda key: key.id)
def test_every_key_has_an_action_a_sentence_and_no_ctrl(key: keys.Key) -> None:
    action = key.action.partition("(")[0]
    assert hasattr(SCREENS[key.place], f"action_{action}")
    assert key.says.endswith(".")
    assert "ctrl" not in key.keys


@pytest.mark.parametrize("place", sorted(SCREENS))
def test_a_footer_has_at_most_seven_keys_and_fits_eighty_columns(place: str) -> None:
    shown = [key for key in keys.at(place) if key.footer]
    assert 1 <= len(shown) <= 7
    assert sum(len(f" {key.shown} {key.label} ") for key in shown) <= 80


@pytest.mark.parametrize("place", sorted(SCREENS))
def test_no_key_means_two_things_at_one_place(place: str) -> None:
    pressed = [name for key in keys.at(place) for name in key.keys.split(",")]
    assert len(pressed) == len(set(pressed))
    assert len({key.id for key in keys.at(place)}) == len(keys.at(place))


async def test_the_help_holds_every_key_of_every_place() -> None:
    app = scenes.app(scenes.protected(), at="k2f9qa")
    async with app.run_test(size=(160, 48)) as pilot:
        await enter_run(pilot)
        await pilot.press("f1")
        await sees(pilot, "Run the step that is ready")
        body = str(pilot.app.screen.query_one("#words .body").visual)  # type: ignore[attr-defined]
        for key in keys.KEYS:
            if key.place in PLACES:
                assert " ".join(key.says.split()) in " ".join(body.split())


async def test_the_palette_offers_the_same_keys() -> None:
    app = scenes.app(scenes.protected(), at="k2f9qa")
    async with app.run_test(size=(160, 48)) as pilot:
        screen = await enter_run(pilot)
        offered = {command.title for command in app.get_system_commands(screen)}  # type: ignore[arg-type]
        for key in keys.at("run"):
            assert (f"{key.label.capitalize()} ({key.shown})" in offered) is key.palette


async def test_a_command_of_the_palette_acts_as_its_key_does() -> None:
    model = scenes.protected()
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=(160, 48)) as pilot:
        await enter_run(pilot)
        await pilot.press("ctrl+p")
        await pilot.press(*"log", "enter")
        await sees(pilot, "3 events")
