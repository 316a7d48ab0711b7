"""A night as its journal tells it: what the probes of assumptions ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from runbook.amounts import lasting
from runbook.assumptions.observation import PREFIX
from runbook.base.kept import JournalReader
from state.enums import Status, Track
from state.records import Attempt, Effect, Evidence


@dataclass(frozen=True, slots=True)
class Seen:
    """What settles an assumption."""

    holds: bool
    words: str
    at: datetime


class Night:
    """The attempts, effects and evidence of a run, oldest first."""

    def __init__(self, journal: JournalReader, run: str) -> None:
        self._journal = journal
        self._run = run

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Every try of every step."""
        return self._journal.attempts(self._run)

    @cached_property
    def evidence(self) -> list[Evidence]:
        """Everything that was seen."""
        return self._journal.evidences(self._run)

    def tried(self, step: str, track: Track | None = None) -> Iterator[Attempt]:
        """Yield the tries of a step that have ended, on one track or on any."""
        for each in self.attempts:
            if each.step == step and each.ended_at and track in (None, each.track):
                yield each

    def effects(self, key: str) -> Iterator[Effect]:
        """Yield the effects whose key matches, once they have ended."""
        for attempt in self.attempts:
            for effect in attempt.effects:
                if effect.outcome_at and re.search(key, effect.key):
                    yield effect


Probe = Callable[[Night], Seen | None]
"""Looks whether a night has settled an assumption; None: it has not come to it."""


def observed(assumption: str) -> Probe:
    """Settle by what a step has observed; one look that speaks against it outweighs the others."""

    def probe(night: Night) -> Seen | None:
        found = [
            Seen(bool(each.value["holds"]), str(each.value["seen"]), each.at)
            for each in night.evidence
            if each.key == PREFIX + assumption
        ]
        against = [each for each in found if not each.holds]
        told = against or found
        return told[-1] if told else None

    return probe


def performed(key: str, refused: str) -> Probe:
    """Settle by changes whose key matches: AWS or the server made them, or refused as `refused`."""

    def probe(night: Night) -> Seen | None:
        done = 0
        last = None
        for each in night.effects(key):
            error = str(each.detail.get("error", ""))
            if each.status is Status.FAILED and re.search(refused, error):
                return Seen(False, f"{each.title}: {error.splitlines()[0]}", _end(each))
            if each.status is Status.SUCCEEDED:
                done, last = done + 1, each
        if last is None:
            return None
        return Seen(True, f"{done} done, the last one: {last.title}", _end(last))

    return probe


def went_through(step: str, track: Track | None = None, *, refused: str = "") -> Probe:
    """Settle by a step that succeeded, or failed with words that match `refused`, where given."""

    def probe(night: Night) -> Seen | None:
        found = None
        for each in night.tried(step, track):
            ended = each.ended_at or each.started_at
            if each.status is Status.SUCCEEDED:
                found = found or Seen(True, f"{step} succeeded", ended)
            elif refused and re.search(refused, each.message):
                return Seen(False, each.message.splitlines()[0], ended)
        return found

    return probe


def took_at_most(step: str, limit_s: float, track: Track | None = None) -> Probe:
    """Settle by how long the slowest success of a step took, start to end, beside a limit."""

    def probe(night: Night) -> Seen | None:
        done = [
            each
            for each in night.tried(step, track)
            if each.status is Status.SUCCEEDED and each.seconds is not None and each.ended_at
        ]
        if not done:
            return None
        slowest = max(done, key=lambda each: each.seconds or 0.0)
        seconds = slowest.seconds or 0.0
        return Seen(
            seconds <= limit_s,
            f"{step} took {lasting(seconds)}",
            slowest.ended_at or done[0].started_at,
        )

    return probe


def _end(effect: Effect) -> datetime:
    return effect.outcome_at or effect.intent_at
