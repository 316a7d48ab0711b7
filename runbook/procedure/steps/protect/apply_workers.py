"""The apply workers that a step waits for: what keeps them, and when waiting is of no use."""

from __future__ import annotations

import time

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair, publication_name
from runbook.base.roles import Role
from runbook.failures import StepFailed
from runbook.postgres import replication
from runbook.postgres.connect import UNREACHABLE

ERRORS = 2
"""So many errors counted during one wait are the same one: the worker tries the change again."""

LOOK_EVERY_S = 1.0


class Workers:
    """Looks at the workers of a subscriber during one wait. `now` says what is true meanwhile.

    Source: https://www.postgresql.org/docs/current/monitoring-stats.html
    """

    def __init__(self, context: RunContext, subscriber: Role, now: str) -> None:
        self._context = context
        self._subscriber = subscriber
        self._stay = ReplicationPair.to(subscriber).publisher.version
        self._now = now
        self._counted_first: dict[str, int] = {}
        self._looked: dict[str, tuple[float, str]] = {}
        self._written: int | None = None

    @property
    def written(self) -> int | None:
        """Up to where the subscriber had written WAL of its own at the latest look, in bytes."""
        return self._written

    async def trouble(self, database: str) -> str:
        """Return what keeps a database's worker, in words that follow its name, or nothing.

        Raises `StepFailed` where it fails over and over, or is gone.
        """
        at, known = self._looked.get(database, (-LOOK_EVERY_S, ""))
        if time.monotonic() - at < LOOK_EVERY_S:
            return known
        try:
            words = await self._look(database)
        except UNREACHABLE as error:
            first = str(error).strip().partition("\n")[0]
            words = f" ({self._subscriber.value} cannot be asked: {first})"
        self._looked[database] = (time.monotonic(), words)
        return words

    async def _look(self, database: str) -> str:
        name = publication_name(self._context)
        async with self._context.connect(self._subscriber, database) as connection:
            found = await replication.subscription(connection, name)
            self._written = await replication.written(connection)
        if found is None or not found.enabled:
            raise StepFailed(
                f"The subscription {name} in {database} on {self._subscriber.value} is "
                f"{'gone' if found is None else 'disabled'}: it will never confirm.",
                now=self._now,
                todo="Find out who did that. A disabled one: ALTER SUBSCRIPTION … ENABLE there, "
                f"then run the step again. One that is gone: stay on {self._stay}.",
            )
        count = found.apply_error_count or 0
        errors = count - self._counted_first.setdefault(database, count)
        if errors >= ERRORS:
            await self._fail(database, errors, count)
        if errors:
            return f" (its apply worker has failed {counted(errors, 'time')} meanwhile)"
        return "" if found.worker_pid else " (its apply worker does not run)"

    async def _fail(self, database: str, errors: int, count: int) -> None:
        instances = await self._context.instances(self._subscriber)
        where = instances[0].identifier if instances else self._subscriber.value
        raise StepFailed(
            f"The apply worker of {database} on {self._subscriber.value} fails at the same change "
            f"over and over: {counted(errors, 'error')} during this wait, {count} in all "
            "(pg_stat_subscription_stats.apply_error_count).",
            now=self._now,
            todo=(
                f"The reason stands in the log of {where}, in the lines of the logical replication "
                "worker: a conflict names table and key, a full disk the file. Fix it on "
                f"{self._subscriber.value} (a row in the way: SET default_transaction_read_only = "
                "off, then DELETE it), and run the step again; or branch and stay on "
                f"{self._stay}."
            ),
        )
