"""Rows that come by a replication origin while nobody watches, and the publisher starts anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from runbook.base.roles import Role
from runbook.proofs import compare, unreplicated
from runbook.watch.probes import origins
from tests.postgres.conftest import Pair
from tests.watch.held import RUN, Held, unwatched

TOLD, UNTOLD = "rows came to new blue by", "is not known: a comparison of all rows tells"


@pytest.fixture
async def held(pair: Pair, database: str, tmp_path: Path) -> AsyncIterator[Held]:
    async with unwatched(pair, database, tmp_path / "journal.db") as made:
        yield made
        await made.new("SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin")


def _write(feed: str, row: int, *, tells: str = "") -> list[str]:
    """Return what writes a row by an origin, and tells how far its source has come, or does not."""
    told = f"SELECT pg_replication_origin_xact_setup('{tells}', now())"
    return [
        f"SELECT pg_replication_origin_session_setup('{feed}')",
        "BEGIN",
        *([told] if tells else []),
        f"INSERT INTO public.customer VALUES ({row}, 'of a feed')",
        "COMMIT",
        "SELECT pg_replication_origin_session_reset()",
    ]


async def _restart(held: Held) -> None:
    await held.context.forget_connections()
    await asyncio.to_thread(held.pair.servers[18].restart)


async def _looked(held: Held) -> tuple[list[str], list[str]]:
    """Return which feeds are said to have brought rows, and which cannot be told of."""
    seen, came = await origins.look(held.context)
    unknown = seen.unknown.split("; ") if seen.unknown else []
    assert all(each.startswith(TOLD) for each in came)
    assert all(each.endswith(UNTOLD) for each in unknown)
    return tuple([each.split('"')[1] for each in words] for words in (came, unknown))  # type: ignore[return-value]


async def _equal(held: Held) -> None:
    """Keep that all rows were found equal now."""
    keep = partial(held.journal.evidence, RUN, "compare")
    unreplicated.proved(held.context, keep, await compare.position(held.context, Role.NEW_BLUE))


async def test_what_came_before_a_restart_that_nobody_saw_is_told_or_not_known(held: Held) -> None:
    create = [f"SELECT pg_replication_origin_create('{name}')" for name in ("tells", "silent")]
    await held.new(*create, *_write("tells", 1, tells="0/100"), *_write("silent", 2))
    assert await _looked(held) == (["silent", "tells"], [])
    await _equal(held)
    assert await _looked(held) == ([], [])

    # Nothing more comes. Of the one that says how far it is, that is known over a restart.
    await _restart(held)
    assert await _looked(held) == ([], ["silent"])
    await _equal(held)
    assert await _looked(held) == ([], [])

    # Both bring a row, and the server starts anew before anybody looks.
    await held.new(*_write("tells", 3, tells="0/200"), *_write("silent", 4))
    await _restart(held)
    assert await _looked(held) == (["tells"], ["silent"])
    await _equal(held)
    assert await _looked(held) == ([], [])

    # One that is made, brings rows and says nothing of it.
    await held.new("SELECT pg_replication_origin_create('late')", *_write("late", 5))
    await _restart(held)
    assert await _looked(held) == ([], ["late", "silent"])


async def test_what_a_new_subscription_has_copied_is_told(held: Held) -> None:
    """The origin of the first copy is gone once it is there, and what follows brings nothing."""
    with held.pair.admin(16, "postgres") as source:
        source.execute("CREATE TABLE public.brought (id int PRIMARY KEY)")
        source.execute("INSERT INTO public.brought VALUES (1)")
        source.execute("CREATE PUBLICATION brings FOR TABLE public.brought")
        source.execute("SELECT pg_create_logical_replication_slot('brings', 'pgoutput')")
    address = held.pair.servers[16].address("postgres").replace("'", "''")
    try:
        await held.new(
            "CREATE TABLE public.brought (id int PRIMARY KEY)",
            f"CREATE SUBSCRIPTION brought CONNECTION '{address}' PUBLICATION brings"
            " WITH (create_slot = false, slot_name = 'brings')",
        )

        def copied() -> bool:
            return (
                held.pair.servers[18].value("SELECT count(*) FROM public.brought", held.database)
                == 1
            )

        async with asyncio.timeout(60):
            while not await asyncio.to_thread(copied):  # noqa: ASYNC110 - servers signal nobody
                await asyncio.sleep(0.05)
        await held.new("ALTER SUBSCRIPTION brought DISABLE")
        assert await _looked(held) == (["brought"], [])
        await _equal(held)
        assert await _looked(held) == ([], [])
        await _restart(held)
        assert (await _looked(held))[0] == []
    finally:
        await held.new(
            "ALTER SUBSCRIPTION brought DISABLE",
            "ALTER SUBSCRIPTION brought SET (slot_name = NONE)",
            "DROP SUBSCRIPTION brought",
        )
        with held.pair.admin(16, "postgres") as source:
            source.execute("DROP PUBLICATION brings")
            source.execute(
                "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                " WHERE slot_name = 'brings' AND active_pid IS NOT NULL"
            )
            source.execute("SELECT pg_drop_replication_slot('brings')")
            source.execute("DROP TABLE public.brought")
