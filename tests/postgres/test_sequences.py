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
    cursor = await sequences.apply(wanted).execute(right)
    done = [sequences.Applied(*row) for row in await cursor.fetchall()]
    assert len(done) == 10_000
    assert all(each.set for each in done)
    assert await sequences.read(right) == wanted
