"""A run's journal and facts, made up: what a position is told from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.base.variants import RollbackTarget, UpgradeVariant
from runbook.plan import model as plans
from runbook.run.branches import branches
from runbook.watch.position import position
from runbook.watch.position_table import RunPosition
from state.enums import Outcome, Status, Track
from state.journal import Journal
from tests.state.invented import start

PLAN: dict[str, Any] = {
    "version": 1,
    "cluster": {
        "identifier": "orders",
        "resource_id": "cluster-A",
        "region": "us-east-1",
        "account": "471100000815",
    },
    "upgrade": {"target_version": "18.4"},
    "credentials": {"user": "postgres", "password": "pgpass"},
    "traffic": {"stop": "manual"},
}

Stay = tuple[Track, str, tuple[str, ...]]
"""A stay on a track: its way, and the steps that were done, each with one change."""

UP: Stay = (Track.UPGRADE, "", ("switchover", "create-slots", "resume-traffic", "subscribe"))

TURN = ("stop-traffic", "drop-subscriptions", "create-slots", "switch-endpoint", "resume-traffic")

BACK: Stay = (Track.ROLLBACK, RollbackTarget.BLUE_PRIME, (*TURN, "drop-slots", "subscribe"))

FORWARD: Stay = (Track.UPGRADE, UpgradeVariant.FORWARD, TURN)

ON_NEW = {"publisher": "new blue"}

ON_PRIME = {"publisher": "blue prime"}

SAFE = {"protected": True}

HELD = {"capture": ON_PRIME, "protection": SAFE}

HERE = ["blue-prime*", "blue-prime-for-good", "commit"]

THERE = ["forward*", "finalize", "cleanup"]


def begun(stay: Stay, *steps: str) -> Stay:
    """Return a stay of which only these steps were done."""
    return (*stay[:2], steps)


class Told:
    """A journal and its facts: what a position is told from."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.run = start(journal).id
        self.live: Any = None
        self.accepted: set[str] = set()
        self.facts: dict[str, Any] = {
            "switchover": {},
            "traffic": {"open": True},
            "slots": ["s_1"],
            "capture": ON_NEW,
        }

    @property
    def context(self) -> RunContext:
        plan = plans.from_json(PLAN | self.facts.get("plan", {}))
        return cast(
            RunContext,
            SimpleNamespace(
                run=self.run,
                fact=self.facts.get,
                plan=plan,
                live=lambda: self.live,
                now=lambda: datetime(2026, 11, 23, 3, 0, tzinfo=UTC),
                accepted=lambda gate: gate in self.accepted,
            ),
        )

    def stays(self, *stays: Stay) -> None:
        """Write down a run's stays, the first of them on the track that it began on."""
        for number, (track, variant, steps) in enumerate(stays):
            if number:
                self.journal.enter_track(self.run, track, variant=variant)
            for step in steps:
                attempt = self.journal.begin_attempt(self.run, step).id
                effect = self.journal.intend(attempt, step, step, "")
                self.journal.settle(effect, Outcome.SUCCEEDED)
                self.journal.end_attempt(attempt, Status.SUCCEEDED)

    def position(self) -> RunPosition:
        return position(self.context, self.journal)

    def open_ways(self) -> list[str]:
        """Return the names of the ways that are open, the recommended one with a star."""
        return [
            (branch.variant or branch.track.value) + "*" * branch.recommended
            for branch in branches(self.context, self.journal)
            if branch.available
        ]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with Journal.open(tmp_path / "journal.db") as journal:
        yield Told(journal)
