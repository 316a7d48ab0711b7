"""Simulated time: a loop whose waits take no time, and a clock that everybody reads."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Killed(KeyboardInterrupt):
    """The process ends here, as if by SIGKILL: the loop stops in the middle of everything."""


class Clock:
    """Seconds since the night began, and what is to happen at which of them.

    What is due is a name and arguments, not a function, so that the world can be pickled with it.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, str, tuple[Any, ...]]] = []
        self._count = 0

    def later(self, after_s: float, what: str, *args: Any) -> None:
        """Let something happen after so many seconds."""
        self._count += 1
        heapq.heappush(self._due, (self.now + after_s, self._count, what, args))

    def wall(self) -> datetime:
        """Return the time of day, in UTC."""
        return BEGAN + timedelta(seconds=self.now)

    def advance(self, seconds: float, happens: Callable[[str, tuple[Any, ...]], None]) -> None:
        """Let time pass; `happens` is called for each thing that falls due, in order."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            at, _, what, args = heapq.heappop(self._due)
            self.now = max(self.now, at)
            happens(what, args)
        self.now = end


class _NoWaiting(selectors.DefaultSelector):
    """Lets time pass instead of waiting: no file is ever ready here, only timers are."""

    def __init__(self, passes: Callable[[float], None]) -> None:
        super().__init__()
        self._passes = passes

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        if timeout > 0:
            self._passes(timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on simulated time."""

    def __init__(self, now: Callable[[], float], passes: Callable[[float], None]) -> None:
        super().__init__(_NoWaiting(passes))
        self._now = now
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._now()
