"""Whether the cluster that serves answers; and if it does not, whether it is down or only unseen.

Two witnesses are asked besides the cluster itself: AWS, and the subscriber, whose apply workers are
connected to it from another place than this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runbook.base.clocks import age, ago, stale
from runbook.base.roles import Role
from runbook.postgres.connect import CannotConnect
from runbook.protection.dashboard import ClusterView, Dashboard, Production, Serving

_TURNED_AWAY = (
    "connection refused",
    "connection reset",
    "server closed the connection",
    "terminating connection",
    "the database system is",
)
"""What only a host that was reached can answer: there, no server takes connections."""

AWS_SAID_S = 60.0
"""What AWS said longer ago than this tells nothing of now."""

JUST_NOW_S = 10.0
"""From then on what AWS said is told with its age."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What the subscriber's apply workers tell of the cluster that serves."""

    hears: bool
    """Whether one of them has heard of it lately."""
    role: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """One look at the cluster that serves, with what else is known at that moment."""

    role: Role
    dashboard: Dashboard
    witness: Witness | None
    """What the subscriber's workers told last."""
    now: datetime
    fresh_s: float
    """How old that may be."""

    @property
    def view(self) -> ClusterView | None:
        """Return the cluster as the dashboard has it, or None."""
        return next((v for v in self.dashboard.clusters if v.role == self.role.value), None)

    def answers(self) -> Production:
        """Return that it does."""
        name = self.view.name if self.view else ""
        return Production(Serving.ANSWERS, "", self.role.value, name, None, self.now)

    def does_not(self, error: str) -> Production:
        """Return what is known of it; `error` is what connecting said."""
        witness = self.witness
        itself = witness is not None and witness.role == self.role.value
        if witness is None or itself or stale(witness.at, self.now, self.fresh_s):
            witness = None
        before = self.dashboard.production
        return does_not(before, self.view, self.role.value, error, witness, self.now)


def does_not(
    before: Production,
    view: ClusterView | None,
    role: str,
    error: str,
    witness: Witness | None,
    now: datetime,
) -> Production:
    """Return what is known of a cluster that does not answer, and since when it does not.

    `view` is AWS's word on it, `error` what connecting said, `witness` a recent one or None.
    """
    known = before.since if before.role == role else None
    since = now if known is None else known
    # Whoever has just seen it answer knows when that ended; a watch that has begun does not.
    answered = before.role == role and before.state is Serving.ANSWERS and before.at is not None
    at_least = not answered if known is None else before.at_least
    name = view.name if view else ""
    who = f"{name} ({role})" if name else role
    gone = _gone(view, now)
    turned_away = any(words in error.lower() for words in _TURNED_AWAY)
    if CannotConnect(error).server_runs:
        return Production(Serving.ANSWERS, "", role, name, None, now)
    if before.role not in ("", role):
        # It has just come to serve: the way that was looked by may lead to where it was before.
        return Production(Serving.UNKNOWN, "", role, name, None, now)
    if gone:
        state, words = Serving.DOWN, f"{who} is down: {gone}"
    elif witness is not None and witness.hears:
        state = Serving.CUT
        words = (
            f"{who} cannot be reached from here, but {witness.role} hears of it: it is not certain "
            "that production is down"
        )
    elif turned_away and witness is not None:
        state = Serving.DOWN
        words = f"{who} takes no connections, and {witness.role} hears nothing of it either"
    elif turned_away:
        state, words = Serving.DOWN, f"{who} takes no connections"
    else:
        state = Serving.SILENT
        also = f", and {witness.role} hears nothing of it either" if witness is not None else ""
        words = (
            f"{who} cannot be reached from here{also}: whether production is down is not certain"
        )
    return Production(state, words, role, name, since, now, at_least)


def news(before: Production, found: Production) -> str:
    """Return what is worth a line of the journal when it changes, or an empty string."""
    if found.state is before.state:
        return ""
    if found.unreached:
        return f"production: {found.text}"
    return f"production: {found.name} ({found.role}) answers again" if before.unreached else ""


def _gone(view: ClusterView | None, now: datetime) -> str:
    """Return what AWS said lately that leaves no server to answer, or an empty string."""
    seconds = None if view is None or view.error else age(view.at, now)
    if view is None or seconds is None or seconds > AWS_SAID_S:
        return ""
    when = "" if seconds <= JUST_NOW_S else f", {ago(seconds)} ago"
    if view.status in ("gone", "deleting", "failed", "stopped", "stopping", "inaccessible"):
        return f"AWS calls it {view.status}{when}"
    if not view.instances_available:
        return f"AWS lists no instance of it that is available{when}"
    return ""
