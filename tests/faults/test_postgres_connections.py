"""A connection lost at each change by SQL of every track: nothing lost, nothing done twice."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.chaos.nights import NIGHTS, Night
from tests.faults.severing import MOMENTS, sever, sever_at_random
from tests.workspace import Workspace


@pytest.mark.chaos
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.name.replace(" ", "-"))
def test_a_connection_lost_at_every_change_by_sql(
    workspace: Workspace,
    night: Night,
    moment: str,
    record_property: Callable[[str, object], None],
) -> None:
    figures = sever(workspace, night, moment)
    record_property("figures", f"{night.name}, {moment}: {figures}")


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(3))
def test_connections_lost_at_random_messages(
    workspace: Workspace, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """Whatever passes is struck: changes, the looks for them, waits, samplers."""
    figures = sever_at_random(workspace, random.Random(seed))
    record_property("figures", f"random messages, seed {seed}: {figures}")
