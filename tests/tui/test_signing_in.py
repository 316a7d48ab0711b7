"""The dialog for a code of a second factor: asked from any thread, and never shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.tui.conftest import sees, shown
from tui.app import BlueprimeApp, RunSource
from tui.screens.mfa import MfaDialog

DEVICE = "arn:aws:iam::471147110815:mfa/night"


def _app(home: Path) -> BlueprimeApp:
    async def never(*_: object) -> None:
        raise AssertionError("no run is opened here")

    return BlueprimeApp(RunSource(list, never, never, lambda _: False), home=home)  # type: ignore[arg-type]


async def test_a_code_is_carried_to_the_thread_that_asks(tmp_path: Path) -> None:
    app = _app(tmp_path)
    async with app.run_test() as pilot:
        asked = asyncio.create_task(asyncio.to_thread(app.ask_code, DEVICE, ""))
        await sees(pilot, "Sign in to AWS", DEVICE)
        # Five digits are no code: the dialog stays.
        await pilot.press(*"a65432", "enter")
        assert isinstance(app.screen, MfaDialog)
        await pilot.press("1")
        assert "654321" not in shown(app)
        await pilot.press("enter")
        assert await asked == "654321"


async def test_a_dialog_that_is_closed_gives_none_and_says_what_went_wrong(tmp_path: Path) -> None:
    app = _app(tmp_path)
    async with app.run_test() as pilot:
        asked = asyncio.create_task(asyncio.to_thread(app.ask_code, DEVICE, "It was wrong."))
        await sees(pilot, "It was wrong.")
        await pilot.press("escape")
        assert await asked is None


async def test_leaving_lets_go_whoever_waits_for_a_code(tmp_path: Path) -> None:
    app = _app(tmp_path)
    async with app.run_test() as pilot:
        asked = asyncio.create_task(asyncio.to_thread(app.ask_code, DEVICE, ""))
        await sees(pilot, "Sign in to AWS")
        app.leave()
        assert await asked is None
    assert await asyncio.to_thread(app.ask_code, DEVICE, "") is None
