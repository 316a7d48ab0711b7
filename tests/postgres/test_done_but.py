"""What a server refuses of a step's work is named, and the step is not just done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL

from runbook.base.roles import Role
from runbook.failures import Finding, StepFailed
from runbook.postgres import connect
from runbook.postgres.statement import Statement
from runbook.procedure.steps.rollback.fail_back import OpenCluster
from runbook.procedure.steps.shared.effects import SqlEffect, no
from runbook.procedure.steps.upgrade.validate import ValidateGreen
from state.enums import Status
from state.standing import standing
from tests.postgres.conftest import Pair
from tests.postgres.fenced import PRIME, Night, fenced_night, plan_for

BROKEN = """
    CREATE FUNCTION public.f() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
    CREATE MATERIALIZED VIEW public.fine AS SELECT 1 AS i;
    CREATE MATERIALIZED VIEW public.stale AS SELECT public.f() AS i;
    CREATE TABLE public.indexed (i int);
    INSERT INTO public.indexed VALUES (1);
    CREATE INDEX ON public.indexed ((i + public.f()));
    CREATE OR REPLACE FUNCTION public.f() RETURNS int IMMUTABLE LANGUAGE plpgsql
        AS 'BEGIN RAISE EXCEPTION ''no more''; END';
"""
SHORT_MS, LONG_S = 300, 120.0
REPAIRED = """
    CREATE OR REPLACE FUNCTION public.f() RETURNS int IMMUTABLE LANGUAGE plpgsql
        AS 'BEGIN RETURN 1; END';
"""


@pytest.fixture
async def night(
    pair: Pair, database: str, application: str, tmp_path: Path
) -> AsyncIterator[Night]:
    async with fenced_night(pair, tmp_path, database, plan_for(application)) as made:
        yield made


async def test_views_that_were_not_refreshed_are_named(night: Night) -> None:
    night.bind(Role.BLUE_PRIME, PRIME)
    night.write(16, BROKEN)
    status, message = await night.run(OpenCluster(Role.BLUE_PRIME))
    assert status is Status.SUCCEEDED
    assert f"1 materialized view was not refreshed in {night.database} on blue prime" in message
    assert '"public"."stale": no more' in message
    assert '"public"."fine"' not in message
    (warning,) = standing(night.journal, "k3f9qa")
    assert message == f"Done, but: {warning.value}"
    night.write(16, REPAIRED)
    status, message = await night.run(OpenCluster(Role.BLUE_PRIME))
    assert (status, message, standing(night.journal, "k3f9qa")) == (Status.SUCCEEDED, "", [])


async def test_tables_that_could_not_be_analyzed_are_named(night: Night) -> None:
    night.keep("databases", await night.context.databases(Role.GREEN))
    night.write(18, BROKEN)
    status, message = await night.run(ValidateGreen())
    assert status is Status.SUCCEEDED, message
    assert f"1 table of {night.database} on green could not be analyzed" in message
    assert '"public"."indexed": no more' in message
    night.write(18, REPAIRED)
    status, message = await night.run(ValidateGreen())
    assert (status, message, standing(night.journal, "k3f9qa")) == (Status.SUCCEEDED, "", [])


@pytest.mark.parametrize("transaction", [True, False])
async def test_long_work_has_a_limit_of_its_own_and_the_next_statement_the_sessions(
    night: Night, monkeypatch: pytest.MonkeyPatch, transaction: bool
) -> None:
    short = connect._OPTIONS.replace("statement_timeout=60s", f"statement_timeout={SHORT_MS}")
    monkeypatch.setattr(connect, "_OPTIONS", short)
    slow = Statement(SQL("SELECT pg_sleep({})").format(2 * SHORT_MS / 1000))

    async def never(connection: AsyncConnection) -> Finding:
        return no("it cannot be seen")

    def effect(limit_s: float | None) -> SqlEffect:
        return SqlEffect(
            night.context,
            Role.BLUE,
            night.database,
            [slow, slow],
            key="slow",
            title="work slowly",
            probe=never,
            transaction=transaction,
            limit_s=limit_s,
        )

    assert await effect(LONG_S).perform() == {}
    with pytest.raises(StepFailed, match="statement timeout") as failed:
        await effect(None).perform()
    assert "repair_s" in failed.value.todo
