"""What it takes to carry 10,000 sequences over: one statement as far as the lock table allows,
against one round trip each, in the same run on the same server.

Both servers have PostgreSQL's default limits (100 connections, 64 locks each) and are on this
machine, so that a round trip costs almost nothing; over a network each costs its latency more.
`python benchmarks/bench_sequences.py [SEQUENCES]`, default 10,000.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import monotonic

from psycopg import AsyncConnection
from psycopg.sql import SQL, Literal

from rehearsal.servers.server import Binaries, Ground, Server
from runbook.postgres import sequences
from runbook.postgres.queries import batches


async def measure(major: int, conninfo: str, count: int) -> None:
    """Make the sequences, set them both ways, and print a line."""
    options = "-c search_path=pg_catalog"
    connection = await AsyncConnection.connect(conninfo, autocommit=True, options=options)
    async with connection:
        for begin in range(0, count, 2000):
            body = (
                f"BEGIN FOR i IN {begin + 1}..{min(begin + 2000, count)} LOOP"
                " EXECUTE format('CREATE SEQUENCE public.%I', 's' || i); END LOOP; END"
            )
            await connection.execute(SQL("DO {}").format(Literal(body)))
        began = monotonic()
        found = await sequences.read(connection)
        read_s = monotonic() - began
        wanted = [replace(value, last_value=n + 7) for n, value in enumerate(found)]
        room = await sequences.room(connection)
        began = monotonic()
        done = await sequences.results(connection, wanted)
        together_s = monotonic() - began
        assert all(each.set for each in done)
        again = [replace(value, last_value=n + 9) for n, value in enumerate(found)]
        began = monotonic()
        for (value,) in batches(again, 1):
            await sequences.apply([value]).execute(connection)
        apart_s = monotonic() - began
        assert await sequences.read(connection) == again
        sys.stdout.write(
            f"{major}  {count} sequences: read in {read_s:.2f} s; set in {together_s:.2f} s by "
            f"{-(-count // room)} statements (room for {room} locks); one round trip each: "
            f"{apart_s:.2f} s, {apart_s / together_s:.1f} times as long\n"
        )


def main(count: str = "10000") -> None:
    """Measure on 16 and on 18."""
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder))
        binaries = Binaries()
        binaries.prepare(ground)
        try:
            for major in (16, 18):
                server = Server(
                    ground, binaries.find(str(major)), ground.base / str(major) / "data"
                )
                server.configure("group", {"max_connections": "100", "autovacuum": "off"})
                server.initdb()
                server.start()
                try:
                    asyncio.run(measure(major, server.conninfo("postgres"), int(count)))
                finally:
                    server.stop("immediate")
        finally:
            ground.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
