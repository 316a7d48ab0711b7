"""The crash matrix: every effect of every track, killed at each of four points, gone on with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.nights import NIGHTS, Night, go_through
from tests.chaos.victim import AFTER_CALL, POINTS
from tests.workspace import Workspace

SAMPLE = r"-bgd|/switchover|lock-roles|_1\"|-prime-|subscription|/rename/|sequences"
"""Where a crash hurts most: deployment, pivot, fence, slots, clone, subscriptions, renames."""


def test_killed_where_it_hurts_most(workspace: Workspace) -> None:
    figures = go_through(workspace, NIGHTS[0], AFTER_CALL, SAMPLE)
    assert figures.kills > len(SAMPLE.split("|"))


@pytest.mark.chaos
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.name.replace(" ", "-"))
def test_killed_at_every_effect(
    workspace: Workspace, night: Night, point: str, record_figures: Callable[[str], None]
) -> None:
    record_figures(f"{night.name}, {point}: {go_through(workspace, night, point)}")
