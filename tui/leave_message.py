"""What a person must know on leaving: what goes on, what costs, and the way to come back."""

from __future__ import annotations

from runbook.amounts import counted
from runbook.base.downtime import Downtime
from runbook.protection.dashboard import ClusterView, Dashboard
from runbook.protection.urgent import condition, urgent
from state.enums import Environment
from tui import text
from tui.model import RunModel


def leave_message(model: RunModel, step: str) -> str:
    """Return what a person must know on leaving: what goes on, and the way to come back."""
    dashboard, run = model.dashboard(), model.run
    lines = [f"Left run {run.id} of {run.cluster}. Nothing was undone."]
    lines += [f"{each.word}: {each.text}." for each in urgent(dashboard) if run.open]
    lines += applications(dashboard.downtime)
    rehearsed = run.environment is Environment.REHEARSAL
    alive = [
        f"{view.role} {view.name} ({_status(dashboard, view)})"
        for view in dashboard.clusters
        if view.status != "gone" and not view.serves
    ]
    # What a finished rehearsal leaves goes with its lab, and costs nothing meanwhile.
    if alive and not (rehearsed and not run.open):
        where = "in the lab" if rehearsed else "and costing money"
        lines.append(f"Still there, {where}: {', '.join(alive)}.")
    if dashboard.lags:
        lines.append(
            f"Still held on the publisher: {counted(len(dashboard.lags), 'replication slot')}."
        )
    if step:
        lines.append(f"Under way when you left: {step}. What AWS is doing goes on.")
    if run.open:
        lines.append(f"To come back: blueprime {'resume' if model.writable else 'watch'} {run.id}")
    return "\n".join(lines)


def _status(dashboard: Dashboard, view: ClusterView) -> str:
    found = condition(dashboard, view)
    return view.status if found is None else f"{found.words}; AWS: {view.status}"


def applications(clock: Downtime) -> list[str]:
    """Return what is to be said of applications that are down, or not yet seen to be back."""
    if clock.started_at is None or clock.ended_at is not None:
        if clock.asked_at is None:
            return []
        since = f"since {text.at(clock.asked_at)} UTC"
        return [f"The applications MAY BE DOWN {since}, when blueprime asked to stop them."]
    since = f"since {text.at(clock.started_at)} UTC"
    if clock.letting_in:
        return [f"The applications were started again, and no session is seen yet; down {since}."]
    return [f"THE APPLICATIONS ARE DOWN {since}. They stay down until the run goes on."]
