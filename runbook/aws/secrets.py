"""Where database passwords come from: the plan holds a reference, never the password."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from runbook.aws.clients import Clients
from runbook.aws.errors import PasswordMissing
from state.masking import remember

if TYPE_CHECKING:
    from runbook.plan import CredentialsSection


class Secrets:
    """Follows a reference at the moment the password is needed; keeps nothing."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def follow(self, credentials: CredentialsSection, *, host: str, port: int) -> str | None:
        """Return the password that the plan refers to; None leaves it to `~/.pgpass`.

        It is masked from then on wherever it might be written. Raise `AwsError` in words where the
        reference leads nowhere.
        """
        password = await self._follow(credentials, host, port)
        remember(password)
        return password

    async def _follow(self, credentials: CredentialsSection, host: str, port: int) -> str | None:
        reference = credentials.password
        if reference == "pgpass":
            return None
        if reference == "iam":
            return await self._clients.database_token(host, port, credentials.user)
        if reference.startswith("env:"):
            return _from_environment(reference.removeprefix("env:"))
        return await self._from_secret(reference)

    async def _from_secret(self, arn: str) -> str:
        # A secret may live in another region than the cluster; its ARN says where.
        region = arn.split(":")[3]
        answer = await self._clients.read(
            "secretsmanager", "GetSecretValue", {"SecretId": arn}, region=region
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
