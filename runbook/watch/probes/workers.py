"""The subscriptions and their workers, of all databases of the subscriber in one query."""

from __future__ import annotations

import time
from datetime import datetime

from runbook.amounts import counted
from runbook.base.alert import Alert, Cause, ProbeResult
from runbook.base.context import RunContext
from runbook.base.pair import current_pair, publication_name
from runbook.base.roles import Role
from runbook.postgres import replication
from runbook.postgres.connect import CannotConnect
from runbook.postgres.replication import Worker
from runbook.postgres.replication.subscriber import HEARS_S
from runbook.protection.dashboard import Dashboard, LagView, Silent
from runbook.watch.apply_errors import RETRY_S, Failures, failing_words
from runbook.watch.probes.patience import Patience
from runbook.watch.probes.production import Witness

SILENT_S = 90.0
"""A publisher that has nothing to send says so every 30 s (half of `wal_sender_timeout`)."""

CONFLICTS = "conflicts"
"""The fact that holds, by database, how many changes that found no row were looked into."""


class WorkersProbe:
    """Looks whether every database of the capture is applied."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._subscriber: Role | None = None
        self._failures = Failures()
        self._patience = Patience()
        self.witness: Witness | None = None
        """What its workers told last of the publisher, and when; None: there were none."""
        self.silent: Silent | None = None
        """Since when the subscriber cannot be reached; None: it was, or there is none to reach."""
        self.subscribed = False
        """Whether every database was last seen to have its subscription, well or not."""

    @property
    def waits(self) -> bool:
        """Whether a worker has just gone, and is looked at again at once."""
        return self._patience.waits or self._failures.waits

    async def look(self, dashboard: Dashboard) -> ProbeResult:
        """Return what is wrong; `board` says what is known of the subscriber's cluster."""
        try:
            seen, self.subscribed, self.witness = await self._look(dashboard)
        except CannotConnect as error:
            subscriber = current_pair(self._context).subscriber.value
            if error.server_runs:
                self.silent = None
            elif self.silent is None or self.silent.role != subscriber:
                self.silent = Silent(subscriber, self._context.now())
            raise
        self.silent = None
        return seen

    async def _look(self, dashboard: Dashboard) -> tuple[ProbeResult, bool, Witness | None]:
        subscriber, now = current_pair(self._context).subscriber, self._context.now()
        if subscriber is not self._subscriber:
            # What was counted on the other side says nothing of this one.
            self._failures, self._patience = Failures(), Patience()
            self._subscriber = subscriber
        if self._context.bound(subscriber) is None:
            return _nobody(f"{subscriber.value} does not exist yet", now), False, None
        view = next((v for v in dashboard.clusters if v.role == subscriber.value), None)
        if view is None:
            return ProbeResult(now, (), f"{subscriber.value} was not looked at yet"), False, None
        if view.status != "available" or not view.instances_available:
            stage = view.status if view.status != "available" else "waits for instances"
            return _nobody(f"{subscriber.value} {stage}", now), self.subscribed, None
        async with self._context.connect(subscriber) as connection:
            rows = await replication.workers(connection, publication_name(self._context))
        hears = any(
            row.worker_pid is not None and row.silent_s is not None and row.silent_s <= HEARS_S
            for row in rows
        )
        found = {row.database: row for row in rows}
        alarms: list[Alert] = []
        databases = (self._context.fact("capture") or {}).get("databases", ())
        for database in databases:
            lag = next((lag for lag in dashboard.lags if lag.database == database), None)
            alarms += self._of(database, found.get(database), lag, subscriber, now)
        subscribed = bool(databases) and found.keys() >= set(databases)
        witness = Witness(hears, subscriber.value, self._context.now()) if rows else None
        return ProbeResult(now, tuple(alarms), ""), subscribed, witness

    def _of(
        self,
        database: str,
        found: Worker | None,
        lag: LagView | None,
        subscriber: Role,
        now: datetime,
    ) -> list[Alert]:
        def alarm(words: str, *, breaks: bool = True, subject: str = "worker") -> Alert:
            return Alert(Cause.WORKER, database, subject, words, breaks, now)

        if found is None:
            return [alarm(f"no subscription in {database} yet", subject="subscription")]
        clock = time.monotonic()
        alarms = []
        self._failures.observe(
            database,
            found.apply_error_count,
            pid=found.worker_pid,
            confirmed=None if lag is None else lag.confirmed_lsn,
            caught_up=lag is not None and lag.bytes == 0,
            clock=clock,
        )
        running = found.enabled and found.worker_pid is not None
        # Where nothing counts its errors, one that fails over and over is not waited for.
        retry_s = 0.0 if found.apply_error_count is None else RETRY_S
        gone = self._patience.lasting(database, down=not running, clock=clock, retry_s=retry_s)
        if self._failures.failing(database):
            alarms.append(alarm(failing_words(database, subscriber.value)))
        elif not found.enabled:
            words = f"the subscription of {database} on {subscriber.value} is disabled"
            alarms.append(alarm(words, subject="subscription"))
        elif gone:
            alarms.append(alarm(f"the apply worker of {database} does not run"))
        elif found.silent_s is not None and found.silent_s > SILENT_S:
            words = f"the apply worker of {database} has heard nothing for {found.silent_s:.0f} s"
            alarms.append(alarm(words, breaks=False, subject="silence"))
        known = int((self._context.fact(CONFLICTS) or {}).get(database, 0))
        if found.missing_rows > known:
            changes = counted(found.missing_rows - known, "update or delete", "updates or deletes")
            words = (
                f"{changes} found no row in {database} of "
                f"{subscriber.value}: its rows are not those of the publisher"
            )
            alarms.append(Alert(Cause.ROWS, database, "missing rows", words, True, now))
        return alarms


def _nobody(words: str, now: datetime) -> ProbeResult:
    return ProbeResult(now, (Alert(Cause.WORKER, "", "subscriber", words, True, now),), "")
