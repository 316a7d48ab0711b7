"""A glyph, a word and a style for every state; the word always stands beside the glyph.

Styles are names of theme variables, so that `NO_COLOR` and other themes lose nothing but colour.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbook.base.step import Risk
from runbook.protection.dashboard import ClusterView, Fence
from runbook.protection.urgent import Condition
from runbook.run.checklist import Line
from state.enums import Environment, Status


@dataclass(frozen=True, slots=True)
class Sign:
    """How a state looks, what it is called, and what it means."""

    glyph: str
    word: str
    style: str
    meaning: str


STATUS: dict[Status, Sign] = {
    Status.PENDING: Sign("○", "pending", "$foreground-muted", "comes later"),
    Status.READY: Sign("▸", "ready", "bold $text-accent", "the step that enter runs"),
    Status.RUNNING: Sign("●", "running", "bold $text-primary", "under way"),
    Status.SUCCEEDED: Sign("✓", "succeeded", "$text-success", "done, and seen to be done"),
    Status.FAILED: Sign(
        "✗", "failed", "bold $text-error", "did not work; the message says what next"
    ),
    Status.UNKNOWN: Sign("?", "unknown", "bold $text-warning", "may or may not have happened"),
    Status.SKIPPED: Sign("–", "skipped", "$foreground-muted", "not needed here"),
}

WARNED = Sign("!", "done, but", "bold $text-warning", "done, and not all that it was for")
LASTS = Sign("✓", "goes on", "$text-success", "begun, and lasts until you take another way")
ASKS = Sign("▸", "asks you", "bold $text-warning reverse", "waits for your answer in a dialog")
CALLS = Sign("!", "ACT NOW", "bold $text-error reverse", "waits for what you do elsewhere")

FENCE: dict[Fence, Sign] = {
    Fence.OPEN: Sign("◇", "open", "$text-success", "applications can write"),
    Fence.CLOSING: Sign("◈", "closing", "$text-warning", "being stopped, not proved yet"),
    Fence.PROVED: Sign("◆", "proved", "bold $text-primary", "nobody can write"),
    Fence.BROKEN: Sign("✗", "broken", "bold $text-error", "somebody wrote inside the fence"),
    Fence.UNKNOWN: Sign("?", "unknown", "bold $text-warning", "could not be checked"),
}

SERVES = Sign("●", "serves", "bold $text-success", "bears the production name")
FROZEN = Sign("❄", "frozen", "$text-primary", "applications are kept from writing to it")
STANDBY = Sign("○", "stands by", "$foreground-muted", "exists, and does not serve")
GONE = Sign("–", "gone", "$foreground-muted", "AWS has no such cluster any more")
LOST = Sign("✗", "down", "bold $text-error", "does not answer, or was given up by force")
UNSEEN = Sign("?", "unknown", "bold $text-warning", "could not be looked up")

CLUSTER: tuple[Sign, ...] = (SERVES, FROZEN, STANDBY, LOST, GONE, UNSEEN)

RISK: dict[Risk, Sign] = {
    Risk.READ_ONLY: Sign("·", "read-only", "$foreground-muted", "looks, and changes nothing"),
    Risk.REVERSIBLE: Sign("↺", "reversible", "$text-success", "can be undone"),
    Risk.PIVOT: Sign("◆", "pivot", "bold $text-warning", "from here on, undo means rollback"),
    Risk.DESTRUCTIVE: Sign("✗", "destructive", "bold $text-error", "cannot be undone"),
}

CHECK: dict[str, Sign] = {
    "block": Sign("✗", "block", "bold $text-error", "the run must not begin"),
    "unknown": Sign("?", "unknown", "bold $text-warning", "could not be looked at"),
    "warn": Sign("!", "warn", "$text-warning", "is accepted by name, in the plan or when asked"),
    "pass": Sign("✓", "ok", "$text-success", "looked at, and well"),
}
"""By the level of a check, the gravest first."""

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"
"""In a sparkline: a time at which the value was not known."""

ENVIRONMENT: dict[Environment, Sign] = {
    Environment.REHEARSAL: Sign("", "REHEARSAL", "$text-accent", "the lab on this machine"),
    Environment.AWS: Sign("", "PRODUCTION", "bold $text-error", "real clusters in AWS"),
}


def cluster(view: ClusterView, found: Condition | None = None) -> Sign:
    """Return the mark of a cluster: what matters most about it."""
    if found is not None:
        return LOST if found.grave else UNSEEN
    if view.status == "gone":
        return GONE
    if view.error or view.at is None:
        return UNSEEN
    if view.serves:
        return SERVES
    return FROZEN if view.frozen else STANDBY


def mark_of(line: Line) -> Sign:
    """Return how a step of the checklist looks; one that left something undone is not just done."""
    if line.status.done and line.warnings:
        return WARNED
    return LASTS if line.lasts else STATUS[line.status]
