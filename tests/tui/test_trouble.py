"""The face when something has gone wrong: what is true is in sight, and nothing untrue is."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.base.downtime import Downtime
from runbook.procedure.runner import Decide
from state.enums import Result, Status
from state.records import Event, Evidence
from tests.tui import scenes, trouble
from tests.tui.conftest import dim, enter_run, sees, sentence, shown, until
from tests.tui.fake import FakeRun, ago
from tests.tui.test_leaving import read_until, script
from tui.app import BlueprimeApp, RunSource
from tui.resume_summary import left_by_others
from tui.screens.run import RunScreen
from tui.widgets.header import downtime

WIDE, NARROW = (160, 48), (80, 24)


async def test_inside_the_fence_everything_that_matters_is_on_the_smallest_screen() -> None:
    model = trouble.inside_the_fence()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        text = await sees(pilot, "2 effects are of unknown outcome", "loses nothing")
        for words in (
            "APPLICATIONS DOWN 00:12:24.2",
            "ARE DOWN since 11:51:07 UTC, for 12m24s",
            "create-slots ? unknown · upgrade",
            "probe: it happened. slot bp_k2f9qa_1 is there",
            "probe: it cannot be told.",
            "a adopt       keep that it happened",
        ):
            assert words in text
        assert "r retry       " not in text
        assert dim(pilot, "retry")
        await pilot.press("down")
        await sees(pilot, "r retry       keep that it did not")


async def test_a_price_that_rests_on_what_is_not_known_now_is_said_of_what_was_known() -> None:
    async with scenes.app(trouble.everything_lost(), at="k2f9qa").run_test(size=NARROW) as pilot:
        text = await sees(pilot, "as last known loses nothing: roll back to blue prime")
        assert "PROTECTION UNKNOWN" in text
        await enter_run(pilot)
        assert "way back as last known loses nothing" in sentence(pilot)


async def test_while_it_looks_the_last_verdict_is_told_with_its_age() -> None:
    async with scenes.app(trouble.looking(), at="k2f9qa").run_test(size=NARROW) as pilot:
        text = await sees(pilot, "LOOKING…: last known: protected, 4m ago")
        assert "UNKNOWN" not in text


async def test_a_run_that_was_handed_over_is_never_shown_as_protected() -> None:
    async with scenes.app(trouble.handed_over(), at="k2f9qa").run_test(size=WIDE) as pilot:
        await sees(pilot, "HANDED OVER: it was handed over to db-ops-7")
        screen = await enter_run(pilot)
        text = shown(pilot.app)
        assert "a rollback now would lose nothing" not in text
        assert "way back from here: none, another machine acts on this run" in text
        assert screen.why_not("advance").startswith("watching only; this run was handed over")


async def test_nothing_is_begun_while_the_journal_cannot_be_written() -> None:
    model = trouble.journal_failing()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await sees(pilot, "enter does nothing now: the journal cannot be written", "disk is full")
        for name in ("advance", "branch"):
            assert dim(pilot, name)
        await pilot.press("enter", "b", "n")
        assert isinstance(pilot.app.screen, RunScreen)
        assert not model.called("advance")
        model.figures = replace(model.figures, journal_error="")
        model.touch()
        await sees(pilot, "enter: run switchover")
        assert not dim(pilot, "branch")


async def test_a_journal_that_was_left_behind_acts_no_more_and_names_the_way_on() -> None:
    """Neither the way back nor the protection that it knew is told as so now."""
    model = scenes.protected()
    model.figures = replace(model.figures, left_behind="eve on desk, number 9")
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await sees(pilot, "not known here; leave, then blueprime adopt orders")
        await enter_run(pilot)
        await sees(pilot, "this journal was left behind: eve on desk, number 9")
        assert "loses nothing" not in sentence(pilot)
        for name in ("advance", "branch"):
            assert dim(pilot, name)
        await pilot.press("enter", "b")
        assert isinstance(pilot.app.screen, RunScreen)
        assert not model.called("advance")


async def test_a_journal_that_fails_under_a_step_ends_all_acting_and_lets_leave() -> None:
    model = scenes.protected()
    app = scenes.app(model, at="k2f9qa")

    async def advance(step: str, decide: Decide) -> Status:
        model.calls.append(("advance", step))
        raise trouble.full_disk()

    model.advance = advance  # type: ignore[method-assign]
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "bake was not run to its end", "nothing is done: The disk is full.")
        await until(pilot, lambda: dim(pilot, "advance"))
        await pilot.press("enter")
        assert len(model.called("advance")) == 1
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 0
    assert model.closed


async def test_before_the_switchover_the_lag_is_called_what_it_is() -> None:
    model = trouble.switchover_returned()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "AWS's own: green behind blue" in text
        assert "1.2 MB" in text
        assert "no slot, so there is no lag" not in text


async def test_the_preflights_counts_stand_beside_it() -> None:
    model = scenes.before_switchover()
    levels = ["pass"] * 38 + ["warn"] * 2
    model.seen["preflight"] = [
        Evidence(9, "k2f9qa", 1, "preflight", "preflight", "38 ok, 2 warn",
                 [{"level": level} for level in levels], ago(900)),
    ]  # fmt: skip
    for size in (NARROW, WIDE):
        async with scenes.app(model, at="k2f9qa").run_test(size=size) as pilot:
            await enter_run(pilot)
            await sees(pilot, "preflight 38 ok 2 warn")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_each_block_of_the_preflight_stands_with_its_repair(size: tuple[int, int]) -> None:
    model = scenes.before_switchover()
    rows = [
        {"level": "pass", "subject": "orders", "text": "available", "remedy": "", "accepted": ""},
        {"level": "warn", "subject": "reports", "text": "9 sessions.", "remedy": "Name it.",
         "accepted": "acknowledged in the plan"},
        {"level": "block", "subject": "shop/public.log", "text": "it has no primary key.",
         "remedy": "ALTER TABLE log ADD PRIMARY KEY (id);", "accepted": ""},
    ]  # fmt: skip
    model.seen["preflight"] = [
        Evidence(8, "k2f9qa", 1, "preflight", "preflight.result", "block: twice", None, ago(900)),
        Evidence(9, "k2f9qa", 1, "preflight", "preflight", "1 ok, 1 warn", rows, ago(900)),
    ]
    async with scenes.app(model, at="k2f9qa").run_test(size=size) as pilot:
        await enter_run(pilot)
        await pilot.press("1", *["up"] * 4, "2")
        await sees(
            pilot,
            "1 block · 1 warn · 1 ok",
            "✗ block shop/public.log: it has no primary key.",
            "do: ALTER TABLE log ADD PRIMARY KEY (id);",
            "! warn reports: 9 sessions.",
            "acknowledged in the plan",
        )
        assert "twice" not in shown(pilot.app)


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        (Downtime(), "applications never stopped"),
        (Downtime(asked_at=ago(7.4)), "APPLICATIONS MAY BE DOWN 00:00:07.4"),
        (Downtime(ago(7.4), track="upgrade"), "APPLICATIONS DOWN 00:00:07.4"),
        (Downtime(ago(7.4), letting_in=True), "LETTING APPLICATIONS IN 00:00:07.4"),
        (Downtime(ago(60), ago(50), "upgrade"), "downtime 00:00:10.0 upgrade"),
        (Downtime(ago(7.4), at_least=True), "APPLICATIONS DOWN at least 00:00:07.4"),
        (
            Downtime(ago(60), ago(50), "rollback", earlier_s=28.4),
            "downtime 00:00:10.0 rollback, 00:00:38.4 in all",
        ),
    ],
)
def test_the_outage_is_named_for_what_it_counts(clock: Downtime, words: str) -> None:
    assert downtime(clock, ago(0))[0] == words


async def test_leaving_inside_the_fence_says_that_the_applications_are_down() -> None:
    app = scenes.app(trouble.inside_the_fence(), at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "2 effects")
        await pilot.press("q")
        await sees(pilot, "Leave the run now?")
        await pilot.click("#yes")
        await until(pilot, lambda: app.return_code is not None)
    assert "THE APPLICATIONS ARE DOWN since 11:51:07 UTC" in app.goodbye


async def test_a_finished_rehearsal_names_no_clusters_that_go_with_its_lab() -> None:
    model = scenes.protected()
    model.result = Result.COMMITTED
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None)
    assert "Still there" not in app.goodbye


async def test_leaving_says_what_it_waits_for() -> None:
    model = scenes.protected()
    answered = asyncio.Event()

    async def close() -> None:
        await answered.wait()

    model.close = close  # type: ignore[method-assign]
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("q")
        await sees(pilot, "Waiting for the looks under way", "Nothing is undone")
        app.engine.post(answered.set)
        await until(pilot, lambda: app.return_code is not None)


def without_lab(model: FakeRun) -> BlueprimeApp:
    """Return the app on its list of runs, the open rehearsals of which have lost their lab."""
    app = scenes.app(model)
    app.doors = RunSource(
        app.doors.list_runs,
        app.doors.open_run,
        app.doors.start_run,
        lambda run: run.run == "k2f9qa",
    )
    return app


async def test_a_run_whose_lab_is_gone_is_only_looked_at() -> None:
    model = scenes.protected()
    async with without_lab(model).run_test(size=NARROW, notifications=True) as pilot:
        text = await sees(pilot, "■ lab gone")
        assert "k2f9qa is open and holds slots" not in text
        await until(pilot, lambda: dim(pilot, "open"))
        await pilot.press("enter")
        await sees(pilot, "the lab of this rehearsal is gone")
        assert not model.called("open")
        await pilot.press("w")
        await until(pilot, lambda: model.called("open"))
        assert model.called("open") == [("open", "k2f9qa", "True")]


async def test_a_way_that_is_closed_has_no_price() -> None:
    model = scenes.protected()
    model.offered = [replace(branch, available=False, recommended=False) for branch in scenes.WAYS]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        text = await sees(pilot, "✗ not from here", "why not")
        assert "loses   " not in text


def test_what_an_opening_itself_writes_is_not_what_was_touched_last() -> None:
    texts = ("intent: clone", "unknown: clone", "step: clone unknown", "opened by jon", "seen: x")
    kinds = ("effect", "effect", "attempt", "open", "evidence")
    said = ({}, {"outcome": "unknown"}, {"status": "unknown"}, {}, {})
    history = [
        Event(index, "k2f9qa", ago(300 if index == 0 else 1), kind, words, data)
        for index, (kind, words, data) in enumerate(zip(kinds, texts, said, strict=True))
    ]
    assert [event.text for event in left_by_others(history)] == ["intent: clone"]
    assert left_by_others(history[:1]) == history[:1]


def test_the_screen_stays_on_the_terminal_when_errors_go_to_a_file(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    errors = tmp_path / "errors"
    with errors.open("wb") as file:
        process = subprocess.Popen(
            script(tmp_path / "told"),
            stdin=follower,
            stdout=follower,
            stderr=file,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        )
    os.close(follower)
    try:
        read_until(leader, b"No effect is unknown")
        assert errors.read_bytes() == b""
    finally:
        process.kill()
        process.wait()
        os.close(leader)


async def test_a_step_that_has_ended_meanwhile_is_not_run_again_by_a_late_key() -> None:
    model = scenes.protected()
    app = scenes.app(model, at="k2f9qa")
    async with app.run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        app.conduct(model, model.checklist().line("subscribe"))
        await until(pilot, lambda: not app.conducting)
        assert not model.called("advance")
        await pilot.press("enter")
        await until(pilot, lambda: model.called("advance"))
    assert model.called("advance") == [("advance", "bake")]
