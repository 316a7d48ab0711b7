"""Rows of the journal's tables as records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from state.enums import Environment, HandoverKind, Outcome, Result, Status, Track
from state.records import (
    Attempt,
    Decision,
    Effect,
    Event,
    Evidence,
    Handover,
    Run,
    Sample,
    TrackEntry,
)
from state.store import Row
from state.times import from_text


def to_time(text: str | None) -> datetime | None:
    """Return a time, or None where there is none."""
    return from_text(text) if text else None


def to_object(text: str) -> dict[str, Any]:
    """Return a JSON object; an empty one where the text is none."""
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def to_handover(row: Row) -> Handover:
    """Return a row of `handover`."""
    return Handover(
        run=row["run"],
        kind=HandoverKind(row["kind"]),
        who=row["who"],
        host=row["host"],
        peer=row["peer"],
        fingerprint=row["fingerprint"],
        at=from_text(row["at"]),
    )


def to_run(row: Row, away: Handover | None) -> Run:
    """Return a row of `run`; `away` is its handover, if it was given away."""
    return Run(
        id=row["id"],
        cluster=row["cluster"],
        cluster_resource_id=row["cluster_resource_id"],
        account=row["account"],
        region=row["region"],
        environment=Environment(row["environment"]),
        plan=to_object(row["plan"]),
        plan_path=row["plan_path"],
        track=Track(row["track"]),
        result=Result(row["result"]) if row["result"] else None,
        started_at=from_text(row["started_at"]),
        closed_at=to_time(row["closed_at"]),
        away=away,
    )


def to_entry(row: Row) -> TrackEntry:
    """Return a row of `track_entry`."""
    return TrackEntry(
        id=row["id"],
        run=row["run"],
        track=Track(row["track"]),
        way=row["way"],
        from_step=row["from_step"],
        reason=row["reason"],
        at=from_text(row["at"]),
    )


def to_effect(row: Row) -> Effect:
    """Return a row of `effect`."""
    return Effect(
        id=row["id"],
        attempt=row["attempt"],
        key=row["key"],
        title=row["title"],
        preview=row["preview"],
        intent_at=from_text(row["intent_at"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        outcome_at=to_time(row["outcome_at"]),
        detail=to_object(row["detail"]),
        decided=row["decided"],
    )


def _status(row: Row, *, unheld: bool) -> Status:
    """Return how an attempt stands: what runs while nobody holds the journal was cut off."""
    status = Status(row["status"])
    return Status.UNKNOWN if unheld and not status.ended else status


def to_attempt(row: Row, effects: Sequence[Effect], *, unheld: bool) -> Attempt:
    """Return a row of `attempt` with its effects; `unheld`: nobody holds the journal."""
    return Attempt(
        id=row["id"],
        run=row["run"],
        entry=row["entry"],
        track=Track(row["track"]),
        step=row["step"],
        number=row["number"],
        status=_status(row, unheld=unheld),
        started_at=from_text(row["started_at"]),
        ended_at=to_time(row["ended_at"]),
        message=row["message"],
        effects=tuple(effects),
        decided=row["decided"],
    )


def to_decision(row: Row) -> Decision:
    """Return a row of `decision`."""
    return Decision(
        id=row["id"],
        run=row["run"],
        entry=row["entry"],
        step=row["step"],
        gate=row["gate"],
        who=row["who"],
        typed=row["typed"],
        at=from_text(row["at"]),
    )


def to_evidence(row: Row) -> Evidence:
    """Return a row of `evidence`."""
    return Evidence(
        id=row["id"],
        run=row["run"],
        attempt=row["attempt"],
        step=row["step"],
        key=row["key"],
        text=row["text"],
        value=json.loads(row["value"]),
        at=from_text(row["at"]),
    )


def to_event(row: Row) -> Event:
    """Return a row of `event`."""
    return Event(
        id=row["id"],
        run=row["run"],
        at=from_text(row["at"]),
        kind=row["kind"],
        text=row["text"],
        data=to_object(row["data"]),
    )


def to_sample(row: Row) -> Sample:
    """Return a row of `sample`."""
    return Sample(
        at=from_text(row["at"]),
        kind=row["kind"],
        subject=row["subject"],
        value=row["value"],
    )
