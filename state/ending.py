"""When an attempt ended, by clocks that nobody sets, or by what was seen of it last."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlite_utils import Database

from state.enums import Status
from state.insert import tell
from state.masking import masked
from state.records import Attempt
from state.times import from_text, now, to_text, unset

SET_S = 2.0
"""A wall clock that parts from the unset one by so much was set."""


class Begun:
    """The attempts that this process has begun, with the unset clock of that moment."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}

    def note(self, attempt: int) -> None:
        """Remember that an attempt begins now."""
        self._at[attempt] = unset()

    def ended_at(self, db: Database, attempt: Attempt) -> datetime:
        """Return when an attempt has ended that is found to be over.

        One of this process: now; by the wall clock of its beginning where that was set meanwhile,
        so that its duration is the time that passed. One of a process that is gone: when it was
        last seen to do something.
        """
        began = self._at.pop(attempt.id, None)
        if began is None:
            return _last_seen(db, attempt)
        wall = now()
        passed = timedelta(seconds=unset() - began)
        by_the_wall = wall - attempt.started_at
        was_set = abs((by_the_wall - passed).total_seconds()) >= SET_S
        return attempt.started_at + passed if was_set else wall


def _last_seen(db: Database, attempt: Attempt) -> datetime:
    rows = db.query("SELECT at FROM evidence WHERE attempt = ?", [attempt.id])
    moments = [from_text(row["at"]) for row in rows]
    waited = db.query(
        "SELECT max(event.at) AS at FROM event JOIN attempt ON attempt.run = event.run "
        "WHERE attempt.id = ? AND event.kind = 'wait' AND event.at >= attempt.started_at "
        "AND json_extract(event.data, '$.step') = attempt.step",
        [attempt.id],
    )
    moments += [from_text(row["at"]) for row in waited if row["at"]]
    for effect in attempt.effects:
        moments += [effect.intent_at, *([effect.outcome_at] if effect.outcome_at else [])]
    return max([attempt.started_at, *moments])


def end(db: Database, attempt: Attempt, status: Status, message: str, at: datetime) -> None:
    """Write down how and when an attempt ended."""
    db.execute(
        "UPDATE attempt SET status = ?, ended_at = ?, message = ? WHERE id = ?",
        [status, to_text(at), masked(message), attempt.id],
    )
    why = f": {message}" if message else ""
    data = {"attempt": attempt.id, "step": attempt.step, "status": status}
    tell(db, attempt.run, "attempt", f"step: {attempt.step} {status}{why}", data)
