"""What holds on every major that may be blue or green."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise

import psycopg
import pytest

from rehearsal.servers.server import Binaries, Ground, Server
from runbook.aws.versions import OLDEST
from runbook.postgres import fence_sql
from runbook.postgres.queries import load, says
from tests.majors import GIVEN, at_hand
from tests.postgres.test_replication import until

OF_EXTENSIONS = {"cron_jobs"}
"""Asked only where the extension is."""

QUERIES = sorted(
    {path.name.removesuffix(".sql") for path in files("runbook.postgres").joinpath("sql").iterdir()}
    - OF_EXTENSIONS
)

NOT_UNDERSTOOD = (
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedTable,
    psycopg.errors.SyntaxError,
)


@pytest.fixture(scope="module", params=range(OLDEST, 19))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    binaries = Binaries(at_hand())
    if request.param not in binaries.versions():
        pytest.skip(f"no PostgreSQL {request.param} here: name one in {GIVEN}")
    ground = Ground(tmp_path_factory.mktemp("majors"))
    try:
        binaries.prepare(ground)
        made = Server(ground, binaries.find(str(request.param)), ground.base / "one" / "data")
        made.initdb()
        made.start()
        yield made
        made.stop("immediate")
    finally:
        ground.close()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_understood(server: Server, name: str) -> None:
    with server.connect() as connection:
        query = load(name, connection.info.server_version)
        connection.execute("SET search_path = pg_catalog")
        if query.lstrip().startswith(("DO", "CREATE")) or "\nDO" in query:
            connection.execute(query.encode())
            return
        numbers = iter(range(1, 100))
        named: dict[str, int] = {}

        def number(mark: re.Match[str]) -> str:
            if mark[0] == "%%":
                return "%"
            if mark[1]:
                return f"${named.setdefault(mark[1], len(named) + 1)}"
            return f"${next(numbers)}"

        asked = re.sub(r"%(?:\((\w+)\))?[%s]", number, query)
        told = connection.pgconn.prepare(b"", asked.encode())
        state = told.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
        problem = psycopg.errors.lookup(state.decode()) if state else None
        assert problem not in NOT_UNDERSTOOD, told.error_message.decode()


async def _gone(watching: psycopg.AsyncConnection, pid: int) -> None:
    ended = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
    await until(lambda: says(watching, ended, (pid,)), f"session {pid} is gone")


async def test_a_row_is_counted_as_soon_as_its_session_is_gone(server: Server) -> None:
    """Below 15 the server hands out counts that are half a second old."""
    with server.connect() as setup:
        setup.execute("DROP TABLE IF EXISTS public.counted")
        setup.execute("CREATE TABLE public.counted (i int)")
    watching = await psycopg.AsyncConnection.connect(server.conninfo(), autocommit=True)
    async with watching:
        seen = [await fence_sql.sample({"postgres": watching})]
        for number in range(5):
            with server.connect() as writer:
                pid = writer.info.backend_pid
                writer.execute("INSERT INTO public.counted VALUES (%s)", (number,))
            await _gone(watching, pid)
            seen.append(await fence_sql.sample({"postgres": watching}))
    counts = [each.counters["postgres"].user_tables for each in seen]
    assert [after - before for before, after in pairwise(counts)] == [1] * 5
