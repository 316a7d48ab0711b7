"""The plan's reference to a password is followed at need; what fails is told without it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook.aws import Aws
from runbook.aws.errors import AwsRefused, PasswordMissing
from runbook.aws.route53 import upsert_cname_call
from runbook.plan.connection import CredentialsSection
from tests.rehearsal_aws.conftest import REGION, Lab
from tests.rehearsal_aws.conftest import lab as lab  # the fixture


@pytest.fixture
def aws(lab: Lab, credentials: None, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.url)
    return Aws(REGION)


async def _password(aws: Aws, reference: str) -> str | None:
    section = CredentialsSection(user="postgres", password=reference)
    return await aws.password(section, host="orders.example", port=5432)()


async def test_from_the_environment_when_it_is_needed(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = CredentialsSection(user="postgres", password="env:ORDERS_PASSWORD")
    fetch = aws.password(section, host="orders.example", port=5432)
    with pytest.raises(PasswordMissing, match="ORDERS_PASSWORD"):
        await fetch()
    monkeypatch.setenv("ORDERS_PASSWORD", "correct horse")
    assert await fetch() == "correct horse"


async def test_pgpass_is_left_to_libpq(aws: Aws) -> None:
    assert await _password(aws, "pgpass") is None


async def test_an_iam_token_is_for_this_host_and_user(aws: Aws) -> None:
    token = await _password(aws, "iam")
    assert token is not None
    assert token.startswith("orders.example:5432/?Action=connect&DBUser=postgres&")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("correct horse", "correct horse"),
        (json.dumps({"username": "postgres", "password": "correct horse"}), "correct horse"),
        ("12345", "12345"),
    ],
    ids=["plain", "json", "digits"],
)
async def test_from_secrets_manager_in_the_arns_own_region(
    aws: Aws, lab: Lab, stored: str, expected: str
) -> None:
    arn = _store(lab, stored)
    assert ":eu-central-1:" in arn
    assert await _password(aws, arn) == expected


async def test_what_a_rotation_left_behind_and_is_about_to_set_is_known(aws: Aws, lab: Lab) -> None:
    arn = _store(lab, json.dumps({"password": "the first"}))
    section = CredentialsSection(user="postgres", password=arn)
    fetch = aws.password(section, host="orders.example", port=5432)
    assert await fetch.others() == []
    client = lab.client("secretsmanager", region="eu-central-1")
    client.put_secret_value(SecretId=arn, SecretString=json.dumps({"password": "the second"}))
    assert await fetch() == "the second"
    assert await fetch.others() == ["the first"]
    # What a server took is tried first, whatever the secret says by then.
    fetch.took("an older one")
    again = aws.password(section, host="orders.example", port=5432)
    assert await again.others() == ["an older one", "the first"]


async def test_a_token_is_not_kept(aws: Aws) -> None:
    section = CredentialsSection(user="postgres", password="iam")
    fetch = aws.password(section, host="orders.example", port=5432)
    fetch.took("a token")
    assert await fetch.others() == []


async def test_a_secret_without_password(aws: Aws, lab: Lab) -> None:
    arn = _store(lab, json.dumps({"username": "postgres", "token": "battery"}))
    with pytest.raises(PasswordMissing) as caught:
        await _password(aws, arn)
    assert "battery" not in str(caught.value)


async def test_a_secret_that_does_not_exist(aws: Aws) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:471147110815:secret:nowhere-AbCdEf"
    with pytest.raises(AwsRefused) as caught:
        await _password(aws, arn)
    assert caught.value.code == "ResourceNotFoundException"


def _store(lab: Lab, value: str) -> str:
    client = lab.client("secretsmanager", region="eu-central-1")
    answer: dict[str, Any] = client.create_secret(Name=f"orders/{len(value)}", SecretString=value)
    return str(answer["ARN"])


async def test_a_record_is_made_and_made_again(aws: Aws, lab: Lab) -> None:
    zone = lab.client("route53").create_hosted_zone(Name="shop.example", CallerReference="1")
    zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
    assert await aws.route53.record(zone_id, "db.shop.example") is None
    for host in ("orders.example", "prime.example"):
        call = upsert_cname_call(zone_id, "db.shop.example", host, ttl_s=5, comment="blueprime")
        answer = await aws.perform(call)
        assert await aws.route53.in_sync(answer["ChangeInfo"]["Id"])
        record = await aws.route53.record(zone_id, "DB.shop.example.")
        assert record is not None
        assert record.values == (host,)
        assert record.ttl_s == 5
    assert await aws.route53.record(zone_id, "aa.shop.example") is None
