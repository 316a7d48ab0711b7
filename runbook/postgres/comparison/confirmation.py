"""Waits until a subscriber has confirmed, and not over and over for one that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from psycopg import AsyncConnection

from runbook.postgres.queries import one_value
from runbook.postgres.replication import Subscription, flushed, lsn_text, slot_lags, subscription

LEAST_S = 10.0
"""A subscriber that applies answers by then, however much was waited in vain before."""

_POLL_S = 0.05


class NotConfirmed(Exception):
    """The subscriber did not confirm what was written before a look, within the time."""


@dataclass
class Patience:
    """How long subscribers are waited for in vain, all tables and databases together."""

    total_s: float
    lost_s: float = 0.0

    @property
    def left_s(self) -> float:
        """How long the next wait may take."""
        return max(self.total_s - self.lost_s, min(self.total_s, LEAST_S))


class Confirmation:
    """The confirmations of one subscriber, of one database, by its slot on the publisher."""

    def __init__(
        self,
        publisher: AsyncConnection,
        subscriber: AsyncConnection,
        slot: str,
        patience: Patience,
        tell: Callable[[str], None],
    ) -> None:
        self._publisher = publisher
        self._subscriber = subscriber
        self._slot = slot
        self._patience = patience
        self._tell = tell
        self._stands_at: int | None = None
        """What it had confirmed when it was last waited for in vain."""

    async def of_all_flushed(self) -> None:
        """Wait until it has confirmed what the publisher has flushed by now.

        Raises `NotConfirmed` saying why: when the patience is over, and at once where it has not
        moved since that was so.
        """
        lsn = await flushed(self._publisher)
        began = monotonic()
        limit_s = self._patience.left_s
        before: Subscription | None = None
        while True:
            (lag,) = await slot_lags(self._publisher, [self._slot])
            confirmed = lag.confirmed_flush_lsn
            if confirmed is not None and confirmed >= lsn:
                self._stands_at = None
                return
            waited = monotonic() - began
            stands = confirmed is not None and confirmed == self._stands_at
            if lag.reason or stands or waited >= limit_s:
                self._patience.lost_s += waited
                self._stands_at = confirmed
                why = lag.reason or _why(before, await self._subscription())
                since = "since it was waited for" if stands else f"within {limit_s:.0f} s"
                raise NotConfirmed(
                    f"the subscriber did not confirm past {lsn_text(lsn)} {since}: {why}"
                )
            before = before or await self._subscription()
            self._tell(f"waiting until the subscriber has confirmed past {lsn_text(lsn)}")
            await asyncio.sleep(_POLL_S)

    async def _subscription(self) -> Subscription | None:
        """Return the subscription that reads the slot."""
        name = await one_value(
            self._subscriber,
            "SELECT subname FROM pg_catalog.pg_subscription WHERE subslotname = %s "
            "AND subdbid = (SELECT oid FROM pg_catalog.pg_database "
            "WHERE datname = pg_catalog.current_database())",
            (self._slot,),
        )
        return None if name is None else await subscription(self._subscriber, name)


def _why(before: Subscription | None, now: Subscription | None) -> str:
    """Say why nothing is confirmed, as the subscriber has it."""
    if now is None:
        return "no subscription there reads the slot"
    if not now.enabled:
        return "its subscription is disabled, as after a failure of apply"
    failed = 0
    if before is not None and now.apply_error_count is not None:
        failed = now.apply_error_count - (before.apply_error_count or 0)
    if failed > 0 or now.worker_pid is None:
        return "apply fails, or its worker does not run: see what repair offers, and its log"
    return "it is behind"
