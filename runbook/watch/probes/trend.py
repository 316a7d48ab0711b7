"""Where a figure is going, by a straight line through its last values."""

from __future__ import annotations

from collections import deque

from runbook.protection.dashboard import Trend

OVER_S = 30.0
"""The past that a rate is taken over."""

AT_LEAST_S = 4.0
"""No rate is told over less."""

SMALL_BYTES = 1 << 20
"""A lag below this is that of a subscriber that keeps up: it comes and goes with each write."""

UNREAD_S = 12.0
"""A reader confirms at least every `wal_receiver_status_interval`, which is 10 s: a lag that only
grows for longer is one that nobody makes smaller.
https://www.postgresql.org/docs/current/runtime-config-replication.html"""

SHARE_A_MINUTE = 0.1
"""A lag that changes by less than this share of itself a minute is steady."""


class Line:
    """The values of one figure, with their times in seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def observe(self, clock: float, value: float | None) -> None:
        """Take in a value; where it is not known, the line breaks off."""
        if value is None:
            self._seen.clear()
            return
        self._seen.append((clock, value))
        while self._seen and clock - self._seen[0][0] > OVER_S:
            self._seen.popleft()

    def grows(self, over_s: float) -> bool:
        """Return whether it has only grown for so long."""
        if not self._seen or self._seen[-1][0] - self._seen[0][0] < over_s:
            return False
        late = [value for at, value in self._seen if self._seen[-1][0] - at <= over_s]
        return late == sorted(late) and late[-1] > late[0]

    def rate(self) -> float | None:
        """Return by how much it grows a second (least squares), or None."""
        if len(self._seen) < 3 or self._seen[-1][0] - self._seen[0][0] < AT_LEAST_S:
            return None
        count = len(self._seen)
        middle = sum(at for at, _ in self._seen) / count
        mean = sum(value for _, value in self._seen) / count
        spread = sum((at - middle) ** 2 for at, _ in self._seen)
        return sum((at - middle) * (value - mean) for at, value in self._seen) / spread


def of_lag(
    lag: int | None, rate: float | None, *, grows: bool = False
) -> tuple[Trend, float | None]:
    """Return where a lag in bytes is going, and in how many seconds it is gone at that rate.

    `grows` says that it only grew of late: then it is no small lag that comes and goes.
    """
    if lag is None:
        return Trend.UNKNOWN, None
    if lag < SMALL_BYTES:
        return Trend.FALLING_BEHIND if grows else Trend.STEADY, None
    if rate is None:
        return Trend.UNKNOWN, None
    if abs(rate) * 60 < lag * SHARE_A_MINUTE:
        return Trend.STEADY, None
    return (Trend.CATCHING_UP, lag / -rate) if rate < 0 else (Trend.FALLING_BEHIND, None)


def until_gone(left: int | None, rate: float | None) -> float | None:
    """Return in how many seconds what is left is used up; None where it is not being used up."""
    if left is None or rate is None or rate >= 0:
        return None
    return max(0.0, left / -rate)
