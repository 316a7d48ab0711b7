from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from rehearsal.servers.ports import free_port
from runbook.postgres import catalog, fence_sql, replication
from runbook.postgres.queries import says
from tests.postgres.conftest import SECRET, Open, Pair, in_one

NAME = "blueprime_x7"
ROLE = 'blueprime_x7 "r" %'
PASSWORD = "ver'y-\\secret word"
LIMIT_S = 120.0
"""It only ends a test that fails."""


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    ends = monotonic() + LIMIT_S
    while not await condition():
        assert monotonic() < ends, f"never: {what}"
        await asyncio.sleep(0.02)


@dataclass
class Link:
    """18 publishes to 16, by what this project says to both."""

    pair: Pair
    database: str
    publisher: AsyncConnection
    subscriber: AsyncConnection

    async def subscribe(self, port: int = 0, *, enabled: bool = True) -> None:
        conninfo = replication.subscriber_conninfo(
            host="127.0.0.1",
            port=port or self.pair.target(18).port,
            dbname=self.database,
            user=ROLE,
            password=PASSWORD,
            sslmode="disable",
        )
        await replication.create_subscription(
            NAME, conninfo, NAME, NAME, server_major=16, enabled=enabled
        ).execute(self.subscriber)

    async def rows(self) -> list[tuple[object, ...]]:
        cursor = await self.subscriber.execute('SELECT * FROM public."T %s" ORDER BY id')
        return await cursor.fetchall()

    async def caught_up(self) -> None:
        barrier = await replication.emit_barrier(self.publisher)

        async def past() -> bool:
            return await replication.confirmed_past(self.publisher, NAME, barrier) is True

        await until(past, "the subscriber confirms past the barrier")

    async def streaming(self, expected: bool = True) -> None:
        async def look() -> bool:
            found = await replication.slot(self.publisher, NAME)
            return found is not None and found.active is expected

        await until(look, f"the slot is active: {expected}")

    async def worker(self) -> int | None:
        found = await replication.subscription(self.subscriber, NAME)
        assert found is not None
        assert found.applying is (found.enabled and found.worker_pid is not None)
        return found.worker_pid


@asynccontextmanager
async def captured(pair: Pair, opened: Open, database: str) -> AsyncIterator[Link]:
    publisher, subscriber = await opened(18, database), await opened(16, database)
    for connection in (publisher, subscriber):
        await connection.execute('CREATE TABLE public."T %s" (id int PRIMARY KEY, v text)')
    await replication.create_replication_role(ROLE).execute(publisher)
    try:
        await replication.set_password(publisher, ROLE, PASSWORD)
        await replication.create_publication(NAME).execute(publisher)
        await replication.create_slot(publisher, NAME, deadline_s=10)
        yield Link(pair, database, publisher, subscriber)
    finally:
        await replication.drop_owned(ROLE).execute(publisher)
        await replication.drop_role(ROLE).execute(publisher)


async def test_a_whole_life(pair: Pair, opened: Open, database: str) -> None:
    async with captured(pair, opened, database) as link:
        assert await replication.publication_exists(link.publisher, NAME)
        assert not await replication.publication_exists(link.subscriber, NAME)
        await link.publisher.execute("INSERT INTO public.\"T %s\" VALUES (1, 'before')")
        await link.subscribe(enabled=False)
        found = await replication.subscription(link.subscriber, NAME)
        assert found is not None
        assert (found.enabled, found.worker_pid, found.slot_name) == (False, None, NAME)
        assert found.publications == [NAME]

        await replication.enable_subscription(NAME).execute(link.subscriber)
        await link.streaming()
        await link.publisher.execute("UPDATE public.\"T %s\" SET v = 'after'")
        await link.caught_up()
        assert await link.rows() == [(1, "after")]
        slot = await replication.slot(link.publisher, NAME)
        assert slot is not None
        assert (slot.database, slot.active, slot.lost) == (database, True, False)
        found = await replication.subscription(link.subscriber, NAME)
        assert found is not None
        assert found.apply_error_count == 0
        assert found.applying

        await in_one(link.subscriber, replication.drop_subscription(NAME))
        assert await replication.subscription(link.subscriber, NAME) is None
        await replication.terminate_slot_user(NAME).execute(link.publisher)
        for _ in range(2):  # what is gone is dropped without complaint
            await replication.drop_slot(NAME).execute(link.publisher)
            await replication.drop_publication(NAME).execute(link.publisher)
        assert await replication.slot(link.publisher, NAME) is None
    assert not await replication.role_exists(link.publisher, ROLE)


async def test_a_conflict_is_counted_and_lag_stays(pair: Pair, opened: Open, database: str) -> None:
    async with captured(pair, opened, database) as link:
        await link.subscriber.execute("INSERT INTO public.\"T %s\" VALUES (1, 'stray')")
        await link.subscribe()
        await link.publisher.execute("INSERT INTO public.\"T %s\" VALUES (1, 'true')")
        barrier = await replication.emit_barrier(link.publisher)

        async def failed_again() -> bool:
            found = await replication.subscription(link.subscriber, NAME)
            assert found is not None
            assert found.apply_error_count is not None
            return found.enabled and found.apply_error_count > 1

        await until(failed_again, "apply fails, and tries again")
        assert await replication.confirmed_past(link.publisher, NAME, barrier) is False
        (lag,) = await replication.slot_lags(link.publisher, [NAME])
        assert lag.bytes is not None
        assert lag.bytes > 0
        await link.subscriber.execute('DELETE FROM public."T %s"')
        await link.caught_up()
        assert await link.rows() == [(1, "true")]


async def test_a_lost_connection_repairs_itself(pair: Pair, opened: Open, database: str) -> None:
    async with captured(pair, opened, database) as link:
        await link.subscribe()
        await link.streaming()
        before = await link.worker()
        await replication.terminate_slot_user(NAME).execute(link.publisher)

        async def back() -> bool:
            return await link.worker() not in (None, before)

        await until(back, "another worker applies")
        await link.caught_up()


async def test_a_publisher_that_is_dead_does_not_hold_up_the_end(
    pair: Pair, opened: Open, database: str
) -> None:
    async with captured(pair, opened, database) as link:
        await link.subscribe()
        await link.streaming()
        await replication.terminate_slot_user(NAME).execute(link.publisher)
        # It takes connections and never answers, as a host that has lost its network.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            conninfo = make_conninfo(host="127.0.0.1", port=silent.getsockname()[1], password="x")
            await replication.set_subscription_connection(NAME, conninfo).execute(link.subscriber)
            silent.settimeout(LIMIT_S)
            await asyncio.to_thread(silent.accept)
            await asyncio.wait_for(
                in_one(link.subscriber, replication.drop_subscription(NAME)), LIMIT_S
            )
        assert await replication.subscription(link.subscriber, NAME) is None
        slot = await replication.slot(link.publisher, NAME)
        assert slot is not None
        assert not slot.active


async def test_a_connection_can_be_repaired(pair: Pair, opened: Open, database: str) -> None:
    async with captured(pair, opened, database) as link:
        await link.subscribe()
        await link.streaming()
        target = pair.target(18)
        for port, streaming in ((free_port(), False), (target.port, True)):
            conninfo = replication.subscriber_conninfo(
                host="127.0.0.1",
                port=port,
                dbname=database,
                user=ROLE,
                password=PASSWORD,
                sslmode="disable",
            )
            await replication.set_subscription_connection(NAME, conninfo).execute(link.subscriber)
            await link.streaming(streaming)


async def test_passwords_are_in_no_statement_and_no_log(
    pair: Pair, opened: Open, database: str
) -> None:
    parts = [part for part in re.split(r"\W+", PASSWORD) if len(part) > 4]
    assert parts
    seen: list[str] = []
    async with captured(pair, opened, database) as link:
        # Held up by a lock, so that what the server shows of it can be read at leisure.
        with pair.admin(16, database) as admin, pair.admin(16, database) as watcher:
            admin.execute("BEGIN; LOCK pg_subscription IN ACCESS EXCLUSIVE MODE")
            subscribing = asyncio.create_task(link.subscribe())

            async def waiting() -> bool:
                found = watcher.execute(
                    "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                ).fetchall()
                seen.extend(query for (query,) in found)
                return bool(found)

            await until(waiting, "CREATE SUBSCRIPTION waits for the lock")
            admin.execute("ROLLBACK")
            await subscribing
        with pytest.raises(psycopg.Error) as failed:  # an error quotes its statement in the log
            await link.subscribe()
        with pytest.raises(psycopg.Error) as refused:
            await in_one(
                link.subscriber,
                [
                    replication.set_subscription_connection(
                        "none such", make_conninfo(password=PASSWORD)
                    )
                ],
            )
    log = pair.log()
    assert any("CREATE SUBSCRIPTION" in query for query in seen)
    assert "CREATE SUBSCRIPTION" in log
    for text in (log, *seen, str(failed.value), str(refused.value)):
        found = [line for line in text.splitlines() if any(part in line for part in parts)]
        assert found == []
    assert [line for line in log.splitlines() if ROLE in line and "SCRAM-SHA-256" in line] == []
    assert SECRET not in log


async def test_the_role_may_replicate_and_nothing_more(
    pair: Pair, opened: Open, database: str
) -> None:
    async with captured(pair, opened, database) as link:
        roles = {role.name: role for role in await catalog.login_roles(link.publisher)}
        assert await says(
            link.publisher,
            "SELECT rolreplication FROM pg_catalog.pg_roles WHERE rolname = %s",
            (ROLE,),
        )
        assert roles[ROLE].own
        assert not roles[ROLE].superuser


async def test_without_the_right_to_give_replication_it_joins_rds_replication(
    pair: Pair, opened: Open, database: str
) -> None:
    creator = Identifier("creator %")
    with pair.admin(18) as admin:
        admin.execute(SQL("CREATE ROLE {} CREATEROLE").format(creator))
        admin.execute("CREATE ROLE rds_replication")
        admin.execute(SQL("GRANT rds_replication TO {} WITH ADMIN OPTION").format(creator))
        try:
            connection = await opened(18, database)
            await connection.execute(SQL("SET ROLE {}").format(creator))
            await replication.create_replication_role(ROLE).execute(connection)
            row = admin.execute(
                "SELECT rolreplication, pg_has_role(rolname, 'rds_replication', 'MEMBER')"
                " FROM pg_roles WHERE rolname = %s",
                (ROLE,),
            ).fetchone()
            assert row == (False, True)
        finally:
            for name in (Identifier(ROLE), creator, Identifier("rds_replication")):
                admin.execute(SQL("DROP ROLE IF EXISTS {}").format(name))


async def test_a_slot_that_is_held_up_names_who_holds_it_up(
    pair: Pair, opened: Open, database: str, application: str
) -> None:
    connection = await opened(18, database)
    with pair.client(18, "postgres", application, application_name="pos %s") as writer:
        writer.execute("BEGIN")
        writer.execute("SELECT pg_current_xact_id()")
        with pytest.raises(replication.SlotBlocked, match=r"within 0\.4 s") as caught:
            await replication.create_slot(connection, NAME, deadline_s=0.4)
        (blocker,) = caught.value.blockers
        assert blocker.pid == writer.info.backend_pid
        assert (blocker.role, blocker.database) == (application, "postgres")
        assert (blocker.application, blocker.state) == ("pos %s", "idle in transaction")
        assert "pg_current_xact_id" in blocker.query
        assert blocker.age_s > 0.4
        assert str(blocker.pid) in str(caught.value)
        assert await replication.slot(connection, NAME) is None
        with pair.client(18, database, application) as preparer:
            preparer.execute("BEGIN")
            preparer.execute("SELECT pg_current_xact_id()")
            preparer.execute("PREPARE TRANSACTION 'left %s'")
        writer.execute("COMMIT")
    (prepared,) = await replication.slot_blockers(connection)
    assert prepared.pid is None
    assert "left %s" in prepared.query
    with pair.admin(18, database) as admin:
        admin.execute("ROLLBACK PREPARED 'left %s'")
    point = await replication.create_slot(connection, NAME, deadline_s=10)
    slot = await replication.slot(connection, NAME)
    assert slot is not None
    assert slot.confirmed_flush_lsn == point


async def test_lag_that_is_not_known_is_never_zero(pair: Pair, opened: Open, database: str) -> None:
    async with captured(pair, opened, database) as link:
        lag, missing = await replication.slot_lags(link.publisher, [NAME, "no such"])
        assert lag.database == database
        assert lag.bytes is not None
        assert not lag.active
        assert (missing.bytes, missing.confirmed_flush_lsn) == (None, None)
        assert missing.reason == "the publisher has no slot of this name"
        assert await replication.confirmed_past(link.publisher, "no such", 0) is None
        barrier = await replication.emit_barrier(link.publisher)
        assert await replication.confirmed_past(link.publisher, NAME, barrier) is False
        (behind,) = await replication.slot_lags(link.publisher, [NAME])
        assert behind.bytes is not None
        assert behind.bytes > lag.bytes
        await link.subscribe()
        await link.caught_up()


def test_seconds_are_known_only_once_the_position_was_seen() -> None:
    clock = replication.LagClock(keep=3)
    assert clock.seconds(0, 100) is None
    clock.observe(10, 100)
    assert clock.seconds(12, None) is None
    assert clock.seconds(12, 99) is None
    assert clock.seconds(12, 100) == 2
    clock.observe(20, 100)  # nothing was written meanwhile
    assert clock.seconds(21, 100) == 1
    clock.observe(30, 200)
    clock.observe(40, 300)
    assert clock.seconds(41, 250) == 11
    assert clock.seconds(41, 300) == 1
    clock.observe(50, 400)
    assert clock.seconds(51, 150) is None  # forgotten is unknown, not old
    clock.observe(60, 5)  # another history
    assert clock.seconds(61, 400) == 1
    assert clock.seconds(61, 4) is None


def test_positions_are_written_as_the_server_writes_them() -> None:
    assert replication.lsn_text(0x16_B374_8000) == "16/B3748000"
    assert replication.lsn_text(0) == "0/0"


async def test_replications_own_backends_are_no_sessions_and_are_not_ended(
    pair: Pair, opened: Open, database: str
) -> None:
    async with captured(pair, opened, database) as link:
        await link.subscribe()
        await link.streaming()
        slot = await replication.slot(link.publisher, NAME)
        worker = await link.worker()
        for connection in (link.publisher, link.subscriber):
            sample = await fence_sql.sample({database: connection})
            assert sample.sessions == ()
            assert sample.writers == ()
            assert await fence_sql.terminate_sessions(connection) == []
        await link.caught_up()
        assert await link.worker() == worker is not None
        after = await replication.slot(link.publisher, NAME)
        assert slot is not None
        assert after is not None
        assert after.active_pid == slot.active_pid
