"""PostgreSQL's side: each hazard planted in a real database is seen, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.plan.model import Plan
from runbook.preflight import survey
from runbook.preflight.check import Check
from runbook.preflight.checks import (
    database_roles,
    identities,
    parameters,
    replication,
    rights,
    sessions,
    unreplicated,
)
from runbook.preflight.result import Level
from tests.preflight.conftest import Site

BLOCK, WARN = Level.BLOCK, Level.WARN

KEYED = 'CREATE TABLE "Kunde ""1""" (id int PRIMARY KEY, note text)'


async def test_an_identity_makes_a_table_usable(site: Site, database: str) -> None:
    site.blue.run(database, "CREATE TABLE t (id int NOT NULL, UNIQUE (id))")
    result = await site.fires(identities.identity, BLOCK, f"{database}/public.t")
    assert 'REPLICA IDENTITY USING INDEX "t_id_key"' in result.remedy
    site.blue.run(database, "ALTER TABLE t REPLICA IDENTITY USING INDEX t_id_key")
    await site.quiet(identities.identity)


async def test_an_acknowledged_kind_is_told_and_lets_through(site: Site, database: str) -> None:
    site.blue.run(database, "CREATE SEQUENCE s")
    plan = site.changed("", acknowledge=["sequences"])
    result = await _warned(site, unreplicated.acknowledged, plan)
    assert result.subject == f"{database}/sequences"
    assert result.text.startswith("sequences (1): ")


async def _warned(site: Site, check: Check, plan: Plan) -> Any:
    (result,) = await site.ask(check, plan)
    assert result.level is WARN
    return result


async def test_a_prepared_transaction(site: Site, database: str) -> None:
    await site.quiet(sessions.prepared)
    with site.blue.session(database) as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE held (id int)")
        connection.execute("PREPARE TRANSACTION 'it''s held'")
    result = await site.fires(sessions.prepared, BLOCK, "it's held")
    assert database in result.text
    assert "'it''s held'" in result.remedy


@pytest.mark.parametrize(("limit_s", "level"), [(0.0, BLOCK), (300.0, WARN)])
async def test_an_idle_transaction(
    site: Site,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    limit_s: float,
    level: Level,
) -> None:
    await site.quiet(sessions.long)
    with site.blue.session(database) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT pg_current_xact_id()")
        await site.quiet(sessions.long)
        monkeypatch.setattr(survey, "LONG_S", -1.0)
        monkeypatch.setattr(sessions, "_TOO_LONG_S", limit_s)
        results = [r for r in await site.ask(sessions.long) if database in r.text]
        assert [(r.level, r.subject) for r in results] == [
            (level, f"pid {connection.info.backend_pid}")
        ]
        assert "idle in transaction" in results[0].text
        connection.execute("ROLLBACK")


async def test_aws_own_objects_count_only_beside_the_runs_own_deployment(
    site: Site, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.blue.run(
        database,
        "CREATE PUBLICATION rds_pub FOR ALL TABLES",
        "SELECT pg_create_logical_replication_slot('rds_slot', 'pgoutput')",
    )
    await site.fires(replication.publications, BLOCK, f"{database}/rds_pub")
    await site.fires(replication.slots, BLOCK, "rds_slot")

    async def stands(_: survey.Survey) -> bool:
        return True

    monkeypatch.setattr(survey.Survey, "own_deployment_stands", stands)
    await site.quiet(replication.publications)
    await site.quiet(replication.slots)


async def test_too_few_slots_for_the_databases(
    site: Site, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.quiet(parameters.sizing)
    monkeypatch.setattr(parameters, "_SPARE_SLOTS", 40)
    results = await site.ask(parameters.sizing)
    assert {r.level for r in results} == {WARN}
    assert {r.text.split()[0] for r in results} == {"max_replication_slots", "max_wal_senders"}

    async def many(_: Any) -> list[str]:
        return [f"d{number}" for number in range(19)]

    # 19 databases and rdsadmin are 20, as many as there are workers.
    monkeypatch.setattr(parameters, "connectable_databases", many)
    monkeypatch.setattr(survey, "_OF_SERVER", (*survey._OF_SERVER, many))
    results = await site.ask(parameters.sizing)
    assert [r.text.split()[0] for r in results if r.level is BLOCK] == [
        "max_logical_replication_workers"
    ]


async def test_application_roles(site: Site) -> None:
    await site.quiet(database_roles.application)
    missing = site.changed("traffic", application_roles=["app_wrtier"])
    await site.fires(database_roles.application, BLOCK, "app_wrtier", missing)
    own = site.changed("traffic", application_roles=["postgres"])
    await site.fires(database_roles.application, BLOCK, "postgres", own)
    unlocked = site.changed("traffic", application_roles=["postgres"], lock_roles=False)
    await site.quiet(database_roles.application, unlocked)
    none = site.changed("traffic", application_roles=[])
    assert {r.level for r in await site.ask(database_roles.application, none)} == {WARN}


async def test_a_role_that_the_plans_user_may_not_alter(site: Site) -> None:
    limited = site.changed("credentials", user="limited")
    await site.fires(database_roles.application, BLOCK, "app_writer", limited)


async def test_a_user_without_permissions(
    site: Site, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.quiet(database_roles.master)
    site.blue.run(database, KEYED, "CREATE SEQUENCE s")
    results = await site.ask(database_roles.master, site.changed("credentials", user="limited"))
    assert {r.level for r in results} == {BLOCK}
    _say(results, "signal backends", "cannot be read by the plan's user")
    _say(results, "cannot be set by the plan's user")

    async def stands(_: survey.Survey) -> list[str]:
        return ["bgd-1"]

    # Beside a deployment nothing is tried: what is proved otherwise is read.
    monkeypatch.setattr(survey.Survey, "deployments", stands)
    results = await site.ask(database_roles.master, site.changed("credentials", user="limited"))
    _say(results, "create subscription", "publish all tables", "replication", "own database")


def _say(results: list[Any], *words: str) -> None:
    texts = {result.text for result in results}
    for each in words:
        assert any(each in text for text in texts), (each, texts)


async def test_what_the_server_refuses_is_told_and_beside_a_deployment_no_trigger_fires(
    site: Site, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.quiet(rights.proved)
    limited = site.changed("credentials", user="limited")
    found = {r.subject: r for r in await site.ask(rights.proved, limited)}
    refused = found[f"{database}/publication"]
    assert refused.level is BLOCK
    assert "permission denied for database" in refused.text
    assert 'GRANT CREATE ON DATABASE "' in refused.remedy
    assert "postgres/replication-role" in found
    assert found["postgres/replica"].level is WARN

    async def stands(_: survey.Survey) -> list[str]:
        return ["bgd-1"]

    monkeypatch.setattr(survey.Survey, "deployments", stands)
    site.blue.run(
        database,
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'a trigger fired'; END $$",
        "CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no()",
    )
    (result,) = await site.ask(rights.proved)
    assert result.level is Level.PASS
    assert "not tried beside a deployment" in result.text
    site.blue.run(database, "DROP EVENT TRIGGER no")


async def test_a_table_that_apply_may_write_neither_as_its_owner_nor_as_the_plans_user(
    site: Site, database: str
) -> None:
    site.blue.run(database, KEYED)
    limited = site.changed("credentials", user="limited")
    result = await site.fires(database_roles.apply, BLOCK, f'{database}/public.Kunde "1"', limited)
    assert 'role "limited" cannot SET ROLE to "postgres"' in result.text
    assert 'GRANT "postgres" TO "limited" WITH INHERIT TRUE, SET TRUE;' in result.remedy
    site.blue.run(
        database,
        'GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON "Kunde ""1""" TO limited',
    )
    result = await site.fires(database_roles.apply, WARN, f"{database}/run_as_owner", limited)
    assert "run_as_owner = true" in result.text


async def test_a_session_of_a_role_that_the_plan_does_not_name(site: Site) -> None:
    await site.quiet(database_roles.unnamed)
    with site.blue.session(user="limited"):
        await site.fires(database_roles.unnamed, WARN, "limited")
        named = site.changed("traffic", application_roles=["app_writer", "limited"])
        await site.quiet(database_roles.unnamed, named)


async def test_a_database_that_refuses_is_unknown_and_the_others_are_seen(
    site: Site, database: str
) -> None:
    site.blue.run(database, "CREATE TABLE bare (note text)")
    limited = site.changed("credentials", user="limited")
    with site.blue.session() as admin:
        admin.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
        admin.execute("GRANT CONNECT ON DATABASE template1 TO limited")
        try:
            results = await site.ask(
                identities.identity,
                Plan.model_validate(
                    limited.as_json()
                    | {
                        "credentials": limited.as_json()["credentials"]
                        | {"maintenance_database": database}
                    }
                ),
            )
        finally:
            admin.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
    assert [(r.level, r.subject) for r in sorted(results, key=lambda r: r.level)] == [
        (BLOCK, f"{database}/public.bare"),
        (Level.UNKNOWN, "postgres"),
    ]
