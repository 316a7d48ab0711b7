"""The pair of real servers, in the state in which a run bakes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runbook.protection import assess
from tests.postgres.conftest import _swept, database, opened, pair
from tests.watch.held import Held, holding

__all__ = ["_swept", "database", "opened", "pair"]


@pytest.fixture
async def held(  # type: ignore[no-untyped-def]
    pair, database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Held]:
    """Lend a way back that is held and watched, and seen to be protected."""
    # How long it takes to be called steady again is not what is planted here.
    monkeypatch.setattr(assess, "STEADY_S", 0.5)
    async with holding(pair, database, tmp_path / "journal.db") as made:
        await made.protected()
        yield made
