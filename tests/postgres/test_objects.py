"""What applications need beside their rows, read alike from servers of two versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from runbook.postgres import objects
from tests.postgres.conftest import SECRET, Open, Pair

ROLES = ('o"w ner', "Grüp 🚚", "app % role", "other")

RICH = """
CREATE ROLE "o""w ner";
CREATE ROLE "Grüp 🚚" CREATEDB;
CREATE ROLE "app % role" LOGIN CONNECTION LIMIT 7 VALID UNTIL '2031-01-01 00:00+00'
    IN ROLE "Grüp 🚚";
CREATE ROLE other NOINHERIT BYPASSRLS;
GRANT pg_read_all_data TO other;
ALTER ROLE other SET search_path = "$user", public, "a b";
ALTER ROLE "app % role" SET work_mem = '5MB';
ALTER SCHEMA public OWNER TO "o""w ner";
CREATE SCHEMA "S s" AUTHORIZATION "o""w ner";
GRANT USAGE ON SCHEMA "S s" TO other WITH GRANT OPTION;
CREATE TYPE "S s".mood AS ENUM ('a', 'b');
CREATE DOMAIN "S s".short AS varchar(5) CHECK (VALUE IN ('x', 'y'));
CREATE TYPE "S s".pair AS (a int, "json" text);
REVOKE USAGE ON TYPE "S s".mood FROM PUBLIC;
CREATE TABLE "S s"."T t" (id int PRIMARY KEY, "json" text, v varchar(5), at timestamptz);
ALTER TABLE "S s"."T t" OWNER TO "o""w ner";
REVOKE UPDATE ON "S s"."T t" FROM "o""w ner";
GRANT SELECT, INSERT ON "S s"."T t" TO "app % role";
GRANT ALL ON "S s"."T t" TO other;
GRANT UPDATE (v) ON "S s"."T t" TO "app % role";
CREATE SEQUENCE "S s".n; GRANT USAGE ON SEQUENCE "S s".n TO PUBLIC;
CREATE FUNCTION "S s".twice(x int, "json" text DEFAULT 'a') RETURNS int LANGUAGE sql
    AS 'SELECT 2 * x';
CREATE FUNCTION "S s".plain(numeric, "S s".mood) RETURNS int LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION "S s".parsed(x int) RETURNS int RETURN x + 1;
CREATE FUNCTION "S s".fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE PROCEDURE "S s".does(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; END $$;
REVOKE EXECUTE ON FUNCTION "S s".parsed(int) FROM PUBLIC;
CREATE AGGREGATE "S s".total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE VIEW "S s"."V" WITH (security_barrier) AS
    SELECT id, "json", v IN ('p', 'q') AS b FROM "S s"."T t";
CREATE MATERIALIZED VIEW "S s".m AS SELECT count(*) AS n FROM "S s"."T t";
CREATE UNIQUE INDEX ON "S s".m (n);
CREATE INDEX "i i" ON "S s"."T t" (lower("json")) WHERE v IN ('p', 'q');
CREATE TRIGGER "t t" BEFORE INSERT ON "S s"."T t" FOR EACH ROW WHEN (NEW.v IN ('x', 'y'))
    EXECUTE FUNCTION "S s".fires();
CREATE RULE "r r" AS ON DELETE TO "S s"."V" DO INSTEAD NOTHING;
CREATE POLICY "p p" ON "S s"."T t" FOR SELECT TO other, PUBLIC USING (v IN ('x', 'y'));
ALTER TABLE "S s"."T t" ENABLE ROW LEVEL SECURITY;
CREATE STATISTICS "S s".st (dependencies) ON v, "json" FROM "S s"."T t";
CREATE OPERATOR "S s".=== (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4eq);
CREATE CAST ("S s".mood AS int) WITH FUNCTION "S s".of(  "S s".mood);
CREATE COLLATION "S s".coll (LOCALE = 'C');
CREATE TEXT SEARCH CONFIGURATION "S s".conf (COPY = simple);
CREATE FOREIGN DATA WRAPPER fdw;
CREATE SERVER srv FOREIGN DATA WRAPPER fdw;
CREATE USER MAPPING FOR other SERVER srv OPTIONS (password 'never looked at');
CREATE FOREIGN TABLE "S s".far (id int) SERVER srv;
ALTER DEFAULT PRIVILEGES FOR ROLE "o""w ner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE "o""w ner" IN SCHEMA "S s" GRANT SELECT ON TABLES TO "app % role";
GRANT SELECT ON pg_catalog.pg_authid TO other;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO other;
""".replace(
    'CREATE CAST ("S s".mood AS int) WITH FUNCTION "S s".of(  "S s".mood);',
    'CREATE FUNCTION "S s".of("S s".mood) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;\n'
    'CREATE CAST ("S s".mood AS int) WITH FUNCTION "S s".of("S s".mood);',
)


def forget_roles(pair: Pair, database: str, roles: tuple[str, ...]) -> None:
    for major in (16, 18):
        with pair.admin(major, database) as connection:
            for role in roles:
                quoted = '"' + role.replace('"', '""') + '"'
                known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
                if known.rowcount:
                    connection.execute(f"REASSIGN OWNED BY {quoted} TO CURRENT_USER".encode())
                    connection.execute(f"DROP OWNED BY {quoted}".encode())
                    connection.execute(f"DROP ROLE {quoted}".encode())


@pytest.fixture
def rich(pair: Pair, database: str) -> Iterator[str]:
    for major in (16, 18):
        with pair.admin(major, database) as connection:
            for statement in RICH.split(";\n"):
                if statement.strip():
                    connection.execute(statement.encode())
    yield database
    forget_roles(pair, database, ROLES)


async def both(opened: Open, database: str) -> list[dict[Any, objects.Item]]:
    found = []
    for major in (18, 16):
        connection = await opened(major, database)
        items = await objects.of_database(connection, common=16)
        server = await objects.of_server(connection, common=16)
        assert server.passwords
        found.append({item.key: item for item in (*items, *server.items)})
    return found


async def test_a_plain_role_sees_the_same_and_that_it_sees_no_passwords(
    rich: str, opened: Open, pair: Pair, application: str
) -> None:
    new, _ = await both(opened, rich)
    connection = await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=pair.target(18).port, user=application, password=SECRET,
        dbname=rich, autocommit=True, options="-c search_path=pg_catalog",
    )  # fmt: skip
    async with connection:
        items = await objects.of_database(connection, common=16)
        server = await objects.of_server(connection, common=16)
    assert not server.passwords
    seen = {item.key: item.made for item in (*items, *server.items)}
    assert seen == {key: item.made for key, item in new.items() if key[0] != "password"}


async def test_what_is_alike_is_read_alike_by_both_versions(rich: str, opened: Open) -> None:
    new, old = await both(opened, rich)
    assert new.keys() == old.keys()
    # The fixture's text is printed by both in the same words, since every name is quoted.
    assert [key for key in new if new[key].made != old[key].made] == []
    kinds = {key[0] for key in new}
    assert kinds >= {"role", "password", "membership", "setting", "owner", "grant", "default"}
    assert kinds >= {"routine", "view", "materialized view", "index", "trigger", "rule", "policy"}
    assert ("grant", ("table", "pg_catalog", "pg_authid", "other")) in new
    assert not [key for key in new if "never looked at" in str(new[key].made)]
