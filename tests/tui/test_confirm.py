"""What is typed in one burst into a dialog arrives as it was typed."""

from __future__ import annotations

import pytest
from textual import events
from textual.app import App
from textual.widgets import Button, Input

from tui.screens.confirm import ConfirmDialog, Question

ASKED = Question("Branch", "Go back?", (), "Yes", reason=True, must_type="", grave=False)


@pytest.fixture
def dialog() -> ConfirmDialog:
    return ConfirmDialog(ASKED)


async def test_a_burst_keeps_its_spaces(dialog: ConfirmDialog) -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        app.push_screen(dialog)
        await pilot.pause()
        dialog.query_one("#yes", Button).focus()
        await pilot.pause()
        for letter in "slow since 23:20":
            # All of them come before the field has the focus.
            dialog.on_key(events.Key("space" if letter == " " else letter, letter))
        await pilot.pause()
        assert dialog.query_one("#reason", Input).value == "slow since 23:20"


async def test_a_space_alone_is_no_text(dialog: ConfirmDialog) -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        app.push_screen(dialog)
        await pilot.pause()
        dialog.query_one("#yes", Button).focus()
        await pilot.pause()
        dialog.on_key(events.Key("space", " "))
        assert dialog.query_one("#reason", Input).value == ""
