"""What AWS says no to, what it leaves open, and what never reached it, each told apart."""

from __future__ import annotations

import socket
import time

import pytest

from runbook.aws import Aws, Call
from runbook.aws.errors import (
    AccessDenied,
    AwsRefused,
    AwsUnavailable,
    CredentialsError,
    CredentialsExpired,
    EndpointGone,
    UnknownRegion,
)
from runbook.failures import Ambiguous, StepFailed
from state.enums import Environment
from tests.aws.conftest import Answer, Endpoint

REBOOT = Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": "orders-1"})


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries follow at once."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


async def test_a_refused_write_certainly_did_not_happen(aws: Aws, endpoint: Endpoint) -> None:
    endpoint.error(400, "InvalidDBInstanceState", "DB instance orders-1 is not available.")
    with pytest.raises(AwsRefused) as caught:
        await aws.perform(REBOOT)
    assert caught.value.code == "InvalidDBInstanceState"
    assert caught.value.message == "DB instance orders-1 is not available."
    assert not caught.value.throttled
    assert isinstance(caught.value, StepFailed)
    assert "rds:RebootDBInstance" in caught.value.what
    assert caught.value.now == "It did not happen."


async def test_a_throttled_write_is_refused_and_says_so(aws: Aws, endpoint: Endpoint) -> None:
    endpoint.error(400, "Throttling", "Rate exceeded")
    with pytest.raises(AwsRefused) as caught:
        await aws.perform(REBOOT)
    assert caught.value.throttled
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(hang_up=True),
        Answer(500, "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"),
        Answer(
            503, "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>"
        ),
        Answer(500, "<html>gateway"),
        Answer(200, "not XML at all"),
    ],
    ids=["hung-up", "500", "503", "html", "garbage"],
)
async def test_a_write_without_clear_answer_is_ambiguous_and_sent_once(
    aws: Aws, endpoint: Endpoint, answer: Answer
) -> None:
    endpoint.answers = [answer]
    with pytest.raises(Ambiguous, match="rds:RebootDBInstance"):
        await aws.perform(REBOOT)
    assert len(endpoint.requests) == 1


async def test_a_write_that_times_out_is_ambiguous(
    credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.aws.clients._ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Ambiguous, match="timeout"):
            await Aws("us-east-1").perform(REBOOT)


async def test_reads_go_on_trying_through_a_bad_moment(
    aws: Aws, endpoint: Endpoint, no_pause: None
) -> None:
    endpoint.result("DescribeDBClusters", "<DBClusters></DBClusters>")
    endpoint.answers[:0] = [
        Answer(hang_up=True),
        Answer(503, "<ErrorResponse/>"),
        Answer(
            400,
            "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>",
        ),
    ]
    assert await aws.rds.clusters() == []
    assert len(endpoint.requests) == 4


async def test_a_read_that_keeps_failing_ends_in_words(
    aws: Aws, endpoint: Endpoint, no_pause: None
) -> None:
    endpoint.error(500, "InternalFailure", "An internal error occurred.")
    with pytest.raises(AwsUnavailable) as caught:
        await aws.rds.clusters()
    assert "rds:DescribeDBClusters" in caught.value.what
    assert len(endpoint.requests) == 10


def _refuse_to_wait(_: float) -> None:
    raise AssertionError("waiting does not help")


async def test_a_lab_that_is_gone_is_told_at_once(
    credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)

    monkeypatch.setattr(time, "sleep", _refuse_to_wait)
    with pytest.raises(EndpointGone) as read:
        await Aws("us-east-1").identity()
    assert url in read.value.what
    assert "blueprime lab status" in read.value.todo
    with pytest.raises(EndpointGone):
        await Aws("us-east-1").perform(REBOOT)


async def test_no_credentials(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    aws = Aws("us-east-1")
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        await aws.identity()
    with pytest.raises(CredentialsError, match="no AWS credentials"):
        await aws.perform(REBOOT)
    assert endpoint.requests == []


async def test_a_profile_that_does_not_exist(
    credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nightshift")
    with pytest.raises(CredentialsError, match="nightshift"):
        await Aws("us-east-1").identity()


async def test_expired_credentials(aws: Aws, endpoint: Endpoint) -> None:
    endpoint.error(403, "ExpiredToken", "The security token included in the request is expired")
    with pytest.raises(CredentialsExpired, match="expired") as caught:
        await aws.identity()
    assert "Log in again" in caught.value.todo


async def test_access_denied_names_the_action_and_the_principal(
    aws: Aws, endpoint: Endpoint
) -> None:
    principal = "arn:aws:iam::471100000815:user/night"
    endpoint.error(
        403,
        "AccessDenied",
        f"User: {principal} is not authorized to perform: rds:RebootDBInstance",
    )
    with pytest.raises(AccessDenied) as caught:
        await aws.perform(REBOOT)
    assert principal in caught.value.what
    assert "rds:RebootDBInstance" in caught.value.what
    assert "IAM" in caught.value.todo


async def test_a_region_that_does_not_exist(
    credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", _refuse_to_wait)
    with pytest.raises(UnknownRegion) as caught:
        await Aws("us-esat-1").identity()
    assert "us-esat-1" in caught.value.what
    assert "us-east-1" in caught.value.todo


async def test_a_call_that_boto_does_not_let_out_is_refused(aws: Aws, endpoint: Endpoint) -> None:
    short = Call(
        "rds",
        "SwitchoverBlueGreenDeployment",
        {"BlueGreenDeploymentIdentifier": "bgd-1", "SwitchoverTimeout": 5},
    )
    with pytest.raises(AwsRefused, match="SwitchoverTimeout"):
        await aws.perform(short)
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566", Environment.REHEARSAL),
        ("http://localhost:4566", Environment.REHEARSAL),
        ("http://[::1]:4566", Environment.REHEARSAL),
        ("https://rds.internal.example.com", Environment.AWS),
        ("", Environment.AWS),
    ],
)
def test_the_badge_follows_the_endpoint(
    credentials: None, monkeypatch: pytest.MonkeyPatch, url: str, expected: Environment
) -> None:
    if url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_RDS", url)
    assert Aws("eu-central-1").environment is expected
