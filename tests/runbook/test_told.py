"""What is told while a step runs: how far it is, what a person must do, by which plan it goes."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.alert import Alert, Cause, cause_of
from runbook.base.context import RunContext
from runbook.base.step import Gate, Risk, Watch
from runbook.plan.model import Plan
from runbook.postgres import activity
from runbook.preflight import plans
from runbook.procedure.runner import Runner
from runbook.procedure.steps.protect import blue_prime
from runbook.procedure.waiting import within
from runbook.protection.dashboard import Dashboard, from_json
from runbook.run.checklist import Checklist, Line, Section
from runbook.watch.probes.traffic import TrafficProbe
from state.enums import Status, Track
from state.journal import Journal
from state.records import Run, TrackEntry
from tests.runbook.conftest import FakeStep
from tests.test_plan import GOOD

RUN = "k3f9qa"


@pytest.mark.parametrize(
    ("told", "shown"),
    [(0.41, 0.41), (41.0, 1.0), (-0.1, 0.0), (1.02, 1.0), (None, None), (math.nan, None)],
)
async def test_no_wait_is_more_than_done(
    runner: Runner, told: float | None, shown: float | None
) -> None:
    heard: list[tuple[str, float | None]] = []
    runner._waits._notice = lambda text, fraction, *, to_do=False: heard.append((text, fraction))  # type: ignore[assignment]

    async def verify(context: RunContext, watch: Watch) -> None:
        watch.progress("copying", told)

    await runner.run_step(FakeStep(verify=verify), cast(Any, None))
    assert ("copying", shown) in heard
    assert within(told) == shown


async def test_a_clone_s_percentage_is_told_as_a_fraction(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float | None] = []

    class Told(Exception):
        """The wait has said where it stands."""

    def progress(text: str, fraction: float | None = None, *, to_do: bool = False) -> None:
        heard.append(fraction)
        raise Told

    async def until(*_: object, **__: object) -> AsyncIterator[float]:
        yield 0.0

    async def nothing(*_: object) -> str:
        return ""

    found = SimpleNamespace(
        resource_id="cluster-C", status="creating", available=False, percent_progress=41.0
    )

    async def cluster(name: str) -> object:
        return found

    monkeypatch.setattr(blue_prime, "_not_ours", nothing)
    monkeypatch.setattr(blue_prime, "blue_prime_name", lambda context: "orders-prime")
    context = SimpleNamespace(
        plan=SimpleNamespace(limits=SimpleNamespace(clone_s=1, poll_s=1)),
        rds=SimpleNamespace(cluster=cluster),
        bound=lambda role: "cluster-C",
    )
    watch = SimpleNamespace(until=until, progress=progress)
    with pytest.raises(Told):
        await blue_prime._await_clone(cast(RunContext, context), cast(Watch, watch))
    assert heard == [0.41]


def test_what_a_person_must_do_is_on_the_board_until_the_wait_ends() -> None:
    dashboard = Dashboard().waits_for("START THE APPLICATIONS NOW", None, to_do=True)
    assert dashboard.to_do == "START THE APPLICATIONS NOW"
    assert from_json(dashboard.as_json()).to_do == dashboard.to_do, (
        "a watcher and a script see it too"
    )
    assert dashboard.waits_for("", None).to_do == ""


def flow_of(*steps: tuple[str, Status, bool]) -> list[str]:
    lines = tuple(
        Line(1, Track.ROLLBACK, key, key, "", Risk.REVERSIBLE, "", status, None, 0, continues=goes)
        for key, status, goes in steps
    )
    entry = TrackEntry(1, RUN, Track.ROLLBACK, "", "", "", datetime.now(UTC))
    return [line.step for line in Checklist(cast(Run, None), (Section(entry, lines),)).flow]


def test_a_flow_is_what_runs_up_to_the_next_stop() -> None:
    done, ready, pending = Status.SUCCEEDED, Status.READY, Status.PENDING
    assert flow_of(("a", done, True), ("b", ready, True), ("c", pending, False)) == ["b", "c"]
    assert flow_of(("a", ready, False), ("b", pending, True)) == ["a"]
    assert flow_of(("a", ready, True), ("b", Status.SKIPPED, True), ("c", pending, False)) == [
        "a",
        "c",
    ]
    assert flow_of(("repair/x", Status.FAILED, False), ("b", ready, False)) == ["b"]
    assert flow_of(("a", done, False)) == []


def planned(tmp_path: Path) -> tuple[Run, Plan, Path]:
    path = tmp_path / "plan.toml"
    path.write_text(GOOD)
    return cast(Run, SimpleNamespace(id=RUN, plan_path=str(path))), plans.load(path), path


def said(journal: Journal) -> list[str]:
    return [event.text for event in journal.events(RUN) if "plan" in event.text]


def test_an_edit_that_is_not_read_is_told_once_and_when_it_would_be(
    journal: Journal, tmp_path: Path
) -> None:
    run, plan, path = planned(tmp_path)
    assert plans.for_step(journal, run, plan, "clone") is plan
    assert said(journal) == []
    path.write_text(GOOD.replace("[traffic]", "[protection]\nfresh_s = 33.0\n\n[traffic]"))
    for step in ("clone", "subscribe"):
        assert plans.for_step(journal, run, plan, step) is plan
    (words,) = said(journal)
    assert "was edited (protection)" in words
    assert "reads the file only before preflight and ready-to-switch" in words
    path.write_text("no plan [")
    plans.for_step(journal, run, plan, "bake")
    assert "it is no valid plan now" in said(journal)[-1]
    path.write_text(GOOD)
    plans.for_step(journal, run, plan, "bake")
    assert "says again what this run uses" in said(journal)[-1]


def test_an_edit_is_gone_by_from_a_checking_step_on(journal: Journal, tmp_path: Path) -> None:
    run, plan, path = planned(tmp_path)
    path.write_text(GOOD.replace("[traffic]", "[protection]\nfresh_s = 33.0\n\n[traffic]"))
    found = plans.for_step(journal, run, plan, "ready-to-switch")
    assert found.protection.fresh_s == 33.0
    assert plans.for_step(journal, run, found, "stop-traffic") is found
    assert said(journal)[-1].endswith("changed: protection")


async def test_a_declined_gate_says_who_declined_which_step(
    runner: Runner, journal: Journal
) -> None:
    gate = Gate("pivot", "Switch over?", "no")

    async def no(asked: Gate) -> str | None:
        return None

    assert await runner.run_step(FakeStep("switchover", gates=[gate]), no) is Status.READY
    (event,) = [each for each in journal.events(RUN) if each.data.get("declined")]
    assert (event.data["step"], event.data["who"]) == ("switchover", "ada")


async def test_a_gate_that_was_passed_stands_and_says_by_whom(runner: Runner) -> None:
    gate = Gate("pivot", "Switch over?", "no")

    async def yes(asked: Gate) -> str | None:
        return "yes"

    assert runner.standing(gate) is None
    await runner.run_step(FakeStep("switchover", gates=[gate]), yes)
    standing = runner.standing(gate)
    assert standing is not None
    assert standing.who == "ada"


async def test_a_rate_of_writes_never_spans_a_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    facts: dict[str, Any] = {}
    clock = [0.0]
    rows = [1000]

    @asynccontextmanager
    async def connect(role: object) -> AsyncIterator[None]:
        yield None

    async def look(connection: object, roles: object) -> activity.Activity:
        return activity.Activity(0, rows[0], False)

    monkeypatch.setattr("runbook.watch.probes.traffic.activity.look", look)
    monkeypatch.setattr("runbook.watch.probes.traffic.time.monotonic", lambda: clock[0])
    context = SimpleNamespace(
        now=lambda: datetime.now(UTC),
        fact=facts.get,
        connect=connect,
        plan=SimpleNamespace(traffic=SimpleNamespace(application_roles=())),
    )
    sampler = TrafficProbe(cast(RunContext, context))

    async def rate(gained: int) -> float | None:
        clock[0] += 2.0
        rows[0] += gained
        view, _ = await sampler.look(Dashboard())
        return view.writes_per_s

    assert await rate(0) is None
    assert await rate(200) == 100.0
    facts["traffic"] = {"open": False}
    facts["fence"] = {"proved": True, "at": "2026-05-02T23:15:02+00:00"}
    assert await rate(116) is None, "those were written before the fence was proved"
    assert await rate(0) == 0.0


@pytest.mark.parametrize("cause", list(Cause))
def test_what_an_alarm_is_about_is_told_by_its_key(cause: Cause) -> None:
    assert cause_of(Alert(cause, "orders", "rows of a table", "words", True).key) is cause
    assert cause_of(f"{cause}like words") is None
