"""What only a person can know is asked of a person: `--yes` does not pass it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.ownership import serving
from runbook.ownership.serving import ClusterUse
from runbook.postgres import catalog
from runbook.procedure.steps.finish.commit import AssessCommit
from tests.runbook.test_serving import CLOSED, OPEN, PROTECTED, seen
from tests.runbook.test_serving import context as serving_world
from tui.cli.deciding import yes_to_all


def committing(monkeypatch: pytest.MonkeyPatch, listed: Sequence[str]) -> RunContext:
    """Return the world of a run that holds two slots; the server lists some."""

    async def slots(connection: object) -> list[Any]:
        return [SimpleNamespace(name=name) for name in listed]

    @asynccontextmanager
    async def connect(role: Role) -> AsyncIterator[None]:
        assert role is Role.NEW_BLUE
        yield

    monkeypatch.setattr(catalog, "replication_slots", slots)
    plan = SimpleNamespace(cluster=SimpleNamespace(identifier="orders"))
    facts = {"slots": ["blueprime_k3f9qa_1", "blueprime_k3f9qa_2"]}
    return cast(RunContext, SimpleNamespace(plan=plan, fact=facts.get, connect=connect))


async def test_a_slot_that_another_hand_dropped_keeps_an_unattended_commit_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gates = await AssessCommit().gates(committing(monkeypatch, ["blueprime_k3f9qa_1"]))
    (asked, end) = gates
    assert "blueprime_k3f9qa_2 on new blue was dropped" in asked.question
    assert await yes_to_all(asked) is None
    assert await yes_to_all(end) == "orders"


async def test_while_every_slot_is_listed_only_the_end_itself_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["blueprime_k3f9qa_1", "blueprime_k3f9qa_2", "rds_other"]
    (end,) = await AssessCommit().gates(committing(monkeypatch, names))
    assert end.key == "commit"


async def test_the_deletion_of_a_cluster_that_does_not_answer_is_a_persons_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def look(context: RunContext) -> dict[Role, ClusterUse]:
        return {
            Role.NEW_BLUE: seen(Role.NEW_BLUE, OPEN),
            Role.OLD_BLUE: seen(Role.OLD_BLUE, CLOSED),
            Role.BLUE_PRIME: seen(Role.BLUE_PRIME, None, "no answer in 5 s"),
        }

    monkeypatch.setattr(serving, "look", look)
    here = serving_world(PROTECTED)
    assert await serving.unasked_gates(here, Role.OLD_BLUE) == []
    (gate,) = await serving.unasked_gates(here, Role.OLD_BLUE, Role.BLUE_PRIME)
    assert gate.must_type == "orders-prime-k3f9qa"
    assert await yes_to_all(gate) is None
