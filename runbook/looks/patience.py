"""Whether what went away is given a moment to come back."""

from __future__ import annotations

from dataclasses import dataclass, field

AGAIN_S = 0.5
"""The pause before one looks again at what has just gone. A worker that ends starts again within
milliseconds where it ran for longer than `wal_retrieve_retry_interval`."""


@dataclass
class Patience:
    """What was seen up, and since when it is down. `clock` is monotonic, in seconds."""

    _up: set[str] = field(default_factory=set)
    _down: dict[str, float] = field(default_factory=dict)

    def lasting(self, subject: str, *, down: bool, clock: float) -> bool:
        """Take in how something stands; return whether it is down, and not just for a moment.

        What was never seen up is given none.
        """
        if not down:
            self._up.add(subject)
            self._down.pop(subject, None)
            return False
        since = self._down.setdefault(subject, clock)
        if subject in self._up and clock - since < AGAIN_S:
            return False
        self._up.discard(subject)
        return True

    @property
    def waits(self) -> bool:
        """Whether something is given a moment now: look again after `AGAIN_S`."""
        return any(subject in self._up for subject in self._down)
