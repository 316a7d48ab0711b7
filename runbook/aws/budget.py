"""How many calls to RDS this process makes: one budget, which all of it shares.

AWS counts the requests of a whole account and Region together, and refuses those that are too
many: what is asked here is missing to everybody else's tools there. So each request is counted as
it is sent, pages and retries too. No call waits for the budget: a change, and the look that decides
on one, is made at once. What repeats itself pauses for longer once much was asked: first what is
only shown, then the waits of steps, last those inside the fence.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-api-throttling.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

PER_S = 1.0
"""Calls a second, on average, where no plan says otherwise."""

BURST_S = 30.0
"""So many seconds of the budget may be spent at once, and as many be owed afterwards."""

SHARE_SHOWN = 0.2
"""How much of the budget is for what is only shown."""

HURRY_S = 1.0
"""What looks more often than this waits inside the fence, and may use up the budget."""

BACK_OFF = 0.5
SLOWEST = 1 / 16
RECOVERS_S = 60.0
"""Each refusal for too many calls halves the budget, and each such time without one doubles it."""


class _Bucket:
    """Fills by a rate up to a burst; below zero it is owed."""

    def __init__(self, now: float) -> None:
        self.level = float("inf")
        self._at = now

    def fill(self, now: float, per_s: float) -> None:
        burst = per_s * BURST_S
        self.level = min(burst, self.level + max(0.0, now - self._at) * per_s)
        self._at = now

    def take(self, per_s: float) -> None:
        self.level = max(-per_s * BURST_S, self.level - 1)


class Budget:
    """Calls a second, on average. `clock` gives seconds; it is safe to use from any thread."""

    def __init__(self, per_s: float = PER_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._per_s = per_s
        self._slowed = 1.0
        self._slowed_at = clock()
        self._all, self._shown = _Bucket(clock()), _Bucket(clock())

    def limit(self, per_s: float) -> None:
        """Allow so many calls a second from now on."""
        with self._lock:
            self._fill()
            if per_s != self._per_s:
                self._per_s = per_s
                self._all.level = self._shown.level = float("inf")

    def sent(self, *, shown: bool) -> None:
        """Count a request; `shown`: only to show what came of it."""
        with self._lock:
            per_s = self._fill()
            self._all.take(per_s)
            if shown:
                self._shown.take(per_s * SHARE_SHOWN)

    def refused(self) -> None:
        """Take in that AWS refused a request because there were too many."""
        with self._lock:
            self._fill()
            self._slowed = max(SLOWEST, self._slowed * BACK_OFF)
            self._slowed_at = self._clock()
            self._fill()

    @property
    def slowed(self) -> bool:
        """Whether AWS has lately refused requests because there were too many."""
        with self._lock:
            self._fill()
            return self._slowed < 1

    def rest_s(self, every_s: float, *, shown: bool) -> float:
        """Return for how many seconds what repeats itself is to rest, at least `every_s`."""
        with self._lock:
            per_s = self._fill()
            if every_s < HURRY_S:
                # Each second is downtime: one look a second at the least, whatever is owed.
                rest = min((1 - self._all.level) / per_s, 1 / self._per_s)
            else:
                rest = (per_s * BURST_S / 2 - self._all.level) / per_s
            if shown:
                own = per_s * SHARE_SHOWN
                rest = max(rest, (min(2.0, own * BURST_S) - self._shown.level) / own)
            return max(every_s, rest, 0.0)

    def _fill(self) -> float:
        """Take in the time that has passed; return the rate of now."""
        now = self._clock()
        while self._slowed < 1 and now - self._slowed_at >= RECOVERS_S:
            self._slowed = min(1.0, self._slowed / BACK_OFF)
            self._slowed_at += RECOVERS_S
        per_s = self._per_s * self._slowed
        self._all.fill(now, per_s)
        self._shown.fill(now, per_s * SHARE_SHOWN)
        return per_s


@dataclass
class Spender:
    """Who asks: on behalf of what is only shown, or of a step. Counts what it has asked."""

    budget: Budget
    shown: bool = False
    calls: int = 0
    _seen: int = 0

    def sent(self) -> None:
        """Count a request."""
        self.calls += 1
        self.budget.sent(shown=self.shown)

    def rest_s(self, every_s: float) -> float:
        """Return how long to pause between two looks; one that asked AWS nothing costs nothing."""
        asked, self._seen = self.calls > self._seen, self.calls
        return self.budget.rest_s(every_s, shown=self.shown) if asked else every_s


_OF_PROCESS = Budget()
_SPENDER: ContextVar[Spender | None] = ContextVar("spender", default=None)


def spender() -> Spender:
    """Return who asks here; outside of any `spending` that is nobody in particular."""
    return _SPENDER.get() or Spender(of_process())


def of_process() -> Budget:
    """Return the budget of this process."""
    return _OF_PROCESS


@contextmanager
def spending(*, shown: bool = False, budget: Budget | None = None) -> Iterator[Spender]:
    """Ask on behalf of a step, or of what is only shown, in this task and those it starts."""
    made = Spender(budget or spender().budget, shown)
    token = _SPENDER.set(made)
    try:
        yield made
    finally:
        # A task that is closed from without ends in a context that never was this one's.
        with suppress(ValueError):
            _SPENDER.reset(token)
