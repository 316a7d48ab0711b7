from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import psycopg
import pytest

from rehearsal.servers.ports import free_port
from runbook.postgres import connect as connecting
from runbook.postgres.connect import (
    CannotConnect,
    Password,
    Session,
    WrongServer,
    connect,
)
from runbook.postgres.target import Target
from tests.postgres.conftest import MASTER, SECRET, Open, Pair, master_password

LONG_S = 60.0
"""A deadline that no test waits for: what is final is said at once."""


async def test_it_is_set_for_production(pair: Pair, opened: Open, database: str) -> None:
    connection = await opened(16, database)
    query = """
        SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
               current_setting('search_path'), current_setting('application_name'),
               current_setting('default_transaction_read_only'), current_database()"""
    row = await (await connection.execute(query)).fetchone()
    assert row == ("1min", "10s", "pg_catalog", "blueprime", "off", database)
    assert connection.autocommit


async def test_it_writes_where_the_database_is_read_only_and_reads_only_when_told(
    pair: Pair, opened: Open, database: str
) -> None:
    with pair.admin(16) as admin:
        admin.execute(
            psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(
                psycopg.sql.Identifier(database)
            )
        )
    await (await opened(16, database)).execute("CREATE TABLE public.t (i int)")
    reader = await opened(16, database, read_only=True)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await reader.execute("INSERT INTO public.t VALUES (1)")


@pytest.mark.parametrize(
    ("changes", "database", "words"),
    [
        ({}, 'no "such" %', "does not exist"),
        ({"user": "nobody there"}, "postgres", "authentication failed"),
    ],
)
async def test_what_waiting_does_not_repair_is_said_at_once(
    pair: Pair, changes: dict[str, str], database: str, words: str
) -> None:
    target = pair.target(16, **changes)
    began = monotonic()
    with pytest.raises(CannotConnect) as caught:
        await connect(target, master_password, database, deadline_s=LONG_S)
    assert monotonic() - began < LONG_S / 2
    text = str(caught.value)
    assert words in text
    assert "cluster 16 (127.0.0.1:" in text
    assert psycopg.sql.Identifier(target.user).as_string(None) in text
    assert SECRET not in text


async def test_a_refused_password_is_final_and_not_told(pair: Pair) -> None:
    async def wrong() -> str:
        return "Wr0ng-Secret"

    with pytest.raises(CannotConnect, match="password") as caught:
        await connect(pair.target(16), wrong, "postgres", deadline_s=LONG_S)
    assert "Wr0ng" not in str(caught.value)


class Rotated:
    """A password that was changed elsewhere: this server may take one of the others."""

    def __init__(self, *others: str) -> None:
        self.outdated = False
        self.taken: list[str] = []
        self._others = others

    async def __call__(self) -> str:
        return "the new one"

    async def others(self) -> list[str]:
        return list(self._others)

    def took(self, password: str) -> None:
        self.taken.append(password)


@asynccontextmanager
async def opened_session(target: Target, password: Password) -> AsyncIterator[Session]:
    session = Session(target, password, deadline_s=LONG_S)
    try:
        yield session
    finally:
        for database in session.databases:
            await session.drop(database)


async def test_a_server_that_a_rotation_has_not_reached_is_entered_by_the_former_password(
    pair: Pair,
) -> None:
    password = Rotated("a wrong one", SECRET)
    async with opened_session(pair.target(16), password) as session:
        connection = await session.on("postgres")
        assert (await (await connection.execute("SELECT 1")).fetchone()) == (1,)
        assert session.outdated
    assert password.taken == [SECRET]


async def test_a_server_that_takes_none_of_them_says_so_at_once(pair: Pair) -> None:
    with pytest.raises(CannotConnect, match="password") as caught:
        await connect(pair.target(16), Rotated("wrong"), "postgres", deadline_s=LONG_S)
    assert caught.value.password_refused
    assert "wrong" not in str(caught.value)


async def test_another_server_that_takes_the_former_password_is_waited_out(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, tries = connecting._attempt, 0

    async def leads_elsewhere_first(*args: Any, **options: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 2:
            raise WrongServer("the name still leads to another server")
        return await attempt(*args, **options)

    monkeypatch.setattr(connecting, "_attempt", leads_elsewhere_first)
    password = Rotated(SECRET)
    connection = await connect(pair.target(16), password, "postgres", deadline_s=LONG_S)
    await connection.close()
    assert (tries, password.outdated) == (4, True)


async def test_a_server_that_is_away_is_tried_until_the_deadline(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def password() -> str:
        nonlocal asked
        asked += 1
        return SECRET

    # The deadline comes with the third try, however long each takes.
    monkeypatch.setattr(connecting, "monotonic", lambda: 0.0 if asked < 3 else LONG_S)
    target = pair.target(16, port=free_port())
    with pytest.raises(CannotConnect, match=r"[Rr]efused.*Check that the cluster is up"):
        await connect(target, password, "postgres", deadline_s=LONG_S)
    assert asked == 3


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let the deadline pass with the first try; undone, there is another one."""
    with monkeypatch.context() as patched:
        patched.setattr(connecting, "_FIRST_PAUSE_S", LONG_S)
        yield patched


async def test_another_version_is_refused(pair: Pair, once: pytest.MonkeyPatch) -> None:
    target = pair.target(16, server_major=18, engine_version="18.4", role="new blue")
    with pytest.raises(WrongServer, match=r"is PostgreSQL 16, and new blue runs 18\.4"):
        await connect(target, master_password, "postgres", deadline_s=LONG_S)


async def test_another_instance_of_the_same_version_is_refused_until_the_name_moves(
    pair: Pair, database: str, once: pytest.MonkeyPatch
) -> None:
    with pair.admin(18, database) as admin:
        admin.execute(
            "CREATE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text LANGUAGE sql"
            " AS $$ SELECT nullif(current_setting('lab.me', true), '') $$"
        )
        name = psycopg.sql.Identifier(database)
        for value in ("writer-old1", ""):
            admin.execute(psycopg.sql.SQL("ALTER DATABASE {} SET lab.me = {}").format(name, value))
            with pytest.raises(WrongServer, match="those of cluster 18 are: writer-18"):
                await connect(pair.target(18), master_password, database, deadline_s=LONG_S)
        once.undo()
        tries = 0

        async def password() -> str:
            nonlocal tries
            tries += 1
            if tries == 2:
                admin.execute(
                    psycopg.sql.SQL("ALTER DATABASE {} SET lab.me = 'writer-18'").format(name)
                )
            return SECRET

        connection = await connect(pair.target(18), password, database, deadline_s=LONG_S)
        assert tries == 2
        await connection.close()
        admin.execute("DROP FUNCTION pg_catalog.aurora_db_instance_identifier()")


async def test_a_server_that_goes_by_a_former_name_is_known_and_another_one_never(
    pair: Pair, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, former = 0, {"writer-18", "writer-green-x1"}

    async def look_again() -> set[str]:
        nonlocal looked
        looked += 1
        return former if looked > 1 else {"writer-18"}

    with pair.admin(18, database) as admin:
        admin.execute(
            "CREATE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text LANGUAGE sql"
            " AS $$ SELECT current_setting('lab.me', true) $$"
        )
        be = psycopg.sql.SQL("ALTER DATABASE {} SET lab.me = {}")
        name = psycopg.sql.Identifier(database)
        admin.execute(be.format(name, "writer-green-x1"))
        target = pair.target(18, look_again=look_again)
        async with opened_session(target, master_password) as session:
            first = await session.on(database)
            assert looked == 2, "names are looked up anew at each try"
            assert await session.on(database) is first
            assert looked == 2, "what was found is kept"
            assert target.known_since == {"writer-green-x1"}
        admin.execute(be.format(name, "writer-of-others"))
        # Another version is another server, whatever it is named.
        other = pair.target(18, look_again=look_again, server_major=16, engine_version="16.14")
        monkeypatch.setattr(connecting, "_FIRST_PAUSE_S", LONG_S)
        for each, words in ((target, "is the instance writer-of-others"), (other, "PostgreSQL 18")):
            with pytest.raises(WrongServer, match=words):
                await connect(each, master_password, database, deadline_s=LONG_S)
        assert looked == 3
        admin.execute("DROP FUNCTION pg_catalog.aurora_db_instance_identifier()")


async def test_a_session_is_kept_and_replaced_when_it_has_died(pair: Pair) -> None:
    async with opened_session(pair.target(16), master_password) as session:
        first = await session.on("postgres")
        assert await session.on("postgres") is first
        with pair.admin(16) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (first.info.backend_pid,))
        second = await session.on("postgres")
        assert second is not first
        assert (await (await second.execute("SELECT current_user")).fetchone()) == (MASTER,)
