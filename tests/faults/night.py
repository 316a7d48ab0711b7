"""A night in this process, step by step, with faults ordered on the way."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from rehearsal import lab
from runbook.base.offer import Preview
from runbook.base.step import Gate
from runbook.preflight import plans
from runbook.run.branches import Branch
from runbook.run.session import Session
from state.enums import Status, Track
from state.journal import Journal
from tests.workspace import Workspace

LIMIT_STEPS = 60

PROVING = ("verify-protection", "verify-new-blue", "bake")
"""The steps that ask the watch whether the run is protected; elsewhere it would meet the faults."""

CREATES = (
    "CreateBlueGreenDeployment",
    "CreateDBClusterParameterGroup",
    "CreateDBClusterSnapshot",
    "CreateDBInstance",
    "RestoreDBClusterToPointInTime",
)


@dataclass
class Night:
    """An open run, with the lab's faults at hand."""

    session: Session
    asked: list[Gate]
    """The gates that were passed, in order."""

    @property
    def next(self) -> str:
        following = self.session.checklist().next
        return "" if following is None else following.step

    async def advance(self) -> Status:
        """Try the next step once, and nothing after it."""
        step = self.next
        begins = step in PROVING and self.session._watching is None
        if begins:
            await self.session.start_watching()
        try:
            return await self.session.advance(step, self._yes, until=step)
        finally:
            if begins:
                await self.session.stop_watching()

    async def reach(self, step: str) -> None:
        """Go on until the step is the next one (or, empty, none is left); none may fail."""
        for _ in range(LIMIT_STEPS):
            if self.next == step:
                return
            key = self.next
            status = await self.advance()
            assert status.done, f"{key} {status.value}: {self.message(key)}"
        raise AssertionError(f"{step} was not reached, but {self.next}")

    async def fails(self, step: str, *words: str, status: Status = Status.FAILED) -> str:
        """Reach the step and see it fail in these words; return its message."""
        await self.reach(step)
        assert await self.advance() is status, self.message(step)
        message = self.message(step)
        for each in words:
            assert each in message, message
        return message

    async def succeeds(self, step: str) -> None:
        """Try the step, which is the next one, and see it succeed."""
        assert self.next == step
        status = await self.advance()
        assert status is Status.SUCCEEDED, self.message(step)

    def message(self, step: str) -> str:
        attempt = self.session.checklist().line(step).attempt
        return attempt.message if attempt else ""

    async def preview(self, step: str) -> Preview:
        return await self.session.preview(step)

    async def ways(self) -> set[str]:
        """Return the titles of the ways that are offered."""
        return {branch.title for branch in await self.session.ways() if branch.available}

    async def branch(self, track: Track) -> None:
        branch = await self._way(track)
        await self.session.branch(branch, "for the test")

    async def _way(self, track: Track) -> Branch:
        return next(w for w in await self.session.ways() if w.track is track and w.available)

    async def _yes(self, gate: Gate) -> str | None:
        self.asked.append(gate)
        return gate.must_type or "yes"


@asynccontextmanager
async def night(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, **limits: float
) -> AsyncIterator[Night]:
    """Lend a night with a lab and a workload of its own; the plan's limits as given."""
    workspace.lab()
    path = workspace.plan()
    for name, value in workspace.lab_environment().items():
        monkeypatch.setenv(name, value)
    lab.traffic("start")
    text = path.read_text(encoding="utf-8")
    for limit, seconds in limits.items():
        text = re.sub(rf"^{limit} =.*\n", "", text, flags=re.MULTILINE)
        text = text.replace("[limits]", f"[limits]\n{limit} = {seconds}")
    path.write_text(text, encoding="utf-8")
    with Journal.open(workspace.home / "journal.db") as journal:
        session = Session.start(journal, plans.load(path), path, who="ada")
        try:
            yield Night(session, [])
        finally:
            await session.close()


def fault(kind: str, *words: str) -> None:
    """Order a fault from the lab, as `blueprime lab fault` does."""
    lab.fault(kind, *words)


async def nothing_lost() -> None:
    """See that every acknowledged write is on the cluster that serves."""
    verdict = await asyncio.to_thread(lab.ledger)
    assert verdict["acknowledged"] > 0
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0), verdict


def performed(action: str) -> list[str]:
    """Return the targets of an action's performed calls."""
    return [call["target"] for call in lab.calls() if call["action"] == action]


def created_twice() -> dict[Any, int]:
    """Return what was created more than once, with how often."""
    made = Counter((c["action"], c["target"]) for c in lab.calls() if c["action"] in CREATES)
    return {what: count for what, count in made.items() if count > 1}


def names_like(part: str) -> list[str]:
    """Return the names of the lab's clusters that contain a word."""
    return [c["identifier"] for c in lab.status()["clusters"] if part in c["identifier"]]


def members_of(cluster: str) -> list[str]:
    """Return the instances of a cluster of the lab."""
    found = [c["members"] for c in lab.status()["clusters"] if c["identifier"] == cluster]
    return list(found[0])
