from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from psycopg import AsyncConnection

from rehearsal.servers.server import Server
from runbook.postgres import marks
from runbook.postgres.connect import connect
from runbook.postgres.fence_sql import set_database_read_only
from tests.postgres.conftest import ADMIN, Open, Pair

TABLE = 'public."T %s"'


@pytest.fixture
async def cluster(opened: Open, pair: Pair, database: str) -> Mapping[str, AsyncConnection]:
    # In a session that is gone: one that stays hands in its counts a second or more later.
    with pair.stray(16, database) as admin:
        admin.execute(
            f"CREATE TABLE {TABLE} (i int PRIMARY KEY); CREATE SEQUENCE public.s;"
            f"INSERT INTO {TABLE} VALUES (1); CREATE TABLE public.other (i int);"
            "CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS i"
        )
    return {"postgres": await opened(16), database: await opened(16, database)}


async def test_an_untouched_cluster_is_the_same(cluster: Mapping[str, AsyncConnection]) -> None:
    before = await marks.take(cluster)
    assert marks.ClusterMarks.from_json(json.loads(json.dumps(before.as_json()))) == before
    found = await marks.compare_now(before, cluster)
    assert found.same is True
    assert found.changed == ()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"INSERT INTO {TABLE} VALUES (2), (3)", 'table public."T %s": 2 inserted, 0 updated'),
        (f"UPDATE {TABLE} SET i = 9", 'table public."T %s": 0 inserted, 1 updated, 0 deleted'),
        (f"TRUNCATE {TABLE}", 'table public."T %s": truncated or rewritten'),
        ("SELECT nextval('public.s')", "sequences have moved"),
        ("SELECT setval('public.s', 1, true)", "sequences have moved"),
        ("SELECT lo_create(0)", "0 large objects before, 1 now"),
        ("CREATE TABLE public.new (i int)", "table public.new: has come"),
        ("DROP TABLE public.other", "table public.other: has gone"),
        ("REFRESH MATERIALIZED VIEW public.m", "table public.m: truncated or rewritten"),
    ],
)
async def test_each_change_is_named(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str, statement: str, words: str
) -> None:
    before = await marks.take(cluster)
    with pair.stray(16, database) as stray:
        stray.execute(statement.encode())
    found = await marks.compare_now(before, cluster)
    assert found.same is False
    assert any(words in change and "🐘" in change for change in found.changed), found.changed


async def test_keeping_it_read_only_is_no_change(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str
) -> None:
    before = await marks.take(cluster)
    await set_database_read_only(database, True).execute(cluster["postgres"])
    with pair.stray(16, database) as admin:
        admin.execute("ANALYZE")
    found = await marks.compare_now(before, cluster)
    assert found.same is True
    assert "no row was written" in found.proof


async def test_a_session_that_may_yet_hand_in_counts_makes_it_unknown(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str
) -> None:
    before = await marks.take(cluster)
    with pair.stray(16, database) as session:
        session.execute("SELECT pg_current_xact_id()")
        found = await marks.compare_now(before, cluster, patience_s=0.3)
        assert (found.same, found.late) == (None, True)
        assert f"session {session.info.backend_pid} of" in found.changed[0]
    assert (await marks.compare_now(before, cluster)).same is True


async def test_counts_that_come_late_are_waited_for(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str
) -> None:
    before = await marks.take(cluster)
    with pair.stray(16, database) as session:
        session.execute(f"INSERT INTO {TABLE} VALUES (7)".encode())
        session.execute(f"INSERT INTO {TABLE} VALUES (8)".encode())
        found = await marks.compare_now(before, cluster)
    assert found.same is False
    assert 'table public."T %s": ' in found.changed[0]


async def test_lost_statistics_and_other_clusters_prove_nothing(
    cluster: Mapping[str, AsyncConnection], pair: Pair, database: str
) -> None:
    before = await marks.take(cluster)
    assert marks.compare(before, replace(before, system_identifier=1)).same is None
    with pair.stray(16, database) as admin:
        admin.execute("SELECT pg_stat_reset(), pg_current_xact_id()")
    found = await marks.compare_now(before, cluster)
    assert found.same is None
    assert "reset or lost" in found.changed[0]


async def test_marks_hold_over_a_lock_as_standby_and_its_promotion(pair: Pair) -> None:
    """The lab locks old blue as a hot standby, and promotes it when the deployment goes."""
    ground = pair.ground
    installation = pair.servers[16].installation
    server = Server(ground, installation, ground.base / "frozen" / "data")
    server.configure("group", {"autovacuum": "off"})
    server.initdb()
    server.start()
    try:
        with server.connect() as admin:
            admin.execute("CREATE TABLE public.t (i int); CREATE SEQUENCE public.s START 42")
            admin.execute("INSERT INTO public.t VALUES (1)")

        async def password() -> str:
            return ground.password

        async def open_() -> AsyncConnection:
            target = pair.target(16, user=ADMIN, port=server.port, may_recover=True)
            return await connect(target, password, "postgres", deadline_s=10)

        async def look() -> marks.ClusterMarks:
            async with await open_() as connection:
                return await marks.take({"postgres": connection})

        async def since(before: marks.ClusterMarks) -> marks.MarkVerdict:
            async with await open_() as connection:
                return await marks.compare_now(before, {"postgres": connection})

        before = await look()
        server.stop()
        ground.write(server.data / "standby.signal", "")
        server.start()
        locked = await look()
        assert (await since(before)).same is True
        with server.connect() as admin:
            admin.execute("SELECT pg_promote()")
            admin.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        assert (await look()).next_xid > before.next_xid
        assert (await since(before)).same is True
        assert (await since(locked)).same is True
        with server.connect() as admin:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute("DELETE FROM public.t")
        assert (await since(locked)).changed == (
            'database "postgres", table public.t: 0 inserted, 0 updated, 1 deleted',
        )
    finally:
        server.remove()
