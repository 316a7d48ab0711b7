"""The plan file: read with the names of the checks, and the plan that a run goes by since."""

from __future__ import annotations

from pathlib import Path

from runbook.failures import Refused
from runbook.plan import model
from runbook.plan.model import Plan, PlanError
from runbook.preflight.suite import waivable
from state.enums import Environment
from state.journal import Journal
from state.records import Run

FACT = "plan"

CHECKING = ("preflight", "ready-to-switch")
"""The steps before which the plan file is read again: their remedies are edits of it."""


def load(path: Path) -> Plan:
    """Read and validate a plan file; raise `PlanError` naming each problem's line and key."""
    return model.load(path, waivable())


def begin(journal: Journal, run: str, plan: Plan, plan_path: Path, environment: Environment) -> Run:
    """Begin a run of a plan in the journal. Raises `RunIsOpen` where one is for the cluster."""
    cluster = plan.cluster
    return journal.start_run(
        run,
        cluster=cluster.identifier,
        cluster_resource_id=cluster.resource_id,
        account=cluster.account,
        region=cluster.region,
        environment=environment,
        plan=plan.as_json(),
        plan_path=str(plan_path),
    )


def of_run(journal: Journal, run: Run) -> Plan:
    """Return the plan that a run goes by."""
    return model.from_json(journal.fact(run.id, FACT) or run.plan)


IGNORED = "plan.ignored"
"""What was last seen to be edited in the plan file and is not gone by."""


def for_step(journal: Journal, run: Run, current: Plan, step: str) -> Plan:
    """Return the plan that a step goes by: read again before a checking step, else the current one.

    Its `[connection]` is read before any step. Another edit is told once, with when it is read.
    """
    if step in CHECKING:
        return read_again(journal, run, current, step)
    current = _way_again(journal, run, current, step)
    edited = _edited(run, current)
    if edited != (journal.fact(run.id, IGNORED) or ""):
        words = (
            f"the plan file was edited ({edited}), and this run ignores that: it reads the "
            f"file only before {' and '.join(CHECKING)}"
            if edited
            else "the plan file says again what this run uses"
        )
        journal.evidence(run.id, step, words, key=IGNORED, value=edited)
    return current


def _way_again(journal: Journal, run: Run, current: Plan, step: str) -> Plan:
    """Return the plan with the ways to the servers that its file has now.

    They are no decision of the run: tunnels come and go, each machine has its own, and endpoints
    come to be on the way.
    """
    try:
        found = _in_file(run)
    except PlanError:
        return current
    if found is None or found.cluster != current.cluster or found.connection == current.connection:
        return current
    changed = current.model_copy(update={"connection": found.connection})
    words = "the plan's [connection] was read again: it leads otherwise now"
    journal.evidence(run.id, step, words, key=FACT, value=changed.as_json())
    return changed


def _edited(run: Run, current: Plan) -> str:
    """Return which sections of the plan file are not what the run goes by, or an empty text."""
    try:
        found = _in_file(run)
    except PlanError:
        return "it is no valid plan now"
    return "" if found is None else _changed(current, found)


def _in_file(run: Run) -> Plan | None:
    """Return the plan that the run's file has now, or None where it is gone."""
    path = Path(run.plan_path)
    return load(path) if path.exists() else None


def _changed(old: Plan, new: Plan) -> str:
    was, now = old.as_json(), new.as_json()
    return ", ".join(section for section in now if now[section] != was.get(section))


def read_again(journal: Journal, run: Run, current: Plan, step: str) -> Plan:
    """Return the plan file's plan, journaled, if it has changed; else the current one.

    A file that is gone leaves the run with what it has. Raise `Refused` where the file is no valid
    plan any more, or is one for another cluster.
    """
    try:
        found = _in_file(run)
    except PlanError as error:
        raise Refused(
            str(error),
            todo="Correct the plan, then run the step again.",
        ) from error
    if found is None or found == current:
        return current
    if found.cluster != current.cluster:
        raise Refused(
            f"{Path(run.plan_path)} is now a plan for another cluster.",
            now="Nothing was changed; the run goes by the plan that it began with.",
            todo="Put the plan of this run back, or start a run of its own for the other cluster.",
        )
    words = f"the plan was read again; changed: {_changed(current, found)}"
    journal.evidence(run.id, step, words, key=FACT, value=found.as_json())
    return found
