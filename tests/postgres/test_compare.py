from __future__ import annotations

import pytest
from psycopg import AsyncConnection
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from runbook.postgres.comparison import fenced
from runbook.postgres.comparison.fenced import How
from runbook.postgres.connect import connect
from tests.postgres.conftest import Compare, Open, Pair, hashed, master_password

TYPES = {
    "int": ("1", "2"),
    "smallint": ("1", "2"),
    "bigint": ("9223372036854775807", "-9223372036854775808"),
    "numeric": ("1.10", "1.1000"),
    "real": ("1.1", "1.1000001"),
    "double precision": ("0.1", "0.30000000000000004"),
    "double precision ": ("'-0'", "0"),
    "boolean": ("true", "false"),
    "text": ("'a'", "'A'"),
    "text ": ("''", "NULL"),
    "text  ": ("'NULL'", "NULL"),
    "text   ": ("E'a\\nb'", "'a b'"),
    "varchar(20)": ("'é'", "'e'"),
    "char(5)": ("'a'", "'b'"),
    "bytea": (r"'\x00ff'", r"'\xff00'"),
    "date": ("'2026-01-02'", "'2026-02-01'"),
    "time": ("'12:00:00.000001'", "'12:00'"),
    "timestamp": ("'2026-01-02 03:04:05.000001'", "'2026-01-02 03:04:05'"),
    "timestamptz": ("'2026-01-02 03:04:05+01'", "'2026-01-02 03:04:05+02'"),
    "interval": ("'1 month'", "'30 days'"),
    "uuid": (
        "'00000000-0000-0000-0000-000000000001'",
        "'00000000-0000-0000-0000-000000000010'",
    ),
    "json": ("""'{"a": 1}'""", """'{"a":1}'"""),
    "jsonb": ("""'{"a": 1}'""", """'{"a": null}'"""),
    "int[]": ("'{1,2}'", "'{2,1}'"),
    "text[]": ("'{a,NULL}'", "'{a,\"NULL\"}'"),
    "int4range": ("'[1,3)'", "'[1,4)'"),
    "inet": ("'10.0.0.1/8'", "'10.0.0.1/9'"),
    "point": ("'(1,2)'", "'(2,1)'"),
    "money": ("1.00", "1.01"),
    "tsvector": ("'a:1'", "'a:2'"),
    "bit varying": ("B'01'", "B'010'"),
    "public.mood": ("'sad'", "'ok \"%s\"'"),
    "public.pair": ("ROW(1, NULL)", "ROW(1, '')"),
}

SCHEMA = """
CREATE SCHEMA "S %s";
CREATE TYPE public.mood AS ENUM ('sad', 'ok "%s"');
CREATE TYPE public.pair AS (a int, b text);
CREATE TABLE public."T ""q"" 100%" (id int PRIMARY KEY, "A ""x"" %s" text, b text);
INSERT INTO public."T ""q"" 100%" SELECT i, 'v' || i, 'w' || i FROM generate_series(1, 50) AS i;
CREATE TABLE "S %s".empty (id int PRIMARY KEY);
CREATE TABLE "S %s".twice (v int);
INSERT INTO "S %s".twice VALUES (1), (1), (2);
CREATE TABLE public.parent (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public."part 1" PARTITION OF public.parent
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO public.parent SELECT i, '2026-06-01' FROM generate_series(1, 9) AS i;
CREATE UNLOGGED TABLE public.unlogged AS SELECT pg_backend_pid() AS pid;
CREATE TABLE public.inherited (more text) INHERITS ("S %s".twice);
INSERT INTO public.inherited VALUES (5, 'x');
"""

TYPE_TABLES = "".join(
    f'CREATE TABLE public."type {n}" (id int PRIMARY KEY, v {name});'
    f'INSERT INTO public."type {n}" VALUES (1, {value});'
    for n, (name, (value, _)) in enumerate(TYPES.items())
)


@pytest.fixture
async def sides(opened: Open, database: str) -> tuple[AsyncConnection, AsyncConnection]:
    left, right = await opened(18, database), await opened(16, database)
    for connection in (left, right):
        await connection.execute(SCHEMA)
    return left, right


async def test_equal_databases_are_equal_in_16_and_18(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare, database: str
) -> None:
    said: list[tuple[str, float]] = []
    found = await compared(progress=lambda what, fraction: said.append((what, fraction)))
    assert found.same is True
    assert found.database == database
    assert found.different == []
    assert found.unproved == []
    rows = {
        (t.schema, t.table): (t.rows_left, t.rows_right, t.how is How.HASHED) for t in found.tables
    }
    assert rows["public", 'T "q" 100%'] == (50, 50, True)
    assert rows["S %s", "empty"] == (0, 0, True)
    assert rows["S %s", "twice"] == (3, 3, True)
    assert rows["public", "part 1"] == (9, 9, True)
    assert ("public", "parent") not in rows
    assert ("public", "unlogged") not in rows
    assert said[-1][1] == pytest.approx(1.0)


CORRUPTIONS = {
    "changed": """UPDATE public."T ""q"" 100%" SET b = 'w9x' WHERE id = 9""",
    "missing": """DELETE FROM public."T ""q"" 100%" WHERE id = 9""",
    "extra": """INSERT INTO public."T ""q"" 100%" VALUES (51, 'v51', 'w51')""",
    "replaced": """UPDATE public."T ""q"" 100%" SET id = 99 WHERE id = 9""",
    "swapped between rows": """UPDATE public."T ""q"" 100%" AS t SET b = o.b
        FROM public."T ""q"" 100%" AS o WHERE (t.id, o.id) IN ((1, 2), (2, 1))""",
    "swapped between columns": """UPDATE public."T ""q"" 100%"
        SET "A ""x"" %s" = b, b = "A ""x"" %s" WHERE id = 7""",
    "empty to NULL": """UPDATE public."T ""q"" 100%" SET b = NULL WHERE id = 7""",
}


@pytest.mark.parametrize("how", CORRUPTIONS)
async def test_planted_corruption_is_found_and_named(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare, how: str
) -> None:
    right = sides[1]
    for connection in sides:
        await connection.execute("""UPDATE public."T ""q"" 100%" SET b = '' WHERE id = 7""")
    await right.execute(CORRUPTIONS[how].encode())
    found = await compared()
    assert found.same is False
    assert [(t.schema, t.table) for t in found.different] == [("public", 'T "q" 100%')]


async def test_a_changed_value_of_every_type_is_found(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare
) -> None:
    for connection in sides:
        await connection.execute(TYPE_TABLES.encode())
    assert (await compared()).same is True
    for n, (_, value) in enumerate(TYPES.values()):
        await sides[1].execute(f'UPDATE public."type {n}" SET v = {value}'.encode())
    found = await compared()
    assert {t.table for t in found.different} == {f"type {n}" for n in range(len(TYPES))}


async def test_duplicates_are_counted_not_cancelled(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare
) -> None:
    await sides[1].execute('UPDATE "S %s".twice SET v = 2 WHERE v = 1')
    await sides[0].execute('UPDATE ONLY "S %s".twice SET v = 3 WHERE v = 2')
    found = await compared()
    assert [(t.rows_left, t.rows_right) for t in found.different] == [(3, 3)]


async def test_settings_of_roles_and_databases_do_not_matter(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare, pair: Pair, database: str
) -> None:
    for connection in sides:
        await connection.execute(TYPE_TABLES.encode())
    with pair.admin(16) as admin:
        for setting in (
            "\"DateStyle\" = 'German'",
            "\"TimeZone\" = 'Asia/Tokyo'",
            "\"IntervalStyle\" = 'iso_8601'",
            "extra_float_digits = -3",
            "bytea_output = 'escape'",
            "search_path = public",
        ):
            admin.execute(SQL("ALTER DATABASE {} SET " + setting).format(Identifier(database)))
    assert (await compared()).same is True


async def test_without_time_rows_are_counted_and_equality_is_not_claimed(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare
) -> None:
    await sides[1].execute("""UPDATE public."T ""q"" 100%" SET b = 'other' WHERE id = 9""")
    found = await compared(0.0)
    assert found.same is None
    assert len(found.unproved) == len(found.tables) > 3
    await sides[1].execute("""DELETE FROM public."T ""q"" 100%" WHERE id = 9""")
    found = await compared(0.0)
    assert [(t.rows_left, t.rows_right) for t in found.different] == [(50, 49)]


async def test_a_hash_that_takes_too_long_is_given_up_for_a_count(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare
) -> None:
    for connection in sides:
        await connection.execute(
            "CREATE TABLE public.big AS SELECT i, repeat(i::text, 400) AS v"
            " FROM generate_series(1, 60000) AS i"
        )
    with_big = await compared(0.05)
    (big,) = [t for t in with_big.tables if t.table == "big"]
    assert (big.same, big.how is How.HASHED) == (None, False)
    assert (big.rows_left, big.rows_right) == (60000, 60000)


async def test_what_only_one_side_has_differs(
    sides: tuple[AsyncConnection, AsyncConnection], compared: Compare
) -> None:
    await sides[0].execute("CREATE TABLE public.new (id int)")
    await sides[1].execute("CREATE TABLE public.old (id int)")
    await sides[1].execute('ALTER TABLE "S %s".empty ADD COLUMN more int')
    found = await compared()
    assert {(t.table, t.note) for t in found.different} == {
        ("new", "the subscriber has no such table"),
        ("old", "the publisher has no such table"),
        ("empty", "the columns differ"),
    }


async def test_rows_that_a_policy_hides_are_an_error_and_no_gap(
    sides: tuple[AsyncConnection, AsyncConnection], pair: Pair, database: str, application: str
) -> None:
    await sides[1].execute('ALTER TABLE "S %s".twice ENABLE ROW LEVEL SECURITY')
    await sides[1].execute('GRANT USAGE ON SCHEMA "S %s" TO PUBLIC')
    await sides[1].execute('GRANT SELECT ON ALL TABLES IN SCHEMA "S %s" TO PUBLIC')
    target = pair.target(16, user=application)
    connection = await connect(target, master_password, database, deadline_s=10)
    async with connection:
        await fenced.prepare(connection)
        (twice,) = [t for t in await fenced.tables(connection) if t.name == "twice"]
        with pytest.raises(InsufficientPrivilege):
            await hashed(connection, twice)
