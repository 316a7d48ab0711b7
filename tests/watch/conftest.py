"""The pair of real servers, in the state in which a run bakes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.postgres.conftest import _swept, database, opened, pair
from tests.watch.held import Held, holding

__all__ = ["_swept", "database", "opened", "pair"]


@pytest.fixture
async def held(pair, database, tmp_path: Path) -> AsyncIterator[Held]:  # type: ignore[no-untyped-def]
    """Lend a way back that is held and watched, and seen to be protected."""
    async with holding(pair, database, tmp_path / "journal.db") as made:
        await made.protected()
        yield made
