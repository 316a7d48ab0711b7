"""The run's screen: what enter does, what is dimmed and why, and what is never shown as good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.tui import scenes
from tests.tui.conftest import dim, enter_run, hint, sees, shown, until
from tests.tui.fake import FakeRun, ago
from tui.questions import Question
from tui.screens.confirm import ConfirmDialog
from tui.screens.run import RunScreen
from tui.widgets.checklist import ChecklistPane

WIDE, NARROW = (160, 48), (80, 24)


def saved(home: Path) -> Path:
    """Return the file that was saved."""
    return next((home / "copies").iterdir())


async def test_enter_runs_the_position_and_not_the_selected_step() -> None:
    model = scenes.failed()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("up", "k")
        text = await sees(pilot, "only looking · enter acts on clone", "Let the applications in")
        assert "enter: try again clone" in text
        await pilot.press("enter")
        await until(pilot, lambda: model.called("advance"))
        assert model.called("advance") == [("advance", "clone")]


async def test_a_new_run_opens_without_the_resume_screen() -> None:
    model = FakeRun(scenes.UPGRADE, figures=scenes.before_switchover().figures)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await sees(pilot, "enter: run identify")
        assert isinstance(pilot.app.screen, RunScreen)
        assert model.called("start_watching")


async def test_a_second_step_is_refused_while_one_runs() -> None:
    model = scenes.protected()
    model.hold = True
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "enter does nothing now: bake is running")
        await pilot.press("enter", "r", "enter")
        await sees(pilot, "enter run: bake is running")
        assert dim(pilot, "advance")
        assert "bake is running" in str(hint(pilot, "advance").tooltip)
        assert len(model.called("advance")) == 1
        await pilot.press("x")
        await sees(pilot, "every step of upgrade is done")
        assert model.called("cancel_wait")


async def test_what_is_seen_to_be_there_is_not_said_to_be_run() -> None:
    model = scenes.failed()
    clone = next(script for script in model.scripts if script.key == "clone")
    (made, call), *_ = clone.effects
    other = ("name its instance", "rds.CreateDBInstance()")
    there = ((made, "orders-prime is available"),)
    scripts = {"some": (other,), "all": ()}
    for name, left in scripts.items():
        changed = replace(clone, effects=left, there=there)
        model.scripts = [changed if script is clone else script for script in model.scripts]
        clone = changed
        async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
            await enter_run(pilot)
            text = await sees(
                pilot, "Seen to be there  looked at again first", "orders-prime is available"
            )
            assert call not in text
            if name == "some":
                assert "reversible: name its instance" in text
                assert "rds.CreateDBInstance()" in text
            else:
                assert "reversible: looks whether all of it has happened" in text
                assert "Will run" not in text


async def test_the_sentence_says_what_enter_does_and_the_way_back() -> None:
    model = scenes.failed()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "enter: try again clone — reversible: clone orders-old1 as bp-k2f9qa-prime" in text
        assert "way back from here loses nothing: finish protecting, then roll back" in text


async def test_a_failure_is_told_as_what_now_and_next() -> None:
    async with scenes.app(scenes.failed(), at="k2f9qa").run_test(
        size=WIDE, notifications=True
    ) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        for words in ("What happened", "AWS refused to clone", "Now", "the slots keep", "Next"):
            assert words in text
        assert "Will run" in text
        assert "rds.RestoreDBClusterToPointInTime" in text


async def test_an_undecided_effect_leads_to_the_resume_screen_and_performs_nothing() -> None:
    model = scenes.unknown()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "1 effect is of unknown outcome")
        assert not model.called("advance")


async def test_an_unknown_step_without_unknown_effects_can_be_run_again() -> None:
    model = scenes.unknown()
    model.tried["switchover"] = replace(model.tried["switchover"], outcomes=())
    model.scripts = [replace(script, gates=()) for script in model.scripts]
    model.pending = []
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await sees(pilot, "enter: try again switchover")
        await pilot.press("enter")
        await sees(pilot, "Run switchover: Switch over?")
        await pilot.click("#yes")
        await until(pilot, lambda: model.called("advance"))


async def test_a_watcher_sees_everything_and_acts_on_nothing() -> None:
    model = scenes.protected()
    model.writable, model.holder = False, scenes.HOLDER
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "watching only: mira on db-ops-3 (pid 4711) has held this run" in text
        assert "ready · the step that comes next" in text
        assert "enter runs" not in text
        for key, name in (("enter", "run"), ("r", "retry"), ("n", "note"), ("x", "stop waiting")):
            await pilot.press(key)
            await sees(pilot, f"{key} {name}: watching only; mira on db-ops-3")
        assert all(dim(pilot, name) for name in ("advance", "retry"))
        assert not any(dim(pilot, name) for name in ("branch", "repairs", "log", "help", "leave"))
        assert not model.called("note")
        assert not model.called("advance")
        assert isinstance(pilot.app.screen, RunScreen)


async def test_a_watcher_looks_at_the_ways_and_takes_none() -> None:
    model = scenes.protected()
    model.writable, model.holder = False, scenes.HOLDER
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "available · the way")
        assert dim(pilot, "choose")
        await pilot.press("enter")
        await sees(pilot, "enter choose: watching only; mira on db-ops-3")
        assert not model.called("branch")


async def test_a_declined_gate_leaves_the_step_ready() -> None:
    model = scenes.before_switchover()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "Stop the applications of orders", "To go on, type orders here")
        focused = pilot.app.focused
        assert focused is not None
        assert focused.id == "cancel"
        await pilot.press("enter")
        await until(pilot, lambda: model.answers == [None])
        await sees(pilot, "enter: run switchover")


async def test_yes_stays_disabled_until_the_name_matches_exactly() -> None:
    model = scenes.before_switchover()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "type orders here")
        yes = pilot.app.screen.query_one("#yes")
        await pilot.click("#typed")
        for key in "Orders":
            await pilot.press(key)
        assert yes.disabled
        await pilot.press(*["backspace"] * 6, *"orders")
        assert not yes.disabled
        await pilot.press("space")
        assert yes.disabled
        await pilot.press("backspace", "enter")
        assert isinstance(pilot.app.screen, ConfirmDialog), "enter in the field is no yes"
        await pilot.click("#yes")
        await until(pilot, lambda: model.answers == ["orders"])
        await sees(pilot, "enter: run create-slots")


async def test_what_does_not_fit_is_said_to_be_there_and_can_be_read() -> None:
    async with scenes.app(scenes.before_switchover(), at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        calls = tuple(f"change number {number}" for number in range(12))
        question = Question("A gate", "Do twelve things?", (), calls, must_type="orders")
        pilot.app.push_screen(ConfirmDialog(question))
        await sees(pilot, "type orders here", "pgdn reads on")
        assert "change number 11" not in shown(pilot.app)
        await pilot.press("pagedown")
        await sees(pilot, "change number 11")
        await pilot.press(*"ordres", "enter")
        await sees(pilot, "That is not orders: nothing was done.")
        await pilot.press("backspace")
        await until(pilot, lambda: "That is not orders" not in shown(pilot.app))


async def test_escape_declines_a_gate() -> None:
    model = scenes.before_switchover()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "type orders here")
        await pilot.press("escape")
        await until(pilot, lambda: model.answers == [None])


async def test_panes_change_with_the_same_keys_where_there_is_little_room() -> None:
    async with scenes.app(scenes.protected(), at="k2f9qa").run_test(
        size=NARROW, notifications=True
    ) as pilot:
        await enter_run(pilot)
        assert "✓ identify" in shown(pilot.app)
        for key, words in (
            ("2", "The way back stays open"),
            ("3", "└─ slot ─▶ blue prime streaming"),
            ("4", "214 rows/s"),
            ("5", "confirmed past 0/5A3B1C8"),
            ("space", "✓ identify"),
        ):
            await pilot.press(key)
            text = await sees(pilot, words)
            assert "downtime 00:00:28.4" in text
            assert "PROTECTED: a rollback now" in text
            assert "enter: run bake" in text
            assert "way back from here loses nothing: roll back to blue prime" in text
        await pilot.press("2", "k")
        await sees(pilot, "Prove the protection")


async def test_the_cursor_follows_the_position_unless_it_was_moved() -> None:
    model = scenes.protected()
    model.tried.pop("verify-protection")
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        screen = await enter_run(pilot)
        pane = screen.query_one(ChecklistPane)
        assert pane.selected == (1, "verify-protection")
        await pilot.press("enter")
        await until(pilot, lambda: pane.selected == (1, "bake"))
        await pilot.press("k", "k")
        assert pane.selected == (1, "subscribe")
        model.touch("something else")
        await sees(pilot, "something else")
        assert pane.selected == (1, "subscribe")
        await pilot.press("escape")
        assert pane.selected == (1, "bake")


async def test_the_tracks_before_stand_above_with_their_headings() -> None:
    async with scenes.app(scenes.rolled_onto(), at="k2f9qa").run_test(
        size=WIDE, notifications=True
    ) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert text.index("Upgrade ") < text.index("switchover") < text.index("Rollback ▸")
        assert "▸ drain" in text


async def test_a_note_is_kept() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("n")
        await sees(pilot, "A remark for the journal")
        await pilot.press(*"seen it", "enter")
        await until(pilot, lambda: model.called("note"))
        assert model.called("note") == [("note", "seen it")]
        await sees(pilot, "seen it")


async def test_copy_goes_to_the_clipboard_and_to_a_private_file(tmp_path: Path) -> None:
    app = scenes.app(scenes.failed(), at="k2f9qa", home=tmp_path)
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("c")
        await until(pilot, lambda: (tmp_path / "copies").exists() and saved(tmp_path))
        file = saved(tmp_path)
        await until(pilot, lambda: file.read_text() == app.clipboard)
        assert "rds.RestoreDBClusterToPointInTime(" in app.clipboard
        assert "AWS refused to clone orders-old1: the cluster is not in the available" in (
            app.clipboard
        )
        assert file.stat().st_mode & 0o777 == 0o600


async def test_the_clock_runs_while_the_applications_are_down() -> None:
    model = scenes.during_downtime()
    app = scenes.app(model, at="k2f9qa")
    late = [0.0]
    app.now = lambda: ago(-late[0])
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        assert "APPLICATIONS DOWN 00:00:07.4" in shown(pilot.app)
        late[0] = 1.2
        await sees(pilot, "APPLICATIONS DOWN 00:00:08.6")


async def test_drawing_goes_on_while_the_engine_is_held_up() -> None:
    model = scenes.protected()
    gate = asyncio.Event()

    async def ways() -> list[object]:
        await gate.wait()
        return []

    model.ways = ways  # type: ignore[assignment, method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await sees(pilot, "Where this run stands", "No effect is unknown")
        await pilot.press("enter")
        await sees(pilot, "way back from here: looking…")
        await pilot.press("k")
        await sees(pilot, "only looking")


async def test_the_position_is_in_view_after_the_terminal_has_shrunk() -> None:
    async with scenes.app(scenes.rolled_onto(), at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await sees(pilot, "▸ drain")
        await pilot.resize_terminal(*NARROW)
        await sees(pilot, "[Checklist]", "▸ drain")
