"""Sessions of AWS: whose credentials a process uses, and how they are had again once they end."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import ClientError

from runbook.aws.mfa import CODES, TRIES

_FIXED = frozenset({"env", "explicit"})
"""Where credentials are found that nobody can renew from outside of the process."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whose credentials are used: those of the environment, or of what the plan names."""

    profile: str = ""
    role_arn: str = ""
    """A role to assume with them."""
    mfa_serial: str = ""
    """The device whose code the role demands, by ARN or serial number."""
    external_id: str = ""


OF_THE_ENVIRONMENT = Access()


def open_session(region: str, access: Access) -> boto3.Session:
    """Return a session of boto3; nothing is asked of AWS yet.

    boto3's own prompt for a code is replaced, and a sign-in is tried again where the network fails.
    Raises what boto3 raises for a profile that does not exist.
    """
    core = botocore.session.Session(profile=access.profile or None)
    patient = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 6},
    )
    core.set_default_client_config(patient)
    resolver = core.get_component("credential_provider")
    resolver.get_provider("assume-role")._prompter = CODES.prompt
    session = boto3.Session(region_name=region, botocore_session=core)
    if access.role_arn:
        core._credentials = _assumed(core, region, access)  # type: ignore[attr-defined]
    return session


def _assumed(core: Any, region: str, access: Access) -> DeferredRefreshableCredentials:
    """Return the credentials of the role that the plan names, had anew before they end.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """

    def sign_in() -> Any:
        def client(name: str, **options: Any) -> Any:
            return core.create_client(name, region_name=region, **options)

        extra = {"RoleSessionName": _session_name()}
        if access.mfa_serial:
            extra["SerialNumber"] = access.mfa_serial
        if access.external_id:
            extra["ExternalId"] = access.external_id
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=client,
            source_credentials=source,
            role_arn=access.role_arn,
            extra_args=extra,
            mfa_prompter=CODES.prompt,
        )
        return fetcher.fetch_credentials()

    source = core.get_credentials()
    return DeferredRefreshableCredentials(refresh_using=sign_in, method="assume-role")


def _session_name() -> str:
    """Return what CloudTrail shows of who it was: 2 to 64 characters of those that STS takes."""
    return re.sub(r"[^\w+=,.@-]", "-", f"blueprime-{getpass.getuser()}", flags=re.ASCII)[:64]


def sign_in(session: boto3.Session) -> None:
    """Have credentials that are good, before anything is sent with them.

    Whatever fails here has changed nothing. A code that AWS does not take is asked for again.
    """
    credentials = session.get_credentials()
    if credentials is None:
        return
    for left in reversed(range(TRIES)):
        _let_ask_again(credentials)
        try:
            credentials.get_frozen_credentials()
        except ClientError as error:
            if not left or not CODES.again(error):
                raise
        else:
            return


def _let_ask_again(credentials: Any) -> None:
    """Let boto3 ask for a code once more: its own sessions of a second factor end for good."""
    refresh: Any = getattr(credentials, "_refresh_using", None)
    if hasattr(refresh, "_has_been_called"):
        refresh._has_been_called = False


def renewable(session: boto3.Session | None) -> bool:
    """Tell whether credentials can come anew from outside: from a file, a log-in, a process."""
    credentials = session.get_credentials() if session else None
    return credentials is None or str(getattr(credentials, "method", "")) not in _FIXED
