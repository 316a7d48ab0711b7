"""Coming back: nothing is performed, and a person decides what became of each effect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbook.base.offer import Pending
from runbook.failures import Answer, Finding
from runbook.protection.dashboard import Protection
from tests.tui import scenes
from tests.tui.conftest import dim, enter_run, sees, shown, until
from tests.tui.fake import NOW, FakeRun, ago
from tui.screens.confirm import ConfirmDialog
from tui.screens.resume import ResumeScreen

WIDE, NARROW = (160, 48), (80, 24)


async def test_opening_probes_and_shows_where_the_run_stands_and_performs_nothing() -> None:
    model = scenes.unknown()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        text = await sees(pilot, "Where this run stands", "1 effect is of unknown outcome")
        for words in (
            "switchover ? unknown · upgrade",
            "APPLICATIONS DOWN 00:01:41.2",
            "ARE DOWN since 12:01:50 UTC, for 1m41s",
            "PROTECTION UNKNOWN: last seen 94s ago",
            "just now (2026-03-14 12:03 UTC)",
            "probed just now, F5 looks again",
            "probe: it happened. the deployment is SWITCHOVER_COMPLETED",
            "a adopt       keep that it happened",
            "f mark failed",
            "b branch",
        ):
            assert words in text
        assert "r retry       " not in text
        assert not {"advance", "resolve", "branch"} & {call[0] for call in model.calls}


async def test_keys_wait_for_the_probes() -> None:
    model = scenes.unknown()
    asked: list[str] = []

    async def findings() -> list[Pending]:
        asked.append("findings")
        while not model.closed:
            await model_pause()
        return []

    model.findings = findings  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await sees(pilot, "Probing what is unknown…")
        await pilot.press("enter", "a")
        await sees(pilot, "the probes have not answered yet")
        assert isinstance(pilot.app.screen, ResumeScreen)
        model.closed = True
        await sees(pilot, "No effect is unknown")


async def model_pause() -> None:
    """Give way on the engine's loop."""
    import asyncio

    await asyncio.sleep(0.01)


@pytest.mark.parametrize(("key", "choice"), [("a", "adopt"), ("f", "failed")])
async def test_a_choice_is_asked_once_more_and_recorded_with_its_reason(
    key: str, choice: str
) -> None:
    model = scenes.unknown()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await sees(pilot, "1 effect is of unknown outcome")
        await pilot.press(key)
        await sees(pilot, "Reversible: No: the journal keeps the decision")
        await pilot.press("tab", "tab")
        await pilot.click("#reason")
        await pilot.press(*"seen")
        await pilot.click("#yes")
        await sees(pilot, "No effect is unknown")
        assert model.called("resolve") == [("resolve", "7", choice, "seen")]


async def test_what_the_probe_rules_out_is_dimmed() -> None:
    model = scenes.unknown()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await sees(pilot, "1 effect is of unknown outcome")
        assert dim(pilot, "retry")
        await pilot.press("r")
        await sees(pilot, "the probe's finding does not allow it")
        assert not model.called("resolve")


async def test_several_effects_are_decided_one_by_one() -> None:
    model = scenes.unknown()
    first = model.pending[0]
    second = replace(
        first,
        effect=replace(first.effect, id=8, title="create slot in billing"),
        finding=Finding(Answer.NO, "there is no slot"),
        offers=("retry", "failed", "branch"),
    )
    model.pending = [first, second]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await sees(pilot, "2 effects are of unknown outcome")
        assert dim(pilot, "retry")
        await pilot.press("down")
        await until(pilot, lambda: not dim(pilot, "retry") and dim(pilot, "adopt"))
        await pilot.press("r")
        await sees(pilot, "Record that it did not happen", "create slot in billing")
        await pilot.click("#yes")
        await sees(pilot, "1 effect is of unknown outcome")
        assert model.called("resolve") == [("resolve", "8", "retry", "")]


async def test_a_probe_that_fails_is_told_and_leaves_the_way_out() -> None:
    model = scenes.unknown()

    async def findings() -> list[Pending]:
        raise OSError("no credentials")

    model.findings = findings  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await sees(pilot, "could not be looked up: no credentials")
        assert dim(pilot, "adopt")
        assert not dim(pilot, "leave")


async def test_a_watcher_probes_nothing() -> None:
    model = scenes.unknown()
    model.writable, model.holder = False, scenes.HOLDER
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        assert not model.called("findings")


async def test_leaving_at_once_leaves_the_run_as_it_was() -> None:
    model = scenes.unknown()
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "1 effect is of unknown outcome")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog), "leaving is asked")
        await pilot.click("#yes")
        await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 0
    assert [call[0] for call in model.calls] == ["open", "start_watching", "findings", "close"]


async def test_a_run_without_history_has_no_resume_screen() -> None:
    model = FakeRun(scenes.UPGRADE, figures=scenes.before_switchover().figures)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await sees(pilot, "enter: run identify")
        assert "Where this run stands" not in shown(pilot.app)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_banner_and_way_back_are_of_the_same_look(size: tuple[int, int]) -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=size) as pilot:
        await sees(pilot, "PROTECTED: a rollback now", "loses nothing: roll back to blue prime")
        best, *others = model.offered
        model.offered = [
            replace(branch, available=False, recommended=False, here="none that loses nothing")
            for branch in (best, *others)
        ]
        gone = Protection(False, "a slot is gone", at=NOW)
        model.figures = replace(model.figures, protection=gone)
        text = await sees(pilot, "NOT PROTECTED: a slot is gone", "none that loses nothing")
        assert "loses nothing: roll back" not in text
        old = replace(gone, at=ago(60))
        model.figures = replace(model.figures, protection=old)
        await sees(pilot, "PROTECTION UNKNOWN: last seen 60s ago")
