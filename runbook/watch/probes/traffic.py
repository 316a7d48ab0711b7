"""What the applications do on the cluster that serves, and whether the fence stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.postgres import activity
from runbook.protection.dashboard import Dashboard, Fence, TrafficView
from state.records import Json

RATE_OVER_S = 1.5
"""The least time over which a rate of writes is taken: servers report their counts about once a
second."""


class TrafficProbe:
    """Remembers the counts of the last look, for a rate."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._written: tuple[float, int, object] | None = None
        """When it was counted, the count, and of what: a rate never spans a fence."""

    def forget(self) -> None:
        """Begin anew: the clocks have parted."""
        self._written = None

    async def look(self, dashboard: Dashboard) -> tuple[TrafficView, bool]:
        """Return what is seen, and whether it has a new rate."""
        serving = self.serving(dashboard)
        now = self._context.now()
        async with self._context.connect(serving) as connection:
            seen = await activity.look(connection, self._context.plan.traffic.application_roles)
        clock = time.monotonic()
        last, rated = self._written, True
        of, rate = (serving, self._context.fact("traffic"), self._context.fact("fence")), None
        if last is not None and last[2] == of:
            elapsed, gained = clock - last[0], seen.rows_written - last[1]
            if elapsed < RATE_OVER_S:
                rate, rated = dashboard.traffic.writes_per_s, False
            else:
                # Statistics that went down were reset: no rate can be told then.
                rate = gained / elapsed if gained >= 0 else None
        if rated:
            self._written = (clock, seen.rows_written, of)
        fence, fence_at = self._fence(dashboard, seen.sessions)
        return TrafficView(fence, fence_at, seen.sessions, rate, at=now), rated

    def serving(self, dashboard: Dashboard) -> Role:
        """Return the cluster that the applications find."""
        return next((Role(view.role) for view in dashboard.clusters if view.serves), Role.BLUE)

    def _fence(self, dashboard: Dashboard, sessions: int) -> tuple[Fence, datetime | None]:
        traffic = self._context.fact("traffic")
        if traffic is None or traffic.get("open"):
            return Fence.OPEN, None
        if dashboard.downtime.letting_in:
            # They may be in already: neither a fence nor a breach of one can be told.
            return Fence.UNKNOWN, None
        return fence_now(traffic, self._context.fact("fence") or {}, sessions)


def fence_now(
    traffic: Mapping[str, Json], proof: Mapping[str, Json], sessions: int
) -> tuple[Fence, datetime | None]:
    """Return how the fence stands that is being set, and when it was proved.

    A proof from before the applications were told to stop this time is that of another fence.
    """
    at = _moment(proof)
    told = _moment(traffic)
    proved = at is not None and proof.get("proved") and told is not None and at >= told
    if sessions:
        return Fence.BROKEN, at if proved else None
    return (Fence.PROVED, at) if proved else (Fence.CLOSING, None)


def _moment(value: Mapping[str, Json]) -> datetime | None:
    return datetime.fromisoformat(value["at"]) if value.get("at") else None
