"""The waits of the runner: each has a limit, says what for, and ends when stopped or left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.aws import Call
from runbook.aws.errors import AwsRefused
from runbook.base.context import RunContext
from runbook.base.step import Watch
from runbook.failures import Answer, Finding
from runbook.procedure.runner import Runner
from runbook.procedure.steps.shared.effects import ApiEffect
from state.enums import Outcome, Status
from state.journal import Journal
from tests.runbook.conftest import FakeEffect, FakeStep
from tests.runbook.test_runner import effects, yes


async def test_a_wait_has_a_limit_that_says_what_it_waited_for(
    runner: Runner, journal: Journal
) -> None:
    async def verify(context: RunContext, watch: Watch) -> None:
        async for _ in watch.until(0.02, every_s=0.005, what="green to become available"):
            pass

    assert await runner.run_step(FakeStep(verify=verify), yes) is Status.FAILED
    assert "green to become available" in journal.attempts("k3f9qa")[-1].message


async def test_a_wait_can_be_stopped_and_taken_up_again(runner: Runner, journal: Journal) -> None:
    waiting = asyncio.Event()
    ready = False

    async def verify(context: RunContext, watch: Watch) -> None:
        async for _ in watch.until(60, every_s=0.01, what="green"):
            waiting.set()
            if ready:
                return

    step = FakeStep(verify=verify)
    attempt = asyncio.create_task(runner.run_step(step, yes))
    await waiting.wait()
    runner.stop_waiting()
    assert await attempt is Status.FAILED
    assert "ada stopped the wait" in journal.attempts("k3f9qa")[-1].message
    ready = True
    assert await runner.run_step(step, yes) is Status.SUCCEEDED


async def test_leaving_lets_the_effect_in_flight_end_and_calls_it_unknown(
    runner: Runner, journal: Journal
) -> None:
    begun, let_go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        begun.set()
        await let_go.wait()
        ended.set()

    effect = FakeEffect("bgd", set(), act=slowly)
    attempt = asyncio.create_task(runner.run_step(FakeStep(waves=[[effect]]), yes))
    await begun.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    let_go.set()
    await asyncio.wait_for(ended.wait(), 120)
    assert effects(journal)[0].outcome is Outcome.UNKNOWN


async def test_leaving_starts_no_further_effect(runner: Runner, journal: Journal) -> None:
    async def leave() -> None:
        runner.leave()

    first, second = FakeEffect("first", set(), act=leave), FakeEffect("second", set())
    assert await runner.run_step(FakeStep(waves=[[first], [second]]), yes) is Status.FAILED
    assert (first.performed, second.performed) == (1, 0)
    assert effects(journal)[0].outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_call_that_aws_refuses_for_its_state_is_given_up_when_the_wait_is_stopped(
    runner: Runner, journal: Journal, leaves: bool
) -> None:
    refused = AwsRefused("InvalidBlueGreenDeploymentStateFault", "It is PROVISIONING.")
    calls = 0
    said: list[str] = []
    runner._waits._notice = lambda text, *_, **__: said.append(text)

    async def perform(call: Call) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            (runner.leave if leaves else runner.stop_waiting)()
        raise refused

    async def probe() -> Finding:
        return Finding(Answer.NO, "it is PROVISIONING")

    context = cast(Any, runner.context)
    context.aws = SimpleNamespace(perform=perform)
    context.still_held = context.forget_connections
    context.plan.limits.patience_s, context.plan.limits.poll_s = 3600.0, 0.001
    effect = ApiEffect(
        context, Call("rds", "Delete", {}), key="bgd/delete", title="delete bgd", probe=probe
    )
    assert await runner.run_step(FakeStep("delete-green", waves=[[effect]]), yes) is Status.FAILED
    assert calls == 3
    message = journal.attempts("k3f9qa")[-1].message
    assert ("blueprime was left" if leaves else "ada stopped the wait") in message
    assert "delete bgd: AWS refuses it so far (InvalidBlueGreenDeploymentStateFault: " in message
    (record,) = effects(journal)
    assert record.outcome is Outcome.FAILED
    assert any("it is asked again for 3" in text for text in said)
