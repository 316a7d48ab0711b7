from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook.postgres import fence_sql, replication
from runbook.postgres.catalog import read_only_state
from runbook.postgres.fence_sql import FenceVerdict
from tests.postgres.conftest import Open, Pair

TABLE = 'public."T %s"'


@pytest.fixture
async def cluster(opened: Open, pair: Pair, database: str) -> Mapping[str, AsyncConnection]:
    """A cluster of two databases, one of which applications use."""
    # In a session that is gone: one that stays hands in its counts a second or more later.
    with pair.stray(16, database) as admin:
        admin.execute(
            f"CREATE TABLE {TABLE} (i int PRIMARY KEY); CREATE SEQUENCE public.s;"
            "CREATE UNLOGGED TABLE public.unlogged (i int)"
        )
    return {"postgres": await opened(16), database: await opened(16, database)}


async def verdict(
    cluster: Mapping[str, AsyncConnection], before: fence_sql.FenceSample, *roles: str
) -> FenceVerdict:
    after = await fence_sql.sample(cluster)
    return fence_sql.compare_samples(before, after, application_roles=roles or None)


async def test_a_quiet_cluster_is_proved(cluster: Mapping[str, AsyncConnection]) -> None:
    found = await verdict(cluster, await fence_sql.sample(cluster))
    assert found.proved is True
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("before", "during", "words"),
    [
        (["SELECT 1"], [], "session"),
        (["BEGIN", "SELECT pg_current_xact_id()"], [], "open write transaction"),
        (
            ["BEGIN", f"INSERT INTO {TABLE} VALUES (1)", "PREPARE TRANSACTION 'left \"%s\"'"],
            [],
            "prepared transaction 'left \"%s\"'",
        ),
        (
            ["SET default_transaction_read_only = off"],
            [f"INSERT INTO {TABLE} VALUES (1)"],
            "session",
        ),
    ],
)
async def test_who_could_write_is_named_while_it_is_there(
    cluster: Mapping[str, AsyncConnection],
    pair: Pair,
    database: str,
    application: str,
    before: list[str],
    during: list[str],
    words: str,
) -> None:
    with pair.client(16, database, application) as client:
        for statement in before:
            client.execute(statement.encode())
        first = await fence_sql.sample(cluster)
        for statement in during:
            client.execute(statement.encode())
        found = await verdict(cluster, first, application)
        assert found.proved is False
        assert any(
            words in reason and application in reason.replace('""', '"') for reason in found.reasons
        ), found.reasons


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"INSERT INTO {TABLE} SELECT generate_series(1, 3)", "3 rows were written in database"),
        (f"TRUNCATE {TABLE}", "were truncated, rewritten, made or dropped"),
        ("CREATE TABLE public.new AS SELECT 1 AS i", "1 row was written in database"),
        ("CREATE TABLE public.new (i int)", "were truncated, rewritten, made or dropped"),
        ("INSERT INTO public.unlogged VALUES (1)", "1 row was written in database"),
        (f"ALTER TABLE {TABLE} ADD COLUMN more int", "the schema of database"),
        ("SELECT lo_create(0)", "large objects of database"),
    ],
)
async def test_a_write_is_seen_after_its_session_has_come_and_gone(
    cluster: Mapping[str, AsyncConnection],
    pair: Pair,
    database: str,
    statement: str,
    words: str,
) -> None:
    before = await fence_sql.sample(cluster)
    with pair.stray(16, database) as stray:
        stray.execute("SET application_name = 'stray'")
        stray.execute(statement.encode())
    found = await verdict(cluster, before)
    assert found.proved is False
    assert any(
        words in reason and Identifier(database).as_string(None) in reason
        for reason in found.reasons
    )


async def test_what_changes_no_row_is_no_write(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str
) -> None:
    """ANALYZE, a role, a setting, and blueprime's own capture use transaction ids."""
    before = await fence_sql.sample(cluster)
    with pair.stray(16, database) as admin:
        admin.execute(f"ANALYZE {TABLE}")
    await fence_sql.set_database_read_only(database, True).execute(cluster["postgres"])
    await replication.create_publication("p").execute(cluster[database])
    await replication.create_slot(cluster[database], "fence_slot", deadline_s=10)
    await replication.emit_barrier(cluster[database])
    found = await verdict(cluster, before)
    assert found.reasons == ()
    assert found.proved is True
    assert any("used, no row written" in note for note in found.notes)


async def test_a_bystander_is_named_and_makes_it_unknown_once_ids_are_used(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str, application: str
) -> None:
    with pair.client(16, "postgres", application) as watcher:
        before = await fence_sql.sample(cluster)
        quiet = await verdict(cluster, before, "another role")
        assert quiet.proved is True
        assert any(str(watcher.info.backend_pid) in note for note in quiet.notes)
        watcher.execute("SELECT pg_current_xact_id()")
        found = await verdict(cluster, before, "another role")
        assert found.proved is None
        assert "ten seconds late" in found.reasons[0]


async def test_counts_that_were_lost_prove_nothing(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str
) -> None:
    before = await fence_sql.sample(cluster)
    with pair.stray(16, database) as admin:
        admin.execute("SELECT pg_stat_reset(), pg_current_xact_id()")
    found = await verdict(cluster, before)
    assert found.proved is None
    assert "reset or lost" in found.reasons[0]


async def test_samples_of_different_clusters_prove_nothing(
    cluster: Mapping[str, AsyncConnection],
) -> None:
    before = await fence_sql.sample(cluster)
    other = replace(before, system_identifier=1)
    assert fence_sql.compare_samples(before, other).proved is None


async def test_a_restart_is_survived_by_counts_and_a_crash_is_not(
    cluster: Mapping[str, AsyncConnection],
) -> None:
    sample = await fence_sql.sample(cluster)
    name = next(iter(sample.counters))
    before = replace(
        sample,
        counters={name: replace(sample.counters[name], user_tables=5, catalogs=5)},
    )

    def after(rows: int) -> fence_sql.FenceSample:
        counters = {name: replace(before.counters[name], user_tables=rows)}
        return replace(
            before,
            next_xid=before.next_xid + 1,
            postmaster_started=before.at,
            counters=counters,
        )

    assert fence_sql.compare_samples(before, after(5)).proved is True
    assert fence_sql.compare_samples(before, after(6)).proved is False
    assert fence_sql.compare_samples(before, after(0)).proved is None


async def test_locking_and_ending_shuts_out_and_unlocking_lets_in(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str, application: str
) -> None:
    control = cluster["postgres"]
    with (
        pair.client(16, database, application) as client,
        pair.client(16, "postgres", application) as other,
    ):
        for statement in fence_sql.lock_roles([application]):
            await statement.execute(control)
        ended = await fence_sql.terminate_sessions(control, [application])
        assert {session.pid for session in ended} == {
            client.info.backend_pid,
            other.info.backend_pid,
        }
        assert {session.database for session in ended} == {"postgres", database}
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        pair.client(16, database, application)
    for statement in fence_sql.unlock_roles([application]):
        await statement.execute(control)
    pair.client(16, database, application).close()


async def test_ending_all_spares_our_own_and_the_servers(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str, application: str
) -> None:
    with pair.admin(16) as internal, pair.client(16, database, application) as client:
        ended = await fence_sql.terminate_sessions(cluster["postgres"])
        assert [session.pid for session in ended] == [client.info.backend_pid]
        assert internal.execute("SELECT 1").fetchone() == (1,)
    for connection in cluster.values():
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    assert "pg_terminate_backend" in fence_sql.terminate_statement(["o'r"]).text()
    assert "o''r" in fence_sql.terminate_statement(["o'r"]).text()


async def test_a_database_is_made_read_only_and_back(
    cluster: Mapping[str, AsyncConnection],
    pair: Pair,
    opened: Open,
    database: str,
    application: str,
) -> None:
    for on, expected in ((True, "on"), (False, None)):
        await fence_sql.set_database_read_only(database, on).execute(cluster["postgres"])
        state = await read_only_state(await opened(16, database))
        assert (state.database_setting, state.default_read_only) == (expected, on)
        with pair.client(16, database, application) as client:
            row = client.execute("SHOW transaction_read_only").fetchone()
            assert row == ("on" if on else "off",)
    with pair.admin(16) as admin:
        admin.execute(
            SQL("ALTER ROLE {} IN DATABASE {} SET default_transaction_read_only = off").format(
                Identifier(application), Identifier(database)
            )
        )
    (found,) = await fence_sql.writable_databases(cluster[database], [database])
    assert found.writing_roles == [application]
    assert not found.in_recovery
