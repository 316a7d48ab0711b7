"""What the words of the preflight rest on, tried on servers; and its queries on both versions."""

from __future__ import annotations

import psycopg
import pytest

from runbook.postgres import preflight_queries
from tests.postgres.conftest import Open, Pair


@pytest.mark.parametrize(("major", "refuses"), [(16, False), (18, True)])
async def test_a_publisher_refuses_updates_where_full_identity_has_generated_columns(
    pair: Pair, opened: Open, database: str, major: int, refuses: bool
) -> None:
    connection = await opened(major, database)
    await connection.execute("""
        CREATE TABLE public.made (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
        ALTER TABLE public.made REPLICA IDENTITY FULL;
        INSERT INTO public.made VALUES (1);
        CREATE PUBLICATION p FOR ALL TABLES""")
    (found,) = await preflight_queries.generated_identities(connection)
    assert (found.name, found.in_full, found.columns) == ("made", True, ["b"])
    if not refuses:
        await connection.execute("UPDATE public.made SET a = 2")
        return
    with pytest.raises(psycopg.errors.InvalidColumnReference):
        await connection.execute("UPDATE public.made SET a = 2")


@pytest.mark.parametrize("major", [16, 18])
async def test_every_look_works_on_both_versions(
    pair: Pair, opened: Open, database: str, major: int
) -> None:
    connection = await opened(major, database)
    await connection.execute("""
        CREATE SEQUENCE public.near AS smallint;
        SELECT setval('public.near', 32000);
        CREATE SEQUENCE public.unused AS smallint""")
    (near,) = await preflight_queries.full_sequences(connection)
    assert (near.name, near.last_value, near.calls_left) == ("near", 32000, 767)
    assert database in {found.name for found in await preflight_queries.databases(connection)}
    for look in (
        preflight_queries.cron_jobs,
        preflight_queries.event_triggers,
        preflight_queries.foreign_servers,
        preflight_queries.generated_identities,
        preflight_queries.outdated_extensions,
        preflight_queries.partitioned_tables,
        preflight_queries.plain_sessions,
        preflight_queries.read_only_overrides,
        preflight_queries.refused_columns,
        preflight_queries.repack_leftovers,
        preflight_queries.repack_sessions,
        preflight_queries.stale_collations,
    ):
        assert isinstance(await look(connection), list)
