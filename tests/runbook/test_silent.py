"""A cluster that does not answer: it holds up no applications, and goes with all that is on it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from runbook.aws.facts import Cluster
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Impact
from runbook.failures import StepFailed
from runbook.ownership.serving import ClusterUse
from runbook.plan.model import EndpointMethod
from runbook.postgres.connect import CannotConnect, WrongServer
from runbook.postgres.fence_sql import ClientSession
from runbook.procedure.steps import traffic
from runbook.procedure.steps.protect.drop_subscriptions import present
from runbook.procedure.steps.rollback import endpoints
from runbook.procedure.steps.rollback.endpoints import SwitchEndpoint
from runbook.proofs import write_fence
from runbook.protection import given_up

INSIDE = ClientSession(7, "app", "orders", "web", "10.0.0.7", "idle", 3.0)


def context(*, there: bool = True) -> RunContext:
    plan = SimpleNamespace(
        cluster=SimpleNamespace(identifier="orders"),
        endpoint=SimpleNamespace(method=EndpointMethod.RENAME),
        traffic=SimpleNamespace(application_roles=["app"]),
    )

    async def find(role: Role) -> object:
        return object() if there else None

    async def answers(role: Role) -> bool:
        return there

    return cast(RunContext, SimpleNamespace(run="k3f9qa", plan=plan, find=find, answers=answers))


@pytest.mark.parametrize(
    "error",
    [
        CannotConnect("Connection refused"),
        WrongServer("another"),
        psycopg.OperationalError("lost"),
        TimeoutError(),
    ],
)
async def test_nobody_can_write_to_one_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def sample(opened: object) -> Any:
        return SimpleNamespace(sessions=(INSIDE,))

    class Opened:
        def __init__(self, context: RunContext, role: Role) -> None:
            self.role = role

        async def __aenter__(self) -> None:
            if self.role is Role.NEW_BLUE:
                raise error

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr(write_fence, "connections", Opened)
    monkeypatch.setattr(traffic.fence_sql, "sample", sample)
    assert await traffic.nobody_inside(context(), (Role.NEW_BLUE,)) == ["new blue"]
    with pytest.raises(StepFailed, match="1 application session is open on blue prime"):
        await traffic.nobody_inside(context(), (Role.NEW_BLUE, Role.BLUE_PRIME))


@pytest.mark.parametrize("there", [True, False])
async def test_one_that_is_gone_from_aws_has_no_name_to_be_taken(
    monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    async def rename(context: RunContext, role: Role, name: str, stake: Impact) -> Any:
        return role, name

    monkeypatch.setattr(endpoints, "rename", rename)
    waves = await SwitchEndpoint(Role.NEW_BLUE, Role.BLUE_PRIME).effects(context(there=there))
    taken = [(Role.BLUE_PRIME, "orders")]
    aside = [[(Role.NEW_BLUE, "orders-new-k3f9qa")]] if there else []
    assert [*waves] == cast(Any, [*aside, taken])


async def test_one_that_was_given_up_and_is_silent_is_not_asked_before_it_is_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = cast(Cluster, SimpleNamespace(identifier="orders-new-k3f9qa"))
    found: list[ClusterUse | None] = [ClusterUse(Role.NEW_BLUE, cluster, None, "no answer in 5 s")]

    async def look(context: RunContext) -> ClusterUse | None:
        return found[0]

    monkeypatch.setattr(given_up, "look", look)
    both = (Role.BLUE_PRIME, Role.NEW_BLUE)
    assert await present(context(), both, doomed=True) == [Role.BLUE_PRIME]
    assert await present(context(), both, doomed=False) == [*both]
    for answers in (None, ClusterUse(Role.NEW_BLUE, cluster, None, "refused", refuses=True)):
        found[0] = answers
        assert await present(context(), both, doomed=True) == [*both]
