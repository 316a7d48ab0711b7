"""Where database passwords come from: the plan holds a reference, never the password."""

from __future__ import annotations

import json
import os
from typing import Protocol

from runbook.aws.clients import Clients
from runbook.aws.errors import AwsError, PasswordMissing
from state.masking import remember


class Credentials(Protocol):
    """What of a plan says who connects, and where the password is."""

    @property
    def user(self) -> str:
        """The role that blueprime connects with."""

    @property
    def password(self) -> str:
        """A reference: `pgpass`, `iam`, `env:NAME`, or the ARN of a secret."""


class Secrets:
    """Follows a reference at the moment the password is needed; keeps nothing."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def follow(self, credentials: Credentials, *, host: str, port: int) -> str | None:
        """Return the password that the plan refers to; None leaves it to `~/.pgpass`.

        It is masked from then on wherever it might be written. Raise `AwsError` in words where the
        reference leads nowhere.
        """
        password = await self._follow(credentials, host, port)
        remember(password)
        return password

    async def _follow(self, credentials: Credentials, host: str, port: int) -> str | None:
        reference = credentials.password
        if reference == "pgpass":
            return None
        if reference == "iam":
            return await self._clients.database_token(host, port, credentials.user)
        if reference.startswith("env:"):
            return _from_environment(reference.removeprefix("env:"))
        return await self._from_secret(reference)

    async def others(self, credentials: Credentials) -> list[str]:
        """Return the passwords that a rotation has left behind, or is about to put in force.

        Secrets Manager keeps both beside the current one, under staging labels. Empty where the
        plan refers to something else, or AWS does not let one read them.

        Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
        """
        if not credentials.password.startswith("arn:"):
            return []
        found = []
        for stage in ("AWSPREVIOUS", "AWSPENDING"):
            try:
                password = await self._from_secret(credentials.password, stage)
            except AwsError:
                continue
            remember(password)
            found.append(password)
        return found

    async def _from_secret(self, arn: str, stage: str = "AWSCURRENT") -> str:
        # A secret may live in another region than the cluster; its ARN says where.
        region = arn.split(":")[3]
        answer = await self._clients.read(
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": arn, "VersionStage": stage},
            region=region,
        )
        text = str(answer.get("SecretString") or "")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        password = value.get("password") if isinstance(value, dict) else text
        if not password or not isinstance(password, str):
            raise PasswordMissing(
                f"The secret {arn} holds no password.",
                now="Nothing was changed.",
                todo='Store the password as plain text, or as JSON with the key "password".',
            )
        return password


class Fetched:
    """Fetches the plan's password for one server, and knows which others it may still take.

    `taken` are the passwords that this process connected with, by host, port and user: they are
    kept in memory alone.
    """

    def __init__(
        self,
        secrets: Secrets,
        credentials: Credentials,
        server: tuple[str, int, str],
        taken: dict[tuple[str, int, str], str],
    ) -> None:
        self._secrets = secrets
        self._credentials = credentials
        self._server = server
        self._taken = taken
        self.outdated = False

    @property
    def _fleeting(self) -> bool:
        """Whether each connection has a token of its own."""
        return bool(self._credentials.password == "iam")  # noqa: S105 - it refers to one

    async def __call__(self) -> str | None:
        host, port, _ = self._server
        return await self._secrets.follow(self._credentials, host=host, port=port)

    async def others(self) -> list[str]:
        """Return what the server took before, then what the reference held and will hold."""
        if self._fleeting:
            return []
        own = [self._taken[self._server]] if self._server in self._taken else []
        # Names move: the former password of one server may be known by the name of another.
        every = [*own, *self._taken.values(), *await self._secrets.others(self._credentials)]
        return list(dict.fromkeys(every))

    def took(self, password: str) -> None:
        """Remember what the server has taken."""
        if password and not self._fleeting:
            self._taken[self._server] = password


def _from_environment(name: str) -> str:
    password = os.environ.get(name)
    if not password:
        raise PasswordMissing(
            f"The plan takes the database password from the environment variable {name}, "
            "which is not set here.",
            now="Nothing was changed.",
            todo=f"Set {name} in the shell that starts blueprime, and try again.",
        )
    return password
