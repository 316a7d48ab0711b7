"""The fence: the state in which no application can write. It is proved, never assumed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from runbook.postgres.catalog import PreparedTransaction
from runbook.postgres.statement import Statement


@dataclass(frozen=True, slots=True)
class ClientSession:
    """A session of a role that is neither the server's nor AWS's own, nor blueprime's."""

    pid: int
    role: str
    database: str
    application: str
    client: str
    state: str | None
    age_s: float


@dataclass(frozen=True, slots=True)
class Writer:
    """A backend whose transaction has a transaction id: it has written, or is about to."""

    pid: int
    role: str | None
    database: str | None
    backend_type: str
    application: str
    age_s: float
    query: str


@dataclass(frozen=True, slots=True)
class WriteCounters:
    """Statistics of one database: rows inserted, updated and deleted since `stats_reset`."""

    database: str
    user_tables: int
    catalogs: int
    """In system catalogs, large objects among them; statistics (ANALYZE) excepted."""
    stats_reset: datetime | None


@dataclass(frozen=True, slots=True)
class FenceSample:
    """What one look at a whole cluster saw."""

    at: datetime
    system_identifier: int
    postmaster_started: datetime
    next_xid: int
    """It stands still exactly as long as no transaction that wrote has ended."""
    sessions: tuple[ClientSession, ...]
    writers: tuple[Writer, ...]
    prepared: tuple[PreparedTransaction, ...]
    counters: Mapping[str, WriteCounters]
    """One for each database."""


@dataclass(frozen=True, slots=True)
class FenceVerdict:
    """Whether two samples prove that nothing wrote between them. None: it cannot be told."""

    proved: bool | None
    reasons: tuple[str, ...]
    """Why it is not proved; empty when it is."""
    notes: tuple[str, ...] = ()
    """What was seen and does not count against it, e.g. monitoring sessions."""


async def sample(connections: Mapping[str, AsyncConnection]) -> FenceSample:
    """Look at a cluster through one connection to each of its databases, all at once."""
    raise NotImplementedError


def compare_samples(
    before: FenceSample,
    after: FenceSample,
    *,
    application_roles: Collection[str] | None = None,
    own_changes: bool = False,
) -> FenceVerdict:
    """Return whether the two samples prove that no application wrote between them.

    `application_roles`: whose sessions count; None: those of every role that is not internal.
    `own_changes`: blueprime itself wrote catalogs in between (a publication, say), so that
    transaction ids and catalog counters moved; the rows of tables must stand still all the same.
    """
    raise NotImplementedError


def lock_roles(roles: Iterable[str]) -> tuple[Statement, ...]:
    """Return ALTER ROLE ... NOLOGIN for each; open sessions stay open."""
    raise NotImplementedError


def unlock_roles(roles: Iterable[str]) -> tuple[Statement, ...]:
    """Return ALTER ROLE ... LOGIN for each."""
    raise NotImplementedError


def terminate_statement(roles: Collection[str] | None = None) -> Statement:
    """Return what `terminate_sessions` runs, for a preview."""
    raise NotImplementedError


async def terminate_sessions(
    connection: AsyncConnection, roles: Collection[str] | None = None, *, wait_s: float = 5.0
) -> list[ClientSession]:
    """End the client sessions of the roles (None: of all but internal ones); return them.

    Never blueprime's own, never internal ones, walsenders or apply workers.
    """
    raise NotImplementedError


def set_database_read_only(database: str, on: bool) -> Statement:
    """Return ALTER DATABASE ... SET or RESET default_transaction_read_only.

    It holds for sessions that open from now on, and any of them may override it.
    """
    raise NotImplementedError
