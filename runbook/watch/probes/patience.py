"""How long looks rest, and whether what went away is given a moment to come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runbook.base.alert import ProbeResult
from runbook.watch.apply_errors import RETRY_S

AGAIN_S = 0.5
"""The pause before one looks again at what has just gone. A worker that ends starts again within
milliseconds where it ran for longer than `wal_retrieve_retry_interval`."""


@dataclass
class Patience:
    """What was seen up, what is down, and since when. `clock` is monotonic, in seconds."""

    _up: dict[str, float] = field(default_factory=dict)
    _down: dict[str, float] = field(default_factory=dict)

    def lasting(self, subject: str, *, down: bool, clock: float, retry_s: float = RETRY_S) -> bool:
        """Take in how something stands; return whether it is down, and not just for a moment.

        What was never seen up is given none; what went within `retry_s` of coming, until those are
        over.
        """
        if not down:
            if subject in self._down or subject not in self._up:
                self._up[subject] = clock
            self._down.pop(subject, None)
            return False
        since = self._down.setdefault(subject, clock)
        up = self._up.get(subject)
        if up is None:
            return True
        may_be_back = max(since, up + retry_s)
        if clock < may_be_back + AGAIN_S:
            return False
        del self._up[subject]
        return True

    @property
    def waits(self) -> bool:
        """Whether something is given a moment now: look again after `AGAIN_S`."""
        return any(subject in self._up for subject in self._down)


class DatabasesProbe(Protocol):
    """A look at some databases, which says how long it is to rest."""

    @property
    def rest_s(self) -> float:
        """Return how many seconds it is to rest."""

    async def look(self, databases: Sequence[str]) -> ProbeResult:
        """Return what was found in them."""
