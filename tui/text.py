"""Words and figures as the screens print them: cleaned, fitted, never cut in the middle of a digit.

Names come from servers and may hold anything; what does not print is escaped as in JSON, so that
nothing in them can move the cursor, turn the line around, or look like something else. Secrets that
this process has met are masked: not all that is shown went through the journal.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

from rich.cells import cell_len, set_cell_size

from runbook.amounts import sized
from state.masking import masked_by_value

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT = {"\t": "\\t", "\r": "\\r"}


def clean(text: str, *, lines: bool = False) -> str:
    """Return text from elsewhere as it may be printed, on one line unless `lines`."""
    text = masked_by_value(text).replace("\r\n", "\n")
    if not lines:
        text = text.replace("\n", " ")
    elif "\t" in text:
        text = "\n".join(_indented(line) for line in text.split("\n"))
    if text.isprintable():
        return text
    return "".join(_printable(character) for character in text)


def _indented(line: str) -> str:
    """Return a line with the tabs that it begins with as spaces: SQL and JSON are indented."""
    words = line.lstrip("\t ")
    return line[: len(line) - len(words)].expandtabs(4) + words


def _printable(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _UNPRINTABLE:
        return character
    return _SHORT.get(character) or escaped(character)


def escaped(character: str) -> str:
    """Return a character as JSON escapes it."""
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def width(text: str) -> int:
    """Return how many terminal cells a text takes."""
    return cell_len(text)


def fit(text: str, cells: int) -> str:
    """Return a text of exactly so many cells: padded, or ended with an ellipsis."""
    if cells <= 0:
        return ""
    if cell_len(text) <= cells:
        return set_cell_size(text, cells)
    return set_cell_size(shorten(text, cells), cells)


def shorten(text: str, cells: int) -> str:
    """Return a text of at most so many cells, ended with an ellipsis if it was longer."""
    if cell_len(text) <= cells:
        return text
    return "…" if cells <= 1 else set_cell_size(text, cells - 1).rstrip() + "…"


def wrap(text: str, cells: int) -> list[str]:
    """Return a text as lines of at most so many cells, broken at spaces where there are any."""
    rows: list[str] = []
    for line in text.split("\n"):
        row = line
        while cell_len(row) > cells > 0:
            head = set_cell_size(row, cells)
            head = head if row.startswith(head) else head[:-1]
            space = head.rfind(" ")
            if space > len(head) - len(head.lstrip()) and not row[len(head) :].startswith(" "):
                head = head[:space]
            rows.append(head.rstrip())
            row = row[len(head) :].lstrip()
        rows.append(row)
    return rows


def right(text: str, cells: int) -> str:
    """Return a figure set to the right; it grows over its column rather than lose a digit."""
    return " " * max(0, cells - cell_len(text)) + text


def duration(seconds: float | None) -> str:
    """Return a duration in at most two units: `0.4s`, `21s`, `11m02s`, `3h07m`, `2d04h`."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def ago(seconds: float | None) -> str:
    """Return an age in words: `3s ago`, or `never`."""
    if seconds is None:
        return "never"
    return "just now" if seconds < 1 else f"{age_figure(seconds)} ago"


def as_seen(at: datetime | None, now: datetime) -> str:
    """Return as of when something is said, e.g. `as seen 3s ago`; None: before this was opened."""
    return f"as seen {'earlier' if at is None else ago(elapsed(at, now))}"


def age_figure(seconds: float) -> str:
    """Return an age in one unit: `94s`, `12m`, `5h`, `3d`; anything finer is noise here."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def clock(seconds: float) -> str:
    """Return a running time as `00:00:07.4`."""
    tenths = max(0, int(seconds * 10))
    whole = tenths // 10
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}.{tenths % 10}"


def volume(count: int | None) -> str:
    """Return an amount of data as `0 B`, `1.2 MB`, or `?` where it is unknown."""
    return "?" if count is None else sized(count)


def at(moment: datetime | None) -> str:
    """Return a moment as the time of day in UTC."""
    return "--:--:--" if moment is None else f"{moment.astimezone(UTC):%H:%M:%S}"


def day_and_time(moment: datetime) -> str:
    """Return a moment as date and time in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def elapsed(since: datetime, now: datetime) -> float:
    """Return the seconds since a moment, never below zero."""
    return max(0.0, (now - since) / timedelta(seconds=1))


def short_account(account: str) -> str:
    """Return an AWS account as `4711…0815`."""
    return account if len(account) <= 9 else f"{account[:4]}…{account[-4:]}"
