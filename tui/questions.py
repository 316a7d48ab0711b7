"""What is asked before a key acts: by a step's own gate, before several steps, before leaving."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.amounts import counted
from runbook.base.downtime import Downtime
from runbook.base.step import Gate, Risk
from runbook.protection.dashboard import Dashboard
from runbook.run.checklist import Checklist, Line
from state.records import Run
from tui import text
from tui.leave_message import applications
from tui.model import Preview
from tui.next_action import Standing, chain, looking_at


def of_gate(
    run: Run, step: str, gate: Gate, checklist: Checklist, preview: Preview | None
) -> Question:
    """Return what a step's own gate asks, with all that a yes runs."""
    return Question(
        heading=f"{step}, run of {run.cluster}",
        question=gate.question,
        facts=(
            *_then(step, checklist),
            *changed_on(run, preview.where if preview else "not looked up in time"),
            ("Reversible", gate.reversible),
            ("Undo", _undo(step, checklist)),
        ),
        calls=tuple(title for title, _ in preview.effects) if preview else (),
        must_type=gate.must_type,
        yes=gate.yes or f"Run {step}",
    )


def of_steps(run: Run, checklist: Checklist, standing: Standing) -> Question:
    """Return what is asked before steps run that ask nothing themselves."""
    flow = checklist.flow
    first = flow[0]
    calls = tuple(title for title, _ in standing.preview.effects) if standing.preview else ()
    several, steps = len(flow) > 1, f"Run {counted(len(flow), 'step')}"
    return Question(
        heading=f"{first.step}, run of {run.cluster}",
        question=f"{steps}, {first.step} to {flow[-1].step}, without a further stop?"
        if several
        else f"Run {first.step}: {first.title}?",
        facts=(
            *_then(first.step, checklist),
            ("Cannot be undone", _final(flow)),
            ("Not known", _unseen(first.step, standing)),
            ("Undo", _undo(first.step, checklist)),
        ),
        calls=calls,
        yes=steps if several else f"Run {first.step}",
    )


def changed_on(run: Run, where: str) -> tuple[tuple[str, str], ...]:
    """Return on which cluster a change is made, and of whose production the run is."""
    run_of = f"{run.cluster} in {run.region}, account {run.account}"
    return (("Changes", where), ("Run of", run_of))


def of_leaving(run: Run, dashboard: Dashboard, busy: str) -> Question | None:
    """Return what is asked before a run is left that needs somebody now; None: nothing does."""
    down = applications(dashboard.downtime)
    if not run.open or not (busy or down):
        return None
    going = (
        f"{busy} is running. The change in flight ends first; no further one starts."
        if busy
        else ""
    )
    return Question(
        heading=f"Leave run {run.id} of {run.cluster}",
        question="Leave the run now?",
        facts=(
            ("Applications", " ".join(down) or _up(dashboard.downtime)),
            ("Now", going),
            ("To do", dashboard.to_do),
            ("Then", "Nothing is undone, and what AWS is doing goes on without anybody looking."),
            ("To come back", f"blueprime resume {run.id}"),
        ),
        yes="Leave",
    )


def _unseen(step: str, standing: Standing) -> str:
    why = standing.error or f"{looking_at(standing)}; no answer yet"
    if standing.preview is not None:
        why = standing.preview.unknown
    return "" if not why else f"what {step} would change. Looked for: {why}"


def _then(step: str, checklist: Checklist) -> tuple[tuple[str, str], ...]:
    flow = checklist.flow
    if len(flow) < 2 or flow[0].step != step:
        return ()
    return (("Runs, one after another", chain(flow)),)


def _final(flow: tuple[Line, ...]) -> str:
    return "; ".join(
        f"{line.step}: {text.clean(line.title)}" for line in flow if line.risk is Risk.DESTRUCTIVE
    )


def _undo(step: str, checklist: Checklist) -> str:
    """Return how the first change of what a yes runs is undone; of several steps, which one's."""
    flow = checklist.flow
    if not flow or flow[0].step != step:
        flow = tuple(line for line in checklist.current.lines if line.step == step)
    if len(flow) < 2:
        return flow[0].undo if flow else ""
    first = next((line for line in flow if line.risk is not Risk.READ_ONLY), flow[0])
    return f"{first.step}: {first.undo}"


def _up(clock: Downtime) -> str:
    if clock.asked_at is not None:
        return "may be stopped already, by hand"
    return "were never stopped" if clock.started_at is None else "were let in again"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, in the grammar of danger."""

    heading: str
    question: str
    """Verb and target."""
    facts: tuple[tuple[str, str], ...]
    """Label and words, e.g. `Reversible` and what an undo loses."""
    calls: tuple[str, ...] = ()
    """The changes that follow, named."""
    must_type: str = ""
    yes: str = "Go on"
    reason: bool = False
    """Whether to ask for a reason, which the journal keeps."""
    grave: bool = True
