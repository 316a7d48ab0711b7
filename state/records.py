"""Rows of the journal as values: what read models return and screens draw.

Times are timezone-aware UTC. `data` and `value` members are plain JSON values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from state.enums import Environment, HandoverKind, Outcome, Result, Status, Track

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict of these."""


@dataclass(frozen=True, slots=True)
class Handover:
    """One passing of the right to act on a run, as this machine's journal recorded it."""

    run: str
    kind: HandoverKind
    who: str
    """Who recorded it, on which `host`."""
    host: str
    peer: str
    """To whom it was given, or from whom it was accepted; may be empty."""
    fingerprint: str
    """SHA-256 of the content of the file, 64 hexadecimal digits."""
    at: datetime

    @property
    def words(self) -> str:
        """Return it as the end of a sentence that begins with the run."""
        when = f"at {self.at:%Y-%m-%d %H:%M:%S} UTC"
        match self.kind:
            case HandoverKind.GIVEN:
                to = self.peer or "another machine"
                return f"handed over to {to} {when}, by {self.who} on {self.host}"
            case HandoverKind.ACCEPTED:
                return f"accepted from {self.peer} {when}, by {self.who} on {self.host}"
            case HandoverKind.TAKEN_BACK:
                return f"taken back {when}, by {self.who} on {self.host}"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of the runbook against one cluster."""

    id: str
    cluster: str
    """The production name at the start, e.g. `orders`."""
    cluster_resource_id: str
    account: str
    region: str
    environment: Environment
    plan: Mapping[str, Json]
    plan_path: str
    track: Track
    result: Result | None
    started_at: datetime
    closed_at: datetime | None
    away: Handover | None = None
    """The handover by which another machine acts on it now, or None."""

    @property
    def open(self) -> bool:
        """Whether it is not closed."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class TrackEntry:
    """The moment a run went onto a track; the first is its start, later ones are branches."""

    id: int
    run: str
    track: Track
    variant: str
    """Which variant of the track (e.g. the way back), empty where a track has one."""
    from_step: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Effect:
    """One change to the world: its intent, and its outcome once there is one."""

    id: int
    attempt: int
    key: str
    title: str
    preview: str
    intent_at: datetime
    outcome: Outcome | None
    outcome_at: datetime | None
    detail: Mapping[str, Json]
    """What the outcome says; for `failed` and `unknown` it holds `error`."""
    decided: str
    """Who turned an unknown outcome into another, or empty."""

    @property
    def status(self) -> Status:
        """An intent without outcome is `running` only to the process that holds it."""
        if self.outcome is None:
            return Status.RUNNING
        if self.outcome is Outcome.ADOPTED:
            return Status.SUCCEEDED
        return Status(self.outcome.value)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one step."""

    id: int
    run: str
    entry: int
    """The track entry it belongs to."""
    track: Track
    step: str
    number: int
    status: Status
    """`unknown`, with no end, of one that was cut off with the process that ran it."""
    started_at: datetime
    ended_at: datetime | None
    message: str
    """For a failure: what happened, what is now true, what to do next."""
    effects: tuple[Effect, ...] = ()
    decided: str = ""
    """Who turned an unknown end into another, or empty."""

    @property
    def seconds(self) -> float | None:
        """Duration, or None while it is running."""
        if self.ended_at is None:
            return None
        # A clock that was set back meanwhile makes no step end before it began.
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided at a gate."""

    id: int
    run: str
    entry: int
    step: str
    gate: str
    who: str
    typed: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen, and when. The latest row of a key is the fact a later step reads."""

    id: int
    run: str
    attempt: int | None
    step: str
    key: str
    text: str
    value: Json
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal's tail."""

    id: int
    run: str
    at: datetime
    kind: str
    """run track attempt effect decision evidence wait protection traffic note leave open
    handover"""
    text: str
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """A measured value kept for drawing the past; `value` None means it was unknown then."""

    at: datetime
    kind: str
    """lag_bytes lag_seconds writes_per_s"""
    subject: str
    """The database, slot or cluster that it belongs to."""
    value: float | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the writer lock."""

    host: str
    pid: int
    user: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of `runs --json`, newest first."""

    run: str
    cluster: str
    track: Track
    step: str
    status: Status
    protected: bool | None
    """None: unknown, which is never shown as protected."""
    started_at: datetime
    environment: Environment
    result: Result | None
    open: bool
    slots_held: bool
    """Whether the run's last evidence says that a slot exists on the publisher."""
    variant: str = ""
    """Which variant of its track it is on, empty where a track has one."""
    protection_seen_at: datetime | None = None
    """When protection was last looked at, however long ago; `protected` itself goes stale."""
    last_protected: bool | None = None
    """What was seen then."""
    away: Handover | None = None
    """The handover by which another machine acts on the run now, or None."""
    figures: Mapping[str, Any] | None = None
    """The live figures that its holder put up last; None of a run that is closed."""
