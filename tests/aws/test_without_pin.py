"""An instance that AWS refuses for where it is pinned is made without that pin, and it is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.aws import Call
from runbook.aws.clone import without_pin
from runbook.aws.errors import AwsRefused
from runbook.base.context import RunContext
from runbook.failures import Finding
from runbook.procedure.steps.shared.effects import ApiEffect, no

PINNED = {
    "DBInstanceIdentifier": "orders-prime-1",
    "AvailabilityZone": "eu-central-1a",
    "CACertificateIdentifier": "rds-ca-2019",
}


async def _nothing() -> None:
    return None


async def _no() -> Finding:
    return no("there is none")


def _effect(refuses: dict[str, str], asked: list[dict[str, Any]]) -> ApiEffect:
    async def perform(call: Call) -> dict[str, Any]:
        asked.append(dict(call.parameters))
        for pin, code in refuses.items():
            if pin in call.parameters:
                raise AwsRefused(code, "refused", action="rds:CreateDBInstance")
        return {}

    context = SimpleNamespace(
        plan=SimpleNamespace(limits=SimpleNamespace(patience_s=0.0, poll_s=0.0)),
        aws=SimpleNamespace(perform=perform),
        still_held=_nothing,
    )
    return ApiEffect(
        cast(RunContext, context),
        Call("rds", "CreateDBInstance", PINNED),
        key="orders-prime-1",
        title="create instance orders-prime-1",
        probe=_no,
        without=without_pin,
    )


async def test_each_pin_that_aws_refuses_is_left_out_and_kept_in_words() -> None:
    asked: list[dict[str, Any]] = []
    refuses = {
        "AvailabilityZone": "InsufficientDBInstanceCapacity",
        "CACertificateIdentifier": "CertificateNotFound",
    }
    kept = await _effect(refuses, asked).perform()
    assert kept == {
        "made_without": "AvailabilityZone eu-central-1a, CACertificateIdentifier rds-ca-2019"
    }
    assert [len(each) for each in asked] == [3, 2, 1]


async def test_a_refusal_that_no_pin_is_the_cause_of_stays_one() -> None:
    asked: list[dict[str, Any]] = []
    with pytest.raises(AwsRefused, match="InstanceQuotaExceeded"):
        await _effect({"DBInstanceIdentifier": "InstanceQuotaExceeded"}, asked).perform()
    assert len(asked) == 1
