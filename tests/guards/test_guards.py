"""No sequence of choices, faults, kills and strangers' hands does what must never be done."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import SystemRandom

import pytest

from tests.guards.acts import Sequence, drawn, drawn_two
from tests.guards.guard import TALLY
from tests.guards.play import hold

SEQUENCES, BLOCKS = 48, 4
"""Each fixed profile: these seeds from 0 on, in blocks that run side by side."""

RANDOM_SEQUENCES, RANDOM_BLOCKS = 4000, 40
SEED = "BLUEPRIME_GUARDS_SEED"
"""Names the first seed of a random profile, to play it again."""


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_sequence_breaks_what_must_hold(
    block: int, record_property: Callable[[str, object], None]
) -> None:
    hold(range(block, SEQUENCES, BLOCKS))
    record_property("tally", dict(TALLY))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_sequence_of_two_journals_breaks_what_must_hold(
    block: int, record_property: Callable[[str, object], None]
) -> None:
    hold(range(block, SEQUENCES, BLOCKS), drawn_two)
    record_property("tally", dict(TALLY))


@pytest.mark.chaos
@pytest.mark.parametrize("draw", [drawn, drawn_two], ids=["one journal", "two journals"])
@pytest.mark.parametrize("block", range(RANDOM_BLOCKS))
def test_no_random_sequence_breaks_what_must_hold(
    block: int,
    draw: Callable[[int], Sequence],
    first_seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    each = RANDOM_SEQUENCES // RANDOM_BLOCKS
    begin = first_seed + block * each
    record_property("seeds", f"{begin} to {begin + each - 1}")
    hold(range(begin, begin + each), draw)
    record_property("tally", dict(TALLY))


@pytest.fixture(scope="module")
def first_seed() -> int:
    """Return where the random profile begins; a failure names its own seed."""
    return _FIRST if _FIRST is not None else SystemRandom().randrange(10**6, 10**9)


_FIRST = int(os.environ[SEED]) if SEED in os.environ else None
"""Read before the tests, which hide blueprime's own variables."""
