"""Slots and publications of others on new blue: named while baking and before a way back."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runbook.base.alert import Cause
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.ownership.slot_consumers import consumers
from runbook.procedure.steps.protect.drop_slots import DropSlots
from runbook.watch.probes.slots import SlotsProbe
from tests.repair.conftest import Bench


class _Told:
    def __init__(self) -> None:
        self.warned: dict[str, str] = {}

    def warning(self, text: str, *, key: str) -> None:
        self.warned[key] = text

    def evidence(self, text: str, **more: Any) -> None:
        pass


async def test_what_others_have_made_is_named_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.follow(prepare="CREATE TABLE account (id int PRIMARY KEY)")
    assert (await consumers(bench.context, Role.NEW_BLUE)).words == ""
    bench.here("CREATE PUBLICATION dbz_publication FOR TABLE account")
    bench.here("CREATE PUBLICATION rds_theirs FOR TABLE account")
    bench.here("SELECT pg_create_logical_replication_slot('debezium', 'pgoutput')")
    found = await consumers(bench.context, Role.NEW_BLUE)
    assert found.publications == [f"dbz_publication in {bench.database}"]
    assert found.slots == [f"debezium (pgoutput in {bench.database}, not read now)"]
    _, alarms = await SlotsProbe(bench.context).held()
    assert [(each.cause, each.subject, each.breaks) for each in alarms] == [
        (Cause.SLOT, "consumer debezium", False)
    ]

    async def there(context: RunContext, role: Role) -> bool:
        return True

    monkeypatch.setattr(RunContext, "find", there)
    monkeypatch.setattr(RunContext, "sql_name", lambda context, suffix="": "blueprime_gone")
    told = _Told()
    await DropSlots(Role.NEW_BLUE).verify(bench.context, cast(Watch, told))
    assert "debezium" in told.warned["consumers/new-blue"]
