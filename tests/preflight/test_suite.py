"""The preflight as a whole: complete, worded, bounded, and never taking unknown for good."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection, AsyncCursor

from runbook import preflight
from runbook.preflight import Level, Result, suite
from runbook.preflight import survey as look
from runbook.preflight.check import check
from runbook.preflight.result import passed
from runbook.preflight.survey import Survey
from tests.preflight.conftest import Site


async def _run(site: Site) -> list[Result]:
    async with site.context() as context:
        return await preflight.run(context)


async def test_a_sound_cluster_passes_every_check(site: Site, database: str) -> None:
    site.blue.run(database, "CREATE TABLE t (id int PRIMARY KEY)")
    heard: list[str] = []
    async with site.context() as context:
        results = await preflight.run(context, progress=heard.append)
    assert {r.level for r in results} == {Level.PASS}, [
        r for r in results if r.level is not Level.PASS
    ]
    assert {r.key for r in results} == {each.key for each in suite.CHECKS}
    assert heard[-1] == f"{len(suite.CHECKS)} of {len(suite.CHECKS)} checks"
    families = list(dict.fromkeys(r.family for r in results))
    assert families == list(dict.fromkeys(each.family for each in suite.CHECKS))
    (row,) = [row for row in map(Result.as_json, results) if row["key"] == "cluster.status"]
    assert json.loads(json.dumps(row)) == {
        "key": "cluster.status",
        "family": "cluster",
        "level": "pass",
        "subject": "orders",
        "text": "available, with 2 instances",
        "why": "",
        "remedy": "",
        "fix": None,
        "survives": "",
        "accepted": "",
    }


def test_every_check_has_its_own_key_and_says_which_hazard_it_is() -> None:
    keys = [each.key for each in suite.CHECKS]
    assert len(keys) == len(set(keys))
    for each in suite.CHECKS:
        assert each.question.__doc__, each.key
        assert each.why.endswith("."), each.key


async def test_a_server_that_does_not_answer_is_one_unknown_and_the_rest_is_seen(
    site: Site,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    site.lab.control.clusters[0].port = port
    site.plan = site.changed("limits", connect_s=0.5)
    results = await _run(site)
    unknown = [r for r in results if r.level is Level.UNKNOWN]
    assert len(unknown) == 1, unknown
    assert "Left open: parameters.logical-replication, " in unknown[0].text
    assert " more." in unknown[0].text
    assert unknown[0].remedy
    passing = {r.key for r in results if r.level is Level.PASS}
    assert {"account.identity", "cluster.status", "capacity.quotas"} <= passing


async def test_a_lab_that_is_gone_is_one_unknown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
    results = await _run(site)
    (unknown,) = [r for r in results if r.level is not Level.PASS]
    assert unknown.level is Level.UNKNOWN
    assert "blueprime lab status" in unknown.remedy
    # What needs no AWS: the plan's commands, and the record that it does not use.
    assert {r.family for r in results if r.level is Level.PASS} == {"endpoints"}


async def test_a_wrong_password_is_told_without_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_PASSWORD", "tr0ub4dor")
    unknown = [r for r in await _run(site) if r.level is Level.UNKNOWN]
    assert len(unknown) == 1
    assert "password" in unknown[0].text
    assert "tr0ub4dor" not in f"{unknown}"


async def test_a_check_that_breaks_is_unknown_and_names_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    @check("schema.broken", why="It breaks.")
    async def broken(look: Survey) -> AsyncIterator[Result]:
        """Breaks."""
        yield passed("a", "b")
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(suite, "CHECKS", (broken,))
    (result,) = await _run(site)
    assert (result.level, result.key) == (Level.UNKNOWN, "schema.broken")
    assert "ZeroDivisionError: division by zero" in result.text


def _counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the queries from now on, by database."""
    queries: Counter[str] = Counter()
    execute = AsyncCursor.execute

    async def counted(self: AsyncCursor, query: object, *rest: object, **more: object) -> object:
        connection = self.connection
        assert isinstance(connection, AsyncConnection)
        queries[connection.info.dbname] += 1
        return await execute(self, query, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(AsyncCursor, "execute", counted)
    return queries


async def test_the_number_of_queries_does_not_grow_with_the_tables(
    site: Site, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = _counted(monkeypatch)
    await _run(site)
    few = queries[database]
    assert few > 0
    for number in range(30):
        site.blue.run(
            database,
            f"CREATE TABLE t{number} (id serial PRIMARY KEY, a text)",
            f"CREATE TABLE bare{number} (a text)",
        )
    # More than are read in one transaction.
    site.blue.run(
        database,
        "DO $$ BEGIN FOR n IN 1..600 LOOP EXECUTE format('CREATE SEQUENCE s%s', n); END LOOP;"
        " PERFORM setval('s600', 9223372036854775000); END $$",
    )
    queries.clear()
    results = await _run(site)
    assert sum(r.key == "schema.identity" for r in results) == 30
    assert [r.subject for r in results if r.key == "schema.sequence-bounds"] == [
        f"{database}/public.s600"
    ]
    assert queries[database] == few


async def test_a_locked_table_holds_nothing_up_and_nobody_waits_behind_it(
    site: Site, database: str
) -> None:
    site.blue.run(
        database,
        "CREATE TABLE held (a int)",
        "CREATE TABLE keyed (id int PRIMARY KEY)",
        "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one",
    )
    with site.blue.session(database) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE held, keyed IN ACCESS EXCLUSIVE MODE")
        results = await _run(site)
        holder.execute("ROLLBACK")
    assert not [r for r in results if r.level is Level.UNKNOWN]
    assert [r.subject for r in results if r.key == "schema.identity"] == [f"{database}/public.held"]


async def test_every_connection_to_production_has_its_limits(
    site: Site, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[object, ...]] = {}

    async def limits(connection: AsyncConnection) -> None:
        cursor = await connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('default_transaction_read_only')"
        )
        seen[connection.info.dbname] = await cursor.fetchone() or ()

    monkeypatch.setattr(look, "_OF_SERVER", (*look._OF_SERVER, limits))
    monkeypatch.setattr(look, "_OF_DATABASE", (*look._OF_DATABASE, limits))
    await _run(site)
    assert seen == dict.fromkeys(["postgres", database], ("30s", "1s", "on"))


async def test_it_changes_nothing(site: Site, database: str) -> None:
    site.blue.run(database, "CREATE TABLE t (id int PRIMARY KEY)")
    with site.blue.session(database) as connection:
        before = connection.execute("SELECT pg_current_xact_id()").fetchone()
        await _run(site)
        since = connection.execute(
            "SELECT DISTINCT pg_xact_status(x::text::xid8) FROM generate_series(%s::text::bigint"
            " + 1, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1) AS x",
            (before and before[0],),
        ).fetchall()
    # What proves rights writes, and is rolled back; nobody else did.
    assert since == [("aborted",)]
