"""Stray writes: each is named and counted, and what replication brings is never one."""

from __future__ import annotations

import asyncio

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from runbook.postgres import replication
from tests.postgres.conftest import Open, Pair
from tests.postgres.test_replication import NAME, ROLE, Link, captured, until

SLOT = "bpwatch_test"


async def watched(link: Link, opened: Open) -> AsyncConnection:
    """Return a session that holds the slot on the subscriber."""
    await replication.publish_strays(NAME).execute(link.subscriber)
    await replication.publish_strays(NAME).execute(link.subscriber)  # it is there: no complaint
    connection = await opened(16, link.database)
    await replication.hold_strays(connection, SLOT)
    return connection


async def test_strays_are_named_and_counted_and_nothing_else(
    pair: Pair, opened: Open, database: str
) -> None:
    async with captured(pair, opened, database) as link:
        for side in (link.publisher, link.subscriber):
            await side.execute('CREATE TABLE public."Late ""1""" (id int PRIMARY KEY)')
        await link.subscribe()
        watch = await watched(link, opened)
        await link.publisher.execute(
            "INSERT INTO public.\"T %s\" SELECT i, 'x' FROM generate_series(1, 500) AS i"
        )
        await link.publisher.execute('TRUNCATE public."Late ""1"""')
        await link.caught_up()
        assert await replication.take_strays(watch, SLOT, NAME) == []

        await link.subscriber.execute("INSERT INTO public.\"T %s\" VALUES (1001, 'stray')")
        await link.subscriber.execute("UPDATE public.\"T %s\" SET v = 'y' WHERE id < 3")
        await link.subscriber.execute('DELETE FROM public."T %s" WHERE id = 5')
        await link.subscriber.execute('TRUNCATE public."T %s", public."Late ""1"""')
        async with link.subscriber.transaction(force_rollback=True):
            await link.subscriber.execute('INSERT INTO public."Late ""1""" VALUES (1)')
        await link.subscriber.execute("CREATE TABLE public.gone (id int)")
        await link.subscriber.execute("INSERT INTO public.gone VALUES (1)")
        await link.subscriber.execute("DROP TABLE public.gone")
        found = await replication.take_strays(watch, SLOT, NAME)
        assert [str(each) for each in found] == [
            "a table that is gone since: 1 row inserted",
            '"public"."Late ""1""": truncated',
            '"public"."T %s": 1 row inserted, 2 rows updated, 1 row deleted, truncated',
        ]
        assert await replication.take_strays(watch, SLOT, NAME) == []


async def test_our_own_and_first_copies_are_no_strays(
    pair: Pair, opened: Open, database: str
) -> None:
    async with captured(pair, opened, database) as link:
        await link.subscribe()
        watch = await watched(link, opened)
        async with link.subscriber.transaction():
            await replication.own_mark().execute(link.subscriber)
            await link.subscriber.execute("INSERT INTO public.\"T %s\" VALUES (7, 'copied')")
        for side in (link.publisher, link.subscriber):
            await side.execute("CREATE TABLE public.late (id int PRIMARY KEY)")
        await link.publisher.execute("INSERT INTO public.late SELECT generate_series(1, 100)")
        # A first copy is made with the rights of the replication role.
        for grant in ("USAGE ON SCHEMA public", "SELECT ON public.late"):
            await link.publisher.execute(SQL(f"GRANT {grant} TO {{}}").format(Identifier(ROLE)))
        await replication.refresh_publication(NAME, copy_data=True).execute(link.subscriber)

        async def copied() -> bool:
            cursor = await link.subscriber.execute("SELECT count(*) FROM public.late")
            return await cursor.fetchone() == (100,)

        await until(copied, "the new table is copied")
        assert await replication.take_strays(watch, SLOT, NAME) == []


async def test_one_stray_row_among_the_load_is_the_only_one_seen(
    pair: Pair, opened: Open, database: str
) -> None:
    async with captured(pair, opened, database) as link:
        await link.subscribe()
        watch = await watched(link, opened)
        seen = []

        async def load() -> None:
            for number in range(300):
                async with link.publisher.transaction(force_rollback=number % 5 == 0):
                    await link.publisher.execute(
                        "INSERT INTO public.\"T %s\" VALUES (%s, 'x')".replace('%s"', '%%s"'),
                        (number,),
                    )
                if number == 150:
                    await link.subscriber.execute("INSERT INTO public.\"T %s\" VALUES (-1, '')")

        loading = asyncio.create_task(load())
        while not loading.done():
            seen += await replication.take_strays(watch, SLOT, NAME)
        await loading
        await link.caught_up()
        seen += await replication.take_strays(watch, SLOT, NAME)
        assert [(s.table, s.inserted, s.updated, s.deleted) for s in seen] == [("T %s", 1, 0, 0)]
