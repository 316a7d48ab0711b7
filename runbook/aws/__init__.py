"""AWS, thin and typed: reads, calls shown before they are made, and errors in words."""

from __future__ import annotations

from typing import Any

from runbook.aws.call import Call
from runbook.aws.clients import Clients, Renewal, on_this_machine
from runbook.aws.facts import Identity
from runbook.aws.logs import Logs
from runbook.aws.network import Network
from runbook.aws.rds import Rds
from runbook.aws.route53 import Route53
from runbook.aws.scaling import Scaling
from runbook.aws.secrets import Credentials, Fetched, Secrets
from runbook.aws.sessions import OF_THE_ENVIRONMENT, Access
from state.enums import Environment

__all__ = ["Aws", "Call"]


class Aws:
    """One region of one account. Reads retry by themselves; a change gets one attempt."""

    def __init__(self, region: str, access: Access = OF_THE_ENVIRONMENT) -> None:
        self.region = region
        self._clients = Clients(region, access)
        self.rds = Rds(self._clients)
        self.route53 = Route53(self._clients)
        self.scaling = Scaling(self._clients)
        self.logs = Logs(self._clients)
        self.network = Network(self._clients)
        self.secrets = Secrets(self._clients)
        self._taken: dict[tuple[str, int, str], str] = {}

    @property
    def environment(self) -> Environment:
        """Which world the calls go to: for the badge on the screens, and nothing else."""
        here = on_this_machine(self._clients.endpoint("rds"))
        return Environment.REHEARSAL if here else Environment.AWS

    def wait_for_credentials(self, renewal: Renewal) -> None:
        """Let calls wait from now on where the credentials have ended and can be renewed."""
        self._clients.renewal = renewal

    async def identity(self) -> Identity:
        """Return the account and principal of the credentials."""
        answer = await self._clients.read("sts", "GetCallerIdentity", {})
        return Identity(str(answer["Account"]), str(answer["Arn"]))

    async def perform(self, call: Call) -> dict[str, Any]:
        """Make a call that changes something, once, and return the answer.

        Raise `AwsError` (mostly `AwsRefused`) when it certainly did not happen, and `Ambiguous`
        for timeouts, lost connections, 5xx and unreadable answers.
        """
        return await self._clients.write(call)

    def password(self, credentials: Credentials, *, host: str, port: int) -> Fetched:
        """Return what fetches the database password when it is needed; None means `~/.pgpass`."""
        return Fetched(self.secrets, credentials, (host, port, credentials.user), self._taken)
