"""What a dialog says before a key acts: the flow that a yes runs, and how it is undone."""

from __future__ import annotations

import pytest

from runbook.base.step import Gate, Risk
from tests.tui.fake import FakeRun, Script
from tui.next_action import Standing
from tui.questions import Question, of_gate, of_steps

ASSESS = Script("assess-finalize", "Assess", "Whether it can end.", continues=True)
DROP = Script(
    "drop-subscriptions", "Drop them", "Nobody reads.", Risk.DESTRUCTIVE, "None.", continues=True
)
OPEN = Script("open", "Open it", "It serves.", Risk.REVERSIBLE, "Close it again.")
GATE = Gate("finalize", "End it.", reversible="It cannot be undone.")


def asked(model: FakeRun, by: str) -> Question:
    """Return the question before the first of the steps, by its own gate or by none."""
    checklist = model.checklist()
    if by == "gate":
        first = checklist.flow[0].step
        return of_gate(model.run, first, GATE, checklist, None)
    return of_steps(model.run, checklist, Standing())


@pytest.mark.parametrize("by", ["gate", "no gate"])
@pytest.mark.parametrize(
    ("steps", "undo"),
    [
        ((ASSESS, DROP, OPEN), "drop-subscriptions: None."),
        ((OPEN, ASSESS), "Close it again."),
        ((DROP,), "None."),
        ((ASSESS,), "Nothing to undo."),
    ],
    ids=lambda value: "+".join(step.key for step in value) if isinstance(value, tuple) else "",
)
def test_how_it_is_undone_is_said_of_what_changes_something(
    by: str, steps: tuple[Script, ...], undo: str
) -> None:
    facts = dict(asked(FakeRun(steps), by).facts)
    assert facts["Undo"] == undo
