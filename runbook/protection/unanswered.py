"""What the watch keeps of a cluster that serves and is down: from then on nobody can write.

The outage's clock counts it, whether or not a step has stopped the applications.
"""

from __future__ import annotations

from runbook.base.downtime import PRODUCTION_DOWN
from runbook.protection.dashboard import Production, Serving
from state.journal import Journal
from state.records import Json

_TOLD = (Serving.DOWN, Serving.CUT, Serving.ANSWERS)
"""What says something of production itself. One that is only not seen from here is told as neither
down nor back: what was known of it before stands."""


def keep(journal: Journal, run: str, found: Production, words: str) -> None:
    """Journal in words that production was found otherwise than before, with its times."""
    if found.state not in _TOLD:
        journal.evidence(run, "monitor", words)
        return
    journal.evidence(run, "monitor", words, key=PRODUCTION_DOWN, value=_value(journal, run, found))


def _value(journal: Journal, run: str, found: Production) -> Json:
    """Return what the outage's clock needs: the attempt tells between which steps it fell."""
    down = found.state is Serving.DOWN
    at = found.since if down else found.at
    attempts = journal.attempts(run)
    return {
        "down": down,
        "role": found.role,
        "at": None if at is None else at.isoformat(),
        "at_least": down and found.at_least,
        "attempt": attempts[-1].id if attempts else 0,
    }
