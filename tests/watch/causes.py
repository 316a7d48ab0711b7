"""What ends the protection, each as it comes in the wild: how it is planted, said, and repaired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psycopg

from runbook.base.roles import Role
from runbook.proofs import compare, diverged, unreplicated
from tests.watch.held import RUN, Held

Act = Callable[[Held], Awaitable[None]]


@dataclass(frozen=True)
class Plant:
    """One cause. `words` are the parts that its reasons have; `repair` None: it is for good."""

    name: str
    act: Act
    words: tuple[str, ...]
    repair: Act | None
    ready: Act | None = None
    """What must be so before it, and turns nothing."""


def _sql(side: str, *statements: str) -> Act:
    async def act(held: Held) -> None:
        await (held.new if side == "new" else held.prime)(
            *(
                each.replace("SUBSCRIPTION_OF_RUN", held.context.sql_name()).replace(
                    "DATABASE_OF_RUN", '"' + held.database.replace('"', '""') + '"'
                )
                for each in statements
            )
        )

    return act


def _both(*acts: Act) -> Act:
    async def act(held: Held) -> None:
        for each in acts:
            await each(held)

    return act


def _gone(which: str) -> str:
    """Return what deletes rows of a table as blueprime itself does it."""
    return (
        f"WITH gone AS (DELETE FROM public.customer WHERE {which})"
        " SELECT pg_logical_emit_message(true, 'blueprime', 'own')"
    )


async def _strike_out(held: Held) -> None:
    held.journal.evidence(RUN, "for-the-test", "", key=diverged.FACT, value=[])


async def _end_sender(held: Held) -> None:
    await held.new(
        f"ALTER ROLE {held.context.sql_name()} NOLOGIN",
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
        " WHERE active_pid IS NOT NULL",
    )


async def _drop_slot(held: Held) -> None:
    for _ in range(100):
        with suppress(psycopg.errors.ObjectInUse):
            await held.new(
                "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                " WHERE active_pid IS NOT NULL",
                f"SELECT pg_drop_replication_slot('{held.slot}')",
            )
            return
    raise AssertionError("the slot stayed in use")


async def _stand_still(held: Held) -> None:
    """Keep the apply worker waiting for a lock, and write more than the limit."""
    blocker = await asyncio.to_thread(held.pair.admin, 16, held.database)
    held.kept.append(blocker)
    await asyncio.to_thread(blocker.execute, "BEGIN")
    await asyncio.to_thread(blocker.execute, "LOCK TABLE public.customer IN EXCLUSIVE MODE")
    await held.new("DELETE FROM public.customer WHERE id = -7")
    await held.new("INSERT INTO public.customer VALUES (-7, 'waits')")


async def _let_go(held: Held) -> None:
    while held.kept:
        await asyncio.to_thread(held.kept.pop().close)


WRITE_MUCH = (
    "SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))"
    " FROM generate_series(1, 12)"
)


async def _outrun(held: Held) -> None:
    await held.new("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
    try:
        for _ in range(3):
            await held.new(WRITE_MUCH, "SELECT pg_switch_wal()", "CHECKPOINT")
    finally:
        await held.new("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")


FEED = 'Feed "of" another'


async def _by_origin(held: Held) -> None:
    """Write a row that bears an origin, as a tool does that keeps its progress in one."""
    await held.new(
        f"SELECT pg_replication_origin_create('{FEED}')",
        f"SELECT pg_replication_origin_session_setup('{FEED}')",
        "INSERT INTO public.customer VALUES (77, 'of a feed')",
    )


async def _without_origin(held: Held) -> None:
    """Take away what brought it, which brings no row back; then prove all rows to be equal."""
    await held.new(
        f"SELECT pg_replication_origin_drop('{FEED}')",
        "DELETE FROM public.customer WHERE id = 77",
    )
    seen = held.dashboard.at
    await held.until(lambda: held.dashboard.at not in (None, seen), "another verdict")
    await held.says("rows came to new blue")
    since = await compare.position(held.context, Role.NEW_BLUE)
    unreplicated.proved(held.context, partial(held.journal.evidence, RUN, "compare"), since)


MADE = 'CREATE TABLE public."Or der" (id bigint PRIMARY KEY, a int, b int)'

PLANTS = (
    Plant(
        "rows that bear an origin",
        _by_origin,
        ('rows came to new blue by the replication origin "Feed ""of"" another"',),
        _without_origin,
    ),
    Plant(
        "subscription on the publisher",
        _sql(
            "new",
            "CREATE SUBSCRIPTION \"From else\" CONNECTION 'dbname=nowhere' PUBLICATION p"
            " WITH (connect = false)",
            "ALTER SUBSCRIPTION \"From else\" SET (slot_name = 'nothing')",
            'ALTER SUBSCRIPTION "From else" ENABLE',
        ),
        ('the subscription "From else" in',),
        _sql(
            "new",
            'ALTER SUBSCRIPTION "From else" DISABLE',
            'ALTER SUBSCRIPTION "From else" SET (slot_name = NONE)',
            'DROP SUBSCRIPTION "From else"',
        ),
    ),
    Plant(
        "subscription disabled",
        _sql("prime", "ALTER SUBSCRIPTION SUBSCRIPTION_OF_RUN DISABLE"),
        ("is disabled",),
        _sql("prime", "ALTER SUBSCRIPTION SUBSCRIPTION_OF_RUN ENABLE"),
    ),
    Plant(
        "worker killed, not coming back",
        _end_sender,
        ("feeds nobody",),
        _sql("new", "ALTER ROLE SUBSCRIPTION_OF_RUN LOGIN"),
    ),
    Plant(
        "DDL on the publisher",
        _sql("new", "ALTER TABLE public.customer ADD COLUMN email text"),
        ("only on new blue: column public.customer.email text",),
        _sql("new", "ALTER TABLE public.customer DROP COLUMN email"),
    ),
    Plant(
        "table created",
        _sql("new", "CREATE TABLE public.late (id int PRIMARY KEY)"),
        ("only on new blue: table public.late",),
        _sql("new", "DROP TABLE public.late"),
    ),
    Plant(
        "table on both sides, unknown to the subscription",
        _both(
            _sql("prime", 'CREATE TABLE public."La te" (id int PRIMARY KEY)'),
            _sql("new", 'CREATE TABLE public."La te" (id int PRIMARY KEY)'),
        ),
        ('does not take in table "public"."La te"',),
        _both(_sql("new", 'DROP TABLE public."La te"'), _sql("prime", 'DROP TABLE public."La te"')),
    ),
    Plant(
        "table made anew under its name",
        _sql("new", f'DROP TABLE public."Or der"; {MADE}'),
        ("rows may differ: public.Or der in",),
        _strike_out,
    ),
    Plant(
        "column made anew under its name",
        _sql("new", 'ALTER TABLE public."Or der" DROP b; ALTER TABLE public."Or der" ADD b int'),
        ("rows may differ: public.Or der in",),
        _strike_out,
    ),
    Plant(
        "columns that have changed names",
        _sql(
            "new",
            'ALTER TABLE public."Or der" RENAME a TO c; ALTER TABLE public."Or der" RENAME b TO a;'
            ' ALTER TABLE public."Or der" RENAME c TO b',
        ),
        ("rows may differ: public.Or der in",),
        _strike_out,
    ),
    Plant(
        "table that was unlogged for a while",
        _sql("new", 'ALTER TABLE public."Or der" SET UNLOGGED'),
        ("rows may differ: public.Or der in", '"Or der" unlogged on new blue'),
        _both(_sql("new", 'ALTER TABLE public."Or der" SET LOGGED'), _strike_out),
    ),
    Plant(
        "stray write on the subscriber",
        _sql("prime", "INSERT INTO public.customer VALUES (-1, 'stray')"),
        ("rows differ: public.customer",),
        _both(_sql("prime", _gone("id = -1")), _strike_out),
    ),
    Plant(
        "subscriber made writable",
        _sql("prime", "ALTER DATABASE DATABASE_OF_RUN RESET default_transaction_read_only"),
        ("is writable to clients",),
        _sql("prime", "ALTER DATABASE DATABASE_OF_RUN SET default_transaction_read_only = on"),
    ),
    Plant(
        "lag over the limit",
        _sql("new", WRITE_MUCH),
        ("lag of",),
        _let_go,
        ready=_stand_still,
    ),
    Plant(
        "apply conflict",
        _sql("new", "INSERT INTO public.customer VALUES (1, 'true')"),
        ("fails again and again", "rows differ: public.customer"),
        _both(
            _sql("prime", _gone("name = 'stray'")),
            _sql("new", "DELETE FROM public.customer WHERE id = 1"),
            _strike_out,
        ),
        ready=_sql("prime", "INSERT INTO public.customer VALUES (1, 'stray')"),
    ),
)

FINAL = (
    Plant("slot dropped", _drop_slot, ("is missing",), None),
    Plant(
        "slot invalidated by max_slot_wal_keep_size",
        _outrun,
        ("is lost",),
        None,
        ready=_stand_still,
    ),
)
