"""Dead production and a cluster that was given up: said alike wherever a run is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from runbook.base.alert import Alert, Cause
from runbook.base.downtime import Downtime
from runbook.protection.dashboard import Dashboard, Production, Protection, Serving, Silent, Stage
from state.enums import Environment, Result, Track
from state.home import journal_path
from state.journal import Journal
from state.report import report
from tests.runbook.told import PLAN
from tests.state.invented import start
from tests.tui import scenes
from tests.tui.conftest import enter_run, sees, settled, shown
from tests.tui.fake import FakeRun, ago
from tui.cli import listing
from tui.leave_message import leave_message
from tui.model import RunModel

WIDE, NARROW = (160, 48), (80, 24)

DOWN = Production(
    Serving.DOWN, "orders (new blue) is down: x", "new blue", "orders", ago(60), ago(1)
)
SINCE = f"{ago(60):%H:%M:%S} UTC"
BACK = Alert(Cause.RETURNED, "", "given up", "orders-new is back, and open", True, ago(1))


def dead(state: Serving = Serving.DOWN) -> FakeRun:
    """Return a run whose production does not answer, all else being as it was."""
    model = scenes.protected()
    model.figures = replace(model.figures, production=replace(DOWN, state=state))
    return model


def forced(*alarms: Alert) -> FakeRun:
    """Return a run that a forced way has led to blue prime."""
    model = scenes.protected()
    away = scenes.cluster("new blue", "orders-new", "18.4", given_up=True)
    prime = scenes.cluster("blue prime", "orders", "16.14", serves=True)
    model.figures = replace(
        model.figures,
        clusters=(away, model.figures.clusters[1], prime),
        alarms=alarms,
        protection=Protection(False, "no way back is held", at=ago(1)),
    )
    return model


def silent() -> FakeRun:
    """Return a run whose blue prime cannot be reached."""
    model = scenes.protected()
    model.figures = replace(model.figures, silent=Silent("blue prime", ago(60)))
    return model


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (dead(), f"✗ down since {SINCE} · AWS: available"),
        (dead(Serving.SILENT), f"does not answer since {SINCE} · AWS: available"),
        (dead(Serving.CUT), f"not reached from here since {SINCE} · AWS: available"),
        (silent(), f"not reached from here since {SINCE} · AWS: available"),
        (forced(), "given up, not closed · AWS: available"),
        (forced(BACK), "given up, back and OPEN · AWS: available"),
    ],
)
async def test_what_does_not_answer_or_was_given_up_is_not_shown_as_well(
    model: FakeRun, said: str
) -> None:
    async with scenes.app(model, at="k2f9qa").run_test(size=WIDE) as pilot:
        await enter_run(pilot)
        await settled(pilot)
        pane = " ".join(row[-60:] for row in shown(pilot.app).splitlines())
        for words in said.removeprefix("✗ ").split(" · "):
            assert words in " ".join(pane.replace("│", " ").split()), pane
        assert pane.count("serves ·") == (0 if model.figures.production.unreached else 1)


def test_leaving_says_which_of_the_clusters_that_stay_was_given_up() -> None:
    said = leave_message(cast(RunModel, forced(BACK)), "")
    assert "TWO CLUSTERS TAKE WRITES: orders-new is back, and open." in said
    assert "new blue orders-new (given up, back and OPEN; AWS: available)" in said
    assert f"PRODUCTION DOWN: orders (new blue) is down: x, since {SINCE}." in leave_message(
        cast(RunModel, dead()), ""
    )


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_the_list_of_runs_names_them_before_the_verdict(size: tuple[int, int]) -> None:
    first, *rest = scenes.summaries()
    runs = [
        replace(first, figures=dead().figures.as_json()),
        replace(rest[0], protected=False, figures=forced(BACK).figures.as_json()),
        replace(first, run="n3w000", figures=scenes.protected().figures.as_json()),
    ]
    async with scenes.app(runs=runs).run_test(size=size) as pilot:
        said = await sees(pilot, "✗ DOWN", "✗ TWO WRITE", "✓ yes")
        lines = {name: next(r for r in said.splitlines() if name in r) for name in ("k2f9", "p8x1")}
        assert "✗ DOWN" in lines["k2f9"]
        assert "yes" not in lines["k2f9"], "an old verdict passes for nothing"
        assert "✗ TWO WRITE" in lines["p8x1"]
        whole = " ".join(said.split())
        assert "PRODUCTION DOWN: orders, run k2f9qa, as seen" in whole
        assert "TWO CLUSTERS TAKE WRITES: billing, run p8x1tz, as seen" in whole


def stopped() -> Dashboard:
    """Return the figures of a run whose applications are stopped."""
    down = Downtime(ago(60), track="rollback")
    return replace(scenes.protected().figures, downtime=down)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_list_of_runs_names_applications_that_are_down(size: tuple[int, int]) -> None:
    rows = [replace(scenes.summaries()[0], open=True, away=None, figures=stopped().as_json())]
    async with scenes.app(runs=rows).run_test(size=size) as pilot:
        said = await sees(pilot, "✗ APPS DOWN")
        assert f"APPLICATIONS DOWN: orders, run {rows[0].run}, as seen" in " ".join(said.split())


def test_runs_name_applications_that_are_down(kept: Callable[[Dashboard], Journal]) -> None:
    with kept(stopped()) as journal:
        journal.enter_track("k2f9qa", Track.ROLLBACK, variant="blue-prime")
        told = " ".join(listing.runs_text().split())
        assert "! run k2f9qa: APPLICATIONS DOWN, as seen" in told
        (listed,) = listing.runs_json()
        assert [each["word"] for each in listed["urgent"]] == ["APPLICATIONS DOWN"]
        assert listed["result"] is None, "it rests nowhere on its way back"


@pytest.fixture
def kept(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Callable[[Dashboard], Journal]:
    monkeypatch.setenv("BLUEPRIME_HOME", str(tmp_path))

    def put_up(dashboard: Dashboard) -> Journal:
        journal = Journal.open(journal_path())
        start(journal, "k2f9qa", plan=PLAN, environment=Environment.AWS)
        for key, value in (("switchover", {}), ("capture", {"slots": {"orders": "slot"}})):
            journal.evidence("k2f9qa", "for-the-test", "", key=key, value=value)
        journal.set_result("k2f9qa", Result.PROTECTED)
        journal.publish("k2f9qa", dashboard.as_json())
        return journal

    return put_up


@pytest.mark.parametrize(
    ("dashboard", "word", "words"),
    [
        (dead().figures, "PRODUCTION DOWN", f"orders (new blue) is down: x, since {SINCE}"),
        (forced(BACK).figures, "TWO CLUSTERS TAKE WRITES", "orders-new is back, and open"),
    ],
)
def test_runs_show_and_the_report_say_the_same_words(
    kept: Callable[[Dashboard], Journal], dashboard: Dashboard, word: str, words: str
) -> None:
    with kept(dashboard) as journal:
        told = listing.runs_text()
        (row,) = [each for each in told.splitlines() if each.startswith("k2f9qa")]
        assert word.split()[0] in row
        said = f"{word}, as seen "
        assert f"! run k2f9qa: {said}" in told
        assert said in listing.show_text("k2f9qa")
        for every in (told, listing.show_text("k2f9qa")):
            assert words in " ".join(every.split())
        (listed,) = listing.runs_json()
        assert [each["word"] for each in listed["urgent"]] == [word]
        page = report(journal, "k2f9qa", "md", stands=listing.stands("k2f9qa"))
        assert page.startswith(f"# Run k2f9qa: orders, open: {word} as seen at {ago(1):%Y-%m-%d}")


@pytest.mark.parametrize(
    ("protected", "stage", "title"),
    [
        (True, Stage.HELD, "PROTECTED"),
        (False, Stage.HELD, "NOT PROTECTED"),
        (False, Stage.MAKING, "NOT PROTECTED YET"),
        (None, Stage.HELD, "PROTECTION UNKNOWN"),
    ],
)
def test_the_title_of_a_report_says_what_is_true_and_not_where_it_rested_last(
    kept: Callable[[Dashboard], Journal], protected: bool | None, stage: Stage, title: str
) -> None:
    seen = Protection(protected, "why", at=ago(0) - timedelta(days=1), stage=stage)
    with kept(Dashboard(protection=seen)) as journal:
        page = report(journal, "k2f9qa", "md", stands=listing.stands("k2f9qa"))
    first = page.splitlines()[0]
    at = f"{seen.at:%Y-%m-%d %H:%M:%S}"
    assert first == f"# Run k2f9qa: orders, open: PROTECTION UNKNOWN now, {title} as seen at {at}"
