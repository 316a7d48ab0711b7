"""The live figures of a run, each with the time it was seen: what the panels and `watch` show.

A figure that is not known is None with a reason, never zero. The board travels as JSON through the
journal, so that a second operator, or a script, sees what the first one sees.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from runbook.base.alert import Alert, Cause
from runbook.base.downtime import Downtime


@dataclass(frozen=True, slots=True)
class ClusterView:
    """One cluster of the run."""

    role: str
    """blue, green, old blue, new blue, blue prime"""
    name: str
    version: str
    status: str
    """AWS's own word, e.g. `available`; `gone` when AWS has no such cluster."""
    instances: int
    instances_available: int
    percent: float | None = None
    serves: bool = False
    """Whether the applications find it: it bears the production name, or they are led to it."""
    publishes: bool = False
    """Whether the slots of the way that is held are here."""
    frozen: bool = False
    """Whether applications are kept from writing to it by the run."""
    given_up: bool = False
    """Whether a forced way has left it behind, and it was not closed since."""
    at: datetime | None = None
    error: str = ""


class Trend(StrEnum):
    """Where a lag is going."""

    STEADY = "steady"
    CATCHING_UP = "catching up"
    FALLING_BEHIND = "falling behind"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LagView:
    """One slot, measured at the publisher against `confirmed_flush_lsn`."""

    database: str
    slot: str
    bytes: int | None
    seconds: float | None
    active: bool | None
    state: str
    """`reserved`, `extended`, `unreserved`, `lost`, `missing` or `unknown`"""
    reason: str = ""
    at: datetime | None = None
    at_least_s: float = 0.0
    """Where `seconds` is None: for how long it has been seen not to confirm what there was."""
    moment: bool = False
    """Whether its reader has gone just now, and is given a moment to come back."""
    confirmed_lsn: int | None = None
    """Up to where in the publisher's WAL the subscriber has confirmed, in bytes."""
    trend: Trend = Trend.UNKNOWN
    caught_up_in_s: float | None = None
    """At the present rate; None unless it is catching up."""
    kept_bytes: int | None = None
    """WAL that the publisher keeps for it."""
    safe_bytes: int | None = None
    """WAL that may still be written before the slot is lost; None: the server sets no limit."""
    lost_in_s: float | None = None
    """When that is, at the present rate; None where it is not on its way there."""

    def unclear(self, limit_s: float) -> bool:
        """Return whether it is not known yet if its lag is within a limit."""
        return self.bytes is not None and self.seconds is None and self.at_least_s <= limit_s

    def unknown(self, why: str) -> LagView:
        """Return it with nothing known of it, as of when it was last seen."""
        return LagView(
            self.database, self.slot, None, None, self.active, "unknown", reason=why, at=self.at
        )


class Fence(StrEnum):
    """Whether applications can write."""

    OPEN = "open"
    CLOSING = "closing"
    PROVED = "proved"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TrafficView:
    """What the applications do on the cluster that serves."""

    fence: Fence
    fence_at: datetime | None
    """When it was last proved."""
    sessions: int | None
    """Sessions of application roles."""
    writes_per_s: float | None
    """Rows written a second, all databases together."""
    error: str = ""
    at: datetime | None = None


class Serving(StrEnum):
    """Whether the cluster that serves answers."""

    UNKNOWN = "unknown"
    ANSWERS = "answers"
    DOWN = "down"
    SILENT = "silent"
    """It cannot be reached from here, and nobody else has heard of it."""
    CUT = "cut off"
    """It cannot be reached from here, and somebody else hears of it."""


@dataclass(frozen=True, slots=True)
class Production:
    """The cluster that serves, as it answers or does not."""

    state: Serving = Serving.UNKNOWN
    text: str = ""
    """What is known where it does not answer."""
    role: str = ""
    name: str = ""
    since: datetime | None = None
    """Since when it does not answer."""
    at: datetime | None = None
    at_least: bool = False
    """Whether it may not have answered before `since` either: nobody had looked until then."""

    @property
    def unreached(self) -> bool:
        """Whether it was looked for and did not answer."""
        return self.state in (Serving.DOWN, Serving.SILENT, Serving.CUT)


@dataclass(frozen=True, slots=True)
class Silent:
    """The cluster that follows, where it cannot be reached from here."""

    role: str
    since: datetime


class Stage(StrEnum):
    """How far the way has come that the protection is about."""

    BEFORE = "before"
    """The switchover was not seen to be done: there is nothing that could be protected."""
    MAKING = "making"
    """It is being made: not proved yet that what is written arrives."""
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Protection:
    """Whether taking the way that is held would lose nothing, and if not, why."""

    protected: bool | None
    """None: not known, which is never shown as protected."""
    text: str
    """The banner after the verdict, e.g. `capture held, clone creating`."""
    reasons: tuple[str, ...] = ()
    at: datetime | None = None
    causes: tuple[str, ...] = ()
    """What the reasons are about, one each, the same while their figures change."""
    lost: bool = False
    """Whether writes are missing on the subscriber for good: a slot is gone, no waiting helps."""
    stage: Stage = Stage.HELD
    looking: bool = False
    """Whether the run has just been opened, and not everything was looked at since."""
    before: bool | None = None
    """While looking: the last verdict known, as of `before_at`."""
    before_at: datetime | None = None

    @property
    def word(self) -> str:
        """The verdict as it is headed."""
        if self.protected is None:
            return "PROTECTION UNKNOWN"
        if not self.protected and self.stage is not Stage.HELD:
            return "NOT PROTECTED YET"
        return "PROTECTED" if self.protected else "NOT PROTECTED"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All live figures together."""

    clusters: tuple[ClusterView, ...] = ()
    lags: tuple[LagView, ...] = ()
    traffic: TrafficView = field(
        default_factory=lambda: TrafficView(Fence.UNKNOWN, None, None, None)
    )
    protection: Protection = field(
        default_factory=lambda: Protection(None, "nothing was measured yet")
    )
    downtime: Downtime = field(default_factory=Downtime)
    production: Production = field(default_factory=Production)
    silent: Silent | None = None
    """None: the cluster that follows was reached at the last look, or there is none to reach."""
    last_lags: tuple[LagView, ...] = ()
    """The slots as they were last measured: what is known once the publisher does not answer."""
    waiting: str = ""
    """What the running step waits for, with what was last seen."""
    waiting_fraction: float | None = None
    """How much of the whole is done, 0 to 1."""
    to_do: str = ""
    """What a person must do now, the applications waiting for it, or empty."""
    deployment: str = ""
    """Status of the blue/green deployment in AWS's words, or empty."""
    green_lags: tuple[LagView, ...] = ()
    """AWS's own slots, by which green follows blue before the switchover."""
    alarms: tuple[Alert, ...] = ()
    """All that the watch has found, what breaks the protection first."""
    strays_since: datetime | None = None
    """Since when every write on the subscriber is watched without a gap; None: it is not."""
    journal_error: str = ""
    """Why the journal could not be written at the last try, or empty."""
    left_behind: str = ""
    """Who went on with the run since this journal, or empty."""
    at: datetime | None = None

    def waits_for(self, text: str, fraction: float | None, *, to_do: bool = False) -> Dashboard:
        """Return it with what the running step waits for; `to_do`: for a person, who must act."""
        calls = text if to_do else ""
        return replace(self, waiting=text, waiting_fraction=fraction, to_do=calls)

    def without(self, look: str, why: str) -> Dashboard:
        """Return it after a look has failed: its figures are not known, or bear the reason."""
        if look == "lags":
            lags = tuple(lag.unknown(why) for lag in self.lags)
            green = tuple(lag.unknown(why) for lag in self.green_lags)
            return replace(self, lags=lags, green_lags=green)
        if look == "traffic":
            return replace(self, traffic=replace(self.traffic, error=why))
        if look == "clusters":
            views = tuple(replace(view, error=why) for view in self.clusters)
            return replace(self, clusters=views)
        return self

    @property
    def returned(self) -> Alert | None:
        """The alarm that a cluster that was given up is back, and open; None where none is."""
        return next((alarm for alarm in self.alarms if alarm.cause is Cause.RETURNED), None)

    def taken_over(self, protection: Protection) -> Dashboard:
        """Return it as what another process knew: each figure bears its age."""
        return replace(
            self.waits_for("", None),
            journal_error="",
            strays_since=None,
            silent=None,
            production=replace(self.production, at=None),
            protection=protection,
        )

    def forgotten(self, why: str) -> Dashboard:
        """Return it with no figure known any more."""
        return replace(
            self,
            clusters=tuple(replace(view, error=why, at=None) for view in self.clusters),
            lags=tuple(replace(lag.unknown(why), at=None) for lag in self.lags),
            green_lags=tuple(replace(lag.unknown(why), at=None) for lag in self.green_lags),
            traffic=TrafficView(Fence.UNKNOWN, None, None, None, error=why),
            production=replace(self.production, at=None),
            silent=None,
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        value: dict[str, Any] = _BOARD.dump_python(self, mode="json")
        return value


_BOARD = TypeAdapter(Dashboard)


def from_json(value: Any) -> Dashboard:
    """Return the board that `as_json` wrote; one that says nothing where it cannot be read."""
    try:
        return _BOARD.validate_python(value)
    except ValidationError:
        return Dashboard(protection=Protection(None, "the figures that were kept cannot be read"))
