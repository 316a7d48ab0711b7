"""The schema: alike reads alike in 16 and 18, each change shows, and a cheap look sees it."""

from __future__ import annotations

import pytest
from psycopg import AsyncConnection

from runbook.postgres import schema
from runbook.postgres.schema import PUBLISHER, SUBSCRIBER
from tests.postgres.conftest import Open, Pair


async def texts(connection: AsyncConnection) -> list[str]:
    return [line.words for line in await schema.lines(connection)]


FINGERPRINT = """
CREATE SCHEMA "S %s";
CREATE TYPE "S %s".mood AS ENUM ('a', 'b "%s"');
CREATE DOMAIN public.positive AS int NOT NULL CHECK (VALUE > 0);
CREATE TYPE public.pair AS (a int, b "S %s".mood);
CREATE TYPE public.span AS RANGE (SUBTYPE = float8);
CREATE SEQUENCE public.loose AS smallint INCREMENT -2 MINVALUE -10 MAXVALUE 8 CYCLE;
CREATE TABLE public."T ""x"" 1" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    n serial,
    v varchar(10) NOT NULL DEFAULT 'x' CHECK (v <> ''),
    g int GENERATED ALWAYS AS (length('abc')) STORED,
    m "S %s".mood DEFAULT 'a',
    p public.pair, q public.positive, s public.span,
    t text COLLATE "C",
    amount numeric(10, 2)[] DEFAULT '{}'
);
CREATE UNIQUE INDEX "u %s" ON public."T ""x"" 1" (lower(t)) WHERE n > 3;
CREATE TABLE public.child (
    id bigint REFERENCES public."T ""x"" 1" ON DELETE CASCADE, EXCLUDE (id WITH =)
);
CREATE TABLE public.parent (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public."p 26" PARTITION OF public.parent
    FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
CREATE TABLE public.hashed (id int) PARTITION BY HASH (id);
CREATE TABLE public.hashed_0 PARTITION OF public.hashed
    FOR VALUES WITH (MODULUS 2, REMAINDER 0);
ALTER TABLE public.child REPLICA IDENTITY FULL;
CREATE UNLOGGED TABLE public.u (i int);
"""


async def test_the_same_schema_reads_the_same_in_16_and_18(
    pair: Pair, opened: Open, database: str
) -> None:
    found = []
    for major in (16, 18):
        connection = await opened(major, database)
        await connection.execute(FINGERPRINT)
        found.append(await texts(connection))
    assert found[0] == found[1]
    lines = "\n".join(found[0])
    for part in (
        'column public."T ""x"" 1".v character varying(10) not null default',
        'table public."p 26" partition of public.parent FOR VALUES FROM',
        "sequence public.loose as smallint increment -2 min -10 max 8 cycle",
        "type \"S %s\".mood enum ('a', 'b \"%s\"')",
        "table public.child identity full",
        'unique index "u %s" ON public.',
        "constraint child_id_fkey on public.child FOREIGN KEY",
    ):
        assert part in lines


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE public.child ADD COLUMN more int", "column public.child.more integer"),
        ("CREATE TABLE public.extra (i int)", "table public.extra"),
        ("ALTER TABLE public.u ALTER i TYPE numeric", "column public.u.i numeric"),
        ("ALTER SEQUENCE public.loose NO CYCLE", "sequence public.loose"),
        ("""ALTER TYPE "S %s".mood ADD VALUE 'c'""", "'c')"),
        ("DROP TABLE public.hashed_0", "table public.hashed_0 partition of public.hashed"),
        ("ALTER TABLE public.u ALTER i SET NOT NULL", "column public.u.i integer not null"),
        ("ALTER TABLE public.u ADD UNIQUE (i)", "constraint u_i_key on public.u UNIQUE (i)"),
    ],
)
async def test_drift_shows_as_a_line(
    pair: Pair, opened: Open, database: str, change: str, words: str
) -> None:
    connection = await opened(18, database)
    await connection.execute(FINGERPRINT)
    before = set(await texts(connection))
    await connection.execute(change.encode())
    drift = before ^ set(await texts(connection))
    assert any(words in line for line in drift)


CHANGES = (
    "CREATE TABLE public.extra (i int)",
    "DROP TABLE public.extra",
    "ALTER TABLE public.child ADD COLUMN more int",
    "ALTER TABLE public.child ALTER more TYPE bigint",
    "ALTER TABLE public.child ALTER more SET DEFAULT 3",
    "ALTER TABLE public.child ALTER more SET NOT NULL",
    "ALTER TABLE public.child RENAME more TO less",
    "ALTER TABLE public.child DROP COLUMN less",
    "ALTER TABLE public.child ADD UNIQUE (id)",
    "ALTER TABLE public.child REPLICA IDENTITY DEFAULT",
    "ALTER SEQUENCE public.loose MAXVALUE 9",
    """ALTER TYPE "S %s".mood ADD VALUE 'c'""",
    """ALTER SCHEMA "S %s" RENAME TO t""",
    'ALTER TABLE public.parent DETACH PARTITION public."p 26"',
    "CREATE PUBLICATION bp FOR ALL TABLES",
    "ALTER PUBLICATION bp SET (publish = 'insert')",
    "DROP PUBLICATION bp",
    "CREATE EXTENSION vector",
    "DROP EXTENSION vector",
)


@pytest.mark.parametrize("major", [16, 18])
async def test_the_stamp_moves_with_every_change_and_with_nothing_else(
    pair: Pair, opened: Open, database: str, major: int
) -> None:
    connection, other = await opened(major, database), await opened(major, database)
    await connection.execute(FINGERPRINT)
    stamps = [await schema.stamp(other)]
    for change in CHANGES:
        await connection.execute(change.encode())
        stamps.append(await schema.stamp(other))
        assert stamps[-1] != stamps[-2], change
    # The first one notes of a table that was detached from that it has no partition any more.
    await connection.execute("ANALYZE")
    stamps.append(await schema.stamp(other))
    for quiet in (
        "INSERT INTO public.u VALUES (1), (2)",
        "ANALYZE",
        "VACUUM FREEZE",
        "CREATE TEMPORARY TABLE mine (id serial PRIMARY KEY, v text DEFAULT 'x' CHECK (v <> ''))",
        "SELECT nextval('public.loose')",
    ):
        await connection.execute(quiet.encode())
        assert await schema.stamp(other) == stamps[-1], quiet


async def test_a_digest_stands_for_all_lines(pair: Pair, opened: Open, database: str) -> None:
    digests = []
    for major in (16, 18):
        connection = await opened(major, database)
        await connection.execute(FINGERPRINT)
        digests.append(await schema.digest(connection, side=PUBLISHER, publication=""))
    assert digests[0] == digests[1]
    await connection.execute("ALTER TABLE public.child ADD COLUMN more int")
    assert await schema.digest(connection, side=PUBLISHER, publication="") != digests[0]


async def test_extensions_triggers_and_what_is_published(
    pair: Pair, opened: Open, database: str
) -> None:
    connection = await opened(18, database)
    await connection.execute(FINGERPRINT)
    await connection.execute("CREATE EXTENSION vector")
    await connection.execute(
        "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    )
    await connection.execute(
        'CREATE TRIGGER "t %s" AFTER INSERT ON public.u FOR EACH ROW EXECUTE FUNCTION public.f()'
    )
    await connection.execute('ALTER TABLE public.u ENABLE ALWAYS TRIGGER "t %s"')
    await connection.execute("CREATE PUBLICATION bp FOR ALL TABLES")
    found = {
        (line.kind, tuple(line.names)): line.text
        for line in await schema.lines(connection, side=PUBLISHER, publication="bp")
    }
    assert ("extension", ("vector",)) in found
    assert "version 0" in found["version", ("vector",)]
    assert ("version", ("plpgsql",)) not in found
    assert found["trigger", ("public", "u", "t %s")].endswith("fires always")
    assert ("publication", ("public", "p 26")) in found
    assert ("publication", ("public", "parent")) not in found
    assert found["publication", ()] == "publication of insert update delete truncate"
    assert ("column", ("public", 'T "x" 1', "v")) in found
    unknown = await schema.lines(connection, side=SUBSCRIBER, publication="bp")
    assert not [line for line in unknown if line.kind == "publication"]
