"""The rules can be broken: each planted defect is found, most by seeds of the fixed profile."""

from __future__ import annotations

import pytest

from tests.guards.acts import SETTINGS, Branch, Hand, Sequence, Simple, Strike, drawn
from tests.guards.faults import Fault
from tests.guards.plants import PLANTS, planted
from tests.guards.play import broken, checkpoint
from tests.guards.test_guards import SEQUENCES

BY_SEED = {
    "the intent is not written": (0, "no intent on disk"),
    "the fence is skipped": (1, "two clusters are open"),
    "old blue's gate is forgotten": (16, "without its gate"),
    "the tag is not checked": (33, "which somebody else made"),
}
"""The first seed that finds it, and what is said then."""

BY_SEQUENCE = {
    "who serves is not checked": (
        Sequence(SETTINGS[3], 16, ((Branch(0), 12), (Branch(2), 12))),
        "which serves",
    ),
    "slots that were read feed a new clone": (
        Sequence(
            SETTINGS[0],
            16,
            ((Hand("delete blue prime"), 0), (Simple("watched"), 0), (Branch(0), 12)),
        ),
        "rows that the slot has passed",
    ),
    "a clone is known by its name alone": (
        Sequence(
            SETTINGS[0], 10, ((Strike(Fault.KILL_AFTER_CALL), 1), (Hand("rename blue prime"), 12))
        ),
        "cloned twice",
    ),
    "a rollback's capture is only said to be there": (
        Sequence(SETTINGS[0], 16, ((Branch(0), 12),)),
        "before the capture",
    ),
}


def expect_found(name: str, sequence: Sequence, words: str) -> None:
    # What went well before is not what the defect is looked for in.
    checkpoint(sequence.settings, sequence.smooth)
    assert broken(sequence) == "", "without the defect the sequence holds"
    with planted(PLANTS[name]):
        assert words in broken(sequence)


@pytest.mark.parametrize("name", BY_SEED)
def test_a_planted_defect_is_found_by_the_fixed_profile(name: str) -> None:
    seed, words = BY_SEED[name]
    assert seed < SEQUENCES
    expect_found(name, drawn(seed), words)


@pytest.mark.parametrize("name", BY_SEQUENCE)
def test_a_planted_defect_is_found_by_its_sequence(name: str) -> None:
    expect_found(name, *BY_SEQUENCE[name])
