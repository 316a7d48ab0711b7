"""The list of runs, and the ways from it into a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runbook.plan.model import PlanError
from state.errors import JournalHeld
from tests.tui import scenes
from tests.tui.conftest import enter_run, sees, until
from tests.tui.fake import FakeRun
from tui.app import BlueprimeApp, RunSource
from tui.screens.runs import RunsScreen
from tui.widgets.checklist import ChecklistPane

WIDE, NARROW = (160, 48), (80, 24)


async def test_runs_are_listed_with_signs_and_words_and_a_warning_for_slots() -> None:
    async with scenes.app().run_test(size=WIDE) as pilot:
        text = await sees(pilot, "k2f9qa", "p8x1tz")
        for words in ("? unknown", "✓ yes", "■ rolled back", "✗ failed", "PRODUCTION"):
            assert words in text
        assert "run k2f9qa is open and holds slots. They keep WAL" in text
        assert "run a7c3me is open" not in text


async def test_enter_opens_w_watches_and_leaving_returns_to_the_list() -> None:
    model = scenes.protected()
    async with scenes.app(model).run_test(size=WIDE, notifications=True) as pilot:
        await sees(pilot, "p8x1tz")
        await pilot.press("down", "enter")
        await enter_run(pilot)
        assert model.called("open") == [("open", "p8x1tz", "False")]
        await pilot.press("q")
        await sees(pilot, "Nothing was undone", "F5 refresh")
        assert model.closed
        assert isinstance(pilot.app.screen, RunsScreen)
        await pilot.press("w")
        await enter_run(pilot)
        assert model.called("open")[-1] == ("open", "p8x1tz", "True")


async def test_an_empty_workspace_says_what_to_type() -> None:
    async with scenes.app(runs=[]).run_test(size=NARROW, notifications=True) as pilot:
        text = await sees(pilot, "No run was started in this workspace yet.")
        assert "blueprime rehearse" in text
        assert "blueprime plan CLUSTER --target-version V" in text
        await pilot.press("w")
        await sees(pilot, "there is no run yet")


async def test_the_cursor_stays_on_its_run_when_others_change() -> None:
    runs = scenes.summaries()
    async with scenes.app(runs=runs).run_test(size=WIDE) as pilot:
        await sees(pilot, "p8x1tz")
        await pilot.press("down", "down")
        runs.insert(0, replace(runs[0], run="n3w000"))
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        await pilot.press("f5")
        await sees(pilot, "n3w000")
        found = screen.selected()
        assert found is not None
        assert found.run == "a7c3me"


async def test_a_bad_plan_is_told_with_file_and_line() -> None:
    app = broken(PlanError(Path("p.toml"), ["p.toml:7: upgrade.target_version: is missing"]))
    async with app.run_test(size=NARROW) as pilot:
        await sees(pilot, "F5 refresh")
        await pilot.press("n")
        await sees(pilot, "The plan file of the run")
        await pilot.press(*"p.toml", "enter")
        await sees(
            pilot, "This plan cannot be used", "p.toml:7: upgrade.target_version: is missing"
        )
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_a_run_is_started_from_a_plan() -> None:
    model = FakeRun(scenes.UPGRADE, figures=scenes.before_switchover().figures)
    async with scenes.app(model, runs=[]).run_test(size=WIDE) as pilot:
        await sees(pilot, "No run was started")
        await pilot.press("n", *"a.toml", "enter")
        await until(pilot, lambda: pilot.app.screen.query(ChecklistPane))
        assert model.called("start") == [("start", "a.toml")]


async def test_a_held_journal_offers_to_watch() -> None:
    model = scenes.protected()
    model.writable, model.holder = False, scenes.HOLDER
    app = broken(JournalHeld(Path("journal.db"), scenes.HOLDER), model)
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "k2f9qa")
        await pilot.press("enter")
        await sees(pilot, "Held by another process", "process 4711 of mira on db-ops-3")
        await pilot.press("right", "enter")
        await sees(pilot, "Where this run stands", "mira on db-ops-3")


async def test_any_other_refusal_is_told_in_its_words() -> None:
    async with broken(OSError("the lab of this run is gone")).run_test(size=NARROW) as pilot:
        await sees(pilot, "k2f9qa")
        await pilot.press("enter")
        await sees(pilot, "This run cannot be opened", "the lab of this run is gone")


async def test_a_list_that_cannot_be_read_says_so() -> None:
    app = scenes.app()

    def fail() -> None:
        raise OSError("the journal is on a full disk")

    app.doors = RunSource(fail, app.doors.open_run, app.doors.start_run)  # type: ignore[arg-type]
    async with app.run_test(size=NARROW) as pilot:
        await sees(pilot, "The runs could not be read: the journal is on a full disk")


async def test_opened_at_once_a_refusal_ends_the_app_with_its_words() -> None:
    app = broken(OSError("no such run"), at="nope")
    async with app.run_test(size=NARROW) as pilot:
        await sees(pilot, "no such run")
        await pilot.press("escape")
        await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 1
    assert app.goodbye == "no such run"


def broken(error: Exception, watched: FakeRun | None = None, at: str = "") -> BlueprimeApp:
    """Return an app that cannot open runs, except to watch one."""
    app = scenes.app(at=at)

    async def open_run(run: str, watch: bool) -> FakeRun:
        if watch and watched is not None:
            return watched
        raise error

    async def start_run(plan: Path) -> FakeRun:
        raise error

    app.doors = RunSource(app.doors.list_runs, open_run, start_run)  # type: ignore[arg-type]
    return app
