"""The repairs that are offered: what each one runs, and one question before it."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

import pytest

from runbook.base.offer import Offer, Preview
from runbook.base.step import Gate, Risk
from state.enums import Status
from tests.tui import scenes
from tests.tui.conftest import DEADLINE_S, dim, enter_run, sees, shown, until
from tests.tui.fake import FakeRun
from tui.model import Decide
from tui.screens.repairs import RepairsScreen
from tui.screens.run import RunScreen

WIDE, NARROW = (160, 48), (80, 24)

RECOPY = Offer(
    'repair/recopy/"orders"/"public"."items"',
    "Copy the differing rows of public.items again",
    "the rows of public.items in orders (812 against 811 rows) differ",
    risk=Risk.REVERSIBLE,
    undo="Not needed: blue prime serves nobody.",
    effects=(
        ("make the rows of public.items in orders equal", 'LOCK TABLE ONLY "public"."items"'),
    ),
)
GIVE_UP = Offer(
    'repair/give-up/"orders"/"public"."items"',
    "Give up public.items by name",
    "the rows of public.items in orders (812 against 811 rows) differ",
    risk=Risk.DESTRUCTIVE,
    undo="Copy its differing rows again before the rollback.",
    gates=(
        Gate(
            "give-up",
            "Accept that public.items in orders differs.",
            "After a rollback the table is as blue prime has it.",
            must_type="public.items",
        ),
    ),
)
BY_HAND = Offer(
    "",
    "Make public.audit on blue prime",
    "it cannot be written faithfully: it has triggers",
    by_hand="1. pg_dump --schema-only from new blue.\n2. On blue prime, that SQL.",
)


def offering(*offers: Offer) -> FakeRun:
    model = scenes.protected()
    model.on_offer = list(offers)
    return model


async def test_each_repair_says_why_and_what_it_runs() -> None:
    model = offering(RECOPY, GIVE_UP, BY_HAND)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        text = await sees(pilot, "› Copy the differing rows", "Give up public.items", "by hand")
        assert "812 against 811" in text
        assert 'LOCK TABLE ONLY "public"."items"' in text
        assert "asks to type public.items" in text
        assert "pg_dump --schema-only" in text


async def test_enter_asks_once_and_performs() -> None:
    model = offering(RECOPY)
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        await sees(pilot, "Copy the differing rows")
        await pilot.press("enter")
        await sees(pilot, "Will run", "make the rows of public.items")
        focused = pilot.app.focused
        assert focused is not None
        assert focused.id == "cancel"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RepairsScreen))
        assert not model.called("repair")
        await pilot.press("enter")
        await sees(pilot, "Will run")
        await pilot.click("#yes")
        await sees(pilot, "Nothing is offered")
        assert model.called("repair") == [("repair", RECOPY.key)]
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, RunScreen)


@pytest.mark.parametrize("offer", [RECOPY, GIVE_UP])
async def test_a_question_names_the_cluster_and_the_database_that_are_changed(
    offer: Offer,
) -> None:
    where = "blue prime (orders-prime-k2f9qa), database shop"
    model = offering(replace(offer, where=where))
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        await sees(pilot, f"on      {where}")
        await pilot.press("enter")
        said = await sees(pilot, f"Changes: {where}")
        assert "Run of: orders in us-east-1" in said
        assert "Cluster: orders" not in said


class Unlooked(FakeRun):
    """A run of which nothing can be looked up in time."""

    async def preview(self, step: str) -> Preview:
        await asyncio.sleep(DEADLINE_S)
        raise AssertionError("nobody waits that long")


async def test_a_question_names_the_cluster_though_nothing_can_be_looked_up_now() -> None:
    where = "blue prime (orders-prime-k2f9qa), database shop"
    given = offering(replace(GIVE_UP, where=where))
    model = Unlooked(
        **{each.name: getattr(given, each.name) for each in fields(given) if each.init}
    )
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await sees(pilot, "Where this run stands")
        await until(pilot, lambda: not dim(pilot, "proceed"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("m")
        await sees(pilot, f"on      {where}")
        await pilot.press("enter")
        await sees(pilot, f"Changes: {where}")


class Slow(FakeRun):
    """A run whose repairs take their time."""

    begun = ended = False
    _loop: asyncio.AbstractEventLoop | None = None

    def release(self) -> None:
        """Let the repair go on; it waits on the loop of the engine."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._go.set)

    async def repair(self, key: str, decide: Decide) -> Status:
        self.begun, self._loop = True, asyncio.get_running_loop()
        await self._go.wait()
        self.ended = True
        return await super().repair(key, decide)


async def test_a_repair_that_is_left_while_it_is_performed_goes_on_to_its_end() -> None:
    model = offering(RECOPY)
    model.__class__ = Slow
    assert isinstance(model, Slow)
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        await sees(pilot, "Copy the differing rows")
        await pilot.press("enter")
        await sees(pilot, "Will run")
        await pilot.click("#yes")
        await until(pilot, lambda: model.begun)
        await sees(pilot, "being performed: Copy the differing rows")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        model.release()
        await until(pilot, lambda: model.ended and pilot.app._notifications)
        (told,) = pilot.app._notifications
        assert told.message == f"succeeded: {RECOPY.title}"
    assert pilot.app.return_code in (None, 0)


async def test_a_gate_is_passed_by_typing_the_objects_name() -> None:
    model = offering(GIVE_UP)
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        await sees(pilot, "Give up public.items")
        await pilot.press("enter")
        await sees(pilot, "type public.items here")
        assert pilot.app.screen.query_one("#yes").disabled
        await pilot.click("#typed")
        await pilot.press(*"public.items")
        await until(pilot, lambda: not pilot.app.screen.query_one("#yes").disabled)
        await pilot.click("#yes")
        await sees(pilot, "Nothing is offered")
        assert model.answers == ["public.items"]


async def test_what_only_a_person_can_do_cannot_be_performed() -> None:
    model = offering(BY_HAND)
    async with scenes.app(model, at="k2f9qa").run_test(size=NARROW) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        await sees(pilot, "by hand")
        await until(pilot, lambda: dim(pilot, "choose"))
        await pilot.press("enter")
        assert not model.called("repair")


async def test_a_failed_repair_stays_offered_and_says_so() -> None:
    model = offering(RECOPY)
    model.outcome = Status.FAILED
    size = WIDE
    async with scenes.app(model, at="k2f9qa").run_test(size=size, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        await sees(pilot, "Copy the differing rows")
        await pilot.press("enter")
        await sees(pilot, "Will run")
        await pilot.click("#yes")
        await sees(pilot, "failed: Copy the differing rows")
        assert "Copy the differing rows" in shown(pilot.app)


async def test_a_watcher_looks_at_what_is_offered_and_performs_nothing() -> None:
    model = offering(RECOPY)
    model.writable, model.holder = False, scenes.HOLDER
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE, notifications=True) as pilot:
        await enter_run(pilot)
        await pilot.press("m")
        await sees(pilot, "Copy the differing rows")
        assert dim(pilot, "choose")
        await pilot.press("enter")
        await sees(pilot, "enter perform: watching only; mira on db-ops-3")
        assert not model.called("repair")
        assert isinstance(pilot.app.screen, RepairsScreen)
