"""The boto3 clients underneath: reads that retry, writes that get one attempt."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from runbook.aws import budget
from runbook.aws.call import Call
from runbook.aws.errors import (
    THROTTLED,
    CredentialsExpired,
    answered,
    explain,
    refused_connection,
)
from runbook.aws.partitions import regions
from runbook.failures import Ambiguous

_CONNECT_S = 5
_ANSWER_S = 20
_READ_ATTEMPTS = 10
T = TypeVar("T")

_ERRORS = (BotoCoreError, ClientError, ResponseParserError)


class Clients:
    """Makes calls in threads, so that no caller's loop waits for AWS.

    Cancelling a caller does not stop a call under way: what came of it is found by a probe.
    """

    def __init__(self, region: str) -> None:
        self.region = region
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

        return await asyncio.to_thread(self._asked, service, f"{service}:{action}", made, region)

    async def pages(
        self, service: str, action: str, path: str, parameters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return all rows at `path` of a paginated answer."""

        def made(client: Any) -> list[dict[str, Any]]:
            paginator = client.get_paginator(xform_name(action))
            return list(paginator.paginate(**parameters).search(f"{path}[]"))

        return await asyncio.to_thread(self._asked, service, f"{service}:{action}", made)

    async def write(self, call: Call) -> dict[str, Any]:
        """Make a call that changes something, once.

        Raise `AwsError` when it certainly did not happen, `Ambiguous` when that is open.
        """
        return await asyncio.to_thread(self._write, call)

    def endpoint(self, service: str) -> str:
        """Return the URL that a service's calls go to; nothing is called."""

        def made(client: Any) -> str:
            return str(client.meta.endpoint_url)

        return self._asked(service, f"{service}:endpoint", made)

    async def database_token(self, host: str, port: int, user: str) -> str:
        """Return an IAM token that serves as database password for 15 minutes."""

        def made(client: Any) -> str:
            return str(client.generate_db_auth_token(host, port, user, self.region))

        return await asyncio.to_thread(self._asked, "rds", "rds-db:connect", made)

    def _asked(self, service: str, call: str, made: Callable[[Any], T], region: str = "") -> T:
        """Return what a client that only reads has made of a call; raise `AwsError` in words."""
        try:
            return made(self._client(service, region, writes=False))
        except _ERRORS as error:
            raise self._explain(error, call, region) from error

    def _write(self, call: Call) -> dict[str, Any]:
        name = f"{call.service}:{call.action}"
        try:
            client = self._client(call.service, "", writes=True)
            answer: dict[str, Any] = getattr(client, xform_name(call.action))(**call.parameters)
        except _ERRORS as error:
            if answered(error):
                raise self._explain(error, name) from error
            raise Ambiguous(f"{name} was sent, and no clear answer came: {error}") from error
        return answer

    def _explain(self, error: Exception, call: str, region: str = "") -> Exception:
        explained = explain(error, call, region or self.region, regions)
        if isinstance(explained, CredentialsExpired):
            self._forget_credentials()
        return explained

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
            self._session = boto3.Session(region_name=self.region)
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
    """Stop retrying where waiting cannot help: nobody listens there, or there is no such region.

    A network that is down for a moment is worth the full number of attempts.
    """
    if isinstance(caught_exception, EndpointConnectionError) and (
        refused_connection(caught_exception) or not known_region
    ):
        raise caught_exception
