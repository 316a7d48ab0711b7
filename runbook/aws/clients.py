"""The boto3 clients underneath: reads that retry, writes that get one attempt."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from runbook.aws import budget
from runbook.aws.call import Call
from runbook.aws.errors import (
    THROTTLED,
    AwsError,
    CredentialsError,
    CredentialsExpired,
    answered,
    explain,
    refused_connection,
)
from runbook.aws.mfa import CODES
from runbook.aws.partitions import regions
from runbook.aws.sessions import OF_THE_ENVIRONMENT, Access, open_session, renewable, sign_in
from runbook.failures import Ambiguous

_CONNECT_S = 5
_ANSWER_S = 20
_READ_ATTEMPTS = 10
T = TypeVar("T")
P = ParamSpec("P")

_ERRORS = (BotoCoreError, ClientError, ResponseParserError, AwsError)

_LOOK_S = 5.0
"""The pause between two looks whether credentials were renewed."""


class Renewal(Protocol):
    """Lets a run wait for credentials, and says so."""

    def waits(self, ended: CredentialsError, waited_s: float) -> bool:
        """Hear that the credentials have ended; tell whether a call waits on for others."""

    def good(self) -> None:
        """Hear that AWS has taken the credentials."""


class Clients:
    """Makes calls in threads, so that no caller's loop waits for AWS.

    Cancelling a caller does not stop a call under way: what came of it is found by a probe.
    """

    def __init__(self, region: str, access: Access = OF_THE_ENVIRONMENT) -> None:
        self.region = region
        self.access = access
        self.renewal: Renewal | None = None
        """Where a run waits for credentials that have ended; None: such a call fails at once."""
        self._session: boto3.Session | None = None
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, bool], Any] = {}

    async def read(
        self, service: str, action: str, parameters: Mapping[str, Any], *, region: str = ""
    ) -> dict[str, Any]:
        """Make a call that only reads; raise `AwsError` in words."""

        def made(client: Any) -> dict[str, Any]:
            answer: dict[str, Any] = getattr(client, xform_name(action))(**parameters)
            return answer

        return await self._renewed(self._asked, service, f"{service}:{action}", made, region)

    async def pages(
        self, service: str, action: str, path: str, parameters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return all rows at `path` of a paginated answer."""

        def made(client: Any) -> list[dict[str, Any]]:
            paginator = client.get_paginator(xform_name(action))
            return list(paginator.paginate(**parameters).search(f"{path}[]"))

        return await self._renewed(self._asked, service, f"{service}:{action}", made)

    async def write(self, call: Call) -> dict[str, Any]:
        """Make a call that changes something, once.

        Raise `AwsError` when it certainly did not happen, `Ambiguous` when that is open.
        """
        return await self._renewed(self._write, call)

    def endpoint(self, service: str) -> str:
        """Return the URL that a service's calls go to; nothing is called, nobody signs in."""
        try:
            return str(self._client(service, "", writes=False).meta.endpoint_url)
        except _ERRORS as error:
            raise self._explain(error, f"{service}:endpoint") from error

    async def database_token(self, host: str, port: int, user: str) -> str:
        """Return an IAM token that serves as database password for 15 minutes."""

        def made(client: Any) -> str:
            return str(client.generate_db_auth_token(host, port, user, self.region))

        return await self._renewed(self._asked, "rds", "rds-db:connect", made)

    async def _renewed(self, make: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Make a call in a thread; where the credentials have ended, wait for others as allowed.

        A call that was refused for them did not happen, so making it again doubles nothing.
        """
        started = time.monotonic()
        while True:
            while CODES.asking:  # noqa: ASYNC110 - a thread without a loop asks
                # One thread that waits for a person is enough.
                await asyncio.sleep(_LOOK_S / 10)
            try:
                made = await asyncio.to_thread(make, *arguments, **named)
            except CredentialsError as ended:
                renewal = self.renewal
                waited = time.monotonic() - started
                if renewal is None or not renewal.waits(ended, waited):
                    raise
                await asyncio.sleep(_LOOK_S)
            else:
                if self.renewal is not None:
                    self.renewal.good()
                return made

    def _asked(self, service: str, call: str, made: Callable[[Any], T], region: str = "") -> T:
        """Return what a client that only reads has made of a call; raise `AwsError` in words."""
        try:
            client = self._client(service, region, writes=False)
            self._sign_in()
            return made(client)
        except _ERRORS as error:
            raise self._explain(error, call, region) from error

    def _write(self, call: Call) -> dict[str, Any]:
        name = f"{call.service}:{call.action}"
        try:
            client = self._client(call.service, "", writes=True)
            self._sign_in()
        except _ERRORS as error:
            raise self._explain(error, name) from error
        try:
            answer: dict[str, Any] = getattr(client, xform_name(call.action))(**call.parameters)
        except _ERRORS as error:
            if answered(error):
                raise self._explain(error, name) from error
            raise Ambiguous(f"{name} was sent, and no clear answer came: {error}") from error
        return answer

    def _explain(self, error: Exception, call: str, region: str = "") -> Exception:
        session = self._session
        profile = self.access.profile or (session.profile_name if session else "")
        explained = explain(
            error, call, region or self.region, regions, "" if profile == "default" else profile
        )
        if isinstance(explained, CredentialsExpired):
            explained.renewable = renewable(session)
            self._forget_credentials()
        return explained

    def _sign_in(self) -> None:
        session = self._session
        if session is not None:
            sign_in(session)

    def _forget_credentials(self) -> None:
        """Look for credentials anew at the next call: a session keeps those it found at first."""
        with self._lock:
            self._session = None
            self._clients.clear()

    def _client(self, service: str, region: str, *, writes: bool) -> Any:
        key = (service, region or self.region, writes)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new(service, key[1], attempts=1 if writes else None)
            return self._clients[key]

    def _new(self, service: str, region: str, *, attempts: int | None) -> Any:
        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_ANSWER_S,
            retries={"mode": "standard", "total_max_attempts": attempts or _READ_ATTEMPTS},
        )
        if self._session is None:
            self._session = open_session(self.region, self.access)
        client = self._session.client(service, region_name=region, config=config)  # type: ignore[call-overload]
        known = region in regions()
        client.meta.events.register_first("needs-retry.*", partial(_give_up, known))
        # Of each try, whoever retries it: only of RDS the requests are counted together.
        client.meta.events.register("before-send.rds", _count)
        client.meta.events.register("needs-retry.rds", _note_refusal)
        return client


def _count(**_: Any) -> None:
    budget.spender().sent()


def _note_refusal(response: tuple[Any, Mapping[str, Any]] | None, **_: Any) -> None:
    code = response[1].get("Error", {}).get("Code") if response else ""
    if code in THROTTLED:
        budget.spender().budget.refused()


def _give_up(known_region: bool, caught_exception: Exception | None, **_: Any) -> None:
    """Stop retrying where waiting cannot help: no lab listens here, or there is no such region.

    A network that is down for a moment is worth the full number of attempts, and so is a proxy or
    an address of AWS's own that refuses.
    """
    if isinstance(caught_exception, EndpointConnectionError) and (
        (refused_connection(caught_exception) and on_this_machine(_url(caught_exception)))
        or not known_region
    ):
        raise caught_exception


def _url(error: EndpointConnectionError) -> str:
    return str(error.kwargs.get("endpoint_url", ""))


def on_this_machine(url: str) -> bool:
    """Tell whether a URL leads to this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
