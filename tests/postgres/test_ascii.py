"""A database without an encoding, whose bytes are no UTF-8: in rows, names and labels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg.sql import SQL, Identifier

from runbook.postgres import catalog, fence_sql, maintenance, marks, schema, schema_ddl
from runbook.postgres.comparison import fenced, row_copy
from runbook.postgres.connect import connect
from tests.postgres.conftest import LIMIT_S, MASTER, Open, Pair, master_password

NAME = "legacy ø"
CONTENT = (
    b"CREATE TABLE public.person (id int PRIMARY KEY, name text NOT NULL);"
    b"INSERT INTO public.person VALUES (1, E'Andr\\351'), (2, 'plain');"
    b"CREATE TABLE public.town (name text PRIMARY KEY, inhabitants int);"
    b"INSERT INTO public.town VALUES (E'K\\370benhavn', 3), (E'Malm\\366', 4);"
    b'CREATE TABLE public."stra\337e" (id int PRIMARY KEY, "gr\374n" int);'
    b'INSERT INTO public."stra\337e" VALUES (1, 1);'
    b"CREATE TYPE public.taste AS ENUM ('s\374\337', 'utf-8: \303\274');"
)
"""With an o with a stroke, an umlaut and a sharp s of Latin-1."""


@pytest.fixture
def legacy(pair: Pair) -> Iterator[str]:
    """Lend a database in SQL_ASCII, alike on both servers."""
    for major in (16, 18):
        with pair.admin(major) as connection:
            connection.execute(
                SQL(
                    "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' "
                    "LC_COLLATE 'C' LC_CTYPE 'C'"
                ).format(Identifier(NAME))
            )
        with pair.admin(major, NAME) as connection:
            connection.execute("SET client_encoding = 'SQL_ASCII'")
            connection.execute(CONTENT)
    yield NAME
    for major in (16, 18):
        with pair.admin(major) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(NAME)))


async def test_its_rows_are_compared_and_copied_byte_by_byte(
    pair: Pair, opened: Open, legacy: str
) -> None:
    async def compared() -> list[tuple[str, str]]:
        result = await fenced.compare_databases(
            lambda: connect(pair.target(18), master_password, legacy, deadline_s=LIMIT_S),
            lambda: connect(pair.target(16), master_password, legacy, deadline_s=LIMIT_S),
            budget_s=LIMIT_S,
        )
        assert len(result.tables) == 3
        return [(each.schema, each.table) for each in result.different]

    assert await compared() == []
    here, there = await opened(18, legacy), await opened(16, legacy)
    await here.execute("UPDATE public.person SET name = name || E'\\377' WHERE id = 1")
    await here.execute("UPDATE public.town SET name = E'\\345' || name")
    await there.execute('DELETE FROM public."straße"')
    assert set(await compared()) == {
        ("public", "person"),
        ("public", "town"),
        ("public", "straße"),
    }
    for name in ("person", "town", "straße"):
        table = await row_copy.Pair.of(here, there, "public", name)
        found = await row_copy.suspects(table)
        assert found
        chosen = row_copy.Chosen(table)
        await chosen.choose(found)
        for part in range(chosen.parts):
            wrong, _ = await chosen.unlike(part)
            await chosen.make_equal(part, wrong)
    assert await compared() == []


async def test_its_names_are_read_and_worked_on(pair: Pair, opened: Open, legacy: str) -> None:
    there = await opened(16, legacy)
    names = {table.name for table in await catalog.published_tables(there)}
    assert names == {"person", "town", "straße"}
    assert len((await maintenance.analyze(there)).done) == 3
    for major, side in ((18, schema.PUBLISHER), (16, schema.SUBSCRIBER)):
        connection = await opened(major, legacy)
        assert await schema.digest(connection, side=side, publication="")
        await schema_ddl.read(connection, side)


async def test_what_the_cluster_shares_is_read_by_its_own_names(
    pair: Pair, opened: Open, legacy: str
) -> None:
    connections = {legacy: await opened(16, legacy), "postgres": await opened(16)}
    before = await fence_sql.sample(connections)
    assert set(before.counters) == {legacy, "postgres"}
    with pair.client(16, legacy, MASTER) as writer:
        writer.execute("BEGIN; INSERT INTO public.person VALUES (3, 'x')")
        now = await fence_sql.sample(connections)
        assert [each.database for each in now.writers] == [legacy]
        assert legacy in (await marks.take(connections)).databases
