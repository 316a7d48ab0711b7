"""Whether an apply worker gets on: one that fails and starts again every few seconds looks alive.

The server counts its errors (`pg_stat_subscription_stats`, from 15 on) and writes each into its
log, which SQL cannot read; the worker tries again after `wal_retrieve_retry_interval` (5 s). A
connection that is lost is an error to it too: what comes back and gets on does not fail.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOMENT_S = 0.5
"""A worker that runs for so long after an error, one and the same, has come back."""

RETRY_S = 5.0
"""The default of `wal_retrieve_retry_interval`: a worker that ends sooner than that after its start
is started again when it is over:
https://www.postgresql.org/docs/current/runtime-config-replication.html"""

STUCK = 3
"""So many errors without a position confirmed in between are those of one change."""


@dataclass
class _Worker:
    count: int
    errors: int = 0
    """Since something was last confirmed, or nothing was left to confirm."""
    grew_at: float = 0.0
    confirmed: int | None = None
    """What was confirmed when the first of them was counted."""
    pid: int | None = None
    pid_since: float = 0.0
    ran_s: float = 0.0
    """How long the one ran that failed last."""

    def moment_s(self) -> float:
        """Return how long after its last error it may take to come back."""
        waits = self.errors == 1 and self.ran_s < RETRY_S
        return MOMENT_S + (RETRY_S - self.ran_s if waits else 0.0)

    def came_back(self, clock: float) -> bool:
        """Return whether one worker has run on for a while since the last error."""
        since = max(self.pid_since, self.grew_at)
        return self.pid is not None and clock - since >= MOMENT_S


@dataclass
class Failures:
    """The errors of apply workers, as they are counted up. `clock` is monotonic, in seconds."""

    _workers: dict[str, _Worker] = field(default_factory=dict)
    _clock: float = 0.0

    def observe(
        self,
        database: str,
        count: int | None,
        *,
        pid: int | None,
        confirmed: int | None,
        caught_up: bool = False,
        clock: float,
    ) -> None:
        """Take in how a database's worker stands.

        `count` of its errors and `pid` are the subscriber's word, `confirmed`, a position in the
        WAL, and `caught_up`, that it lies at the WAL's end, the publisher's. None says nothing.
        """
        self._clock = clock
        if count is None:
            return
        worker = self._workers.setdefault(database, _Worker(count))
        if caught_up or (confirmed or 0) > (worker.confirmed or 0):
            worker.errors = 0
        if count > worker.count:
            if not worker.errors:
                worker.confirmed = confirmed
            worker.errors += count - worker.count
            worker.grew_at = clock
            worker.ran_s = clock - worker.pid_since
        worker.count = count
        if pid != worker.pid:
            worker.pid, worker.pid_since = pid, clock

    def failing(self, database: str) -> bool:
        """Return whether its worker was last seen to fail, and not to come back."""
        worker = self._workers.get(database)
        if worker is None or not worker.errors:
            return False
        if worker.errors >= STUCK:
            return True
        waited = self._clock - worker.grew_at >= worker.moment_s()
        return waited and not worker.came_back(self._clock)

    @property
    def waits(self) -> bool:
        """Whether a worker that has just failed is given a moment to come back."""
        return any(
            0 < worker.errors < STUCK
            and not worker.came_back(self._clock)
            and self._clock - worker.grew_at < worker.moment_s()
            for worker in self._workers.values()
        )


def failing_words(database: str, subscriber: str) -> str:
    """Say that a database's worker fails; the words stay the same while it does."""
    return (
        f"the apply worker of {database} on {subscriber} fails again and again: "
        "m, or blueprime repair, says why"
    )
