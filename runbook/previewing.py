"""What a step would ask and do, looked up before a key is pressed; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.looked import UNREACHABLE, seen_there
from runbook.offers import Preview
from runbook.permission import objection
from runbook.step import Step, StepFailed
from runbook.world import World


async def preview(world: World, step: Step, *, is_next: bool) -> Preview:
    """Return a step's gates and changes as far as they can be known now.

    Of a step to come it is not told what is there, nor whether it would be refused: those before
    it may turn that over.
    """
    try:
        if reason := await step.skip(world):
            return Preview(step.key, (), (), f"will be skipped: {reason}")
        gates = tuple(await step.gates(world))
        waves = await step.effects(world)
        there = await seen_there(waves) if is_next else {}
        refused = await objection(world) if is_next and waves else ""
    except (StepFailed, *UNREACHABLE) as error:
        words = str(error).splitlines()[0]
        return Preview(step.key, (), (), f"known when it is reached: {words}")
    effects = [effect for wave in waves for effect in wave]
    return Preview(
        step.key,
        gates,
        tuple((each.title, each.preview()) for each in effects if each.key not in there),
        _note(effects, refused),
        tuple((each.title, there[each.key]) for each in effects if each.key in there),
    )


def _note(effects: Sequence[object], refused: str) -> str:
    if refused:
        return f"would be refused: {refused}"
    return "" if effects else "changes nothing: it looks, or waits"
