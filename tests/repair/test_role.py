"""The replication role: let into a closed database, and dropped with all it was granted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from psycopg.sql import SQL, Identifier

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Effect
from runbook.postgres import replication
from runbook.procedure.steps.protect.create_slots import CreateSlots
from runbook.procedure.steps.protect.drop_slots import DropSlots
from runbook.procedure.steps.traffic import UnlockRoles
from tests.repair.conftest import Bench

CLOSED = "REVOKE CONNECT ON DATABASE {} FROM PUBLIC"


async def _perform(waves: Sequence[Sequence[Effect]]) -> None:
    for effect in [each for wave in waves for each in wave]:
        await effect.perform()
        assert (await effect.probe()).answer.value == "yes", effect.title


async def test_the_role_enters_a_closed_database_and_is_dropped_with_its_grants(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.here(SQL(CLOSED).format(Identifier(bench.database)).as_string(None))
    bench.here("CREATE TABLE t (id int PRIMARY KEY)")
    await _perform(await CreateSlots(Role.NEW_BLUE, Role.OLD_BLUE).effects(bench.context))
    may = "SELECT has_database_privilege(%s, current_database(), 'CONNECT')"
    assert bench.here(may, bench.name) == [(True,)]
    bench.here(SQL("GRANT SELECT ON t TO {}").format(Identifier(bench.name)).as_string(None))

    async def there(context: RunContext, role: Role) -> bool:
        return True

    monkeypatch.setattr(RunContext, "find", there)
    await _perform(await DropSlots(Role.NEW_BLUE).effects(bench.context))
    assert bench.here("SELECT FROM pg_roles WHERE rolname = %s", bench.name) == []


async def test_whoever_made_the_role_alone_may_drop_what_it_owns(bench: Bench) -> None:
    maker = f"blueprime_{bench.run}_maker"
    bench.here(
        f"CREATE ROLE {maker} CREATEROLE; GRANT CONNECT ON DATABASE postgres TO {maker} WITH GRANT "
        f"OPTION; SET ROLE {maker}; CREATE ROLE {bench.name}; "
        f"GRANT CONNECT ON DATABASE postgres TO {bench.name}"
    )
    owned = replication.drop_owned(bench.name).text()
    try:
        bench.here(f"SET ROLE {maker}; {owned}; DROP ROLE {bench.name}")
    finally:
        bench.here(f"DROP OWNED BY {maker}")
    assert bench.here("SELECT FROM pg_roles WHERE rolname = %s", bench.name) == []


async def test_login_is_given_back_to_the_roles_that_are_still_there(bench: Bench) -> None:
    bench.follow()
    still, gone = f"{bench.name} still", f"{bench.name} gone"
    role = SQL("CREATE ROLE {} NOLOGIN").format(Identifier(still))
    bench.there(role.as_string(None))
    bench.fact("roles.locked", [gone, still])
    unlock = UnlockRoles(bench.context, Role.BLUE_PRIME)
    assert (await unlock.probe()).answer.value == "no"
    assert await unlock.perform() == {"unlocked": [still], "gone": [gone]}
    found = await unlock.probe()
    assert found.answer.value == "yes"
    assert gone in found.seen
    may = "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s"
    assert bench.there(may, still) == [(True,)]
