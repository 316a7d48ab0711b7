"""Every built-in type, on 16 and 18: equal data hashes equal, and no planted change is missed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from psycopg import AsyncConnection

from runbook.postgres.comparison import fenced
from tests.postgres.conftest import Open, hashed

NO_COLUMNS = {
    "pg_ndistinct",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_node_tree",
    "gtsvector",
    "aclitem",
}
"""Types of the server's own catalogs: no text of theirs is read in, so no application has values,
or (`gtsvector`, an index's) they carry none. `aclitem`'s text names roles of the server."""

NOT_BUILT = {"xml"}
"""The lab's servers are built without libxml; it goes by its text, as every type that is not named
in `hashing`. They are built without ICU too, so there are no nondeterministic collations."""

DEFINITIONS = """
CREATE TYPE public.mood AS ENUM ('', 'sad', 'Sad', 'ok "%s"', 'é');
CREATE TYPE public."Pair %s" AS (a int, "B" text, gone int, c numeric);
ALTER TYPE public."Pair %s" DROP ATTRIBUTE gone;
CREATE DOMAIN public.short AS varchar(9) CHECK (length(VALUE) < 5);
CREATE DOMAIN public.shorter AS public.short NOT NULL;
CREATE DOMAIN public.many AS int[];
CREATE DOMAIN public.big AS bigint CHECK (VALUE <> 77);
CREATE TYPE public.spans AS RANGE (subtype = float8, multirange_type_name = public.manyspans);
"""


@dataclass(frozen=True)
class Kind:
    """A type, and values of which no two have the same text on the server that sent them."""

    type: str
    values: list[str] = field(default_factory=list)


def kind(type_: str, *values: str) -> Kind:
    return Kind(type_, list(values))


BIG = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 4000) AS i)"
"""128 kB that hardly compress: stored apart."""

KINDS = [
    kind("bool", "true", "false"),
    kind("int2", "0", "1", "-1", "32767", "-32768"),
    kind("int4", "0", "1", "-1", "2147483647", "-2147483648"),
    # Of 64 bits: those that a fold into 32 takes for the same.
    kind("int8", "0", "1", "4294967296", "-1", "-4294967296", "9223372036854775807",
         "-9223372036854775808", "4294967297", "8589934592"),
    kind("oid", "0", "1", "4294967295", "2147483648"),
    kind("numeric", "0", "0.0", "0.00", "1", "1.0", "1.00", "-1", "10000", "5", "-5", "'NaN'",
         "'Infinity'", "'-Infinity'", "1e-30", "123456789012345678901234567890.123456789",
         "-0.0001", "1e300"),
    kind("numeric(12,2)", "1", "1.01", "-1", "0"),
    kind("float4", "0", "'-0'", "1", "-1", "'NaN'", "'Infinity'", "'-Infinity'", "1e-45",
         "3.4028235e38", "1.1", "1.1000001"),
    kind("float8", "0", "'-0'", "1", "-1", "'NaN'", "'Infinity'", "'-Infinity'", "5e-324",
         "1.7976931348623157e308", "0.1", "0.30000000000000004", "0.3"),
    kind("money", "0", "'1.00'", "'-1.00'", "'92233720368547758.07'"),
    kind("text", "''", "'a'", "'A'", "'a '", "' a'", "'NULL'", "E'a\\nb'", "'é'", "E'e\\u0301'",
         "'ß'", "'ss'", "'🐘'", "repeat('x', 20000)", "repeat('x', 20001)", BIG, f"{BIG} || ' '"),
    kind('text COLLATE "C"', "''", "'a'", "'A'"),
    kind('text COLLATE "POSIX"', "'a'", "'A'", "'é'", "E'e\\u0301'"),
    kind("varchar(20)", "''", "'a'", "'a '", "'é'"),
    kind("bpchar", "''", "' '", "'a'", "'a '", "'a  '"),
    kind("char(3)", "''", "'a'", "' a'", "'é'"),
    kind('"char"', "'a'", "'b'", r"'\200'", "''"),
    kind("name", "''", "'a'", "'A'"),
    kind("bytea", r"'\x'", r"'\x00'", r"'\x0000'", r"'\x5c78'", r"'\xff'",
         f"convert_to({BIG}, 'UTF8')", f"convert_to({BIG}, 'UTF8') || '\\x00'"),
    kind("date", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'", "'2000-01-01'",
         "'2026-01-02'"),
    kind("time", "'00:00'", "'24:00'", "'12:00'", "'12:00:00.000001'"),
    kind("timetz", "'12:00+00'", "'12:00+01'", "'13:00+01'", "'24:00+15:59:59'", "'00:00-15:59'"),
    kind("timestamp", "'infinity'", "'-infinity'", "'4713-01-01 00:00 BC'",
         "'294276-12-31 23:59:59.999999'", "'2000-01-01'", "'2000-01-01 00:00:00.000001'",
         # 2^32 microseconds later: a fold into 32 bits comes close.
         "'2000-01-01 01:11:34.967296'", "'1999-12-31 23:59:59.999999'"),
    kind("timestamptz", "'infinity'", "'-infinity'", "'4713-01-01 00:00+00 BC'",
         "'294276-12-31 23:59:59.999999+00'", "'2026-03-29 02:30:00+01'",
         "'2026-03-29 02:30:00+02'", "'2026-03-29 02:30:00.000001+01'"),
    kind("interval", "'0'", "'1 month'", "'30 days'", "'720:00'", "'1 day'", "'24:00'",
         "'-1 day +24:00'", "'178000000 years'", "'-178000000 years'", "'0.000001 s'"),
    kind("uuid", "'00000000-0000-0000-0000-000000000000'",
         "'00000000-0000-0000-0000-000000000001'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    kind("json", """'{"a": 1}'""", """'{"a":1}'""", """'{"a":1,"a":1}'""", "'null'", "'1'",
         "'1.0'", "'\"\"'"),
    kind("jsonb", """'{"a": 1}'""", """'{"a": 1.0}'""", """'{"a": -1}'""", """'{"a": null}'""",
         "'{}'", "'[]'", "'null'", "'\"\"'", "'[1, 2]'", "'[2, 1]'"),
    kind("jsonpath", "'$.a'", "'$.b'", "'strict $.a'"),
    kind("point", "'(1,2)'", "'(2,1)'", "'(0,0)'", "'(-0,0)'", "'(NaN,0)'", "'(Infinity,0)'"),
    kind("line", "'{1,2,3}'", "'{1,2,4}'"),
    kind("lseg", "'[(1,2),(3,4)]'", "'[(3,4),(1,2)]'"),
    kind("box", "'(3,4),(1,2)'", "'(3,5),(1,2)'"),
    kind("path", "'[(1,2),(3,4)]'", "'((1,2),(3,4))'"),
    kind("polygon", "'((1,2),(3,4))'", "'((3,4),(1,2))'"),
    kind("circle", "'<(1,2),3>'", "'<(1,2),4>'"),
    kind("inet", "'10.0.0.1'", "'10.0.0.1/8'", "'::'", "'::ffff:10.0.0.1'"),
    kind("cidr", "'10.0.0.0/8'", "'10.0.0.0/9'"),
    kind("macaddr", "'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"),
    kind("macaddr8", "'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"),
    kind("bit(3)", "B'000'", "B'001'"),
    kind("varbit", "B''", "B'0'", "B'00'", "B'1'"),
    kind("tsvector", "''", "'a'", "'a:1'", "'a:1A'", "'b'"),
    kind("tsquery", "''", "'a'", "'a & b'", "'a | b'", "'a <-> b'"),
    kind("pg_lsn", "'0/0'", "'0/1'", "'1/0'", "'FFFFFFFF/FFFFFFFF'"),
    kind("xid", "'0'", "'1'", "'4294967295'"),
    kind("xid8", "'0'", "'1'", "'4294967296'"),
    kind("cid", "'0'", "'1'"),
    kind("tid", "'(0,1)'", "'(1,0)'"),
    kind("txid_snapshot", "'1:1:'", "'1:2:'"),
    kind("pg_snapshot", "'1:1:'", "'1:2:'"),
    kind("refcursor", "''", "'a'"),
    kind("int2vector", "''", "'1 2'", "'2 1'"),
    kind("oidvector", "''", "'1 2'", "'2 1'"),
    kind("regclass", "'pg_class'", "'pg_type'", "'0'", "'987654321'"),
    kind("regcollation", """'"C"'""", """'"POSIX"'"""),
    kind("regconfig", "'english'", "'simple'"),
    kind("regdictionary", "'simple'", "'0'"),
    kind("regnamespace", "'pg_catalog'", "'0'"),
    kind("regoper", "'0'", "'987654321'"),
    kind("regoperator", "'+(int4,int4)'", "'-(int4,int4)'"),
    kind("regproc", "'now'", "'0'"),
    kind("regprocedure", "'now()'", "'pi()'"),
    kind("regrole", "'pg_monitor'", "'0'"),
    kind("regtype", "'int4'", "'int8'"),
    kind("int4range", "'empty'", "'[1,3)'", "'[1,4)'", "'(,)'", "'[1,)'"),
    kind("int8range", "'empty'", "'[1,3)'", "'[4294967297,4294967299)'"),
    kind("numrange", "'[1,2]'", "'[1.0,2]'", "'(1,2]'", "'[1,2)'"),
    kind("tsrange", "'empty'", "'[2026-01-01,)'", "'[2026-01-01,infinity)'"),
    kind("tstzrange", "'empty'", "'[2026-01-01 00:00+01,)'", "'[2026-01-01 00:00+02,)'"),
    kind("daterange", "'empty'", "'[2026-01-01,2026-01-03)'", "'[2026-01-01,2026-01-04)'"),
    kind("int4multirange", "'{}'", "'{[1,3)}'", "'{[1,3),[5,6)}'"),
    kind("int8multirange", "'{}'", "'{[1,3)}'"),
    kind("nummultirange", "'{}'", "'{[1,2]}'", "'{[1.0,2]}'"),
    kind("tsmultirange", "'{}'", "'{[2026-01-01,)}'"),
    kind("tstzmultirange", "'{}'", "'{[2026-01-01 00:00+01,)}'"),
    kind("datemultirange", "'{}'", "'{[2026-01-01,)}'"),
    kind("int4[]", "'{}'", "'{1}'", "'{1,2}'", "'{2,1}'", "'{{1,2}}'", "'[0:1]={1,2}'", "'{NULL}'",
         "'{1,NULL}'"),
    kind("text[]", "'{}'", "'{\"\"}'", "'{NULL}'", "'{\"NULL\"}'", "'{a,b}'", "'{\"a,b\"}'"),
    kind("numeric[]", "'{1}'", "'{1.0}'", "'{-1}'"),
    kind("float8[]", "'{0}'", "'{-0}'", "'{NaN}'"),
    kind("timestamptz[]", "'{2026-01-01 00:00+01}'", "'{2026-01-01 00:00+02}'"),
    kind("jsonb[]", """ARRAY['{"a": 1}', 'null']::jsonb[]""", """ARRAY['{"a": 1.0}']::jsonb[]"""),
    kind("public.mood", "''", "'sad'", "'Sad'", "'ok \"%s\"'", "'é'"),
    kind("public.mood[]", "'{sad}'", "'{Sad}'"),
    kind('public."Pair %s"', "ROW(1, NULL, 1)", "ROW(1, '', 1)", "ROW(1, '', 1.0)",
         "ROW(NULL, NULL, NULL)"),
    kind("public.short", "''", "'a'", "'A'"),
    kind("public.shorter", "''", "'a'", "'A'"),
    kind("public.many", "'{1,2}'", "'{2,1}'"),
    kind("public.big", "1", "4294967296"),
    kind("public.spans", "'[0,1)'", "'[-0,1)'"),
    kind("public.manyspans", "'{[0,1)}'", "'{[-0,1)}'"),
]  # fmt: skip

NOT_NULL = {"public.shorter"}


@pytest.fixture
async def sides(opened: Open, database: str) -> list[AsyncConnection]:
    both = [await opened(18, database), await opened(16, database)]
    for connection in both:
        await connection.execute(DEFINITIONS.encode())
    return both


async def hashes(connection: AsyncConnection) -> dict[str, str | None]:
    found = {}
    for table in await fenced.tables(connection):
        found[table.name] = await hashed(connection, table)
    return found


async def test_no_type_of_the_server_is_forgotten(sides: list[AsyncConnection]) -> None:
    for connection in sides:
        cursor = await connection.execute(
            "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace"
            " AND typtype IN ('b', 'r', 'm', 'd', 'e') AND typelem = 0 AND typrelid = 0"
        )
        there = {name for (name,) in await cursor.fetchall()}
        cursor = await connection.execute(
            "SELECT DISTINCT t.typname FROM unnest(%s::text[]) AS k (name)"
            " JOIN pg_type AS t ON t.oid = k.name::regtype",
            ([each.type.split(" COLLATE")[0] for each in KINDS],),
        )
        tried = {name for (name,) in await cursor.fetchall()}
        assert there - tried == NO_COLUMNS | NOT_BUILT


async def test_no_two_values_of_a_type_hash_the_same_and_both_versions_agree(
    sides: list[AsyncConnection],
) -> None:
    """A table for each value: a change of one into another is seen, whichever they are."""
    found: list[dict[str, str | None]] = []
    for connection in sides:
        for n, each in enumerate(KINDS):
            nulls = [] if each.type in NOT_NULL else ["NULL"]
            statements = [
                f'CREATE TABLE public."{n} {m}" (id int, v {each.type});'
                f'INSERT INTO public."{n} {m}" VALUES (1, {value})'
                for m, value in enumerate([*each.values, *nulls])
            ]
            await connection.execute(";".join(statements).encode())
        found.append(await hashes(connection))
    assert found[0] == found[1]
    for n, each in enumerate(KINDS):
        mine = [value for name, value in found[0].items() if name.startswith(f"{n} ")]
        assert len(mine) == len(each.values) + (each.type not in NOT_NULL)
        assert len(set(mine)) == len(mine), each.type


async def test_values_that_change_places_are_seen(sides: list[AsyncConnection]) -> None:
    """Between two rows, and between two columns of one, with every type in the same table."""
    usable = [each for each in KINDS if len(each.values) > 1]
    for connection in sides:
        for n, each in enumerate(usable):
            one, two = each.values[:2]
            for m, rows in enumerate(
                (
                    f"(1, {one}, {two}), (2, {two}, {one})",
                    f"(1, {two}, {one}), (2, {one}, {two})",
                    f"(1, {one}, {one}), (2, {two}, {two})",
                    f"(1, {two}, {two}), (2, {one}, {one})",
                )
            ):
                await connection.execute(
                    f'CREATE TABLE public."{n} {m}" (id int, a {each.type}, b {each.type});'
                    f'INSERT INTO public."{n} {m}" VALUES {rows}'.encode()
                )
    found = [await hashes(connection) for connection in sides]
    assert found[0] == found[1]
    for n, each in enumerate(usable):
        assert len({found[0][f"{n} {m}"] for m in range(4)}) == 4, each.type
