"""Sequences with two journals of one run that once broke a rule, each in its shortest form."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.guards.acts import (
    SETTINGS,
    Act,
    Adopt,
    Back,
    Choose,
    Elsewhere,
    Go,
    Hand,
    Keep,
    Sequence,
    Simple,
    Strike,
)
from tests.guards.faults import AT_CLAIMS, Fault
from tests.guards.night import Settings
from tests.guards.play import play

RENAME, ROUTE53, MANUAL, COMMAND = SETTINGS
READY, HELD, BAKED = 7, 10, 16
"""So many steps that all went well lead to the switchover, to old blue being held for the clone,
and to the end of the upgrade."""

Acts = tuple[tuple[Act, int], ...]

BEFORE_THE_ROLLBACK: Acts = ((Keep(), 0), (Choose("blue-prime"), 12), (Back(), 0))
BEFORE_GOING_FORWARD: Acts = (
    (Choose("blue-prime"), 12),
    (Keep(), 0),
    (Choose("forward"), 12),
    (Back(), 0),
)
BEFORE_THE_SWITCHOVER: Acts = ((Keep(), 0), (Go(12), 0), (Back(), 0))

LEFT_BEHIND: dict[str, tuple[int, Acts]] = {
    "commit where another machine adopted the run and rolled back": (
        BAKED,
        ((Adopt(), 12), (Choose("blue-prime"), 12), (Elsewhere(0), 0), (Choose("commit"), 12)),
    ),
    "commit on a copy from before the rollback": (
        BAKED,
        (*BEFORE_THE_ROLLBACK, (Choose("commit"), 12)),
    ),
    "roll back on a copy from before the rollback": (
        BAKED,
        (*BEFORE_THE_ROLLBACK, (Choose("blue-prime"), 12)),
    ),
    "finalize on a copy from before going forward": (
        BAKED,
        (*BEFORE_GOING_FORWARD, (Choose("finalize"), 12)),
    ),
    "clean up on a copy from before going forward": (
        BAKED,
        (*BEFORE_GOING_FORWARD, (Choose("cleanup"), 12)),
    ),
    "go forward on a copy from before going forward": (
        BAKED,
        (*BEFORE_GOING_FORWARD, (Choose("forward"), 12)),
    ),
    "stay where another copy has finished the rollback": (
        BAKED,
        (
            (Choose("blue-prime"), 1),
            (Elsewhere(1), 12),
            (Elsewhere(0), 0),
            (Choose("stay"), 12),
        ),
    ),
    "stop the traffic where another copy, still open, has finished the rollback": (
        BAKED,
        ((Choose("blue-prime"), 1), (Elsewhere(1, left=False), 12), (Elsewhere(0), 12)),
    ),
    "repair on a copy from before the rollback": (
        BAKED,
        (*BEFORE_THE_ROLLBACK, (Simple("watched"), 0), (Simple("repaired"), 0)),
    ),
    "repair what was lost on a copy from before the rollback": (
        BAKED,
        (*BEFORE_THE_ROLLBACK, (Hand("lose the slots"), 0), (Simple("repaired"), 0)),
    ),
    "switch over on a copy from before the switchover": (READY, (*BEFORE_THE_SWITCHOVER,)),
    "abort on a copy from before the switchover": (
        READY,
        (*BEFORE_THE_SWITCHOVER, (Choose("abort"), 12)),
    ),
    "go on with a copy from before blue prime": (
        HELD,
        ((Keep(), 0), (Go(2), 0), (Back(), 12)),
    ),
}


REFUSED_CLAIMS: Acts = (
    (Elsewhere(1), 0),
    (Elsewhere(0), 0),
    (Strike(Fault.REFUSED, claims=True), 1),
    (Strike(Fault.REFUSED, claims=True), 1),
    (Elsewhere(1), 1),
    (Elsewhere(0), 12),
)
"""The first journal has wanted to hold the run twice, and AWS had neither of the two marks."""


def test_a_claim_that_aws_refused_hides_no_other_journal() -> None:
    play(Sequence(RENAME, HELD, REFUSED_CLAIMS))


@pytest.mark.parametrize("fault", AT_CLAIMS)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.endpoint)
def test_a_run_goes_on_after_whatever_strikes_a_claim(settings: Settings, fault: Fault) -> None:
    play(Sequence(settings, READY, ((Strike(fault, claims=True), 12), (Choose("blue-prime"), 12))))


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.endpoint)
@pytest.mark.parametrize("tagless", [False, True], ids=["marked", "no tags"])
@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_a_journal_that_was_left_behind_does_no_harm(
    name: str, settings: Settings, tagless: bool
) -> None:
    smooth, acts = LEFT_BEHIND[name]
    play(Sequence(replace(settings, tagless=tagless), smooth, acts))
