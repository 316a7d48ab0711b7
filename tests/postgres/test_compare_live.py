"""A comparison while rows move, on real replication from 18 to 16."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from psycopg import AsyncConnection

from runbook.postgres import replication
from runbook.postgres.comparison import live, look, scan
from runbook.postgres.comparison.differences import DifferingKey, Kind, LiveComparison
from runbook.postgres.connect import connect
from tests.postgres.conftest import LIMIT_S, Open, Pair, in_one, master_password
from tests.postgres.test_replication import NAME, Link, captured, until

SCHEMA = """
CREATE SCHEMA "S %s";
CREATE TABLE public.account (id bigint PRIMARY KEY, balance int, note text);
CREATE TABLE "S %s"."Key ""q"" t" (
    a text COLLATE "C", "B %s" numeric, v text, PRIMARY KEY ("B %s", a)
);
CREATE TABLE public.keyless (v int, w text);
ALTER TABLE public.keyless REPLICA IDENTITY FULL;
"""

ROWS = """
INSERT INTO public.account SELECT i, i, md5(i::text) FROM generate_series(1, 4000) AS i;
INSERT INTO "S %s"."Key ""q"" t"
    SELECT 'k' || i, i / 10.0, 'v' || i FROM generate_series(1, 400) AS i;
INSERT INTO "S %s"."Key ""q"" t" VALUES ('', 'NaN', NULL), (E'\\t"\\\\,{}', 1.00, '');
INSERT INTO public.keyless SELECT i % 50, 'w' || i % 50 FROM generate_series(1, 500) AS i;
"""

Compared = Callable[..., Awaitable[LiveComparison]]


@pytest.fixture
def compared(pair: Pair, database: str) -> Compared:
    async def run(wait_s: float = LIMIT_S, **more: object) -> LiveComparison:
        return await live.differing_keys(
            lambda: connect(
                pair.target(18), master_password, database, deadline_s=LIMIT_S, read_only=True
            ),
            lambda: connect(
                pair.target(16), master_password, database, deadline_s=LIMIT_S, read_only=True
            ),
            slot=NAME,
            wait_s=wait_s,
            **more,  # type: ignore[arg-type]
        )

    return run


@asynccontextmanager
async def following(pair: Pair, opened: Open, database: str) -> AsyncIterator[Link]:
    """Lend two databases of which 16 follows 18, both with the same rows."""
    async with captured(pair, opened, database) as link:
        # The subscriber answers often, so that an idle publisher is not waited for.
        await link.subscriber.execute("ALTER SYSTEM SET wal_receiver_status_interval = '1s'")
        await link.subscriber.execute("SELECT pg_reload_conf()")
        for connection in (link.publisher, link.subscriber):
            await connection.execute(SCHEMA)
        await link.publisher.execute(ROWS)
        await link.subscribe()
        await link.caught_up()
        try:
            yield link
        finally:
            await in_one(link.subscriber, replication.drop_subscription(NAME))
            await replication.terminate_slot_user(NAME).execute(link.publisher)
            await replication.drop_slot(NAME).execute(link.publisher)
            await replication.drop_publication(NAME).execute(link.publisher)


@asynccontextmanager
async def written(connection: AsyncConnection) -> AsyncIterator[list[int]]:
    """Write to every table without a pause, as an application does; lends the number of rounds."""
    rounds = [0]
    ending = asyncio.Event()

    async def write() -> None:
        while not ending.is_set():
            n = rounds[0]
            await connection.execute(
                "UPDATE public.account SET balance = balance + 1"
                " WHERE id <= 2000 AND mod(id, 200) = mod(%s, 200)",
                (n,),
            )
            await connection.execute(
                "INSERT INTO public.account VALUES (%s + 100000, 0, 'new')", (n,)
            )
            await connection.execute("DELETE FROM public.account WHERE id = %s - 20 + 100000", (n,))
            await connection.execute(
                "UPDATE public.keyless SET w = w || 'x' WHERE v = 7 AND length(w) < 40"
            )
            await connection.execute(
                'UPDATE "S %%s"."Key ""q"" t" SET v = v || %s::text WHERE a = %s',
                (n % 10, f"k{n % 50 + 1}"),
            )
            rounds[0] += 1

    writing = asyncio.create_task(write())
    try:
        yield rounds
    finally:
        ending.set()
        await writing


@pytest.fixture(params=["small", "large"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Go the way of small tables, and that of large ones: ranges of blocks, buckets, cut finer."""
    if request.param == "large":
        monkeypatch.setattr(scan, "PIECE_BYTES", 16 * 1024)
        monkeypatch.setattr(live, "PIECE_BYTES", 0)
        monkeypatch.setattr(live, "_BITS", 3)
        monkeypatch.setattr(live, "_ROWS_AT_ONCE", 60)
        monkeypatch.setattr(look, "_FIRST_BLOCKS", 4)
        monkeypatch.setattr(look, "_KEYS_AT_ONCE", 7)
    return str(request.param)


async def test_rows_that_move_are_not_told_and_planted_differences_are(
    pair: Pair, opened: Open, database: str, compared: Compared, path: str
) -> None:
    async with following(pair, opened, database) as link:
        writer = await opened(18, database)
        async with written(writer) as rounds:

            async def compared_over_a_round() -> bool:
                before = rounds[0]
                found = await compared()
                assert (found.different, found.undecided) == ((), ())
                assert (found.same, found.tables) == (True, 4)
                return rounds[0] - before > 1

            await until(compared_over_a_round, "every table is written within one comparison")
            await link.subscriber.execute(
                """
                UPDATE public.account SET note = 'other' WHERE id = 2150;
                DELETE FROM public.account WHERE id = 3999;
                INSERT INTO public.account VALUES (-9223372036854775808, 1, NULL);
                UPDATE "S %s"."Key ""q"" t" SET v = '' WHERE a = '';
                UPDATE "S %s"."Key ""q"" t" SET "B %s" = 1.0 WHERE a = E'\\t"\\\\,{}';
                DELETE FROM public.keyless WHERE ctid =
                    (SELECT ctid FROM public.keyless WHERE v = 33 LIMIT 1);
                """
            )
            said: list[tuple[str, float]] = []
            found = await compared(progress=lambda what, done: said.append((what, done)))
        assert found.undecided == ()
        assert found.same is False
        told = {(each.schema, each.table): each for each in found.different}
        assert set(told) == {("public", "account"), ("S %s", 'Key "q" t'), ("public", "keyless")}
        account = told["public", "account"]
        assert (account.key, account.unique, account.complete) == (("id",), True, True)
        assert set(account.keys) == {
            DifferingKey(("2150",), Kind.CHANGED),
            DifferingKey(("3999",), Kind.MISSING),
            DifferingKey(("-9223372036854775808",), Kind.EXTRA),
        }
        awkward = told["S %s", 'Key "q" t']
        assert awkward.key == ("B %s", "a")
        assert {each.values[1] for each in awkward.keys} == {"", '\t"\\,{}'}
        assert {each.kind for each in awkward.keys} == {Kind.CHANGED}
        keyless = told["public", "keyless"]
        assert (keyless.key, keyless.unique) == (("v", "w"), False)
        assert keyless.keys == (DifferingKey(("33", "w33"), Kind.MISSING),)
        assert all(0 <= done <= 1 for _, done in said)
        assert any("account" in what for what, _ in said)


async def test_a_subscriber_that_stands_still_leaves_it_undecided(
    pair: Pair, opened: Open, database: str, compared: Compared
) -> None:
    async with following(pair, opened, database) as link:
        await replication.disable_subscription(NAME).execute(link.subscriber)
        await link.publisher.execute("UPDATE public.account SET balance = -1 WHERE id = 5")
        await link.publisher.execute("DELETE FROM public.keyless WHERE v = 7")
        found = await compared(wait_s=0.5)
        assert found.different == ()
        assert found.same is None
        assert {table for _, table, _ in found.undecided} == {"account", "keyless"}
        reasons = [reason for _, _, reason in found.undecided]
        assert all("did not confirm past" in reason for reason in reasons)
        assert all("its subscription is disabled" in reason for reason in reasons)
        # The first table alone was waited for.
        assert sum("within 0 s" in reason or "within 1 s" in reason for reason in reasons) == 1
        assert sum("since it was waited for" in reason for reason in reasons) == 1
        await replication.enable_subscription(NAME).execute(link.subscriber)
        await link.caught_up()
        assert (await compared()).same is True


async def test_a_row_that_never_stands_still_is_never_called_different(
    pair: Pair, opened: Open, database: str, compared: Compared
) -> None:
    async with following(pair, opened, database) as link:
        writer = await opened(18, database)
        await link.subscriber.execute("UPDATE public.account SET note = 'x' WHERE id = 9")
        ending = asyncio.Event()

        async def hammer() -> None:
            while not ending.is_set():
                await writer.execute("UPDATE public.account SET balance = balance + 1 WHERE id = 1")

        async def tell() -> bool:
            nonlocal found
            found = await compared(wait_s=4.0)
            return bool(found.different)

        found: LiveComparison
        hammering = asyncio.create_task(hammer())
        try:
            await until(tell, "the other row is told")
        finally:
            ending.set()
            await hammering
        (told,) = found.different
        assert told.keys == (DifferingKey(("9",), Kind.CHANGED),)
        assert all("never seen standing still" in reason for _, _, reason in found.undecided)
        # It has been seen equal in between, or the list is not complete and says so.
        assert told.complete is (found.undecided == ())


async def test_tables_that_only_one_side_has_differ_as_a_whole(
    pair: Pair, opened: Open, database: str, compared: Compared
) -> None:
    async with following(pair, opened, database) as link:
        await link.publisher.execute("CREATE TABLE public.here (id int PRIMARY KEY)")
        await link.subscriber.execute("CREATE TABLE public.there (id int PRIMARY KEY)")
        await link.subscriber.execute("ALTER TABLE public.keyless ADD COLUMN more int")
        found = await compared()
        assert {(each.table, each.note, each.keys) for each in found.different} == {
            ("here", "the subscriber has no such table", ()),
            ("there", "the publisher has no such table", ()),
            ("keyless", "the columns differ", ()),
        }


async def test_more_differences_than_are_looked_at_are_told_in_part(
    pair: Pair,
    opened: Open,
    database: str,
    compared: Compared,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with following(pair, opened, database) as link:
        await link.subscriber.execute("UPDATE public.account SET balance = -1")
        monkeypatch.setattr(live, "_KEYS_SETTLED", 50)
        (told,) = (await compared()).different
        assert (len(told.keys), told.complete) == (50, False)
        # Too many even to be cut finer: some buckets are enough to tell that it differs.
        monkeypatch.setattr(live, "_ROWS_AT_ONCE", 30)
        monkeypatch.setattr(live, "ROWS_CUT_FINER", 10)
        monkeypatch.setattr(live, "PIECE_BYTES", 0)
        (told,) = (await compared()).different
        assert (0 < len(told.keys) <= 50, told.complete) == (True, False)


async def test_a_locked_table_is_undecided_and_holds_up_no_other(
    pair: Pair, opened: Open, database: str, compared: Compared
) -> None:
    async with following(pair, opened, database) as link:
        await link.subscriber.execute("UPDATE public.account SET balance = 0 WHERE id = 7")
        locker = await opened(18, database)
        async with locker.transaction():
            await locker.execute("LOCK TABLE public.keyless IN ACCESS EXCLUSIVE MODE")
            found = await compared()
        assert [(each.schema, each.table) for each in found.different] == [("public", "account")]
        ((schema, table, reason),) = found.undecided
        assert (schema, table) == ("public", "keyless")
        assert "lock timeout" in reason
