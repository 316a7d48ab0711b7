"""The report of a run: what a post-mortem needs, as JSON for programs and Markdown for people."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from state.reading import Reader
from state.records import Attempt, Decision, Event, Evidence, Json, Run, TrackEntry
from state.report_markdown import markdown
from state.standing import standing
from state.stays import stays
from state.times import to_text

VERSION = 1
"""The shape of the JSON; it goes up when a member changes its meaning or leaves."""

LATER = ("forward",)
"""Phases that most runs never come to."""

DOWNTIMES = ("upgrade", "rollback", *LATER)

Format = Literal["md", "json"]


def report(
    journal: Reader,
    run: str,
    fmt: Format,
    *,
    stands: Mapping[str, Any] | None = None,
    showed: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """Return the report of a run, by its id or a prefix; raise `NoSuchRun`.

    `stands` is where it stands now, as whoever knows the procedure says: the way back, the verdict.
    `showed` is what the run showed of each assumption: `id`, `says`, `verdict`, `seen`, `at`.
    """
    given = {"stands": stands, "showed": showed}
    content = {
        **collect(journal, run),
        **{name: value for name, value in given.items() if value is not None},
    }
    if fmt == "md":
        return markdown(content)
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def collect(journal: Reader, run: str) -> dict[str, Any]:
    """Return everything that the journal knows about a run, as one JSON object.

    Times are ISO 8601 in UTC, durations in seconds; null is unknown or not yet.
    """
    with journal.snapshot():
        record = journal.run(run)
        facts = journal.facts(record.id)
        told = journal.events(record.id, limit=-1)
        return {
            "report": VERSION,
            "run": _run(record),
            "downtime": {
                name: _downtime(facts.get(f"downtime.{name}"))
                for name in DOWNTIMES
                if name not in LATER or f"downtime.{name}" in facts
            },
            "warnings": [_members(each, _EVIDENCE) for each in standing(journal, record.id)],
            "outages": _outages(journal.evidences(record.id)),
            "forced": _forced(_seen(journal, record.id)),
            "tracks": _tracks(journal.entries(record.id), journal.attempts(record.id)),
            "handovers": [_members(each, _HANDOVER) for each in journal.handovers(record.id)],
            "decisions": [
                {**_members(decision, _DECISION), "asked": _asked(told, decision)}
                for decision in journal.decisions(record.id)
            ],
            "declined": [_declined(event) for event in told if event.data.get("declined")],
            "evidence": _seen(journal, record.id),
            "facts": {key: fact.value for key, fact in facts.items()},
            "events": [_members(event, _EVENT) for event in told],
            "samples": _samples(journal, record.id),
        }


def _asked(told: Sequence[Event], decision: Decision) -> str:
    """Return what the gate asked that a decision has passed, or an empty string."""
    asked = [
        event.text.removeprefix("asked: ")
        for event in told
        if event.kind == "gate"
        and event.data.get("gate") == decision.gate
        and event.at <= decision.at
    ]
    return asked[-1] if asked else ""


_HANDOVER = ("at", "kind", "who", "host", "peer", "fingerprint", "words")
_DECISION = ("at", "step", "gate", "who", "typed")
_EVENT = ("at", "kind", "text", "data")
_EVIDENCE = ("at", "step", "key", "text", "value")
_ENTRY = ("track", "variant", "from_step", "reason", "at")
_ATTEMPT = ("step", "number", "status", "started_at", "ended_at", "seconds", "message", "decided")
_EFFECT = ("key", "title", "preview", "intent_at", "outcome", "outcome_at", "detail", "decided")


def _members(record: object, names: Sequence[str]) -> dict[str, Any]:
    """Return members of a record by their names, in this order, times as text."""
    values = {name: getattr(record, name) for name in names}
    return {
        name: to_text(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        **_members(run, ("id", "cluster", "cluster_resource_id", "account", "region")),
        **_members(run, ("environment", "track", "result")),
        "handed_over": run.away is not None,
        **_members(run, ("started_at", "closed_at", "plan_path", "plan")),
    }


def _tracks(entries: list[TrackEntry], attempts: list[Attempt]) -> list[dict[str, Any]]:
    of: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for attempt in attempts:
        of[attempt.entry].append(_attempt(attempt))
    return [{**_members(entry, _ENTRY), "attempts": of[entry.id]} for entry in entries]


def _attempt(attempt: Attempt) -> dict[str, Any]:
    effects = [_members(effect, _EFFECT) for effect in attempt.effects]
    return {**_members(attempt, _ATTEMPT), "effects": effects}


def _seen(journal: Reader, run: str) -> list[dict[str, Any]]:
    """Return all evidence, each with the stay on a track to which it belongs."""
    entries = journal.entries(run)
    seen = journal.evidences(run)
    places = {entry.id: place for place, entry in enumerate(entries)}
    return [
        {
            **_members(each, _EVIDENCE),
            "stay": places.get(stay),
            "track": entries[places[stay]].track if stay in places else None,
        }
        for each, stay in zip(seen, stays(seen, journal.attempts(run), entries), strict=True)
    ]


def _declined(event: Event) -> dict[str, Any]:
    """Return a gate that was not passed: what was asked, and who said no."""
    asked = {name: str(event.data.get(name, "")) for name in ("step", "gate", "who")}
    return {"at": to_text(event.at), **asked, "question": event.text.removeprefix("declined: ")}


def _downtime(fact: Evidence | None) -> Json:
    return fact.value if fact else None


def _outages(evidence: list[Evidence]) -> list[dict[str, Any]]:
    """Return each time the applications were down, oldest first.

    `downtime` has the latest of each phase alone, and a phase may come twice: a rollback that was
    called off, and the one after it. What was measured twice from the same beginning is one.
    """
    found: dict[tuple[str, Json], dict[str, Any]] = {}
    for seen in evidence:
        kind, _, phase = seen.key.partition(".")
        if kind == "downtime" and isinstance(seen.value, dict):
            found[phase, seen.value.get("started_at")] = {"phase": phase, **seen.value}
    return list(found.values())


def _forced(seen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each forced way, oldest first: what it gives up, and whether it was taken to its end.

    One that was left before the other cluster was opened has given up nothing.
    """
    # Emptied once that cluster is closed: it was given up all the same.
    taken = {
        each["stay"]: each["value"] for each in seen if each["key"] == "given-up" and each["value"]
    }
    found = {each["stay"]: each for each in seen if each["key"] == "forced.loss" and each["value"]}
    return [
        {
            "at": each["at"],
            "track": each["track"],
            "taken": stay in taken,
            "cluster": taken.get(stay),
            "lost": each["value"],
        }
        for stay, each in found.items()
    ]


def _samples(journal: Reader, run: str) -> list[dict[str, Any]]:
    """Return the measured series, each point as time and value; null where it was unknown."""
    series: dict[tuple[str, str], list[list[Json]]] = defaultdict(list)
    for sample in journal.samples_of(run):
        series[sample.kind, sample.subject].append([to_text(sample.at), sample.value])
    return [
        {"kind": kind, "subject": subject, "points": points}
        for (kind, subject), points in sorted(series.items())
    ]
