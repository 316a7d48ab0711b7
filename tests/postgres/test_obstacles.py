"""What the words of the preflight rest on, tried on servers; and its queries on both versions."""

from __future__ import annotations

import psycopg
import pytest

from runbook.postgres import obstacles
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
    (found,) = await obstacles.generated_identities(connection)
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
    (near,) = await obstacles.full_sequences(connection)
    assert (near.name, near.last_value, near.calls_left) == ("near", 32000, 767)
    assert database in {found.name for found in await obstacles.databases(connection)}
    for look in (
        obstacles.cron_jobs,
        obstacles.event_triggers,
        obstacles.foreign_servers,
        obstacles.generated_identities,
        obstacles.outdated_extensions,
        obstacles.partitioned_tables,
        obstacles.plain_sessions,
        obstacles.read_only_overrides,
        obstacles.refused_columns,
        obstacles.repack_leftovers,
        obstacles.repack_sessions,
        obstacles.stale_collations,
    ):
        assert isinstance(await look(connection), list)
