"""Whose credentials are used, and what becomes of a call when they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runbook.aws import Aws, Call
from runbook.aws.errors import AwsUnavailable, CredentialsError, CredentialsExpired, MfaCodeNeeded
from runbook.aws.mfa import CODES
from runbook.aws.sessions import Access
from runbook.plan.model import Plan
from tests.aws.conftest import Answer, Endpoint
from tests.iam.conftest import DEVICE, ROLE, WITH_MFA, WITH_SSO, Profiles
from tests.iam.plans import plan_of
from tests.rehearsal_aws.conftest import REGION, Lab
from tests.workspace import Workspace

REBOOT = Call("rds", "RebootDBInstance", {"DBInstanceIdentifier": "orders-1"})


@pytest.fixture
def aws(lab: Lab, profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> Aws:
    profiles(WITH_MFA, KEYS)
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.url)
    return Aws(REGION)


KEYS = "[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n"


@dataclass
class Person:
    """Somebody with a device, who is asked for its codes."""

    codes: list[str | None]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, device: str, trouble: str) -> str | None:
        self.asked.append((device, trouble))
        return self.codes.pop(0)


async def test_without_a_code_nothing_is_asked_of_aws(aws: Aws, lab: Lab) -> None:
    for asked in (aws.identity(), aws.perform(REBOOT)):
        with pytest.raises(MfaCodeNeeded, match=DEVICE) as caught:
            await asked
        assert "--mfa-code" in caught.value.todo
    assert lab.control.answers.told()["checked"] == {}


async def test_a_code_that_was_given_signs_in_once(aws: Aws, lab: Lab) -> None:
    CODES.give("123456")
    assert "assumed-role/night" in (await aws.identity()).arn
    assert (await aws.rds.clusters())[0].identifier == "orders"
    assert lab.control.answers.told()["checked"]["sts:AssumeRole"] == 1
    with pytest.raises(MfaCodeNeeded):
        await Aws(REGION).identity()


async def test_a_person_is_asked_and_asked_again_when_the_session_has_ended(aws: Aws) -> None:
    person = Person(["111111", "222222"])
    CODES.asked_by(person)
    await asyncio.gather(aws.identity(), aws.rds.clusters(), aws.identity())
    assert person.asked == [(DEVICE, "")]
    session = aws._clients._session
    assert session is not None
    # An hour has passed, for boto3's own memory of the session, too.
    found: Any = session.get_credentials()
    found._expiry_time = datetime.now(UTC)
    found._refresh_using._refresh.__self__._cache.clear()
    await aws.perform(REBOOT)
    assert person.asked == [(DEVICE, ""), (DEVICE, "")]


async def test_a_dialog_that_is_closed_is_not_opened_by_the_next_look(aws: Aws) -> None:
    person = Person([None, "222222"])
    CODES.asked_by(person)
    for _ in range(3):
        with pytest.raises(MfaCodeNeeded):
            await aws.identity()
    assert len(person.asked) == 1
    await asyncio.sleep(0.25)
    await aws.identity()


WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


def _assumed() -> str:
    return (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>"
        "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
        "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>"
    )


async def test_a_code_that_aws_does_not_take_is_asked_for_again(
    endpoint: Endpoint, profiles: Profiles
) -> None:
    profiles(WITH_MFA, KEYS)
    endpoint.error(403, "AccessDenied", WRONG)
    refused = endpoint.answers[0]
    endpoint.result("GetCallerIdentity", "<Account>4</Account><Arn>a</Arn>")
    endpoint.answers = [refused, Answer(200, _assumed()), *endpoint.answers]
    person = Person(["111111", "222222"])
    CODES.asked_by(person)
    await Aws(REGION).identity()
    assert person.asked == [(DEVICE, ""), (DEVICE, "AWS did not take that code.")]
    codes = [fields.get("TokenCode") for fields in endpoint.requests]
    assert codes == ["111111", "222222", None]


async def test_a_wrong_code_of_nobody_is_told_as_that(
    endpoint: Endpoint, profiles: Profiles
) -> None:
    profiles(WITH_MFA, KEYS)
    endpoint.error(403, "AccessDenied", WRONG)
    CODES.give("111111")
    with pytest.raises(MfaCodeNeeded, match="did not take the code"):
        await Aws(REGION).perform(REBOOT)
    assert [fields["Action"] for fields in endpoint.requests] == ["AssumeRole"]


async def test_a_sign_in_that_gets_no_answer_leaves_no_change_open(
    endpoint: Endpoint, profiles: Profiles
) -> None:
    """The change was not sent: that is certain, whatever became of the sign-in."""
    profiles(WITH_MFA.replace(f"mfa_serial = {DEVICE}", ""), KEYS)
    endpoint.answers = [Answer(hang_up=True)]
    with pytest.raises(AwsUnavailable):
        await Aws(REGION).perform(REBOOT)


async def test_the_plan_names_a_role(
    lab: Lab, profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles("", KEYS)
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.url)
    plan = plan_of(aws={"role_arn": ROLE, "mfa_serial": DEVICE})
    assert plan.aws.access == Access("", ROLE, DEVICE, "")
    CODES.give("123456")
    aws = Aws(REGION, plan.aws.access)
    assert (await aws.identity()).arn.startswith(
        "arn:aws:sts::471147110815:assumed-role/night/blueprime-"
    )


@pytest.mark.parametrize(
    "section",
    [{"role_arn": "night"}, {"mfa_serial": DEVICE}, {"secret_key": "x"}],
    ids=["no-arn", "mfa-alone", "unknown"],
)
def test_a_role_that_makes_no_sense_is_refused(section: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"aws"):
        plan_of(aws=section)


async def test_a_log_in_that_has_ended_names_its_profile(profiles: Profiles) -> None:
    profiles(WITH_SSO, "")
    with pytest.raises(CredentialsExpired) as caught:
        await Aws(REGION).identity()
    assert "aws sso login --profile night" in caught.value.todo
    assert caught.value.renewable


@dataclass
class Waiting:
    """What a run does with credentials that have ended."""

    renew: Callable[[], object]
    heard: list[str] = field(default_factory=list)

    def waits(self, ended: CredentialsError, waited_s: float) -> bool:
        self.heard.append(ended.what)
        self.renew()
        return isinstance(ended, CredentialsExpired) and ended.renewable and waited_s < 10

    def good(self) -> None:
        self.heard.append("good")


async def test_a_change_waits_for_credentials_that_come_anew_in_the_file(
    lab: Lab, profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.url)
    file = profiles("", KEYS)

    def renew() -> None:
        file.write_text(KEYS.replace("AKIAOLD", "AKIANEW"), encoding="utf-8")
        lab.faults.order("renew-credentials")

    waiting = Waiting(renew)
    aws = Aws(REGION)
    aws.wait_for_credentials(waiting)
    lab.faults.order("expire-credentials")
    await aws.perform(REBOOT)
    assert len(waiting.heard) == 2
    assert "expired" in waiting.heard[0]
    assert waiting.heard[1] == "good"
    session = aws._clients._session
    assert session is not None
    assert session.get_credentials().access_key == "AKIANEW"
    assert [call["action"] for call in lab.control.audit.calls()] == ["RebootDBInstance"]


async def test_nobody_waits_for_keys_of_the_environment(
    lab: Lab, profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles("", "")
    for name, value in (("ACCESS_KEY_ID", "AKIAX"), ("SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.url)
    aws = Aws(REGION)
    aws.wait_for_credentials(Waiting(lambda: None))
    lab.faults.order("expire-credentials")
    with pytest.raises(CredentialsExpired):
        await aws.perform(REBOOT)


def test_a_command_without_a_code_ends_with_2(lab: Lab, profiles: Profiles, tmp_path: Path) -> None:
    profiles(WITH_MFA, KEYS)
    home = tmp_path / "blueprime"
    home.mkdir()
    workspace = Workspace(home)
    environment = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_PROFILE": "night",
        "AWS_ENDPOINT_URL": lab.url,
    }
    asked = ("plan", "nix", "--target-version", "18", "--region", REGION)
    said = workspace.run(*asked, expect=2, env=environment)
    assert DEVICE in said.stderr
    assert "--mfa-code" in said.stderr
    # With one, AWS answers, and there is no such cluster.
    said = workspace.run("--mfa-code", "123456", *asked, expect=3, env=environment)
    assert "no Aurora PostgreSQL cluster 'nix'" in said.stderr
    said = workspace.run(*asked, expect=3, env={**environment, "BLUEPRIME_MFA_CODE": "123456"})
    assert "no Aurora PostgreSQL cluster 'nix'" in said.stderr
    said = workspace.run("--mfa-code", "12345", *asked, expect=2, env=environment)
    assert "6 digits" in said.stderr


def test_plans_of_before_have_no_role() -> None:
    assert Plan.model_validate(plan_of().as_json()).aws.access == Access()
