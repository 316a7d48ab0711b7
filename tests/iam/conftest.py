"""Profiles of AWS in a home of the test's own, and an AWS that answers them."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbook.aws import clients, mfa
from runbook.aws.mfa import CODES
from tests.aws.conftest import credentials as credentials
from tests.aws.conftest import endpoint as endpoint
from tests.rehearsal_aws.conftest import lab as lab

DEVICE = "arn:aws:iam::471147110815:mfa/night"
ROLE = "arn:aws:iam::471147110815:role/night"

KEYS = "[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n"

WITH_MFA = f"""
[profile night]
role_arn = {ROLE}
source_profile = default
mfa_serial = {DEVICE}
"""

WITH_SSO = """
[sso-session shop]
sso_start_url = https://shop.awsapps.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access

[profile night]
sso_session = shop
sso_account_id = 471147110815
sso_role_name = night
"""

Profiles = Callable[[str, str], Path]


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profiles:
    """Return what writes `~/.aws/config` and the credentials, and returns the latter's path."""

    def write(config: str, keys: str = KEYS) -> Path:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        files = {"config": config, "credentials": keys}
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        if "profile night" in config:
            monkeypatch.setenv("AWS_PROFILE", "night")
        return tmp_path / "credentials"

    return write


@pytest.fixture(autouse=True)
def _codes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nobody be asked by boto3's own prompt, and no code stay from test to test."""

    def prompted(*_: object) -> str:
        raise AssertionError("boto3 has prompted on the terminal")

    monkeypatch.setattr(getpass, "getpass", prompted)
    monkeypatch.setattr(clients, "_LOOK_S", 0.05)
    monkeypatch.setattr(mfa, "LATER_S", 0.2)
    yield
    CODES.asked_by(None)
    CODES._given = ""
