"""What is said of a run before its protection: production does not answer, or two clusters write.

Every output takes it from here, and what is known of a single cluster besides AWS's status, which
stands while no server of it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from runbook.protection import dashboard as boards
from runbook.protection.dashboard import ClusterView, Dashboard, Serving
from state.records import RunSummary

DOWN = {
    Serving.DOWN: "PRODUCTION DOWN",
    Serving.SILENT: "PRODUCTION DOES NOT ANSWER",
    Serving.CUT: "PRODUCTION NOT SEEN FROM HERE",
}

TWO = "TWO CLUSTERS TAKE WRITES"

STOPPED = "APPLICATIONS DOWN"
"""Said of a run in a list alone: wherever one run is shown, its outage has a clock."""

_SAID = {
    Serving.DOWN: "down",
    Serving.SILENT: "does not answer",
    Serving.CUT: "not reached from here",
}


@dataclass(frozen=True, slots=True)
class Urgent:
    """One thing that comes before all else."""

    word: str
    text: str
    at: datetime | None
    """When it was seen last; None: not since another process saw it."""


def urgent(dashboard: Dashboard) -> tuple[Urgent, ...]:
    """Return what is urgent, the gravest first, each as of when it was seen."""
    if dashboard.left_behind:
        # Whoever holds the run knows; what this journal believes of it is old.
        return ()
    found, said = dashboard.production, []
    if found.unreached:
        text = found.text + ("" if found.since is None else f", since {_clock(found.since)}")
        said.append(Urgent(DOWN[found.state], text, found.at))
    if (back := dashboard.returned) is not None:
        said.append(Urgent(TWO, back.words, back.at))
    return tuple(said)


def of_run(row: RunSummary) -> tuple[Urgent, ...]:
    """Return what is urgent of a run in a list, where it is open and acted on from here."""
    if row.figures is None or row.away is not None:
        return ()
    dashboard = boards.from_json(row.figures)
    if found := urgent(dashboard):
        return found
    down = dashboard.downtime
    if down.started_at is None or down.ended_at is not None:
        return ()
    return (Urgent(STOPPED, f"since {_clock(down.started_at)}", dashboard.at),)


@dataclass(frozen=True, slots=True)
class Condition:
    """How a cluster is, where AWS's status alone would let a person think that all is well."""

    words: str
    grave: bool = True
    """Whether it is certain; else it may be that only the view from here is cut."""


def condition(dashboard: Dashboard, view: ClusterView) -> Condition | None:
    """Return what is known of a cluster besides AWS's status; None where nothing speaks against it.

    A cluster that was given up is open as far as anybody knows: nobody has closed it.
    """
    found = dashboard.production
    if found.unreached and found.role == view.role:
        since = "" if found.since is None else f" since {_clock(found.since)}"
        return Condition(f"{_SAID[found.state]}{since}", found.state is not Serving.CUT)
    if view.given_up:
        back = dashboard.returned is not None
        return Condition("given up, back and OPEN" if back else "given up, not closed")
    silent = dashboard.silent
    if silent is not None and silent.role == view.role:
        return Condition(f"{_SAID[Serving.CUT]} since {_clock(silent.since)}", grave=False)
    return None


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"
