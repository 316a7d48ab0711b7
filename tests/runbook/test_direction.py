"""Whichever way a run goes, what is advised names the side that has every write."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair
from runbook.base.roles import Role
from runbook.failures import StepFailed
from runbook.procedure.steps.protect.apply_workers import Workers
from runbook.procedure.steps.protect.verify import refuse_while_rows_differ
from runbook.proofs import diverged
from runbook.proofs.diverged import Differing

WAYS = [
    (Role.NEW_BLUE, "the new version", "New blue has every write. A rollback would lose"),
    (
        Role.BLUE_PRIME,
        "the old version",
        "Blue prime has every write. Going forward again would lose",
    ),
]


@pytest.mark.parametrize(("publisher", "version", "now"), WAYS)
def test_rows_that_differ_are_told_of_the_side_that_serves(
    publisher: Role, version: str, now: str
) -> None:
    table = Differing("orders", "public", "t", 2, 1, "comparison")
    facts = {"capture": {"publisher": publisher.value}, diverged.FACT: diverged.as_json([table])}

    class Context:
        def fact(self, key: str) -> Any:
            return facts.get(key)

    with pytest.raises(StepFailed, match=now):
        refuse_while_rows_differ(cast(RunContext, Context()))


@pytest.mark.parametrize(("publisher", "version", "now"), WAYS)
async def test_a_worker_that_fails_advises_the_version_that_serves(
    publisher: Role, version: str, now: str
) -> None:
    class Context:
        async def instances(self, role: Role) -> list[Any]:
            return []

    subscriber = ReplicationPair.of(publisher).subscriber
    assert ReplicationPair.to(subscriber).publisher is publisher
    workers = Workers(cast(RunContext, Context()), subscriber, "")
    with pytest.raises(StepFailed) as failed:
        await workers._fail("orders", 3, 3)
    assert failed.value.todo.endswith(f"stay on {version}.")
