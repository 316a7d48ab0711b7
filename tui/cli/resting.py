"""How a run that is left unattended has ended, or where it rests, in one word."""

from __future__ import annotations

from runbook.procedure.tracks import steps_of
from runbook.session import Session
from state.enums import Result

STOPPED = "stopped"
"""The word for a run that was asked to stop after a step, did, and rests nowhere yet."""

NOT_PROTECTED = "not_protected"
"""The word for a run that rests with the way back held, and the watch does not say it holds."""


NOT_CLOSED = "not_closed"
"""The word for a run whose forced way is at its end, while the cluster that it has given up was not
closed: that one may take writes, and the run is not over before it is closed."""


def result_word(session: Session, code: int) -> str:
    """Return how it ended, in the words that scripts rely on.

    Where it rests is said by the present stay alone: a rollback that was stopped half-way is not
    `protected`, though the upgrade before it was.
    """
    result = rests(session)
    if result is Result.PROTECTED and session.board().protection.protected is not True:
        return NOT_PROTECTED
    if code:
        return Result.FAILED.value
    if session.run.open and at_rest(session) and session.unclosed():
        return NOT_CLOSED
    return STOPPED if result is None else result.value


def rests(session: Session) -> Result | None:
    """Return where the run rests, told by the present stay; None where it is under way."""
    return session.result() if at_rest(session) else None


def at_rest(session: Session) -> bool:
    """Return whether the last step that was done of the present stay is one to rest at."""
    stay = session.checklist().current
    steps = {step.key: step for step in steps_of(stay.entry.track, session.plan, stay.entry.way)}
    done = [line.step for line in stay.lines if line.status.done and not line.remedy]
    return bool(done) and steps[done[-1]].rests
