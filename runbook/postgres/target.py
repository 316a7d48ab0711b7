"""The server that a connection means: where it is, and what proves that it is the right one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from runbook.postgres.statement import quoted

APPLICATION_NAME = "blueprime"


class Address(NamedTuple):
    """An IP address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and what proves that it is the right server.

    `role` is the cluster's part in the run, for words alone. `instance_ids` are the cluster's
    instances (`DBInstanceIdentifier`) as AWS lists them now.
    """

    role: str
    host: str
    port: int
    user: str
    sslmode: str
    sslrootcert: str
    server_major: int
    engine_version: str
    instance_ids: frozenset[str]
    application_name: str = APPLICATION_NAME
    systems_of_others: frozenset[str] = frozenset()
    """System identifiers by which other clusters of the run were known before the pivot."""
    may_recover: bool = False
    """Whether a server in recovery may be meant: old blue, which takes no write in any way."""
    via: Address | None = None
    """The end of a tunnel to it on this machine; the server still has to prove to be `host`."""
    former_hosts: tuple[str, ...] = ()
    """Endpoints that this cluster bore before, whose certificate is taken for `host`'s, too."""
    no_way: str = ""
    """Why this machine has no way there, and what to do; empty: it has one."""
    look_again: Callable[[], Awaitable[Collection[str]]] | None = field(
        default=None, compare=False, repr=False
    )
    """Looks up what these instances are named by now, and were before: names move, and trail."""
    known_since: set[str] = field(default_factory=set, compare=False, repr=False)
    """The names by which servers were known since, because looking again has found them."""
    certified_as: set[str] = field(default_factory=set, compare=False, repr=False)
    """The former endpoints for which certificates were taken since."""

    def is_named(self, name: str) -> bool:
        """Return whether a server that calls itself so is one of these instances."""
        return name in self.instance_ids or name in self.known_since

    @property
    def address(self) -> str:
        """Return the endpoint, and which way leads there, in words."""
        via = f" via {self.via}" if self.via else ""
        return f"{self.host}:{self.port}{via}"

    def place(self, database: str) -> str:
        """Return which cluster and database this is, and where, in words."""
        return f"{self.role} ({self.address}, database {quoted(database)})"
