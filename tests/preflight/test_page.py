"""docs/hazards.md says what the checks and the tests say now."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.preflight import hazards_page, suite
from runbook.preflight.hazards_page import Hazard

ROOT = Path(__file__).parents[2]

HAZARDS = [hazard for group in hazards_page.groups() for hazard in group.hazard]


def test_the_page_is_as_it_would_be_written_now() -> None:
    held = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
    assert held == hazards_page.page(), "python -m runbook.preflight.hazards_page > docs/hazards.md"


def test_every_check_stands_under_a_hazard() -> None:
    named = {key for hazard in HAZARDS for key in hazard.checks}
    assert named == {each.key for each in suite.CHECKS}


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.title)
def test_a_hazard_is_caught_and_its_proofs_exist(hazard: Hazard) -> None:
    assert hazard.checks or hazard.then
    assert hazard.checks or hazard.todo
    assert not hazard.then or hazard.proof or hazard.unproved
    for name in hazard.proof:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), name
