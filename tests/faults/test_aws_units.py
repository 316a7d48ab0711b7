"""What outlasts a refusal, is made anew, and is looked up anew: by itself, at full speed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from runbook.aws import Aws, Call
from runbook.aws.errors import AwsRefused, CredentialsExpired
from runbook.aws.facts import Cluster, Instance
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.failures import Finding, Refused
from runbook.procedure.steps.shared import recreate_failed
from runbook.procedure.steps.shared.effects import ApiEffect, no, unknown, yes
from runbook.procedure.steps.upgrade import switchover
from runbook.watch.position import position
from runbook.watch.position_table import RunPosition
from state.enums import Outcome, Track

BUSY = AwsRefused("InvalidDBClusterStateFault", "DbCluster orders is not in available state")
THROTTLED = AwsRefused("Throttling", "Rate exceeded")
TAKEN = AwsRefused("DBClusterAlreadyExistsFault", "DB Cluster already exists: prime")
WRONG = AwsRefused("InvalidParameterValue", "no such class")


class Scripted:
    """An AWS that refuses with what is scripted, then accepts."""

    def __init__(self, *refusals: Exception) -> None:
        self.refusals = list(refusals)
        self.calls = 0

    async def perform(self, call: Call) -> dict[str, Any]:
        self.calls += 1
        if self.refusals:
            raise self.refusals.pop(0)
        return {"done": True}


async def held() -> None:
    """Tell that this journal holds the run."""


async def pause(text: str, seconds: float) -> None:
    """Wait as a step does, with nobody to tell."""
    await asyncio.sleep(seconds)


def effect(
    aws: Scripted,
    probe: Callable[[], Awaitable[Finding]],
    patience_s: float = 5,
    still_held: Callable[[], Awaitable[None]] = held,
) -> ApiEffect:
    limits = SimpleNamespace(patience_s=patience_s, poll_s=0.001)
    context = SimpleNamespace(
        aws=aws, plan=SimpleNamespace(limits=limits), still_held=still_held, pause=pause
    )
    return ApiEffect(
        cast(RunContext, context),
        Call("rds", "RestoreDBClusterToPointInTime", {}),
        key="prime",
        title="clone",
        probe=probe,
        keep=dict,
    )


async def not_there() -> Finding:
    return no("it is not there")


async def test_a_refusal_that_passes_is_outlasted() -> None:
    aws = Scripted(THROTTLED, BUSY)
    assert await effect(aws, not_there).perform() == {"done": True, "refused_before": 2}
    assert aws.calls == 3


async def test_a_refusal_for_good_is_not_repeated() -> None:
    aws = Scripted(WRONG)
    with pytest.raises(AwsRefused, match="no such class"):
        await effect(aws, not_there).perform()
    assert aws.calls == 1


async def test_the_patience_ends() -> None:
    aws = Scripted(*[BUSY] * 1000)
    with pytest.raises(AwsRefused, match="not in available state"):
        await effect(aws, not_there, patience_s=0.02).perform()
    assert 1 < aws.calls < 1000


async def test_nothing_is_waited_for_where_nothing_will_come() -> None:
    aws = Scripted(BUSY, BUSY)

    async def never() -> bool:
        return False

    made = effect(aws, not_there)
    made._worth = never
    with pytest.raises(AwsRefused, match="not in available state"):
        await made.perform()
    assert aws.calls == 1


async def test_nothing_is_asked_for_again_once_another_journal_went_on() -> None:
    aws = Scripted(BUSY, BUSY)

    async def left_behind() -> None:
        raise Refused("This journal was left behind.", now="Nothing.", todo="adopt")

    with pytest.raises(Refused, match="left behind"):
        await effect(aws, not_there, still_held=left_behind).perform()
    assert aws.calls == 1


async def test_what_is_seen_to_have_happened_is_not_asked_for_again() -> None:
    aws = Scripted(TAKEN)

    async def ours() -> Finding:
        return yes("prime is creating", resource_id="cluster-P")

    found = await effect(aws, ours).perform()
    assert found == {"seen": "prime is creating", "resource_id": "cluster-P"}
    assert aws.calls == 1


async def test_what_belongs_to_somebody_else_is_not_asked_for_again() -> None:
    aws = Scripted(TAKEN)

    async def theirs() -> Finding:
        return unknown("it does not bear this run's tag")

    with pytest.raises(AwsRefused, match="already exists"):
        await effect(aws, theirs).perform()
    assert aws.calls == 1


def cluster(status: str, run: str) -> Cluster:
    return Cluster.parse(
        {
            "DbClusterResourceId": "cluster-PRIME",
            "DBClusterIdentifier": "orders-prime-k3f9qa",
            "DBClusterArn": "arn",
            "Status": status,
            "EngineVersion": "16.14",
            "TagList": [{"Key": RUN_TAG, "Value": run}],
        }
    )


def instance(name: str, status: str, run: str) -> Instance:
    return Instance.parse(
        {
            "DBInstanceIdentifier": name,
            "DbiResourceId": f"db-{name}",
            "DBInstanceStatus": status,
            "TagList": [{"Key": RUN_TAG, "Value": run}],
        }
    )


def context(found: Cluster | None, *instances: Instance) -> RunContext:
    async def find(role: Role) -> Cluster | None:
        return found if role is Role.BLUE_PRIME else None

    async def members(identifier: str) -> list[Instance]:
        return list(instances)

    return cast(
        RunContext, SimpleNamespace(run="k3f9qa", find=find, rds=SimpleNamespace(instances=members))
    )


@pytest.mark.parametrize(
    ("status", "run", "goes"),
    [
        ("cloning-failed", "k3f9qa", True),
        ("incompatible-restore", "k3f9qa", True),
        ("deleting", "k3f9qa", True),
        ("available", "k3f9qa", False),
        ("creating", "k3f9qa", False),
        ("cloning-failed", "other1", False),
    ],
)
async def test_only_our_own_failed_clone_is_made_anew(status: str, run: str, goes: bool) -> None:
    assert (await recreate_failed.failed_clone(context(cluster(status, run))) is not None) is goes


async def test_only_our_own_failed_instances_are_made_anew() -> None:
    found = await recreate_failed.failed_instances(
        context(
            cluster("available", "k3f9qa"),
            instance("one", "incompatible-parameters", "k3f9qa"),
            instance("two", "available", "k3f9qa"),
            instance("three", "failed", "other1"),
            instance("four", "storage-full", "k3f9qa"),
        )
    )
    assert [each.identifier for each in found] == ["one"]
    assert await recreate_failed.failed_instances(context(cluster("available", "other1"))) == []


def test_a_deletion_is_asked_for_by_name_and_one_under_way_is_not() -> None:
    (gate,) = recreate_failed.gates(
        [cluster("cloning-failed", "k3f9qa"), cluster("deleting", "k3f9qa")]
    )
    assert gate.must_type == "orders-prime-k3f9qa"
    assert "cloning-failed" in gate.question


NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "returned_after_s", "where"),
    [
        (Outcome.SUCCEEDED, None, RunPosition.SWITCHOVER_ASKED),
        (Outcome.UNKNOWN, None, RunPosition.SWITCHOVER_ASKED),
        (Outcome.FAILED, None, RunPosition.BEFORE_SWITCHOVER),
        (Outcome.SUCCEEDED, 60, RunPosition.BEFORE_SWITCHOVER),
        (Outcome.SUCCEEDED, -60, RunPosition.SWITCHOVER_ASKED),
    ],
)
def test_a_switchover_that_was_asked_for_counts_until_it_is_seen_to_return(
    outcome: Outcome, returned_after_s: float | None, where: RunPosition
) -> None:
    facts: dict[str, Any] = {}
    if returned_after_s is not None:
        at = NOW + timedelta(seconds=returned_after_s)
        facts[switchover.RETURNED] = {"at": at.isoformat()}
    asked = SimpleNamespace(outcome=outcome, intent_at=NOW, key="bgd/switchover")
    attempt = SimpleNamespace(step="switchover", track=Track.UPGRADE, effects=[asked], entry=1)
    journal = SimpleNamespace(
        entries=lambda run: [SimpleNamespace(id=1, track=Track.UPGRADE, variant="", from_step="")],
        attempts=lambda run: [attempt],
    )
    looked = SimpleNamespace(run="k3f9qa", fact=facts.get)
    assert position(cast(RunContext, looked), cast(Any, journal)) is where


async def test_credentials_are_looked_up_anew_once_they_have_expired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "old")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    seen: list[str] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        key = "old" if b"Credential=old/" in request.headers["Authorization"] else "new"
        seen.append(key)
        return _expired(request.url) if key == "old" else _identity(request.url)

    class Session(boto3.Session):
        def client(self, *args: Any, **kwargs: Any) -> Any:
            made = super().client(*args, **kwargs)
            made.meta.events.register("before-send.*", answer)
            return made

    monkeypatch.setattr(boto3, "Session", Session)
    aws = Aws("us-east-1")
    with pytest.raises(CredentialsExpired, match="expired"):
        await aws.identity()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
    assert (await aws.identity()).account == "471147110815"
    assert seen == ["old", "new"]


def _response(url: str, status: int, body: str) -> AWSResponse:
    return AWSResponse(url, status, HTTPHeaders(), SimpleNamespace(stream=lambda: [body.encode()]))


def _expired(url: str) -> AWSResponse:
    error = "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>"
    return _response(url, 403, f"<ErrorResponse>{error}</ErrorResponse>")


def _identity(url: str) -> AWSResponse:
    result = "<Account>471147110815</Account><Arn>arn</Arn>"
    return _response(
        url,
        200,
        "<GetCallerIdentityResponse><GetCallerIdentityResult>"
        f"{result}</GetCallerIdentityResult></GetCallerIdentityResponse>",
    )
