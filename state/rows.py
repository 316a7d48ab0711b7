"""Rows of the journal's tables as records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

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

R = TypeVar("R", Handover, Run, TrackEntry, Effect, Attempt, Decision, Evidence, Event, Sample)
Read = Callable[[Any], Any]


def to_object(text: str) -> dict[str, Any]:
    """Return a JSON object; an empty one where the text is none."""
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def _if_any(read: Read) -> Read:
    """Return how a column is read that may be empty: None then."""
    return lambda text: read(text) if text else None


_READ: Mapping[type, Mapping[str, Read]] = {
    Handover: {"kind": HandoverKind, "at": from_text},
    Run: {
        "environment": Environment,
        "plan": to_object,
        "track": Track,
        "result": _if_any(Result),
        "started_at": from_text,
        "closed_at": _if_any(from_text),
    },
    TrackEntry: {"track": Track, "at": from_text},
    Effect: {
        "intent_at": from_text,
        "outcome": _if_any(Outcome),
        "outcome_at": _if_any(from_text),
        "detail": to_object,
    },
    Attempt: {"track": Track, "started_at": from_text, "ended_at": _if_any(from_text)},
    Decision: {"at": from_text},
    Evidence: {"value": json.loads, "at": from_text},
    Event: {"at": from_text, "data": to_object},
    Sample: {"at": from_text},
}
"""How the columns of each record are read; those that are not named are taken as they are."""


def record(kind: type[R], row: Row, **beside: Any) -> R:
    """Return a row as a record; `beside` are the members that are not read from its columns."""
    read = _READ[kind]
    names = [field.name for field in fields(kind) if field.name not in beside]
    values = {name: read[name](row[name]) if name in read else row[name] for name in names}
    return kind(**values, **beside)


def status_of(row: Row, *, unheld: bool) -> Status:
    """Return how an attempt stands: what runs while nobody holds the journal was cut off."""
    status = Status(row["status"])
    return Status.UNKNOWN if unheld and not status.ended else status
