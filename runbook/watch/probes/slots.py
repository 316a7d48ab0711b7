"""The slots: lag with its trend, the WAL that is kept, and how long a slot will last."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from runbook.amounts import counted
from runbook.base.alert import Alert, Cause
from runbook.base.clocks import about
from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.roles import Role
from runbook.ownership.slot_consumers import in_words, others
from runbook.postgres import catalog, replication
from runbook.postgres.replication import LagClock, SlotLag
from runbook.protection.dashboard import LagView
from runbook.watch.probes import trend
from runbook.watch.probes.patience import Patience

LOST_SOON_S = 4 * 3600.0
"""A slot that is lost within this time at the present rate is an alarm."""

HORIZON_SHARE = 0.25
"""Of `autovacuum_freeze_max_age`: vacuum held back for so long is an alarm."""


class SlotsProbe:
    """Looks at one publisher's slots."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._publisher: Role | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew: the clocks have parted, or the publisher is another one."""
        self._memory = LagClock()
        self._lags: defaultdict[str, trend.Line] = defaultdict(trend.Line)
        self._safe: defaultdict[str, trend.Line] = defaultdict(trend.Line)
        self._patience = Patience()

    @property
    def waits(self) -> bool:
        """Whether a slot has just lost its reader, and is looked at again at once."""
        return self._patience.waits

    async def held(self) -> tuple[tuple[LagView, ...], tuple[Alert, ...]]:
        """Return the run's own slots, and what about them is to be warned of."""
        capture = self._context.fact("capture")
        if not capture or self._context.fact("slots") == []:
            return (), ()
        slots = {slot: database for database, slot in capture["slots"].items()}
        now = self._context.now()
        publisher = current_pair(self._context).publisher
        if publisher is not self._publisher:
            self.forget()
            self._publisher = publisher
        async with self._context.connect(publisher) as connection:
            found = await replication.slot_lags(connection, list(slots))
            every = await catalog.replication_slots(connection)
        views = tuple(self._view(lag, slots[lag.slot], now) for lag in found)
        consumers = [
            Alert(
                Cause.SLOT,
                slot.database or "",
                f"consumer {slot.name}",
                f"the slot {in_words(slot)} on {publisher.value} is not the run's: after a "
                "rollback its reader gets no more changes",
                False,
                now,
            )
            for slot in others(every, self._context.sql_name())
        ]
        return views, (*_warnings(publisher, views, found, now), *consumers)

    async def aws_own(self) -> tuple[LagView, ...]:
        """Return AWS's own slots on blue, by which green follows it until the switchover."""
        now = self._context.now()
        async with self._context.connect(Role.BLUE) as connection:
            slots = await catalog.replication_slots(connection)
            names = [slot.name for slot in slots if slot.slot_type == "logical"]
            found = await replication.slot_lags(connection, names)
        return tuple(self._view(lag, lag.database or "?", now) for lag in found)

    def _view(self, lag: SlotLag, database: str, now: datetime) -> LagView:
        clock = time.monotonic()
        if lag.current_lsn is not None:
            self._memory.observe(clock, lag.current_lsn)
        self._lags[lag.slot].observe(clock, lag.bytes)
        self._safe[lag.slot].observe(clock, lag.safe_wal_size)
        idle = lag.bytes is not None and not lag.active
        past = self._lags[lag.slot]
        grows = past.grows(trend.AT_LEAST_S if idle else trend.UNREAD_S)
        going, caught_up_in_s = trend.of_lag(lag.bytes, past.rate(), grows=grows)
        return LagView(
            database=database,
            slot=lag.slot,
            bytes=lag.bytes,
            seconds=self._memory.seconds(clock, lag.confirmed_flush_lsn),
            at_least_s=self._memory.at_least(clock, lag.confirmed_flush_lsn),
            active=lag.active if lag.bytes is not None else None,
            moment=not self._patience.lasting(lag.slot, down=idle, clock=clock) and idle,
            state=lag.wal_status or ("missing" if lag.bytes is None else "unknown"),
            reason=lag.reason,
            at=now,
            confirmed_lsn=lag.confirmed_flush_lsn,
            trend=going,
            caught_up_in_s=caught_up_in_s,
            kept_bytes=lag.kept_bytes,
            safe_bytes=lag.safe_wal_size,
            lost_in_s=trend.until_gone(lag.safe_wal_size, self._safe[lag.slot].rate()),
        )


def _warnings(
    publisher: Role, views: Sequence[LagView], found: Sequence[SlotLag], now: datetime
) -> list[Alert]:
    alarms = []
    for view, lag in zip(views, found, strict=True):
        words = ""
        if view.state == "unreserved":
            words = "is lost with the next checkpoint, unless its reader catches up before"
        elif view.lost_in_s is not None and view.lost_in_s < LOST_SOON_S:
            words = (
                f"is lost in {about(view.lost_in_s)} at the present rate: "
                "max_slot_wal_keep_size is reached then"
            )
        if words:
            subject = f"slot {view.slot}"
            alarms.append(
                Alert(Cause.SLOT, view.database, subject, f"{subject} {words}", False, now)
            )
        if (
            lag.horizon_age is not None
            and lag.freeze_age is not None
            and lag.horizon_age > HORIZON_SHARE * lag.freeze_age
        ):
            alarms.append(
                Alert(
                    Cause.HORIZON,
                    view.database,
                    f"slot {view.slot}",
                    f"slot {view.slot} holds vacuum back on {publisher.value}: "
                    f"{counted(lag.horizon_age, 'transaction')} so far",
                    False,
                    now,
                )
            )
    return alarms
