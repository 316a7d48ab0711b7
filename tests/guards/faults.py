"""What goes wrong, and at which effect: armed by a test, consumed by the world."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What happens at the effect it is armed for."""

    KILL_BEFORE_INTENT = "killed before the intent"
    KILL_AFTER_INTENT = "killed after the intent"
    KILL_AFTER_CALL = "killed after the call"
    KILL_AFTER_OUTCOME = "killed after the outcome"
    ANSWER_LOST = "the answer is lost, it happened"
    CALL_LOST = "the answer is lost, it did not happen"
    LATE = "the answer is lost, it happens later"
    REFUSED = "it is refused"
    STALE = "describes trail the change"
    BLIND = "nothing can be looked at after the call"
    SWITCHOVER_FAILS = "the next switchover is called off"


KILLS = (
    Fault.KILL_BEFORE_INTENT,
    Fault.KILL_AFTER_INTENT,
    Fault.KILL_AFTER_CALL,
    Fault.KILL_AFTER_OUTCOME,
)

AT_CHANGE = tuple(each for each in Fault if each is not Fault.KILL_AFTER_OUTCOME)
"""What strikes while something is being changed."""

AT_CLAIMS = (
    Fault.KILL_BEFORE_INTENT,
    Fault.KILL_AFTER_INTENT,
    Fault.KILL_AFTER_CALL,
    Fault.ANSWER_LOST,
    Fault.CALL_LOST,
    Fault.REFUSED,
)
"""What strikes a claim. AWS has no compare-and-set: against one that lands late nobody can hold."""

LATE_S = 12.0
"""When a late effect happens: within what the plan gives it."""
STALE_S = 8.0
BLIND_S = 25.0


@dataclass
class Faults:
    """One fault at a time, for the n-th intent from now, or the n-th claim to hold the run."""

    armed: Fault | None = None
    intents_left: int = 0
    claims: bool = False
    """Whether claims are counted, and not intents."""
    due: Fault | None = None
    """What the next change meets."""
    blind_until: float = 0.0
    switchover_fails: bool = False

    def arm(self, fault: Fault, nth: int, *, claims: bool = False) -> None:
        """Let a fault strike the n-th intent, or claim, from now, counted from 1."""
        if fault is Fault.SWITCHOVER_FAILS:
            self.switchover_fails = True
            return
        self.armed, self.intents_left, self.due = fault, nth, None
        self.claims = claims

    def disarm(self) -> None:
        """Forget what has not struck."""
        self.armed = self.due = None

    def intent(self, *, claim: bool = False) -> Fault | None:
        """Count an intent that is about to be written; return the fault that strikes it."""
        if self.claims:
            self.due = None
        if self.armed is None or self.claims != claim:
            return None
        self.intents_left -= 1
        if self.intents_left > 0:
            return None
        self.due, self.armed = self.armed, None
        return self.due

    def take(self, *which: Fault) -> Fault | None:
        """Return the fault that is due if it is one of these; it strikes once.

        A claim is several calls at once: where AWS lets none through, none of them gets through.
        """
        if self.due is None or self.due not in which:
            return None
        found = self.due
        if not self.claims or found not in (Fault.REFUSED, Fault.CALL_LOST):
            self.due = None
        return found
