"""Who decides at the gates of a run without a screen."""

from __future__ import annotations

import sys

from runbook.base.step import Gate
from runbook.procedure.runner import Decide
from runbook.procedure.steps.rollback import forced


async def yes_to_all(gate: Gate) -> str | None:
    """Pass a gate as `--yes` told us to: what must be typed is typed.

    What only a person can know is declined.
    """
    return None if gate.by_person else gate.must_type or "yes"


async def nobody(gate: Gate) -> str | None:
    """Decline: nobody is there to decide."""
    return None


def gives_up(typed: str, decide: Decide) -> Decide:
    """Return what decides as `decide`, and gives writes up where a person typed the name for it."""

    async def decided(gate: Gate) -> str | None:
        if gate.key != forced.GATE:
            return await decide(gate)
        if not typed:
            sys.stderr.write(f"This is decided by a person alone: --typed {gate.must_type}\n")
        return typed or None

    return decided
