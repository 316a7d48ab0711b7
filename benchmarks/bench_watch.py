"""How soon the watch turns the banner, cause by cause, and what it costs production.

Two real servers, 18 feeding 16, and the watch as it runs by default. Each cause is planted at any
moment between two looks; the time is from when it is true to when the verdict names it.
`python benchmarks/bench_watch.py [ROUNDS] [TABLES]`, default 3 and 10000.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from runbook.base.roles import Role
from runbook.postgres import schema
from tests.postgres.conftest import Pair, make_database, two_servers
from tests.watch.causes import FINAL, PLANTS, Plant
from tests.watch.held import Held, holding

EVERY_S = 1.0
OVER_S = 20.0
MANY = """
DO $$ BEGIN
    FOR i IN {} .. {} LOOP
        EXECUTE format('CREATE TABLE public.t%s (id bigint PRIMARY KEY, a text NOT NULL, b text,
            c int DEFAULT 3, d numeric, e timestamptz DEFAULT now(), f jsonb, g bytea, h date,
            UNIQUE (a, c))', i);
    END LOOP;
END $$
"""


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


async def turning(held: Held, plant: Plant) -> float:
    """Plant a cause, and return the seconds until the verdict names it."""
    if plant.ready is not None:
        await plant.ready(held)
    await asyncio.sleep(random.random() * EVERY_S)
    word = plant.words[0]

    async def named() -> float:
        while not any(word in reason for reason in held.reasons):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return monotonic()

    watching = asyncio.create_task(named())
    await plant.act(held)
    began = monotonic()
    async with asyncio.timeout(60):
        return max(0.0, await watching - began)


def row(name: str, seconds: list[float]) -> None:
    worst, mean = max(seconds), sum(seconds) / len(seconds)
    say(f"{name:52} mean {mean:5.2f} s   worst {worst:5.2f} s   of {len(seconds)}")


def held_in(pair: Pair, folder: str) -> Any:
    path = Path(tempfile.mkdtemp(dir=folder)) / "journal.db"
    return holding(pair, make_database(pair), path, sample_every_s=EVERY_S)


def used(held: Held) -> tuple[float, int, float]:
    """Return the time, and what production has answered: transactions, and seconds busy."""
    with held.pair.admin(18) as connection:
        found = connection.execute(
            "SELECT sum(xact_commit), sum(active_time) / 1000 FROM pg_stat_database"
        ).fetchone()
    assert found is not None
    return monotonic(), int(found[0]), float(found[1])


async def load(held: Held) -> None:
    """Print what the watch asks of production while nothing is wrong."""
    began, first, busy = used(held)
    await asyncio.sleep(OVER_S)
    ended, last, busier = used(held)
    per_s = (last - first) / (ended - began)
    share = 100 * (busier - busy) / (ended - began)
    say(f"on production, 1 database: {per_s:.1f} queries/s, busy {share:.1f} % of the time")


async def catalogs(held: Held, tables: int) -> None:
    """Print what one look at many tables costs on production."""
    for begin in range(1, tables + 1, 500):
        await held.new(MANY.format(begin, min(begin + 499, tables)))
    async with held.context.connect(Role.NEW_BLUE, held.database) as connection:
        for what, ask in (
            ("stamp: nothing has changed", schema.stamp(connection)),
            ("digest: something has", schema.digest(connection, side="publisher", publication="")),
        ):
            began = monotonic()
            await ask
            say(f"{tables} tables, {what}: {monotonic() - began:.3f} s")


async def main(rounds: int = 3, tables: int = 10_000) -> None:
    """Print a line a cause, then the load."""
    with tempfile.TemporaryDirectory() as folder, two_servers(Path(folder) / "servers") as pair:
        async with held_in(pair, folder) as held:
            await held.protected()
            await load(held)
            for plant in PLANTS:
                seconds = []
                for _ in range(rounds):
                    seconds.append(await turning(held, plant))
                    assert plant.repair is not None
                    await plant.repair(held)
                    await held.protected()
                row(plant.name, seconds)
        for plant in FINAL:
            seconds = []
            for _ in range(rounds):
                async with held_in(pair, folder) as held:
                    await held.protected()
                    seconds.append(await turning(held, plant))
            row(plant.name, seconds)
        async with held_in(pair, folder) as held:
            held.watch.stop()
            await catalogs(held, tables)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:3])))
