"""Whether an apply worker gets on: one that fails and starts again every few seconds looks alive.

The server counts its errors (`pg_stat_subscription_stats`, from 15 on) and writes each into its
log, which SQL cannot read; the worker tries again after `wal_retrieve_retry_interval` (5 s).
"""

from __future__ import annotations

from dataclasses import dataclass, field

FAILING_S = 12.0
"""So long after an error was counted the worker is taken for failing: two of its tries."""


@dataclass
class Failures:
    """The errors of apply workers, as they are counted up. `clock` is monotonic, in seconds."""

    _counted: dict[str, int] = field(default_factory=dict)
    _grew_at: dict[str, float] = field(default_factory=dict)

    def observe(self, database: str, count: int | None, clock: float) -> None:
        """Take in a database's count of errors; None says nothing."""
        if count is None:
            return
        if count > self._counted.get(database, count):
            self._grew_at[database] = clock
        self._counted[database] = count

    def failing(self, database: str, clock: float) -> bool:
        """Return whether an error was counted lately."""
        grew_at = self._grew_at.get(database)
        return grew_at is not None and clock - grew_at <= FAILING_S


def failing_words(database: str, subscriber: str) -> str:
    """Say that a database's worker fails; the words stay the same while it does."""
    return (
        f"the apply worker of {database} on {subscriber} fails again and again: "
        "the server's log says why"
    )
