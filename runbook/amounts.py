"""Amounts of data and of time in the words that a person reads."""

from __future__ import annotations

from collections.abc import Iterable

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def sized(count: int) -> str:
    """Return a number of bytes in powers of 1024, as PostgreSQL counts: `820 B`, `1.5 GB`."""
    if count < 1024:
        return f"{count} B"
    power = min(len(_UNITS) - 1, (count.bit_length() - 1) // 10)
    value = count / 1024**power
    if value >= 999.95 and power < len(_UNITS) - 1:
        power, value = power + 1, value / 1024
    return f"{value:.0f} {_UNITS[power]}" if value >= 99.95 else f"{value:.1f} {_UNITS[power]}"


def lasting(seconds: float) -> str:
    """Return for how long something lasts, in one unit."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def counted(count: int, one: str, more: str = "") -> str:
    """Return a number of things in words: `1 row`, `12,000 rows`, `1 key differs`.

    `more` is what is said of any other number than one, where it is not `one` with an s.
    """
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def some(names: Iterable[str], of: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - of} more" if len(every) > of else ""
    return ", ".join(every[:of]) + more
