"""Wait for a condition, with a deadline."""

import time
from collections.abc import Callable

DEADLINE_S = 120.0


def until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds; a deadline that passes fails the test."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)
