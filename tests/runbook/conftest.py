"""A runner over a real journal, and a world that is only as large as the runner needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.base.step import Effect, Gate, Step, Watch, Wave
from runbook.failures import Answer, Finding
from runbook.ownership.permission import Permission
from runbook.procedure.runner import Runner
from state.enums import Environment
from state.journal import Journal
from state.records import Attempt
from tests.runbook.told import told as told


class FakeEffect(Effect):
    """An effect on a set of strings, which is the whole world."""

    def __init__(
        self,
        key: str,
        context: set[str],
        *,
        act: Callable[[], Awaitable[None]] | None = None,
        findings: Sequence[Answer] | None = None,
    ) -> None:
        self.key = key
        self.title = f"make {key}"
        self._context = context
        self._act = act
        self._findings = list(findings or ())
        self.performed = 0

    def preview(self) -> str:
        return f"MAKE {self.key}"

    async def probe(self) -> Finding:
        if self._findings:
            return Finding(self._findings.pop(0), "as told")
        there = self.key in self._context
        return Finding(Answer.YES if there else Answer.NO, "looked")

    async def perform(self) -> Mapping[str, Any]:
        self.performed += 1
        if self._act is not None:
            await self._act()
        self._context.add(self.key)
        return {"made": self.key}


class FakeStep(Step):
    """A step made of whatever a test gives it."""

    title = "A step"
    why = "For a test."

    def __init__(
        self,
        key: str = "a-step",
        waves: Sequence[Wave] = (),
        *,
        gates: Sequence[Gate] = (),
        verify: Callable[[RunContext, Watch], Awaitable[None]] | None = None,
        skip: str = "",
    ) -> None:
        self.key = key
        self._waves = waves
        self._gates = gates
        self._verify = verify
        self._skip = skip

    async def skip(self, context: RunContext) -> str:
        return self._skip

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        return self._gates

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        return self._waves

    async def verify(self, context: RunContext, watch: Watch) -> None:
        if self._verify is not None:
            await self._verify(context, watch)


class Granted(Permission):
    """Lets every change be made: no AWS and no cluster is asked."""

    async def ask(self, attempt: Attempt, effects: Sequence[Effect]) -> None:
        return None


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.db") as opened:
        opened.start_run(
            "k3f9qa",
            cluster="orders",
            cluster_resource_id="cluster-ABC",
            account="123456789012",
            region="us-east-1",
            environment=Environment.REHEARSAL,
            plan={},
            plan_path="plan.toml",
        )
        yield opened


@pytest.fixture
def runner(journal: Journal) -> Runner:
    async def forget() -> None:
        return None

    context = SimpleNamespace(
        run="k3f9qa",
        now=lambda: datetime.now(UTC),
        forget_connections=forget,
        plan=SimpleNamespace(limits=SimpleNamespace(fast_poll_s=0.01, late_effect_s=0.2)),
    )
    return Runner(
        cast(RunContext, context),
        journal,
        who="ada",
        notice=lambda text, fraction, to_do=False: None,
        permission=Granted(cast(RunContext, context), journal, who="ada"),
    )
