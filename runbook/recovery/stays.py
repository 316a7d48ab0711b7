"""The run's way over the tracks as it will be journaled, step by step, with what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runbook.base.effect_state import probe_safely
from runbook.base.step import Effect, Step
from runbook.failures import Ambiguous, Answer, Finding, StepFailed
from runbook.postgres.connect import UNREACHABLE
from runbook.procedure.tracks import steps_of
from runbook.recovery.evidence import RecoveryEvidence
from state.enums import Status, Track
from state.records import Json

INFERRED = "inferred by adopt: "


@dataclass(frozen=True, slots=True)
class StayEvidence:
    """An effect that was seen to have happened."""

    key: str
    title: str
    preview: str
    seen: str
    detail: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Past:
    """A step that was tried before the journal was lost."""

    step: str
    status: Status
    why: str
    effects: tuple[StayEvidence, ...] = ()

    @property
    def message(self) -> str:
        """The words that the journal keeps with the attempt."""
        return INFERRED + self.why


@dataclass(slots=True)
class Stay:
    """One stay on a track."""

    track: Track
    variant: str = ""
    reason: str = ""
    past: list[Past] = field(default_factory=list)

    def done(self) -> set[str]:
        """Return the steps that need not be run again."""
        return {past.step for past in self.past if past.status.done}


def next_step(evidence: RecoveryEvidence, stay: Stay) -> str:
    """Return the step at which the run goes on, or an empty string at the end of the track."""
    done = stay.done()
    steps = steps_of(stay.track, evidence.context.plan, stay.variant)
    return next((step.key for step in steps if step.key not in done), "")


async def probe(evidence: RecoveryEvidence, step: Step) -> list[tuple[Effect, Finding]]:
    """Return a step's changes with what their own probes say; none where they cannot be told."""
    try:
        if await step.skip(evidence.context):
            return []
        waves = await step.effects(evidence.context)
    except (StepFailed, Ambiguous, *UNREACHABLE):
        return []
    return [(effect, await probe_safely(effect)) for wave in waves for effect in wave]


def seen(found: Sequence[tuple[Effect, Finding]]) -> tuple[StayEvidence, ...]:
    """Return those changes that have happened."""
    return tuple(
        StayEvidence(effect.key, effect.title, effect.preview(), finding.seen, dict(finding.detail))
        for effect, finding in found
        if finding.answer is Answer.YES
    )


def let_in(role: str, why: str) -> StayEvidence:
    """Return the record that applications were let in, which no effect of a step may show."""
    return StayEvidence(
        f"{role.replace(' ', '-')}/let-in",
        f"let the applications in on {role}",
        f"-- on {role}: seen by adopt",
        why,
    )


async def furthest(
    evidence: RecoveryEvidence, steps: Sequence[Step]
) -> tuple[int, list[tuple[StayEvidence, ...]]]:
    """Return the index of the last step of which anything is seen (-1: none), and what is seen."""
    found = [seen(await probe(evidence, step)) for step in steps]
    last = max((index for index, effects in enumerate(found) if effects), default=-1)
    return last, found
