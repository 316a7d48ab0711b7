"""How long things take: every AWS duration of the lab, in one table, times a scale.

No source gives exact figures for Aurora; these are the middle of what runbooks and traces of real
upgrades report. The real work behind an action (copying, upgrading, draining) counts towards its
duration: only the rest is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DURATIONS: dict[str, float] = {
    "create-cluster": 120,
    "create-instance": 6 * 60,
    "modify-cluster": 30,
    "modify-instance": 60,
    "rename-cluster": 60,
    "rename-instance": 2 * 60,
    "reboot-instance": 30,
    "failover": 30,
    "stop-cluster": 2 * 60,
    "start-cluster": 5 * 60,
    "delete-instance": 3 * 60,
    "delete-cluster": 2 * 60,
    "modify-endpoint": 30,
    "clone": 4 * 60,
    "full-copy": 90 * 60,
    "snapshot": 2 * 60,
    # A blue/green deployment, about 45 minutes in all.
    "green-replica": 15 * 60,
    "green-upgrade": 20 * 60,
    "green-instances": 10 * 60,
    "green-endpoints": 60,
    "switchover-guardrails": 10,
    "switchover-rename": 5,
    "switchover-finish": 5,
    "delete-deployment": 60,
    # How long a server's certificate trails its names; not documented.
    "certificate": 60,
}
"""Seconds at scale 1."""


class Stopped(Exception):
    """The lab is being stopped; the work in hand ends here."""


class Pace:
    """Scales every duration; 0 waits for nothing but the work itself."""

    def __init__(self, scale: float) -> None:
        if scale < 0:
            raise ValueError(f"pace must be 0 or more, not {scale}")
        self.scale = scale
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End every wait, now and later, with `Stopped`."""
        self._stopped.set()

    def seconds(self, name: str) -> float:
        """Return how many seconds the named thing takes at this pace."""
        return DURATIONS[name] * self.scale

    @contextmanager
    def at_least(self, name: str, progress: Callable[[int], None] | None = None) -> Iterator[None]:
        """Make a block last as long as the named thing does; `progress` gets whole percents.

        Raises `Stopped` when the lab ends.
        """
        started = time.monotonic()
        yield
        total = self.seconds(name)
        while (left := started + total - time.monotonic()) > 0:
            if progress:
                progress(int(100 * (total - left) / total))
            self.wait(min(left, max(total / 100, 0.05)))
        if self._stopped.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, unless the lab stops meanwhile: then raise `Stopped`."""
        if self._stopped.wait(seconds):
            raise Stopped
