"""What the proof of the fence adds to the downtime: its looks, beside the window that they prove.

Two real servers stand for blue and green, with connections open as in a run. The figure that counts
is the ratio of the whole proof (stop-traffic, the look before the pivot, the one after the capture)
to the bare window. `python benchmarks/bench_fence.py [TABLES [DATABASES]]`, default 1000 tables in
each of 3 databases.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

from psycopg import AsyncConnection

from rehearsal.servers.server import ADMIN, Binaries, Ground, Server
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.postgres.connect import connect
from runbook.postgres.target import Target
from runbook.proofs import late_writes, write_fence

ROUNDS = 5
WINDOW_S = 2.0
"""As a plan has it. Marks are taken while it passes."""


class BenchWorld:
    """What the proof asks of a world: connections, facts, and the plan's section."""

    def __init__(self, opened: dict[Role, dict[str, AsyncConnection]], window_s: float) -> None:
        self._opened = opened
        self.facts: dict[str, Any] = {}
        self.plan = SimpleNamespace(
            fence=SimpleNamespace(window_s=window_s, limit_s=60.0),
            traffic=SimpleNamespace(application_roles=("app",)),
            credentials=SimpleNamespace(maintenance_database="postgres"),
        )

    def fact(self, key: str) -> Any:
        return self.facts.get(key)

    def evidence(self, text: str, *, key: str = "", value: Any = None) -> None:
        if key:
            self.facts[key] = value

    def progress(self, text: str, fraction: float | None = None, *, to_do: bool = False) -> None:
        raise AssertionError(text)

    async def until(self, limit_s: float, *, every_s: float, what: str) -> AsyncIterator[float]:
        while True:
            yield 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def databases(self, role: Role) -> list[str]:
        return list(self._opened[role.identity])

    @asynccontextmanager
    async def connect(self, role: Role, database: str = "") -> AsyncIterator[AsyncConnection]:
        yield self._opened[role.identity][database or "postgres"]


async def measured(work: Callable[[], Awaitable[object]]) -> float:
    """Return the median of some rounds, in milliseconds."""
    taken = []
    for _ in range(ROUNDS):
        began = monotonic()
        await work()
        taken.append((monotonic() - began) * 1000)
    return median(taken)


async def bench(ground: Ground, servers: dict[Role, Server], databases: list[str]) -> None:
    """Measure each look with its connections open, and print the figures."""

    async def password() -> str:
        return ground.password

    async with AsyncExitStack() as stack:
        opened: dict[Role, dict[str, AsyncConnection]] = {}
        for role, server in servers.items():
            major = int(server.version.split(".")[0])
            target = Target(
                *(role.value, "127.0.0.1", server.port or 0, ADMIN, "disable", ""),
                *(major, server.version, frozenset()),
            )
            opened[role] = {
                name: await stack.enter_async_context(
                    await connect(target, password, name, deadline_s=10)
                )
                for name in databases
            }
        made = BenchWorld(opened, WINDOW_S)
        context, watch = cast(RunContext, made), cast(Watch, made)
        proof = await measured(lambda: write_fence.prove(context, watch, Role.BLUE, (Role.GREEN,)))
        looks = {
            "stop-traffic, beyond the window": proof - WINDOW_S * 1000,
            "before the pivot": await measured(
                lambda: write_fence.refuse_if_open(context, Role.BLUE, now="")
            ),
            "after the capture": await measured(
                lambda: late_writes.prove_none_slipped_in(
                    context, watch, Role.NEW_BLUE, Role.OLD_BLUE
                )
            ),
        }
    for what, milliseconds in looks.items():
        sys.stdout.write(f"{what:34} {milliseconds:7.1f} ms\n")
    added = sum(looks.values())
    ratio = 1 + added / (WINDOW_S * 1000)
    sys.stdout.write(
        f"together {added:.1f} ms; proof / bare window of {WINDOW_S:g} s: {ratio:.3f}\n"
    )


def main(tables: str = "1000", databases: str = "3") -> None:
    """Set the servers up, measure, and leave nothing behind."""
    names = ["postgres", *(f"db{number}" for number in range(1, int(databases)))]
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder))
        servers: dict[Role, Server] = {}
        try:
            binaries = Binaries()
            binaries.prepare(ground)
            for role, major in ((Role.BLUE, "16"), (Role.GREEN, "18")):
                server = Server(ground, binaries.find(major), ground.base / major / "data")
                server.configure("group", {"wal_level": "logical", "autovacuum": "off"})
                server.initdb()
                server.start()
                servers[role] = server
                for name in names:
                    if name != "postgres":
                        with server.connect() as admin:
                            admin.execute(f"CREATE DATABASE {name}".encode())
                    with server.connect(name) as admin:
                        for first in range(0, int(tables), 500):
                            last = min(first + 500, int(tables))
                            admin.execute(
                                f"DO $$BEGIN FOR i IN {first + 1}..{last}".encode()
                                + b" LOOP EXECUTE format('CREATE TABLE public.t%s (i bigserial "
                                b"PRIMARY KEY)', i); END LOOP; END$$"
                            )
            sys.stdout.write(f"{len(names)} databases of {tables} tables and sequences each\n")
            asyncio.run(bench(ground, servers, names))
        finally:
            for server in servers.values():
                server.stop("immediate")
            ground.close()


if __name__ == "__main__":
    main(*sys.argv[1:3])
