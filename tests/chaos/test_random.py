"""Nights whose process dies at random moments: in a wait, a look, a gate, a write of the journal.

`CHAOS_NIGHTS` says how many nights, `CHAOS_SEED` with which seed the first one goes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.chaos.nights import go_through_at_random
from tests.workspace import Workspace

NIGHTS = int(os.environ.get("CHAOS_NIGHTS", "6"))
FIRST_SEED = int(os.environ.get("CHAOS_SEED", "0"))


@pytest.mark.chaos
@pytest.mark.parametrize("night", range(NIGHTS))
def test_dying_at_random(
    workspace: Workspace, night: int, record_figures: Callable[[str], None]
) -> None:
    seed = FIRST_SEED + night if FIRST_SEED else time.time_ns() % 1_000_000_007 + night
    record_figures(f"random kills, seed {seed}")
    record_figures(f"random kills, seed {seed}: {go_through_at_random(workspace, seed)}")
