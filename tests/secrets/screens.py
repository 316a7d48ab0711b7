"""All that the app's screens show of a run, as text."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from tests.tui.conftest import dim, enter_run, sees, settled, shown, until
from tui.app import BlueprimeApp, RunSource
from tui.cli.open import Workspace
from tui.cli.workspace import list_runs
from tui.screens.branch import BranchScreen
from tui.screens.confirm import ConfirmDialog
from tui.screens.help import HelpScreen
from tui.screens.log import LogScreen
from tui.screens.run import RunScreen

SMALL = (80, 24)
LARGE = (160, 48)


async def screens(home: Path, run: str, size: tuple[int, int]) -> list[str]:
    """Look at every screen there is, performing nothing."""
    workspace = Workspace()
    app = BlueprimeApp(RunSource(list_runs, workspace.open_run, workspace.start_run), home=home)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            return await _look_around(pilot, run)
    finally:
        workspace.close()


async def _look_around(pilot: Pilot[None], run: str) -> list[str]:
    texts = [await sees(pilot, run)]
    await pilot.press("enter")
    texts.append(await sees(pilot, "Where this run stands"))
    await until(pilot, lambda: not dim(pilot, "proceed"), "probes answered")
    texts.append(shown(pilot.app))
    screen = await enter_run(pilot)
    for pane in "12345":
        await pilot.press(pane)
        await settled(pilot)
        texts.append(shown(pilot.app))
    await pilot.press("2")
    assert screen.picture is not None
    for _ in screen.picture.checklist.current.lines:
        await pilot.press("k")
        await settled(pilot)
        texts.append(shown(pilot.app))
    await pilot.press("c", "l")
    await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen), "the journal")
    texts.append(await sees(pilot, "events"))
    await pilot.press("escape", "question_mark")
    await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen), "the help")
    texts.append(shown(pilot.app))
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
    await pilot.press("ctrl+p")
    texts.append(await sees(pilot, "Search for commands"))
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
    await pilot.press("b")
    await until(pilot, lambda: isinstance(pilot.app.screen, BranchScreen), "the ways")
    texts.append(shown(pilot.app))
    if screen.model.run.open:
        await until(pilot, lambda: not dim(pilot, "choose"), "the ways looked up")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog), "the question")
        texts.append(shown(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BranchScreen), "the ways")
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen), "the run")
    return texts
