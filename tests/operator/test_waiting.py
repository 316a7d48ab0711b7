"""Waits: progress that stands still is told, and time in which nobody could look does not count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runbook.base.step import Gate
from runbook.failures import StepFailed
from runbook.procedure.waiting import JournalWatch, Stopped, Waits
from state.enums import Status
from state.journal import Journal
from state.records import Attempt
from tests.state.invented import start

HOUR = 3600.0


async def nobody(gate: Gate) -> bool:
    """Pass no gate."""
    return False


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.db") as journal:
        start(journal)
        yield journal


class Awake:
    """Stands in for the `time` module of a wait: only the clock that is awake counts there."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


async def look_on(
    watch: JournalWatch, look: Callable[[], None], *, limit_s: float, every_s: float
) -> None:
    async for _ in watch.until(limit_s, every_s=every_s, what="green"):
        look()


async def waited(
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    *,
    pauses: Mapping[int, float],
    looks: Mapping[int, float],
    limit_s: float = 60.0,
) -> int:
    """Return how many looks a wait of `limit_s`, one a second, made before it gave up.

    `pauses` and `looks` say how long the n-th of them took, where not as long as it should.
    """
    clock = Awake()
    monkeypatch.setattr("runbook.procedure.waiting.time", clock)
    attempt = journal.begin_attempt("run1", "await-green")
    watch = watched(journal, attempt, asyncio.Event())
    count = 0

    async def pause(waiter: Any, every_s: float) -> None:
        waiter.close()
        clock.at += pauses.get(count, every_s)
        raise TimeoutError

    monkeypatch.setattr(asyncio, "wait_for", pause)

    def look() -> None:
        nonlocal count
        count += 1
        clock.at += looks.get(count, 0.0)

    with pytest.raises(StepFailed, match=r"Waited 60 s for green"):
        await look_on(watch, look, limit_s=limit_s, every_s=1.0)
    monkeypatch.undo()
    journal.end_attempt(attempt.id, Status.FAILED)
    return count


def watched(journal: Journal, attempt: Attempt, stop: asyncio.Event) -> JournalWatch:
    waits = Waits(journal, "run1", lambda *_, **__: None, stop)
    return JournalWatch(journal, "run1", attempt, waits, stop, nobody)


async def test_a_wait_that_sees_no_progress_says_so(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Awake()
    monkeypatch.setattr("runbook.procedure.waiting.time", clock)
    said: list[str] = []
    waits = Waits(journal, "run1", lambda text, *_, **__: said.append(text), asyncio.Event())
    waits.begin("delete-green")
    for text, later in (("DELETING", 0.0), ("DELETING", 20.0), ("DELETING", 200.0), ("gone", 5.0)):
        clock.at += later
        waits.say(text)
    assert said == ["DELETING", "DELETING", "DELETING (no change for 4 min)", "gone"]
    beats = [event for event in journal.events("run1") if event.kind == "wait"]
    assert [event.data["step"] for event in beats] == ["delete-green"] * len(beats)
    assert len(beats) == 4


async def test_a_process_that_was_stopped_in_a_wait_waits_on(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = await waited(journal, monkeypatch, pauses={}, looks={})
    assert undisturbed == 61
    assert await waited(journal, monkeypatch, pauses={5: HOUR}, looks={}) == undisturbed


async def test_a_wait_whose_look_was_held_up_takes_one_more_before_it_fails(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await waited(journal, monkeypatch, pauses={}, looks={1: HOUR}) == 2


async def test_a_wait_can_be_stopped_at_any_time(journal: Journal) -> None:
    attempt = journal.begin_attempt("run1", "await-green")
    stop = asyncio.Event()
    watch = watched(journal, attempt, stop)
    with pytest.raises(Stopped):
        await look_on(watch, stop.set, limit_s=HOUR, every_s=HOUR)
