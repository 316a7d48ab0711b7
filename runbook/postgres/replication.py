"""Both ends of logical replication: statements that set it up, and looks at how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from runbook.postgres.statement import Statement


class SlotBlocked(Exception):
    """A slot could not be made in time: open write transactions hold it up."""

    def __init__(self, message: str, blockers: list[SlotBlocker]) -> None:
        super().__init__(message)
        self.blockers = blockers


@dataclass(frozen=True, slots=True)
class SlotBlocker:
    """An open write transaction, of any database, that slot creation waits for.

    A prepared transaction has no pid.
    """

    pid: int | None
    role: str | None
    age_s: float
    database: str | None
    application: str
    state: str | None
    query: str

    def __str__(self) -> str:
        return f"pid {self.pid}"


@dataclass(frozen=True, slots=True)
class Slot:
    """A logical replication slot. WAL positions are bytes, as integers."""

    name: str
    database: str
    active: bool
    active_pid: int | None
    confirmed_flush_lsn: int | None
    restart_lsn: int | None
    wal_status: str | None
    """reserved, extended, unreserved, lost."""
    safe_wal_size: int | None
    """Bytes that may still be written before the slot is in danger; None: no limit set."""
    invalidation_reason: str | None
    """Why it is of no use any more, or None."""
    inactive_since: datetime | None

    @property
    def lost(self) -> bool:
        return self.wal_status == "lost" or self.invalidation_reason is not None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription of this database and its apply worker."""

    name: str
    enabled: bool
    slot_name: str | None
    publications: tuple[str, ...]
    worker_pid: int | None
    """The apply worker's, or None: it does not run."""
    received_lsn: int | None
    latest_end_lsn: int | None
    last_msg_send_time: datetime | None
    last_msg_receipt_time: datetime | None
    apply_error_count: int | None
    """Since the statistics were reset; None below 15, which does not count them."""
    skip_lsn: int | None

    @property
    def applying(self) -> bool:
        return self.enabled and self.worker_pid is not None


@dataclass(frozen=True, slots=True)
class SlotLag:
    """How far the subscriber's confirmation is behind the publisher's WAL.

    `bytes` is None when it is not known, and `reason` says why.
    """

    database: str | None
    slot: str
    bytes: int | None
    current_lsn: int | None
    confirmed_flush_lsn: int | None
    active: bool
    wal_status: str | None
    safe_wal_size: int | None
    reason: str


class LagClock:
    """Turns WAL positions into seconds: when was the position, now confirmed, the newest one?"""

    def __init__(self, keep: int = 4096) -> None:
        raise NotImplementedError

    def observe(self, at: float, current_lsn: int) -> None:
        """Remember that the publisher's WAL ended at `current_lsn` at the time `at` (seconds)."""
        raise NotImplementedError

    def seconds(self, now: float, confirmed_lsn: int | None) -> float | None:
        """Return how long ago the confirmed position was current; None when not known yet."""
        raise NotImplementedError


def lsn_text(lsn: int) -> str:
    """Return a WAL position as PostgreSQL writes it, e.g. `0/16B3748`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def create_publication(name: str) -> Statement:
    """Return CREATE PUBLICATION ... FOR ALL TABLES."""
    raise NotImplementedError


async def publication_exists(connection: AsyncConnection, name: str) -> bool:
    """Return whether this database has the publication."""
    raise NotImplementedError


def drop_publication(name: str) -> Statement:
    """Return DROP PUBLICATION IF EXISTS."""
    raise NotImplementedError


def create_slot_statement(name: str) -> Statement:
    """Return the call that makes the slot, for a preview; `create_slot` runs it."""
    raise NotImplementedError


async def create_slot(connection: AsyncConnection, name: str, *, deadline_s: float) -> int:
    """Make a logical slot (pgoutput) in this database and return its consistent point.

    It waits for every write transaction open on the whole server. Raises `SlotBlocked` naming them
    after `deadline_s`; no slot exists then.
    """
    raise NotImplementedError


async def slot_blockers(connection: AsyncConnection) -> list[SlotBlocker]:
    """Return the open write transactions of all databases, the oldest first."""
    raise NotImplementedError


async def slot(connection: AsyncConnection, name: str) -> Slot | None:
    """Return the slot, or None where the server has none of that name."""
    raise NotImplementedError


def drop_slot(name: str) -> Statement:
    """Return the call that drops the slot if it exists; it fails while the slot is in use."""
    raise NotImplementedError


def terminate_slot_user(name: str) -> Statement:
    """Return the call that ends the walsender which uses the slot, if any."""
    raise NotImplementedError


def create_replication_role(name: str) -> Statement:
    """Return the making of a role that may log in and replicate; it has no password yet.

    It gets the REPLICATION attribute where the current user may give it, else membership in
    `rds_replication` (Aurora).
    """
    raise NotImplementedError


async def role_exists(connection: AsyncConnection, name: str) -> bool:
    """Return whether the role exists."""
    raise NotImplementedError


def hash_password(connection: AsyncConnection, name: str, password: str) -> str:
    """Return the SCRAM verifier of a password, made here, so that only it goes over the wire."""
    raise NotImplementedError


def set_password_statement(name: str, verifier: str) -> Statement:
    """Return ALTER ROLE ... PASSWORD with a verifier, masked in its text."""
    raise NotImplementedError


async def set_password(connection: AsyncConnection, name: str, password: str) -> None:
    """Give a role its password; the clear text is in no statement and no log."""
    raise NotImplementedError


def drop_owned(name: str) -> Statement:
    """Return DROP OWNED, if the role exists: to be run in each database before `drop_role`."""
    raise NotImplementedError


def drop_role(name: str) -> Statement:
    """Return DROP ROLE IF EXISTS."""
    raise NotImplementedError


def subscriber_conninfo(
    *,
    host: str,
    port: int,
    dbname: str,
    user: str,
    password: str,
    sslmode: str,
    sslrootcert: str = "",
    application_name: str = "",
) -> str:
    """Return the connection string that the subscriber's worker uses; it holds the password."""
    raise NotImplementedError


def create_subscription(
    name: str,
    conninfo: str,
    publication: str,
    slot_name: str,
    *,
    server_major: int,
    enabled: bool = False,
    connect: bool = True,
) -> Statement:
    """Return CREATE SUBSCRIPTION onto a slot that exists, copying nothing.

    `server_major` is the subscriber's. The connection string reaches the server outside of the
    statement's text.
    """
    raise NotImplementedError


def set_subscription_connection(name: str, conninfo: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... CONNECTION."""
    raise NotImplementedError


def enable_subscription(name: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... ENABLE."""
    raise NotImplementedError


def disable_subscription(name: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... DISABLE."""
    raise NotImplementedError


def detach_slot(name: str) -> Statement:
    """Return ALTER SUBSCRIPTION ... SET (slot_name = NONE); it must be disabled before."""
    raise NotImplementedError


def drop_subscription(name: str) -> tuple[Statement, ...]:
    """Return disable, detach, drop: one transaction that never talks to the publisher."""
    raise NotImplementedError


async def subscription(connection: AsyncConnection, name: str) -> Subscription | None:
    """Return the subscription of this database, or None."""
    raise NotImplementedError


async def slot_lags(connection: AsyncConnection, names: Iterable[str]) -> list[SlotLag]:
    """Return one lag a name, in that order; a slot that is not there has `bytes` None."""
    raise NotImplementedError


async def emit_barrier(connection: AsyncConnection) -> int:
    """Write a message into the WAL and return a position behind everything committed before."""
    raise NotImplementedError


async def confirmed_past(connection: AsyncConnection, slot: str, lsn: int) -> bool | None:
    """Return whether the slot's subscriber has confirmed up to the position; None: unknown."""
    raise NotImplementedError
