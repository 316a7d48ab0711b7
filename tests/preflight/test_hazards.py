"""Each check proved both ways: the hazard planted is seen where it is; without it, nothing is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from runbook.plan.model import Plan
from runbook.preflight import suite
from runbook.preflight.result import Level
from tests.preflight.conftest import Site
from tests.preflight.plants import ELSEWHERE, PLANTS, Planted, zone_of

KEYED = 'CREATE TABLE "Kunde ""1""" (id int PRIMARY KEY, note text)'


def _plan(site: Site, changes: Mapping[str, Mapping[str, Any]]) -> Plan:
    values = site.plan.as_json()
    for section, members in changes.items():
        known = {
            name: zone_of(site) if value == "{zone}" else value for name, value in members.items()
        }
        (values[section] if section else values).update(known)
    return Plan.model_validate(values)


@contextmanager
def _planted(site: Site, database: str, hazard: Planted) -> Iterator[str]:
    """Plant it, and yield its subject."""
    if hazard.aws is not None:
        hazard.aws(site)
    site.blue.run(database, *hazard.sql)
    if hazard.held is None:
        yield hazard.subject.replace("{db}", database)
        return
    with hazard.held(site, database) as subject:
        yield hazard.subject.replace("{db}", database) or str(subject)


def _name(hazard: Planted) -> str:
    return f"{hazard.check.key}-{hazard.level.value}"


@pytest.mark.parametrize("hazard", PLANTS, ids=_name)
async def test_a_hazard_is_seen_where_it_is_and_not_where_it_is_not(
    site: Site, database: str, hazard: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, value in hazard.patches:
        monkeypatch.setattr(module, name, value)
    site.blue.run(database, KEYED, *hazard.before)
    await site.quiet(hazard.check, _plan(site, hazard.plan_before))
    with _planted(site, database, hazard) as subject:
        result = await site.fires(hazard.check, hazard.level, subject, _plan(site, hazard.plan))
    assert hazard.says in result.text
    assert (result.fix and result.fix.kind) == hazard.kind
    assert "hunter2" not in f"{result}"


def test_no_check_is_without_a_proof() -> None:
    proved = {hazard.check.key for hazard in PLANTS} | set(ELSEWHERE)
    assert {each.key for each in suite.CHECKS} == proved


def test_every_check_that_can_block_is_planted_as_a_block() -> None:
    waivable = {each.key for each in suite.CHECKS if each.waivable}
    assert waivable <= {hazard.check.key for hazard in PLANTS if hazard.level is Level.BLOCK}
