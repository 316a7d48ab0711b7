"""The plan of a run as it stands: what the run began with, or what was read again since."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from runbook import plan as plans
from runbook.plan import Plan, PlanError
from runbook.step import Refused
from state.records import Evidence, Json, Run

FACT = "plan"

CHECKING = ("preflight", "ready-to-switch")
"""The steps before which the plan file is read again: their remedies are edits of it."""


class Keeper(Protocol):
    """What is asked of the journal here."""

    def fact(self, run: str, key: str) -> Json | None: ...
    def evidence(
        self, run: str, step: str, text: str, *, key: str = "", value: Json = None
    ) -> Evidence: ...


def of_run(journal: Keeper, run: Run) -> Plan:
    """Return the plan that a run goes by."""
    return plans.from_json(journal.fact(run.id, FACT) or run.plan)


def read_again(journal: Keeper, run: Run, current: Plan, step: str) -> Plan:
    """Return the plan file's plan, journaled, if it has changed; else the current one.

    A file that is gone leaves the run with what it has. Raise `Refused` where the file is no valid
    plan any more, or is one for another cluster.
    """
    path = Path(run.plan_path)
    if not path.exists():
        return current
    try:
        found = plans.load(path)
    except PlanError as error:
        raise Refused(
            str(error),
            now="Nothing was changed.",
            todo="Correct the plan, then run the step again.",
        ) from error
    if found == current:
        return current
    if found.cluster != current.cluster:
        raise Refused(
            f"{path} is now a plan for another cluster.",
            now="Nothing was changed; the run goes by the plan that it began with.",
            todo="Put the plan of this run back, or start a run of its own for the other cluster.",
        )
    old, new = current.as_json(), found.as_json()
    changed = ", ".join(section for section in new if new[section] != old.get(section))
    journal.evidence(
        run.id, step, f"the plan was read again; changed: {changed}", key=FACT, value=new
    )
    return found
