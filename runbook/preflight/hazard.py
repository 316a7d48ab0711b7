"""One hazard: what happens, which checks see it beforehand, what catches it later."""

from __future__ import annotations

from dataclasses import dataclass

PLANTED = "tests/preflight/test_hazards.py"
"""Plants what each check looks for, in a real database or in the lab's AWS."""

CORNERS = "tests/faults/test_aws.py::test_one_night_with_a_fault_at_every_corner"


@dataclass(frozen=True, slots=True)
class Hazard:
    """One way in which it goes wrong in silence."""

    title: str
    what: str
    """What happens, if nobody looks."""
    checks: tuple[str, ...] = ()
    """Keys of the preflight's checks that see it beforehand."""
    then: str = ""
    """How it is caught later: by a gate, the fence, the watch while baking, or a proof."""
    proof: tuple[str, ...] = ()
    """Tests of what catches it later; the checks' own are known."""
    unproved: str = ""
    """What no test has shown, and why."""
    todo: str = ""
    """What to do where a check does not say it."""
