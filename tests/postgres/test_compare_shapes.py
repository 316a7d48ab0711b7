"""The same rows in other shapes, and tables that are cut into pieces or sampled."""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.errors import QueryCanceled

from runbook.postgres.comparison import fenced, scan
from runbook.postgres.comparison.fenced import Comparison, How, TableResult
from runbook.postgres.connect import connect
from tests.postgres.conftest import LIMIT_S, Compare, Open, Pair, master_password

SHAPES = {
    "dropped columns": (
        "CREATE TABLE public.t (id int PRIMARY KEY, v text, w int);"
        "INSERT INTO public.t SELECT i, 'v' || i, i FROM generate_series(1, 30) AS i",
        "CREATE TABLE public.t (id int PRIMARY KEY, gone int, v text, went text, w int);"
        "ALTER TABLE public.t DROP gone, DROP went;"
        "INSERT INTO public.t SELECT i, 'v' || i, i FROM generate_series(30, 1, -1) AS i",
        "UPDATE public.t SET v = 'v2x' WHERE id = 2",
    ),
    "another order of columns": (
        "CREATE TABLE public.t (id int PRIMARY KEY, v text, w text);"
        "INSERT INTO public.t SELECT i, 'v' || i, 'w' || i FROM generate_series(1, 30) AS i",
        "CREATE TABLE public.t (w text, v text, id int PRIMARY KEY);"
        "INSERT INTO public.t SELECT 'w' || i, 'v' || i, i FROM generate_series(1, 30) AS i",
        "UPDATE public.t SET v = w, w = v WHERE id = 2",
    ),
    "a column added with a default": (
        "CREATE TABLE public.t (id int PRIMARY KEY);"
        "INSERT INTO public.t SELECT generate_series(1, 9);"
        "ALTER TABLE public.t ADD v text NOT NULL DEFAULT 'x'",
        "CREATE TABLE public.t (id int PRIMARY KEY, v text);"
        "INSERT INTO public.t SELECT i, 'x' FROM generate_series(1, 9) AS i",
        "UPDATE public.t SET v = NULL WHERE id = 2",
    ),
    "a generated column": (
        "CREATE TABLE public.t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED);"
        "INSERT INTO public.t SELECT generate_series(1, 9)",
        "CREATE TABLE public.t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED);"
        "INSERT INTO public.t SELECT generate_series(1, 9)",
        "UPDATE public.t SET id = 10 WHERE id = 2",
    ),
    "the same numbers in other types": (
        "CREATE TABLE public.t (id bigint PRIMARY KEY, v varchar(9));"
        "INSERT INTO public.t SELECT i, 'v' || i FROM generate_series(1, 30) AS i",
        "CREATE TABLE public.t (id int PRIMARY KEY, v text);"
        "INSERT INTO public.t SELECT i, 'v' || i FROM generate_series(1, 30) AS i",
        "UPDATE public.t SET id = 99 WHERE id = 2",
    ),
    "no primary key, identity full": (
        "CREATE TABLE public.t (v text, w int); ALTER TABLE public.t REPLICA IDENTITY FULL;"
        "INSERT INTO public.t SELECT 'v' || i % 3, i % 3 FROM generate_series(1, 30) AS i",
        "CREATE TABLE public.t (v text, w int); ALTER TABLE public.t REPLICA IDENTITY FULL;"
        "INSERT INTO public.t SELECT 'v' || i % 3, i % 3 FROM generate_series(30, 1, -1) AS i",
        "UPDATE public.t SET v = 'v1' WHERE ctid = (SELECT ctid FROM public.t WHERE w = 2 LIMIT 1)",
    ),
    "values stored apart, compressed or not": (
        "CREATE TABLE public.t (id int PRIMARY KEY, v text, w text);"
        "ALTER TABLE public.t ALTER v SET STORAGE EXTERNAL;"
        "INSERT INTO public.t SELECT i, repeat(md5(i::text), 3000), repeat(md5(i::text), 3000)"
        " FROM generate_series(1, 5) AS i",
        "CREATE TABLE public.t (id int PRIMARY KEY, v text, w text);"
        "ALTER TABLE public.t ALTER w SET STORAGE EXTERNAL;"
        "INSERT INTO public.t SELECT i, repeat(md5(i::text), 3000), repeat(md5(i::text), 3000)"
        " FROM generate_series(1, 5) AS i",
        "UPDATE public.t SET w = overlay(w PLACING '~' FROM 50000 FOR 1) WHERE id = 4",
    ),
    "negative NaN": (
        "CREATE TABLE public.t (id int PRIMARY KEY, v float8);"
        "INSERT INTO public.t VALUES (1, 'NaN'), (2, 'NaN')",
        "CREATE TABLE public.t (id int PRIMARY KEY, v float8);"
        "INSERT INTO public.t VALUES (1, 'NaN'), (2, '-Infinity'::float8 + 'Infinity'::float8)",
        "UPDATE public.t SET v = NULL WHERE id = 2",
    ),
    "no column at all": (
        "CREATE TABLE public.t (); INSERT INTO public.t DEFAULT VALUES",
        "CREATE TABLE public.t (); INSERT INTO public.t DEFAULT VALUES",
        "INSERT INTO public.t DEFAULT VALUES",
    ),
    "more columns than one expression takes": (
        "CREATE TABLE public.t (id int PRIMARY KEY"
        + "".join(f", c{n} int DEFAULT {n}" for n in range(1, 1200))
        + "); INSERT INTO public.t SELECT generate_series(1, 3)",
        "CREATE TABLE public.t (id int PRIMARY KEY"
        + "".join(f", c{n} int DEFAULT {n}" for n in range(1199, 0, -1))
        + "); INSERT INTO public.t SELECT generate_series(1, 3)",
        "UPDATE public.t SET c500 = c501, c501 = c500 WHERE id = 2",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_same_rows_in_another_shape_are_equal_and_a_change_is_found(
    opened: Open, database: str, compared: Compare, shape: str
) -> None:
    left, right = await opened(18, database), await opened(16, database)
    ours, theirs, change = SHAPES[shape]
    await left.execute(ours.encode())
    await right.execute(theirs.encode())
    assert (await compared()).same is True
    await right.execute(change.encode())
    assert [t.table for t in (await compared()).different] == ["t"]


LARGE = """
CREATE TABLE public.large (id bigint PRIMARY KEY, v text);
CREATE TABLE public.keyless (id bigint, v text);
CREATE TABLE public.small (id int PRIMARY KEY)
"""


@pytest.fixture
async def large(opened: Open, database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncConnection:
    """Fill tables that are cut into many pieces, with the rows elsewhere on each side."""
    monkeypatch.setattr(scan, "PIECE_BYTES", 64 * 1024)
    monkeypatch.setattr(fenced, "PIECE_BYTES", 64 * 1024)
    sides = await opened(18, database), await opened(16, database)
    for connection, order in zip(sides, ("i", "md5(i::text)"), strict=True):
        await connection.execute(LARGE)
        for table in ("large", "keyless"):
            await connection.execute(
                f"INSERT INTO public.{table} SELECT i, 'v' || i"
                f" FROM generate_series(1, 9000) AS i ORDER BY {order}".encode()
            )
        await connection.execute("INSERT INTO public.small SELECT generate_series(1, 10)")
    return sides[1]


def table(found: Comparison, name: str) -> TableResult:
    return next(t for t in found.tables if t.table == name)


async def test_a_large_table_is_hashed_in_pieces_by_several_connections(
    large: AsyncConnection, compared: Compare
) -> None:
    said: list[float] = []
    found = await compared(progress=lambda what, fraction: said.append(fraction))
    assert found.same is True
    assert [(t.table, t.rows_left, t.how) for t in found.tables] == [
        ("keyless", 9000, How.HASHED),
        ("large", 9000, How.HASHED),
        ("small", 10, How.HASHED),
    ]
    assert said == sorted(said)
    await large.execute(
        "UPDATE public.large AS t SET v = o.v FROM public.large AS o"
        " WHERE (t.id, o.id) IN ((1, 8999), (8999, 1))"
    )
    assert [t.table for t in (await compared()).different] == ["large"]


async def test_a_sample_takes_the_same_rows_on_both_sides_and_says_what_it_may_miss(
    large: AsyncConnection, compared: Compare
) -> None:
    found = await compared(share=0.25)
    assert (found.same, found.different) == (None, [])
    # Small tables, and those without a key to draw by, are hashed whole.
    assert {t.table: (t.how, t.same) for t in found.tables} == {
        "keyless": (How.HASHED, True),
        "large": (How.SAMPLED, None),
        "small": (How.HASHED, True),
    }
    assert [t.table for t in found.unproved] == ["large"]
    assert fenced.least_seen(0.25) == 17
    assert found.words() == (
        "2 tables of 9,010 rows equal in every row; 1 table of 9,000 rows without a difference in "
        "a sample of 25.000% of the rows (a difference in 17 rows or more is missed with a "
        "probability of at most 1%)"
    )
    await large.execute("UPDATE public.large SET v = 'x' WHERE id = 4711")
    seen = set()
    while len(seen) < 2:  # one row is now in the sample, now not: each call draws others
        seen.add((await compared(share=0.25)).same)
    assert seen == {None, False}
    await large.execute("UPDATE public.large SET v = 'x' WHERE id <= 60")
    assert table(await compared(share=0.25), "large").same is False
    await large.execute("DELETE FROM public.large WHERE id = 100")
    assert table(await compared(share=0.0001), "large").same is False


async def test_what_must_be_hashed_is_whatever_the_time_and_the_share(
    large: AsyncConnection, compared: Compare
) -> None:
    await large.execute("UPDATE public.large SET v = 'x' WHERE id = 4711")
    found = await compared(0.0, share=0.01, first=[("public", "large")])
    assert {t.table: (t.how, t.same) for t in found.tables} == {
        "keyless": (How.COUNTED, None),
        "large": (How.HASHED, False),
        "small": (How.COUNTED, None),
    }
    assert found.words() == (
        "2 tables of 9,010 rows with the same number of rows, their contents not looked at"
    )


async def test_a_table_whose_pieces_were_hashed_in_part_is_counted_whole(
    large: AsyncConnection, compared: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = scan.digests
    calls = 0

    async def slower(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise QueryCanceled
        return await hashed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(scan, "digests", slower)
    ends = monotonic()
    monkeypatch.setattr(scan, "monotonic", lambda: ends if calls < 9 else ends + 1000)
    found = await compared(100.0)
    assert found.same is None
    assert {(t.rows_left, t.rows_right) for t in found.tables} == {(9000, 9000), (10, 10)}
    assert How.COUNTED in {t.how for t in found.tables}


async def test_what_may_not_be_read_is_named_and_the_rest_is_compared(
    pair: Pair, database: str, job: str
) -> None:
    for major in (16, 18):
        with pair.admin(major, database) as admin:
            admin.execute(
                "CREATE TABLE plain (id int PRIMARY KEY); INSERT INTO plain VALUES (1);"
                "CREATE TABLE hidden (id int PRIMARY KEY); INSERT INTO hidden VALUES (1);"
                "CREATE SCHEMA closed; CREATE TABLE closed.t (id int PRIMARY KEY);"
            )
    with pair.admin(18, database) as admin:
        admin.execute("ALTER TABLE hidden ENABLE ROW LEVEL SECURITY")

    def connector(major: int) -> Any:
        return lambda: connect(
            pair.target(major, user=job), master_password, database, deadline_s=LIMIT_S
        )

    found = await fenced.compare_databases(connector(18), connector(16), budget_s=60.0)
    assert {t.table: (t.how, t.same) for t in found.tables} == {
        "plain": (How.HASHED, True),
        "hidden": (How.UNREAD, None),
        "t": (How.HASHED, True),
    }
    assert found.same is None
    assert '"public"."hidden" not compared: row-level security keeps rows' in found.words()
