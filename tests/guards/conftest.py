"""The simulated edges stand in for the real ones in all of these tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.guards.patches import simulated


@pytest.fixture(autouse=True, scope="package")
def _simulated() -> Iterator[None]:
    # Each foreseen failure of a look would be logged with its traceback.
    logging.getLogger("blueprime").setLevel(logging.CRITICAL)
    with simulated():
        yield
    logging.getLogger("blueprime").setLevel(logging.NOTSET)
