"""How fast rows are hashed, against a plain sequential scan of the same table in the same run.

Two plain scans are taken. `SELECT count(*), sum(pg_column_size(c)), ...` takes every column out of
every row and looks at its length alone; it reads no value that is stored apart (TOAST). `SELECT
count(*), sum(octet_length(textin(output(c)))), ...` touches every byte of every column, which it
writes as text, the way COPY does. One connection, no parallel workers, everything in memory: what
is compared is the work of the processor. `python benchmarks/bench_compare.py [ROWS]`, default
200,000.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from time import monotonic

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Identifier

from rehearsal.servers.server import Binaries, Ground, Server
from runbook.postgres.comparison import fenced, scan
from runbook.postgres.comparison.hashing import Salt, row_hash
from runbook.postgres.comparison.tables import ComparedTable

TABLES = {
    "orders": """CREATE TABLE public.orders AS SELECT i::bigint AS id, i % 100000 AS customer,
        (ARRAY['new', 'paid', 'sent', 'done'])[1 + i % 4] AS status,
        repeat(md5(i::text), 2) AS note, (i % 100000) / 100.0 AS amount,
        timestamptz '2026-01-01' + i * interval '13.123 s' AS at, i % 3 = 0 AS paid,
        md5(i::text)::uuid AS ref, i * 0.37::float8 AS score, NULLIF(i % 7, 0) AS maybe
        FROM generate_series(1, {rows}) AS i""",
    "numbers": """CREATE TABLE public.numbers AS SELECT i AS a, i * 3 % 1000 AS b,
        i::bigint * 77 AS c, i::bigint AS d FROM generate_series(1, {rows} * 2) AS i""",
    "texts": """CREATE TABLE public.texts AS SELECT i AS id,
        md5(i::text) || md5((i + 1)::text) AS a, repeat(md5((i * 3)::text), 8) AS b
        FROM generate_series(1, {rows}) AS i""",
    "money": """CREATE TABLE public.money AS SELECT i AS id, i / 100.0 AS a, i * 1.5 AS b,
        timestamptz '2026-01-01' + i * interval '1 s' AS c, date '2026-01-01' + i % 1000 AS d
        FROM generate_series(1, {rows}) AS i""",
    "documents": """CREATE TABLE public.documents AS SELECT i AS id,
        jsonb_build_object('a', i, 'b', md5(i::text), 'c', jsonb_build_array(i, NULL, 'x')) AS doc
        FROM generate_series(1, {rows}) AS i""",
    "stored_apart": """CREATE TABLE public.stored_apart AS SELECT i AS id,
        (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 200) AS j) AS body
        FROM generate_series(1, {rows} / 40) AS i""",
}


def start(ground: Ground, binaries: Binaries, major: int) -> Server:
    """Start a server with room for the tables in memory."""
    server = Server(ground, binaries.find(str(major)), ground.base / str(major) / "data")
    settings = {"shared_buffers": "512MB", "fsync": "off", "autovacuum": "off"}
    server.configure("group", {**settings, "max_wal_size": "4GB"})
    server.initdb()
    server.start()
    return server


def size_of_columns(table: ComparedTable) -> Composable:
    """Return the plain scan: every column of every row."""
    sizes = (SQL("sum(pg_column_size({}))").format(Identifier(c)) for c in table.columns)
    return SQL("SELECT count(*), {} FROM {}").format(
        SQL(", ").join(sizes), Identifier(table.schema, table.name)
    )


def length_of_texts(table: ComparedTable) -> Composable:
    """Return the scan that writes every byte of every column, as COPY does."""
    outputs = zip(table.output_schemas, table.outputs, table.columns, strict=True)
    lengths = (
        SQL("sum(octet_length(textin({}({}))))").format(Identifier(schema, name), Identifier(c))
        for schema, name, c in outputs
    )
    return SQL("SELECT count(*), {} FROM {}").format(
        SQL(", ").join(lengths), Identifier(table.schema, table.name)
    )


async def seconds(connection: AsyncConnection, query: Composable) -> float:
    """Run a query and return how long it took."""
    began = monotonic()
    await (await connection.execute(query)).fetchall()
    return monotonic() - began


async def hashing(conninfo: str, major: int) -> list[float]:
    """Print a line a table, and return the ratios against the plain scan."""
    options = "-c search_path=pg_catalog -c max_parallel_workers_per_gather=0"
    connection = await AsyncConnection.connect(conninfo, autocommit=True, options=options)
    ratios = []
    async with connection:
        await fenced.prepare(connection)
        for table in await fenced.tables(connection):
            (counted,) = await scan.digests(connection, [scan.Scan(table)])
            rows = counted.rows
            queries = {
                "plain": size_of_columns(table),
                "texts": length_of_texts(table),
                "ours": scan.Scan(table, row_hash(table, table.columns, Salt())).query(0),
            }
            best = {name: float("inf") for name in queries}
            # Turn by turn, so that a busy machine is busy for all of them.
            for _ in range(5):
                for name, query in queries.items():
                    best[name] = min(best[name], await seconds(connection, query))
            ratios.append(best["texts"] / best["ours"])
            megabytes = table.size_bytes / 2**20
            sys.stdout.write(
                f"{major}  {table.name:13} {rows:8} rows {megabytes:5.0f} MB   hashed "
                f"{rows / best['ours']:10,.0f} rows/s {megabytes / best['ours']:5.0f} MB/s   "
                f"every byte {megabytes / best['texts']:5.0f} MB/s, ours {ratios[-1]:5.2f} of it   "
                f"lengths {megabytes / best['plain']:6.0f} MB/s, "
                f"ours {best['plain'] / best['ours']:5.2f} of it\n"
            )
    return ratios


async def both(conninfos: list[str]) -> None:
    """Compare both databases, and print the time against that of counting every row."""
    options = "-c search_path=pg_catalog"

    async def connect(conninfo: str) -> AsyncConnection:
        return await AsyncConnection.connect(conninfo, autocommit=True, options=options)

    for name, budget_s in (("all", 600.0), ("counts", 0.0)):
        found = await fenced.compare_databases(
            lambda: connect(conninfos[0]),
            lambda: connect(conninfos[1]),
            budget_s=budget_s,
            parallel=2,
        )
        assert not found.different
        sys.stdout.write(f"16 against 18, {name:6} {found.seconds:6.2f} s: {found.words()}\n")


def main(rows: str = "200000") -> None:
    """Make the tables on both servers, then hash and compare them."""
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder))
        binaries = Binaries()
        binaries.prepare(ground)
        servers: dict[int, Server] = {}
        try:
            for major in (16, 18):
                servers[major] = start(ground, binaries, major)
                with psycopg.connect(servers[major].conninfo("postgres"), autocommit=True) as made:
                    for statement in TABLES.values():
                        made.execute(statement.format(rows=int(rows)).encode())
                    made.execute("VACUUM ANALYZE")
            conninfos = {m: server.conninfo("postgres") for m, server in servers.items()}
            for major, conninfo in conninfos.items():
                ratios = asyncio.run(hashing(conninfo, major))
                sys.stdout.write(
                    f"{major}  ours / every byte, the slowest table: {min(ratios):.2f}\n"
                )
            asyncio.run(both(list(conninfos.values())))
        finally:
            for server in servers.values():
                server.stop("immediate")
            ground.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
