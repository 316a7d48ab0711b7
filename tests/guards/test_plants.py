"""The rules can be broken: each planted defect is found, most by seeds of the fixed profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.guards.acts import SETTINGS, Branch, Choose, Hand, Sequence, Simple, Strike, drawn
from tests.guards.faults import Fault
from tests.guards.plants import PLANTS, planted
from tests.guards.play import broken, checkpoint
from tests.guards.test_guards import SEQUENCES
from tests.guards.test_two_journals import BAKED, HELD, LEFT_BEHIND, REFUSED_CLAIMS

RENAME, ROUTE53, MANUAL, COMMAND = SETTINGS
BARE_RENAME, BARE_COMMAND = (replace(each, tagless=True) for each in (RENAME, COMMAND))
"""AWS lets nobody tag: what serves is told by the clusters alone."""

BY_SEED = {
    "the intent is not written": (0, "no intent on disk"),
    "the fence is skipped": (1, "two clusters are open"),
    "old blue's gate is forgotten": (16, "without its gate"),
    "the tag is not checked": (33, "which somebody else made"),
}
"""The first seed that finds it, and what is said then."""

BY_SEQUENCE = {
    "who serves is not checked": (
        Sequence(COMMAND, BAKED, ((Branch(0), 12), (Branch(2), 12))),
        "which serves",
    ),
    "slots that were read feed a new clone": (
        Sequence(
            RENAME,
            BAKED,
            ((Hand("delete blue prime"), 0), (Simple("watched"), 0), (Branch(0), 12)),
        ),
        "rows that the slot has passed",
    ),
    "a clone is known by its name alone": (
        Sequence(RENAME, 10, ((Strike(Fault.KILL_AFTER_CALL), 1), (Hand("rename blue prime"), 12))),
        "cloned twice",
    ),
    "a rollback's capture is only said to be there": (
        Sequence(RENAME, BAKED, ((Branch(0), 12),)),
        "before the capture",
    ),
    "the side that is left stays open": (
        Sequence(RENAME, BAKED, ((Branch(0), 12),)),
        "ModifyDBCluster leads the applications away from orders",
    ),
    "a rollback has no fence": (
        Sequence(RENAME, BAKED, ((Branch(0), 12),)),
        "set_database_read_only on orders, which serves, by the step close-new-blue",
    ),
    "the claim is not written down": (
        Sequence(RENAME, BAKED, ((Branch(0), 12),)),
        "no intent on disk for rds.AddTagsToResource",
    ),
    "a claim that AWS refused counts": (
        Sequence(RENAME, HELD, REFUSED_CLAIMS),
        "by a journal that knows nothing of the last",
    ),
    "the end of the way back is not asked for": (
        Sequence(RENAME, BAKED, ((Choose("commit"), 12),)),
        "drop_slot on orders, which serves, in the track commit",
    ),
    "what serves is subscribed": (
        Sequence(RENAME, 11, ()),
        "create_subscription on orders, which serves",
    ),
    "the mark is not looked at": (
        Sequence(RENAME, *LEFT_BEHIND["go on with a copy from before blue prime"]),
        "by a journal that knows nothing of the last",
    ),
}
"""The shortest sequence that finds it, and what is said then."""

UNASKED = {
    "commit on a copy from before the rollback": (
        BARE_COMMAND,
        "ModifyDBCluster of orders-prime-r00004, which serves",
    ),
    "repair on a copy from before the rollback": (
        BARE_COMMAND,
        "empty on orders-prime-r00004, which serves",
    ),
    "finalize on a copy from before going forward": (
        BARE_RENAME,
        "drop_slot on orders, which serves, in the track rollback finalize",
    ),
    "switch over on a copy from before the switchover": (
        BARE_RENAME,
        "lock on orders, which serves, by the step stop-traffic",
    ),
    "stay where another copy has finished the rollback": (
        BARE_COMMAND,
        "the applications are stopped on orders-prime-r00004, though new-blue was meant",
    ),
}
"""What two journals do where nobody can tag, and the clusters are not asked either."""


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


@pytest.mark.parametrize("name", UNASKED)
def test_two_journals_that_ask_nobody_are_found_out(name: str) -> None:
    settings, words = UNASKED[name]
    expect_found("the clusters are not asked", Sequence(settings, *LEFT_BEHIND[name]), words)


def test_every_planted_defect_is_found() -> None:
    assert {*BY_SEED, *BY_SEQUENCE, "the clusters are not asked"} == set(PLANTS)
