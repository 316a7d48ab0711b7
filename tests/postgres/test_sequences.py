from dataclasses import replace

import pytest
from psycopg import errors
from psycopg.sql import SQL, Identifier

from runbook.postgres import sequences
from tests.postgres.conftest import Open, Pair

SCHEMA = """
CREATE SCHEMA "Lager & 'S' %s";
CREATE SEQUENCE public.same START 5;
CREATE SEQUENCE "Lager & 'S' %s".same START 7;
CREATE SEQUENCE "Lager & 'S' %s"."Æ ""q"" 100%";
CREATE SEQUENCE public.down INCREMENT -3 MINVALUE -100 MAXVALUE 50 START 50;
CREATE SEQUENCE public.never START 42;
CREATE SEQUENCE public.set_not_called;
CREATE SEQUENCE public.around AS smallint MAXVALUE 9 CYCLE;
CREATE SEQUENCE public.far AS bigint MAXVALUE 9223372036854775807;
CREATE UNLOGGED SEQUENCE public.unlogged;
CREATE TABLE public.item (id int GENERATED ALWAYS AS IDENTITY, n bigserial);
CREATE TEMPORARY SEQUENCE passing;
"""

USE = """
SELECT count(nextval('public.same')) FROM generate_series(1, 3);
SELECT setval('"Lager & ''S'' %s"."Æ ""q"" 100%"', 42, false);
SELECT setval('"Lager & ''S'' %s".same', 1000000);
SELECT nextval('public.down'), nextval('public.down');
SELECT setval('public.set_not_called', 42, false);
SELECT count(nextval('public.around')) FROM generate_series(1, 12);
SELECT setval('public.far', 9223372036854775807);
SELECT setval('public.unlogged', 17);
INSERT INTO public.item DEFAULT VALUES;
INSERT INTO public.item DEFAULT VALUES;
"""


async def test_every_oddity_survives_both_ways(pair: Pair, opened: Open, database: str) -> None:
    left, right = await opened(18, database), await opened(16, database)
    for connection in (left, right):
        await connection.execute(SCHEMA)
    await left.execute(USE)
    wanted = await sequences.read(left)
    assert {(v.schema, v.name): (v.last_value, v.is_called) for v in wanted} == {
        ("Lager & 'S' %s", "same"): (1000000, True),
        ("Lager & 'S' %s", 'Æ "q" 100%'): (42, False),
        ("public", "around"): (3, True),
        ("public", "down"): (47, True),
        ("public", "far"): (9223372036854775807, True),
        ("public", "item_id_seq"): (2, True),
        ("public", "item_n_seq"): (2, True),
        ("public", "never"): (42, False),
        ("public", "same"): (7, True),
        ("public", "set_not_called"): (42, False),
        ("public", "unlogged"): (17, True),
    }
    told = sequences.differences(wanted, await sequences.read(right))
    assert len(told) == 10  # `never` alone is the same
    assert (
        '"public"."set_not_called": 42 (not called yet) on the publisher, '
        "1 (not called yet) on the subscriber"
    ) in told
    done = await sequences.results(right, wanted)
    assert [(each.schema, each.name) for each in done] == [(v.schema, v.name) for v in wanted]
    assert all(each.set and each.reason == "" for each in done)
    found = await sequences.read(right)
    assert found == wanted
    assert sequences.differences(wanted, found) == []
    cursor = await right.execute("SELECT nextval('public.set_not_called'), nextval('public.down')")
    assert await cursor.fetchone() == (42, 44)


async def test_what_cannot_be_set_is_named_and_hinders_no_other(
    pair: Pair, opened: Open, database: str
) -> None:
    right = await opened(16, database)
    await right.execute(SCHEMA)
    values = {value.name: value for value in await sequences.read(right)}
    wanted = [
        replace(values["around"], last_value=10),
        replace(values["far"], name="gone"),
        replace(values["down"], last_value=-100),
    ]
    bounds, gone, down = await sequences.results(right, wanted)
    assert (bounds.set, bounds.reason) == (False, "its bounds are 1 to 9, the value is 10")
    assert (gone.set, gone.reason) == (False, "there is no such sequence")
    assert down.set
    after = {value.name: value for value in await sequences.read(right)}
    assert after["down"].last_value == -100
    assert after["around"] == values["around"]


async def test_differences_name_what_only_one_side_has(
    pair: Pair, opened: Open, database: str
) -> None:
    right = await opened(16, database)
    await right.execute("CREATE SEQUENCE public.one; CREATE SEQUENCE public.two MAXVALUE 10")
    one, two = await sequences.read(right)
    assert sequences.differences([one], [two]) == [
        '"public"."one" is on the publisher only',
        '"public"."two" is on the subscriber only',
    ]
    (told,) = sequences.differences([two], [replace(two, max=99, cycle=True)])
    assert told.endswith("increment 1, 1 to 10 against increment 1, 1 to 99, cycle")


@pytest.mark.parametrize("major", [16, 18])
async def test_a_sequence_that_may_not_be_read_is_an_error_not_a_gap(
    pair: Pair, opened: Open, database: str, application: str, major: int
) -> None:
    owner = await opened(major, database)
    await owner.execute("CREATE SEQUENCE public.closed")
    await owner.execute(SQL("SET ROLE {}").format(Identifier(application)))
    with pytest.raises(errors.InsufficientPrivilege):
        await sequences.read(owner)


async def test_bounds_and_cycles_go_on_as_on_the_publisher(
    pair: Pair, opened: Open, database: str
) -> None:
    left, right = await opened(18, database), await opened(16, database)
    for connection in (left, right):
        await connection.execute(
            """
            CREATE SEQUENCE public.ends MAXVALUE 3;
            CREATE SEQUENCE public.wraps MAXVALUE 3 CYCLE;
            CREATE SEQUENCE public.sinks INCREMENT -2 MINVALUE -5 MAXVALUE 5 START 5 CYCLE;
            CREATE TABLE public.empty (id serial, n int GENERATED BY DEFAULT AS IDENTITY);
            """
        )
    await left.execute("SELECT setval('public.ends', 3), setval('public.wraps', 3)")
    await left.execute("SELECT setval('public.sinks', -5), setval('public.empty_n_seq', 9, false)")
    await sequences.results(right, await sequences.read(left))
    for connection in (left, right):
        cursor = await connection.execute(
            "SELECT nextval('public.wraps'), nextval('public.sinks'),"
            " nextval('public.empty_id_seq'), nextval('public.empty_n_seq')"
        )
        assert await cursor.fetchone() == (1, 5, 1, 9)
        with pytest.raises(errors.SequenceGeneratorLimitExceeded):
            await connection.execute("SELECT nextval('public.ends')")


async def test_none_is_set_back_where_applications_may_use_it(
    pair: Pair, opened: Open, database: str
) -> None:
    left, right = await opened(18, database), await opened(16, database)
    for connection in (left, right):
        await connection.execute(SCHEMA)
    await left.execute("SELECT setval('public.same', 100), setval('public.down', 10)")
    wanted = await sequences.read(left)
    assert await sequences.set_back_in_use(right, wanted) == []
    await right.execute("SELECT setval('public.same', 101), setval('public.down', 7)")
    await right.execute("SELECT setval('public.around', 9), setval('public.never', 42)")
    told = await sequences.set_back_in_use(right, wanted)
    assert {value.name for value in told} == {"same", "down", "never"}
    with pair.admin(16) as admin:
        closing = "ALTER DATABASE {} SET default_transaction_read_only = on"
        admin.execute(SQL(closing).format(Identifier(database)))
    assert await sequences.set_back_in_use(await opened(16, database), wanted) == []


async def test_reading_moves_no_sequence(pair: Pair, opened: Open, database: str) -> None:
    for major in (16, 18):
        connection = await opened(major, database, read_only=True)
        owner = await opened(major, database)
        await owner.execute(SCHEMA)
        before = await sequences.read(connection)
        assert await sequences.read(connection) == before
        cursor = await owner.execute("SELECT nextval('public.never'), nextval('public.same')")
        assert await cursor.fetchone() == (42, 5)


@pytest.mark.parametrize("major", [16, 18])
async def test_a_statement_takes_no_more_locks_than_the_server_has_room_for(
    pair: Pair, opened: Open, large_database: str, major: int
) -> None:
    connection, other = await opened(major, large_database), await opened(major, large_database)
    free = await sequences.room(connection)
    assert 6000 < free < 10_000
    await other.execute(
        "DO $$BEGIN FOR i IN 1..600 LOOP EXECUTE format('CREATE SEQUENCE public.%I', i);"
        " END LOOP; END$$"
    )
    async with other.transaction():
        await other.execute(
            SQL("LOCK TABLE {} IN SHARE MODE").format(
                SQL(", ").join(Identifier("pg_catalog", n) for n in ("pg_proc", "pg_type"))
            )
        )
        await other.execute(
            "SELECT count(setval(oid::regclass, 7)) FROM pg_class WHERE relkind = 'S'"
        )
        assert free - 700 < await sequences.room(connection) < free - 500


async def test_ten_thousand_are_read_and_set_at_default_limits(
    pair: Pair, opened: Open, large_database: str
) -> None:
    right = await opened(16, large_database)
    for begin in range(0, 10_000, 2000):
        await right.execute(
            SQL("DO {}").format(
                f"BEGIN FOR i IN {begin + 1}..{begin + 2000} LOOP EXECUTE"
                " format('CREATE SEQUENCE public.%I', 'S ' || i); END LOOP; END"
            )
        )
    wanted = [
        replace(value, last_value=place + 7, is_called=place % 2 == 0)
        for place, value in enumerate(await sequences.read(right))
    ]
    done = await sequences.results(right, wanted)
    assert len(done) == 10_000
    assert all(each.set for each in done)
    assert await sequences.read(right) == wanted
