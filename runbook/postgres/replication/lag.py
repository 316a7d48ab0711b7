"""How far the subscriber is behind: in bytes, in seconds, and past one position or not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from psycopg import AsyncConnection

from runbook.postgres.queries import fetch, fetch_values, number

_MESSAGE_PREFIX = "blueprime"


@dataclass(frozen=True, slots=True)
class SlotLag:
    """How far the subscriber's confirmation is behind the publisher's WAL.

    `bytes` is None when it is not known, and `reason` says why; otherwise `reason` is empty.
    """

    database: str | None
    slot: str
    exists: bool
    bytes: int | None
    current_lsn: int | None
    confirmed_flush_lsn: int | None
    active: bool
    wal_status: str | None
    safe_wal_size: int | None
    """Bytes that may still be written before the slot is in danger; None: no limit is set."""
    invalidation_reason: str | None
    kept_bytes: int | None = None
    """WAL that the server keeps for it."""
    horizon_age: int | None = None
    """Transactions since the oldest whose dead rows vacuum must leave alone for its sake."""
    freeze_age: int | None = None
    """The server's `autovacuum_freeze_max_age`."""
    reason: str = ""

    def judged(self) -> SlotLag:
        """Return it with its reason, and with no figure where there is one."""
        reason = self._unknown_because()
        return replace(self, bytes=None, reason=reason) if reason else self

    def _unknown_because(self) -> str:
        if not self.exists:
            return "the publisher has no slot of this name"
        if self.wal_status == "lost" or self.invalidation_reason:
            return f"the slot is lost ({self.invalidation_reason or 'its WAL was removed'})"
        if self.current_lsn is None:
            return "the publisher is in recovery: it has no WAL position of its own"
        if self.bytes is None:
            return "the slot has no confirmed position yet"
        if self.bytes < 0:
            return "the slot confirms a position that the publisher has not reached"
        return ""


class LagClock:
    """Turns WAL positions into seconds by remembering when the publisher's WAL ended where.

    One for each publisher. `keep` bounds the memory; what is older is unknown again.
    """

    def __init__(self, keep: int = 4096) -> None:
        self._keep = keep
        self._lsns: list[int] = []
        self._times: list[float] = []
        self._first: tuple[float, int] | None = None

    def observe(self, at: float, current_lsn: int) -> None:
        """Remember that the publisher's WAL ended at `current_lsn` at the time `at` (seconds)."""
        if self._lsns and current_lsn < self._lsns[-1]:
            # WAL never shrinks: this is another history (a restored or another server).
            self._lsns.clear()
            self._times.clear()
            self._first = None
        if self._first is None:
            self._first = (at, current_lsn)
        if self._lsns and current_lsn == self._lsns[-1]:
            self._times[-1] = at
            return
        self._lsns.append(current_lsn)
        self._times.append(at)
        if len(self._lsns) > self._keep:
            del self._lsns[0], self._times[0]

    def seconds(self, now: float, confirmed_lsn: int | None) -> float | None:
        """Return how long ago all that is confirmed was all there was.

        Never too little: everything written until then is confirmed. None when it is not known.
        """
        if confirmed_lsn is None:
            return None
        place = bisect_right(self._lsns, confirmed_lsn)
        return None if place == 0 else max(now - self._times[place - 1], 0.0)

    def at_least(self, now: float, confirmed_lsn: int | None) -> float:
        """Return for how long, at least, something has not been confirmed that was written.

        It says something where `seconds` is None: what was there at the first look, or at the
        oldest that is remembered, is still not confirmed. A position that is not known is none.
        """
        if self._first is None:
            return 0.0
        since, lsn = self._first
        if confirmed_lsn is not None and confirmed_lsn >= lsn:
            since = self._times[0]
        return max(now - since, 0.0)


def lsn_text(lsn: int) -> str:
    """Return a WAL position as PostgreSQL writes it, e.g. `0/16B3748`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


async def slot_lags(connection: AsyncConnection, names: Iterable[str]) -> list[SlotLag]:
    """Return one lag a name, in that order; a slot that is not there has `bytes` None.

    Measured by `confirmed_flush_lsn`: what `pg_stat_replication` reports as sent may read 0 with
    everything still to be applied.

    Source: https://www.postgresql.org/docs/current/view-pg-replication-slots.html
    """
    rows = await fetch(connection, SlotLag, "slot_lags", (list(names),))
    return [row.judged() for row in rows]


async def emit_barrier(connection: AsyncConnection) -> int:
    """Write a message into the WAL and return a position behind everything committed before.

    The message commits before the position is read, with its WAL flushed (`synchronous_commit` is
    on in our sessions), so the flushed position covers it and all earlier commits, asynchronous
    ones too. The inserted position would cover more: WAL that no slot can confirm until somebody
    flushes it. It serves the whole server, whichever database it is called in.

    Source: https://www.postgresql.org/docs/current/functions-admin.html
    """
    await connection.execute(
        "SELECT pg_catalog.pg_logical_emit_message(true, %s, 'barrier')", (_MESSAGE_PREFIX,)
    )
    return await flushed(connection)


async def written(connection: AsyncConnection) -> int:
    """Return up to where a server has written WAL of its own, in bytes."""
    (position,) = await fetch_values(connection, "wal_written")
    return int(position)


async def flushed(connection: AsyncConnection) -> int:
    """Return up to where the WAL is on disk; asynchronous commits of just now may lie behind."""
    return await number(
        connection, "SELECT (pg_catalog.pg_current_wal_flush_lsn() - '0/0')::bigint"
    )


async def confirmed_past(connection: AsyncConnection, slot: str, lsn: int) -> bool | None:
    """Return whether the slot's subscriber has confirmed up to the position; None: unknown."""
    (lag,) = await slot_lags(connection, [slot])
    if lag.bytes is None or lag.confirmed_flush_lsn is None:
        return None
    return lag.confirmed_flush_lsn >= lsn
