"""What a step would ask and do, looked up before a key is pressed; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runbook.base.context import RunContext
from runbook.base.effect_state import seen_there
from runbook.base.offer import Preview
from runbook.base.step import Gate, Step
from runbook.failures import StepFailed
from runbook.ownership import places
from runbook.ownership.permission import objection
from runbook.postgres.connect import UNREACHABLE
from state.records import Decision

Standing = Callable[[Gate], Decision | None]
"""Returns the decision by which a gate was passed lately, so that it is not asked again."""


async def preview(context: RunContext, step: Step, standing: Standing, *, is_next: bool) -> Preview:
    """Return a step's gates and changes as far as they can be known now.

    Of a step to come it is not told what is there, nor whether it would be refused: those before
    it may turn that over.
    """
    try:
        if reason := await step.skip(context):
            return Preview(step.key, (), (), f"will be skipped: {reason}")
        gates = tuple(await step.gates(context))
        decided = [each for gate in gates if (each := standing(gate)) is not None]
        waves = await step.effects(context)
        there = await seen_there(waves) if is_next else {}
        refused = await objection(context) if is_next and waves else ""
        asking = any(standing(gate) is None for gate in gates)
        called = await places.names(context) if asking and waves else {}
    except (StepFailed, *UNREACHABLE) as error:
        words = str(error).splitlines()[0]
        when = "could not be looked up now" if is_next else "known when it is reached"
        return Preview(step.key, (), (), f"{when}: {words}", unknown=words)
    effects = [effect for wave in waves for effect in wave]
    return Preview(
        step.key,
        tuple(gate for gate in gates if standing(gate) is None),
        tuple((each.title, each.preview()) for each in effects if each.key not in there),
        _note(effects, refused),
        tuple((each.title, there[each.key]) for each in effects if each.key in there),
        passed=tuple(f"{each.gate}: by {each.who} at {each.at:%H:%M:%S} UTC" for each in decided),
        where=places.places(effects, called) if asking else "",
    )


def _note(effects: Sequence[object], refused: str) -> str:
    if refused:
        return f"would be refused: {refused}"
    return "" if effects else "changes nothing: it looks, or waits"
