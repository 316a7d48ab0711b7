"""Keys are safe: one acts once, on what the screen shows, and asks before what cannot be undone."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import pytest
from textual.pilot import Pilot

from runbook.base.downtime import Downtime
from runbook.base.offer import Preview
from runbook.base.step import Risk
from state.enums import Status
from tests.tui import scenes, trouble
from tests.tui.conftest import enter_run, hint, sees, sentence, shown, until
from tests.tui.fake import FakeRun, Script, ago
from tui import next_action as sentences
from tui import pressing
from tui.pressing import PressGuard
from tui.screens.confirm import ConfirmDialog
from tui.screens.notice import Notice
from tui.screens.run import RunScreen

WIDE, NARROW = (160, 48), (80, 24)
HELD = [0.0, 0.6, *(0.63 + index / 30 for index in range(70))]
"""The moments at which a key arrives that is held for three seconds."""


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what follows a press count as the same one, however slow the machine is."""
    monkeypatch.setattr(pressing, "BURST_S", 3600.0)


class TestTheGuard:
    @pytest.fixture(autouse=True)
    def _as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pressing, "BURST_S", 1.0)
        monkeypatch.setattr(pressing, "REACTION_S", 0.4)

    def test_a_held_key_acts_once(self) -> None:
        guard = PressGuard()
        heeded = [at for at in HELD if not guard.heard("enter", 100 + at)]
        assert heeded == [0.0]

    def test_let_go_and_pressed_again_it_acts_again(self) -> None:
        guard = PressGuard()
        assert not guard.heard("enter", 100.0)
        assert guard.heard("enter", 100.9)
        assert guard.heard("enter", 101.8), "each press of a burst holds it up anew"
        assert not guard.heard("enter", 102.9)

    def test_other_keys_are_counted_for_themselves(self) -> None:
        guard = PressGuard()
        assert not guard.heard("q", 100.0)
        assert not guard.heard("enter", 100.1)

    def test_what_has_changed_just_now_was_not_read(self) -> None:
        guard = PressGuard()
        guard.shows("one", 50.0)
        guard.shows("other", 100.0)
        guard.shows("other", 100.9)
        assert guard.heard("enter", 99.9), "aimed at what stood there before"
        guard = PressGuard()
        guard.shows("other", 100.0)
        assert guard.heard("enter", 100.3)
        guard = PressGuard()
        guard.shows("other", 100.0)
        assert not guard.heard("enter", 100.5)

    def test_what_was_typed_while_the_process_stood_still_is_not_heeded(self) -> None:
        guard = PressGuard()
        guard.start_anew(100.0)
        assert guard.heard("enter", 99.0)


def flow(model: FakeRun) -> FakeRun:
    """Put a run into the fence of a rollback: its next step begins a flow that asks nothing."""
    following = {"sync-sequences": Risk.REVERSIBLE, "compare": Risk.READ_ONLY}
    following |= {"drop-subscriptions": Risk.DESTRUCTIVE, "close-new-blue": Risk.REVERSIBLE}
    following |= {"switch-endpoint": Risk.REVERSIBLE}
    model.scripts = [
        Script("assess", "Assess", "As agreed."),
        *(
            Script(key, key.capitalize(), "As agreed.", risk, continues=True)
            for key, risk in following.items()
        ),
        Script("resume-traffic", "Let the applications in", "The outage ends.", Risk.REVERSIBLE),
        Script("bake", "Bake", "It bakes."),
    ]
    model.tried = scenes.done("assess")
    return model


async def presses(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_enter_names_every_step_that_it_runs_and_asks_first(size: tuple[int, int]) -> None:
    model = flow(scenes.protected())
    async with scenes.app(model, at="k2f9qa").run_test(size=size) as pilot:
        await enter_run(pilot)
        words = " ".join(sentence(pilot).split())
        chain = "compare → drop-subscriptions (destructive) → close-new-blue → switch-endpoint → "
        chain += "resume-traffic"
        assert chain in words
        assert "bake" not in words.split("It begins")[0]
        await pilot.press("enter")
        text = await sees(pilot, "Run 6 steps, sync-sequences to resume-traffic")
        assert "drop-subscriptions (destructive)" in " ".join(text.replace("│", " ").split())
        assert isinstance(pilot.app.screen, ConfirmDialog)
        assert not model.called("advance")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert not model.called("advance")
        await pilot.press("enter")
        await sees(pilot, "Run 6 steps")
        await pilot.click("#yes")
        await until(pilot, lambda: model.called("advance"))


async def test_a_destructive_step_that_asks_nothing_itself_is_asked_for() -> None:
    model = scenes.protected()
    model.scripts = [
        replace(script, key="drop-slots", risk=Risk.DESTRUCTIVE) if script.key == "bake" else script
        for script in model.scripts
    ]
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "Run drop-slots: Watch?", "Cannot be undone")
        assert not model.called("advance")


class Slow(FakeRun):
    """A run whose clusters do not answer what a step would do."""

    async def preview(self, step: str) -> Preview:
        await self._go.wait()
        return await super().preview(step)


def slow() -> FakeRun:
    model = scenes.protected()
    model.__class__ = Slow
    return model


async def test_nothing_runs_unseen_while_it_is_looked_at_and_it_says_so() -> None:
    model = slow()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW, notifications=True) as pilot:
        await sees(pilot, "Where this run stands", "No effect is unknown")
        await pilot.press("enter")
        await sees(pilot, "bake is looked up: AWS and the servers asked")
        await pilot.press("enter")
        await sees(pilot, "nothing was done")
        assert not model.called("advance")


async def test_what_is_never_answered_is_run_only_after_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sentences, "LOOKING_S", 0.0)
    model = slow()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await sees(pilot, "Where this run stands", "No effect is unknown")
        await pilot.press("enter")
        await sees(pilot, "asks first, since what it would change is not seen")
        await pilot.press("enter")
        await sees(pilot, "Run bake: Watch?", "Not known")
        assert not model.called("advance")


@pytest.mark.usefixtures("guarded")
async def test_enter_held_on_the_way_in_runs_nothing() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await presses(pilot, "enter", "enter", "enter")
        text = await sees(pilot, "enter run: held or pressed again at once")
        assert text.count("held or pressed again at once") == 1, "said once, not once a repetition"
        assert not model.called("advance")


@pytest.mark.usefixtures("guarded")
async def test_one_q_too_many_stays_on_the_run() -> None:
    app = scenes.app(scenes.protected(), at="k2f9qa")
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("b")
        await sees(pilot, "Ways from here")
        await presses(pilot, "q", "q")
        await sees(pilot, "q leave: held or pressed again at once")
        assert app.return_code is None
        assert isinstance(app.screen, RunScreen)


@pytest.mark.parametrize("screen", ["resume", "run"])
@pytest.mark.parametrize("way_out", ["q", "ctrl+q"])
async def test_leaving_while_the_applications_are_down_is_asked(screen: str, way_out: str) -> None:
    app = scenes.app(trouble.inside_the_fence(), at="k2f9qa")
    async with app.run_test(size=NARROW) as pilot:
        if screen == "run":
            await enter_run(pilot)
        await sees(pilot, "APPLICATIONS DOWN")
        await pilot.press(way_out)
        await sees(pilot, "Leave the run now?", "THE APPLICATIONS ARE DOWN since 11:51:07 UTC")
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmDialog))
        assert app.return_code is None
        await pilot.press(way_out)
        await sees(pilot, "Leave the run now?")
        await pilot.click("#yes")
        await until(pilot, lambda: app.return_code is not None)


async def test_ctrl_z_suspends_nothing_and_what_follows_for_a_shell_runs_nothing() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("ctrl+z")
        await sees(pilot, "ctrl+z does not suspend blueprime")
        await presses(pilot, "f", "g", "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Notice))
        assert not model.called("advance")


@pytest.mark.usefixtures("guarded")
async def test_what_is_chosen_in_the_palette_runs_nothing_beneath_it() -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        screen = await enter_run(pilot)
        pilot.app.guard = PressGuard()  # type: ignore[attr-defined]
        await presses(pilot, "ctrl+p", *"checklist")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await presses(pilot, "enter", "enter")
        await sees(pilot, "enter run: held or pressed again at once")
        assert not model.called("advance")


@pytest.mark.usefixtures("guarded")
async def test_a_second_click_belongs_to_the_first_and_a_dimmed_key_says_why() -> None:
    model = scenes.protected()
    model.tried.pop("verify-protection")
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.click(hint(pilot, "retry"))
        await sees(pilot, "r retry: no step has failed")
        await pilot.click(hint(pilot, "advance"))
        await sees(pilot, "enter: run bake")
        await pilot.click(hint(pilot, "advance"))
        await sees(pilot, "enter run: held or pressed again at once")
        assert model.called("advance") == [("advance", "verify-protection")]


async def test_what_enter_does_is_not_heeded_before_it_was_seen_uncovered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = scenes.protected()
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        screen = await enter_run(pilot)
        await pilot.press("l")
        await sees(pilot, "3 events")
        covered = monotonic()
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        guard = pilot.app.guard  # type: ignore[attr-defined]
        await until(pilot, lambda: guard._since >= covered, "nobody has read it before")
        monkeypatch.setattr(pressing, "REACTION_S", 3600.0)
        await pilot.press("enter")
        await sees(pilot, "what it does has changed just now")
        assert not model.called("advance")


@pytest.mark.parametrize("risk", [Risk.REVERSIBLE, Risk.DESTRUCTIVE])
@pytest.mark.parametrize("failed", ["told", "raised"])
async def test_a_preview_that_could_not_be_made_makes_no_step_look_harmless(
    risk: Risk, failed: str
) -> None:
    model = scenes.protected()
    bake = next(script for script in model.scripts if script.key == "bake")
    risky = replace(bake, risk=risk, continues=False)
    model.scripts = [risky if script is bake else script for script in model.scripts]

    async def preview(step: str) -> Preview:
        if failed == "raised":
            raise OSError("no answer of AWS")
        return Preview(step, (), (), "could not be looked up now", unknown="no answer of AWS")

    model.preview = preview  # type: ignore[method-assign]
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        assert "its calls could not be looked up" in " ".join(sentence(pilot).split())
        await pilot.press("enter")
        text = await sees(pilot, "Run bake: Watch?", "Not known")
        words = " ".join(text.replace("│", " ").split())
        assert "what bake would change. Looked for: no answer of AWS" in words
        assert not model.called("advance")


CALL = "START THE APPLICATIONS NOW: they are let in on new blue; waiting for a session of app"


def calling() -> FakeRun:
    """The applications are let in, and a person must start them."""
    model = scenes.protected()
    model.tried = scenes.done(*(script.key for script in scenes.UPGRADE[:7]))
    model.tried["resume-traffic"] = scenes.Tried(Status.RUNNING, started=ago(20))
    model.figures = replace(
        model.figures, to_do=CALL, waiting=CALL, downtime=Downtime(ago(61.2), letting_in=True)
    )
    model._busy = "resume-traffic"
    return model


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_what_a_person_must_do_now_is_above_all_and_rings_until_it_is_heard(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr("tui.screens.run.RING_EVERY_S", 1)
    app = scenes.app(calling(), at="k2f9qa")
    app.bell = lambda: rung.append(1)  # type: ignore[method-assign]
    async with app.run_test(size=size) as pilot:
        await enter_run(pilot)
        text = shown(pilot.app)
        assert "▶ START THE APPLICATIONS NOW" in text.splitlines()[0]
        assert "enter does nothing now" not in text
        assert "enter stops the bell" in " ".join(sentence(pilot).split())
        assert "ACT NOW" in text
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        screen._tick()
        assert rung
        await pilot.press("enter")
        await until(pilot, lambda: "enter stops the bell" not in sentence(pilot))
        rung.clear()
        screen._tick()
        assert not rung
        assert "▶ START THE APPLICATIONS NOW" in shown(pilot.app).splitlines()[0]


async def test_while_a_gate_waits_every_line_says_that_it_waits_for_an_answer() -> None:
    app = scenes.app(scenes.before_switchover(), at="k2f9qa")
    async with app.run_test(size=NARROW) as pilot:
        screen = await enter_run(pilot)
        await pilot.press("enter")
        await sees(pilot, "type orders here")
        await until(pilot, lambda: "waits for your answer" in line_below(screen))
        assert "does nothing" not in line_below(screen)
        assert screen._marks(screen.picture.dashboard)["switchover"].word == "asks you"  # type: ignore[union-attr]
        await pilot.press("escape")
        await until(pilot, lambda: "enter: run switchover" in line_below(screen))


def line_below(screen: RunScreen) -> str:
    """Return the run screen's sentence, whatever covers it."""
    words = screen._press()
    return (
        f"enter: {words.verb} {words.target} {words.then}"
        if words.acts
        else (
            f"{words.target} {words.then}"
            if words.calls
            else f"enter does nothing now {words.then}"
        )
    )
