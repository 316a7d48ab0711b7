"""Clocks that are set and machines that sleep: nothing old is taken for fresh by that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base import clocks, downtime
from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.clocks import Clocks, ClockWatch, Jump, age
from runbook.base.context import RunContext
from runbook.base.downtime import Downtime
from runbook.base.step import Gate
from runbook.procedure.runner import Runner
from runbook.protection.assess import BESIDE, REQUIRED_PROBES
from runbook.protection.dashboard import (
    ClusterView,
    Dashboard,
    Fence,
    LagView,
    Protection,
    TrafficView,
)
from runbook.watch.listing import WatchContext
from runbook.watch.monitor import Monitor
from state import reading, writing
from state.enums import Outcome, Status
from state.journal import Journal
from tests.state.invented import start

HOUR = 3600.0


class Machine:
    """The three clocks of a machine that sleeps and is set when told to."""

    def __init__(self) -> None:
        self.wall, self.since_boot, self.awake = 1_780_000_000.0, 50_000.0, 40_000.0

    def read(self) -> Clocks:
        return Clocks(self.wall, self.since_boot, self.awake)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.wall, UTC)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.since_boot += seconds
        self.awake += seconds

    def sleeps(self, seconds: float) -> None:
        self.wall += seconds
        self.since_boot += seconds

    def is_set(self, by: float) -> None:
        self.wall += by


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    for module in (reading, writing):
        if hasattr(module, "now"):
            monkeypatch.setattr(module, "now", machine.now)
    for module in ("insert", "ending"):
        monkeypatch.setattr(f"state.{module}.now", machine.now)
    monkeypatch.setattr("state.ending.unset", lambda: machine.since_boot)
    return machine


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.db") as journal:
        start(journal)
        yield journal


@pytest.mark.parametrize(
    ("event", "jump"),
    [
        (lambda m: None, None),
        (lambda m: m.is_set(1.5), None),
        (lambda m: m.is_set(-HOUR), Jump(set_s=-HOUR)),
        (lambda m: m.is_set(HOUR), Jump(set_s=HOUR)),
        (lambda m: m.sleeps(HOUR), Jump(slept_s=HOUR)),
        (lambda m: m.passes(29), Jump(still_s=30)),
    ],
    ids=["nothing", "nudged", "set back", "set forward", "slept", "stood still"],
)
def test_a_jump_is_told_by_what_the_clocks_say_of_each_other(
    machine: Machine, event: Callable[[Machine], None], jump: Jump | None
) -> None:
    watch = ClockWatch(machine.read)
    for happens, expected in ((lambda m: None, None), (event, jump), (lambda m: None, None)):
        machine.passes(1)
        happens(machine)
        found = watch.look()
        if expected is None:
            assert found is None
        else:
            assert found is not None
            assert (found.set_s, found.slept_s, found.still_s) == pytest.approx(
                (expected.set_s, expected.slept_s, expected.still_s)
            )


def test_the_real_clocks_agree_while_nothing_happens() -> None:
    watch = ClockWatch()
    assert watch.look() is None
    assert clocks.read().since_boot >= clocks.read().awake - 1


def full_board(at: datetime) -> Dashboard:
    lag = LagView("orders", "slot", 10, 0.1, True, "reserved", at=at)
    return Dashboard(
        clusters=(ClusterView("new blue", "orders", "18.4", "available", 1, 1, at=at),),
        lags=(lag,),
        green_lags=(lag,),
        traffic=TrafficView(Fence.OPEN, None, 4, 40.0, at=at),
        protection=Protection(True, "a rollback now would lose nothing", at=at),
        at=at,
    )


def monitor(journal: Journal, machine: Machine) -> Any:
    protection = SimpleNamespace(fresh_s=10.0, lag_limit_s=10, lag_limit_bytes=1000)
    context = SimpleNamespace(
        run="run1",
        now=machine.now,
        plan=SimpleNamespace(protection=protection),
        fact=lambda key: journal.fact("run1", key),
    )
    watch: Any = Monitor(cast(WatchContext, context), journal)
    watch._clocks = ClockWatch(machine.read)
    watch.dashboard = full_board(machine.now())
    watch._seen = {
        name: ProbeResult(machine.now(), (), "") for name in ("workers", "schemas", "strays")
    }
    watch._traffic._written = (machine.awake, 1000, "new blue")
    return watch


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (lambda m: m.sleeps(HOUR), "the clock jumped by +3600 s: this machine slept"),
        (lambda m: m.is_set(HOUR), "the clock jumped by +3600 s: it was set"),
        (lambda m: m.is_set(-5), "the clock jumped by -5 s: it was set"),
        (lambda m: m.passes(30), "blueprime stood still for 31 s"),
    ],
    ids=["sleep", "forward", "back by less than the limit", "stopped"],
)
def test_no_figure_from_before_a_jump_is_shown_as_fresh(
    journal: Journal, machine: Machine, event: Callable[[Machine], None], said: str
) -> None:
    watch = monitor(journal, machine)
    machine.passes(1)
    watch._watch_clocks()
    assert watch.dashboard.lags[0].bytes == 10, "nothing happened yet"
    machine.passes(1)
    event(machine)
    watch._watch_clocks()
    dashboard = watch.dashboard
    assert [lag.bytes for lag in (*dashboard.lags, *dashboard.green_lags)] == [None, None]
    assert dashboard.traffic.writes_per_s is None
    assert dashboard.traffic.fence is Fence.UNKNOWN
    assert all(view.at is None and view.error for view in dashboard.clusters)
    seen = watch._looked().seen
    assert [seen.get(rest.name, ProbeResult()).at for rest in (*REQUIRED_PROBES, BESIDE)] == [
        None
    ] * (len(REQUIRED_PROBES) + 1)
    assert watch._traffic._written is None, "no rate is taken over the jump"
    tail = journal.events("run1")[-1]
    assert (tail.kind, tail.text.split(";")[0]) == ("clock", said)


def test_a_schema_compared_before_the_clock_was_set_back_gives_way(
    journal: Journal, machine: Machine
) -> None:
    watch = monitor(journal, machine)
    kept = {"differences": [], "at": machine.now().isoformat()}
    journal.evidence("run1", "verify-protection", "", key="schema", value=kept)
    machine.is_set(-HOUR)
    drift = Alert(Cause.SCHEMA, "orders", "x", "orders: only on new blue: x", True)
    watch._seen["schemas"] = ProbeResult(machine.now(), (drift,), "")
    assert watch._looked().seen["schemas"].alarms == (drift,)


def test_an_age_in_the_future_is_not_known(machine: Machine) -> None:
    now = machine.now()
    assert age(now - timedelta(seconds=4), now) == 4
    assert age(now + timedelta(seconds=1), now) == 0
    assert age(now + timedelta(seconds=60), now) is None
    assert age(None, now) is None


def test_protection_seen_in_the_future_is_unknown_in_the_list(
    journal: Journal, machine: Machine
) -> None:
    def said() -> bool | None:
        return journal.runs()[0].protected

    journal.publish("run1", full_board(machine.now()).as_json())
    assert said() is True
    machine.is_set(-HOUR)
    assert said() is None
    no = replace(full_board(machine.now()), protection=Protection(False, "x", at=machine.now()))
    journal.publish("run1", no.as_json())
    assert said() is False
    machine.sleeps(HOUR)
    assert said() is None


def runner(journal: Journal, machine: Machine) -> Any:
    context = SimpleNamespace(run="run1", now=machine.now)
    return Runner(cast(RunContext, context), journal, who="ann", notice=lambda *_, **__: None)


@pytest.mark.parametrize(
    ("event", "stands"),
    [
        (lambda m: m.passes(60), True),
        (lambda m: m.sleeps(HOUR), False),
        (lambda m: m.is_set(HOUR), False),
        (lambda m: m.is_set(-HOUR), False),
    ],
    ids=["a minute", "an hour asleep", "set forward", "set back"],
)
def test_no_gate_stands_that_has_grown_old_or_lies_in_the_future(
    journal: Journal, machine: Machine, event: Callable[[Machine], None], stands: bool
) -> None:
    journal.decide("run1", "switchover", "pivot", who="ann", typed="orders")
    event(machine)
    gate = Gate("pivot", "Switch over?", "no", must_type="orders", valid_s=1800)
    assert (runner(journal, machine).standing(gate) is not None) is stands


def stopped(journal: Journal, machine: Machine) -> None:
    attempt = journal.begin_attempt("run1", "stop-traffic")
    journal.settle(journal.intend(attempt.id, "stop", "Stop", "x"), Outcome.SUCCEEDED)
    journal.evidence(
        "run1", "stop-traffic", "", key="traffic", value={"open": False}, attempt=attempt.id
    )
    journal.end_attempt(attempt.id, Status.SUCCEEDED)


def let_in(journal: Journal, machine: Machine) -> None:
    attempt = journal.begin_attempt("run1", "resume-traffic")
    value = {"open": True, "on": "new blue", "at": machine.now().isoformat()}
    journal.evidence("run1", "resume-traffic", "", key="traffic", value=value, attempt=attempt.id)
    journal.end_attempt(attempt.id, Status.SUCCEEDED)


@pytest.mark.parametrize(
    ("event", "seconds"),
    [
        (lambda m: m.is_set(HOUR), 20),
        (lambda m: m.is_set(-HOUR), 20),
        (lambda m: m.sleeps(HOUR), HOUR + 20),
    ],
    ids=["set forward", "set back", "asleep"],
)
def test_the_downtime_is_what_passed_whatever_the_clock_said(
    journal: Journal, machine: Machine, event: Callable[[Machine], None], seconds: float
) -> None:
    """Asleep, the applications were down all the same."""
    watch = monitor(journal, machine)

    def clock() -> Downtime:
        return downtime.downtime(journal, "run1")

    machine.is_set(500)
    watch._watch_clocks()  # a jump before it counts for nothing
    stopped(journal, machine)
    machine.passes(9)
    event(machine)
    watch._watch_clocks()
    machine.passes(1)
    assert clock().seconds(machine.now()) == pytest.approx(seconds - 10)
    machine.passes(10)
    let_in(journal, machine)
    assert clock().ended_at is not None
    machine.is_set(-700)
    watch._watch_clocks()  # nor does one after it
    assert clock().seconds(machine.now()) == pytest.approx(seconds)
    stopped(journal, machine)
    machine.passes(5)
    assert clock().earlier_s == pytest.approx(seconds)
    assert clock().seconds(machine.now()) == pytest.approx(5)


def test_clocks_are_read_from_the_machine() -> None:
    before = time.time()
    found = clocks.read()
    assert before <= found.wall <= time.time()
