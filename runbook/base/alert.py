"""What the watch has found, as data: when it was seen, and whether it breaks protection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Cause(StrEnum):
    """What an alarm is about."""

    SLOT = "slot"
    LAG = "lag"
    WORKER = "worker"
    SCHEMA = "schema"
    STRAY = "stray"
    WRITABLE = "writable"
    HORIZON = "horizon"
    SEQUENCE = "sequence"
    ROWS = "rows"
    IDENTITY = "identity"
    ORIGIN = "origin"
    ROLE = "role"
    GRANT = "grant"
    CODE = "code"
    RETURNED = "returned"
    """The cluster that a forced way has left behind answers again, and is open."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is not as it should be."""

    cause: Cause
    database: str
    """Empty: it concerns a whole cluster."""
    subject: str
    """What it is about, the same from look to look while its figures change."""
    words: str
    breaks: bool
    """Whether a rollback now might lose something; otherwise it warns."""
    at: datetime | None = None
    """When it was last seen."""
    since: datetime | None = None
    """When it was first seen, of an unbroken row of looks."""

    @property
    def key(self) -> str:
        """What it is, figures aside."""
        return f"{self.cause} {self.database} {self.subject}"


def cause_of(key: str) -> Cause | None:
    """Return what an alarm is about by its key, or None for a key that is no alarm's."""
    word = key.split(" ", 1)[0]
    return Cause(word) if word in frozenset(Cause) else None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a look found, or why it could not look."""

    at: datetime | None = None
    alarms: tuple[Alert, ...] = ()
    unknown: str = "not looked at yet"
    """Why nothing is known; empty where it is."""
    counted: str = ""
    """What was found, by kind, where that is worth a sentence of its own."""

    @property
    def breaking(self) -> tuple[Alert, ...]:
        """Return the alerts that end the protection."""
        return tuple(alarm for alarm in self.alarms if alarm.breaks)


class Ages:
    """Remembers since when each alarm stands."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def begin_with(self, alarms: Iterable[Alert]) -> None:
        """Go on from those that another process has found."""
        self._since = {alarm.key: alarm.since for alarm in alarms if alarm.since}

    def dated(self, alarms: Iterable[Alert], now: datetime) -> tuple[Alert, ...]:
        """Return all that stand now, with since when; what breaks the protection first."""
        standing = list(alarms)
        self._since = {a.key: self._since.get(a.key) or a.at or now for a in standing}
        dated = [replace(alarm, since=self._since[alarm.key]) for alarm in standing]
        return tuple(sorted(dated, key=lambda alarm: not alarm.breaks))
