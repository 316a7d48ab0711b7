"""The run's screen where something is wrong: with the run, with a step, with what is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbook.protection.dashboard import Protection
from state.enums import Result, Status, Track
from tests.tui import scenes
from tests.tui.conftest import dim, enter_run, sees, shown
from tests.tui.fake import ago
from tests.tui.test_run import WIDE


async def test_an_old_yes_is_shown_as_unknown_with_its_age() -> None:
    async with scenes.app(scenes.unknown(), at="k2f9qa").run_test(
        size=WIDE, notifications=True
    ) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "PROTECTION UNKNOWN: last seen 94s ago" in text
        assert "DescribeDBClusters: Throttling" in text
        assert "no answer for 30 s" in text
        assert " 0 B " not in text.replace("AVAILABLE, 0 B behind", "")
        assert " PROTECTED" not in text


@pytest.mark.parametrize("at", [None, ago(11)])
async def test_protection_never_seen_or_old_is_unknown(at: object) -> None:
    model = scenes.protected()
    good = replace(model.figures.protection, at=at)  # type: ignore[arg-type]
    model.figures = replace(model.figures, protection=good)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        assert "PROTECTION UNKNOWN" in shown(pilot.app)


async def test_a_run_that_cannot_be_read_says_so_and_recovers() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        model.trouble = OSError("disk I/O error")
        model.touch()
        await sees(pilot, "the run could not be looked at: OSError: disk I/O error")
        model.trouble = None
        await sees(pilot, "enter: run bake")


async def test_a_step_that_cannot_be_started_is_told() -> None:
    model = scenes.protected()

    async def advance(step: str, decide: object) -> Status:
        raise RuntimeError(f"the lab is gone, {step} was not run")

    model.advance = advance  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "the lab is gone, bake was not run")
        await sees(pilot, "enter: run bake")


async def test_a_run_that_is_over_says_how_it_ended() -> None:
    model = scenes.protected()
    model.result, model.track = Result.ROLLED_BACK, Track.ROLLBACK
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "CLOSED: rolled back" in text
        assert "this run is over: rolled back" in text
        assert dim(pilot, "advance")
        assert not dim(pilot, "branch")


async def test_not_protected_names_every_reason() -> None:
    model = scenes.protected()
    bad = Protection(False, "lag 80 MB", ("lag of orders is 80 MB", "drift in billing"), ago(1))
    model.figures = replace(model.figures, protection=bad)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "NOT PROTECTED: lag 80 MB" in text
        assert "lag of orders is 80 MB" in text
        assert "drift in billing" in text


async def test_a_fence_that_was_seen_too_long_ago_is_unknown() -> None:
    model = scenes.before_switchover()
    old = replace(model.figures.traffic, at=ago(11), fence_at=ago(14))
    model.figures = replace(model.figures, traffic=old)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "? fence unknown · it was proved" in text
        assert "11s ago" in text
        assert "nobody can write" not in text
