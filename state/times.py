"""Times as the journal keeps them: UTC, with microseconds, sorting as text."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def unset() -> float:
    """Return the seconds of a clock that nobody sets, which goes on while the machine sleeps.

    `CLOCK_BOOTTIME` on Linux, `CLOCK_MONOTONIC` on macOS.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def to_text(at: datetime) -> str:
    """Return e.g. `2026-05-02T23:14:05.000123Z`; raise ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"a time without its zone: {at}")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Return the time that `to_text` wrote."""
    return datetime.fromisoformat(text)
