from __future__ import annotations

import pytest
from psycopg.sql import SQL, Identifier

from runbook.postgres import maintenance
from tests.postgres.conftest import Open, Pair


@pytest.mark.parametrize("major", [16, 18])
async def test_analyze_gives_every_table_statistics(
    pair: Pair, opened: Open, database: str, major: int
) -> None:
    connection = await opened(major, database)
    await connection.execute("""
        CREATE TABLE public."T %s" AS SELECT generate_series(1, 100) AS i;
        CREATE TABLE public.empty (i int);
        CREATE TABLE public.emptied AS SELECT 1 AS i; DELETE FROM public.emptied;
        CREATE TABLE public.narrow (); INSERT INTO public.narrow DEFAULT VALUES;
        CREATE TABLE public.parent (i int) PARTITION BY LIST (i);
        CREATE TABLE public.part PARTITION OF public.parent DEFAULT;
        INSERT INTO public.part VALUES (1);
        CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS i""")
    missing = {f'"public".{name}' for name in ('"T %s"', '"part"', '"m"', '"emptied"', '"narrow"')}
    assert set(await maintenance.unanalyzed(connection)) == missing
    said: list[tuple[str, float]] = []

    async def told(what: str, part: float) -> None:
        said.append((what, part))

    done = await maintenance.analyze(connection, told)
    assert set(done.done) == missing | {'"public"."empty"', '"public"."parent"'}
    assert done.skipped == {}
    assert said[-1][1] == pytest.approx(1.0)
    assert await maintenance.unanalyzed(connection) == []
    cursor = await connection.execute("SHOW statement_timeout")
    assert await cursor.fetchone() == ("1min",)


async def test_what_is_refused_is_named(
    pair: Pair, opened: Open, database: str, application: str
) -> None:
    connection = await opened(16, database)
    await connection.execute("CREATE TABLE public.t AS SELECT 1 AS i")
    await connection.execute("CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS i")
    await connection.execute(SQL("SET ROLE {}").format(Identifier(application)))
    analyzed = await maintenance.analyze(connection)
    assert analyzed.done == ()
    assert len(analyzed.skipped) == 2
    assert all("permission denied" in words for words in analyzed.skipped.values())
    refreshed = await maintenance.refresh_materialized_views(connection)
    assert refreshed.done == ()
    assert refreshed.skipped == {'"public"."m"': "must be owner of materialized view m"}


async def test_a_table_whose_analyze_calls_functions_is_tried_though_it_has_statistics(
    pair: Pair, opened: Open, database: str
) -> None:
    connection = await opened(18, database)
    await connection.execute("""
        CREATE FUNCTION public.used(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
        CREATE FUNCTION public.leans(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql
            AS 'BEGIN RETURN i; END';
        CREATE TABLE public.t AS SELECT generate_series(1, 100) AS i;
        CREATE TABLE public.plain AS SELECT generate_series(1, 100) AS i;
        CREATE INDEX ON public.t (public.leans(i));
        ANALYZE public.t;
        SELECT pg_stat_reset_single_table_counters('public.t'::regclass);
        CREATE OR REPLACE FUNCTION public.leans(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql
            AS 'BEGIN RETURN used(i); END'""")
    assert await maintenance.unanalyzed(connection) == ['"public"."plain"']
    assert await maintenance.untried(connection) == ['"public"."t"']
    done = await maintenance.analyze(connection)
    assert done.skipped == {'"public"."t"': "function used(integer) does not exist"}
    assert await maintenance.untried(connection) == ['"public"."t"']


async def test_views_beyond_the_limit_of_time_are_named(
    pair: Pair, opened: Open, database: str
) -> None:
    connection = await opened(16, database)
    await connection.execute("""
        CREATE TABLE public.t AS SELECT 1 AS i;
        CREATE MATERIALIZED VIEW public.a AS
            SELECT i, pg_sleep(CASE WHEN i > 1 THEN 6000 ELSE 0 END)::text FROM public.t;
        CREATE MATERIALIZED VIEW public.b AS SELECT i FROM public.t;
        UPDATE public.t SET i = 2""")
    done = await maintenance.refresh_materialized_views(connection, limit_s=0.5)
    assert done.done == ()
    assert [*done.skipped] == ['"public"."a"', '"public"."b"']
    cursor = await connection.execute("SHOW statement_timeout")
    assert await cursor.fetchone() == ("1min",)


async def test_views_are_refreshed_after_what_they_read(
    pair: Pair, opened: Open, database: str
) -> None:
    connection = await opened(16, database)
    await connection.execute("""
        CREATE TABLE public.t AS SELECT 1 AS i;
        CREATE MATERIALIZED VIEW public."c %s" AS SELECT i FROM public.t;
        CREATE VIEW public.v AS SELECT i FROM public."c %s";
        CREATE MATERIALIZED VIEW public.b AS SELECT i FROM public.v;
        CREATE MATERIALIZED VIEW public.a AS SELECT b.i FROM public.b, public."c %s";
        CREATE MATERIALIZED VIEW public.never AS SELECT 1 AS i WITH NO DATA;
        UPDATE public.t SET i = 2""")
    done = await maintenance.refresh_materialized_views(connection)
    assert done.done == ('"public"."c %s"', '"public"."b"', '"public"."a"')
    assert done.skipped == {}
    cursor = await connection.execute("SELECT i FROM public.a")
    assert await cursor.fetchall() == [(2,)]
