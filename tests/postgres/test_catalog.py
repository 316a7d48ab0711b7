from __future__ import annotations

import pytest
from psycopg.sql import SQL, Identifier

from runbook.postgres import catalog
from tests.postgres.conftest import ADMIN, MASTER, Open, Pair


async def test_databases_are_those_that_take_connections(
    pair: Pair, opened: Open, database: str
) -> None:
    closed = f"closed {database}"
    with pair.admin(16) as admin:
        admin.execute(SQL("CREATE DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(closed)))
        admin.execute(SQL("CREATE DATABASE {}").format(Identifier(ADMIN)))
        try:
            found = await catalog.connectable_databases(await opened(16))
        finally:
            for name in (closed, ADMIN):
                admin.execute(SQL("DROP DATABASE {}").format(Identifier(name)))
    assert {"postgres", database} <= set(found)
    assert not {closed, ADMIN, "template0", "template1"} & set(found)
    assert found == sorted(found)


IDENTITY = """
CREATE SCHEMA "S %s";
CREATE TABLE "S %s"."bad ""none"" 1" (i int);
CREATE TABLE public.bad_nothing (i int PRIMARY KEY);
ALTER TABLE public.bad_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE public.bad_index (i int NOT NULL UNIQUE);
ALTER TABLE public.bad_index REPLICA IDENTITY USING INDEX bad_index_i_key;
ALTER TABLE public.bad_index DROP CONSTRAINT bad_index_i_key;
CREATE TABLE public.parent (i int) PARTITION BY LIST (i);
CREATE TABLE public.bad_part PARTITION OF public.parent DEFAULT;
CREATE TABLE public.good_key (i int PRIMARY KEY);
CREATE TABLE public.good_full (i int);
ALTER TABLE public.good_full REPLICA IDENTITY FULL;
CREATE TABLE public.good_index (i int NOT NULL UNIQUE);
ALTER TABLE public.good_index REPLICA IDENTITY USING INDEX good_index_i_key;
CREATE UNLOGGED TABLE public.unlogged (i int);
CREATE TEMPORARY TABLE temporary (i int);
CREATE TABLE public.member (i int);
ALTER EXTENSION plpgsql ADD TABLE public.member;
"""


@pytest.mark.parametrize("major", [16, 18])
async def test_tables_without_identity_are_found_and_no_others(
    pair: Pair, opened: Open, database: str, major: int
) -> None:
    connection = await opened(major, database)
    assert await catalog.tables_without_identity(connection) == []
    await connection.execute(IDENTITY)
    found = {
        (table.schema, table.name): table.reason
        for table in await catalog.tables_without_identity(connection)
    }
    assert found == {
        ("S %s", 'bad "none" 1'): "it has no primary key",
        ("public", "bad_nothing"): "its REPLICA IDENTITY is NOTHING",
        ("public", "bad_index"): "the index of its REPLICA IDENTITY is gone or invalid",
        ("public", "bad_part"): "it has no primary key",
    }
    published = {table.name for table in await catalog.published_tables(connection)}
    await connection.execute("ALTER EXTENSION plpgsql DROP TABLE public.member")
    assert published == {
        'bad "none" 1',
        "bad_nothing",
        "bad_index",
        "bad_part",
        "good_key",
        "good_full",
        "good_index",
    }


@pytest.mark.parametrize("major", [16, 18])
async def test_full_identity_over_types_without_equality_is_found(
    pair: Pair, opened: Open, database: str, major: int
) -> None:
    connection = await opened(major, database)
    await connection.execute("""
        CREATE TYPE public.mood AS ENUM ('a');
        CREATE TYPE public.hidden AS (a int, j json);
        CREATE DOMAIN public.spot AS point;
        CREATE TABLE public.good (a int, b text, c varchar(3), d jsonb, e int[], f public.mood,
            g int4range, h numeric, i timestamptz, j uuid, k inet, l cidr, m bytea, n name,
            o tsvector, p char(3), q oid, r int4multirange, s "char", t regclass, u bit(3),
            v pg_lsn, w interval, x macaddr, y money, z text[]);
        CREATE TABLE public.bad (id int, "json %s" json, p point, arrays json[],
            nested public.hidden, s public.spot, fine text);
        CREATE TABLE public.keyed (id int PRIMARY KEY, j json);
        ALTER TABLE public.good REPLICA IDENTITY FULL;
        ALTER TABLE public.bad REPLICA IDENTITY FULL""")
    (found,) = await catalog.identity_full_without_equality(connection)
    assert found.name == "bad"
    assert found.columns == ["json %s", "p", "arrays", "nested", "s"]


async def test_kinds_of_data_are_counted(pair: Pair, opened: Open, database: str) -> None:
    connection = await opened(18, database)
    nothing = await catalog.data_kinds(connection)
    assert (nothing.sequences, nothing.tables, nothing.large_objects) == (0, 0, 0)
    await connection.execute("""
        CREATE TABLE public.t (i serial PRIMARY KEY);
        CREATE UNLOGGED TABLE public.u (i int);
        CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS i;
        CREATE TABLE public.p (i int) PARTITION BY LIST (i);
        CREATE TEMPORARY TABLE passing (i serial);
        SELECT lo_create(0), lo_create(0);
        CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
        CREATE FOREIGN TABLE public.f (i int) SERVER s""")
    assert await catalog.data_kinds(connection) == catalog.DataKinds(
        sequences=1,
        large_objects=2,
        unlogged_tables=1,
        materialized_views=1,
        tables=1,
        extensions=[],
        partitioned_tables=1,
        unlogged_names=["public.u"],
        view_names=["public.m"],
        large_object_owners=[f"2 of {MASTER}"],
    )


async def test_settings_say_what_waits_for_a_restart(pair: Pair, opened: Open) -> None:
    connection = await opened(16)
    found = await catalog.settings(connection, ["wal_level", "max_wal_senders", "no such"])
    assert set(found) == {"wal_level", "max_wal_senders"}
    assert (found["wal_level"].value, found["wal_level"].pending_restart) == ("logical", False)


async def test_login_roles_say_whose_they_are(pair: Pair, opened: Open, application: str) -> None:
    with pair.client(16, "postgres", application):
        roles = {role.name: role for role in await catalog.login_roles(await opened(16))}
    assert roles[ADMIN].internal
    assert (roles[MASTER].current, roles[MASTER].superuser) == (True, True)
    mine = roles[application]
    assert (mine.internal, mine.own, mine.alterable, mine.sessions) == (False, False, True, 1)


@pytest.mark.parametrize("major", [16, 18])
async def test_permissions_of_a_master_without_superuser(
    pair: Pair, opened: Open, database: str, major: int
) -> None:
    master, granted = Identifier("plain %s"), Identifier("granted")
    connection = await opened(major, database)
    with pair.admin(major, database) as admin:
        try:
            admin.execute(SQL("CREATE ROLE {} CREATEROLE").format(master))
            admin.execute("CREATE TABLE public.closed (i serial)")
            await connection.execute(SQL("SET ROLE {}").format(master))
            found = await catalog.master_permissions(connection)
            assert found == catalog.MasterPermissions(
                user="plain %s",
                superuser=False,
                createrole=True,
                replication=False,
                create_in_database=False,
                own_database=False,
                publish_all_tables=False,
                create_subscription=False,
                signal_backends=False,
                monitor=False,
                emit_message=True,
                unreadable_tables=1,
                unreadable_names=["public.closed"],
                unsettable_owners=["rdsadmin"],
                unsettable_sequences=[1],
                unsettable_schemas=["public"],
                major=major,
            )
            await connection.execute(SQL("CREATE ROLE {} LOGIN").format(granted))
            roles = {role.name: role for role in await catalog.login_roles(connection)}
            assert roles["granted"].alterable
            assert not roles[MASTER].alterable
            await connection.execute("RESET ROLE")
            for role in ("rds_superuser", "rds_replication"):
                admin.execute(SQL("CREATE ROLE {}").format(Identifier(role)))
                admin.execute(SQL("GRANT {} TO {}").format(Identifier(role), master))
            await connection.execute(SQL("SET ROLE {}").format(master))
            found = await catalog.master_permissions(connection)
            assert found.publish_all_tables
            assert found.create_subscription
            assert found.replication
        finally:
            await connection.execute("RESET ROLE")
            for name in (
                granted,
                master,
                Identifier("rds_superuser"),
                Identifier("rds_replication"),
            ):
                admin.execute(SQL("DROP ROLE IF EXISTS {}").format(name))


async def test_full_permissions_of_a_superuser(pair: Pair, opened: Open, database: str) -> None:
    found = await catalog.master_permissions(await opened(18, database))
    assert found.superuser
    assert found.replication
    assert found.create_subscription
    assert (found.unreadable_tables, found.unsettable_sequences) == (0, [])


async def test_transactions_that_hold_things_up_are_seen(
    pair: Pair, opened: Open, database: str, application: str
) -> None:
    connection = await opened(16)
    with pair.client(16, database, application) as client:
        client.execute("BEGIN")
        client.execute("SELECT pg_current_xact_id()")
        (found,) = await catalog.long_transactions(connection, 0)
        assert (found.role, found.database) == (application, database)
        assert await catalog.long_transactions(connection, 3600) == []
        client.execute("PREPARE TRANSACTION 'gid %s'")
    (prepared,) = await catalog.prepared_transactions(connection)
    assert (prepared.gid, prepared.database, prepared.owner) == ("gid %s", database, application)


@pytest.mark.parametrize("major", [16, 18])
async def test_replication_objects_are_listed_to_a_plain_role(
    pair: Pair, opened: Open, database: str, application: str, major: int
) -> None:
    connection = await opened(major, database)
    await connection.execute('CREATE PUBLICATION "p %s" FOR ALL TABLES')
    await connection.execute(
        """CREATE SUBSCRIPTION "s %s" CONNECTION 'host=127.0.0.1 password=x' PUBLICATION "p %s" """
        "WITH (connect = false, slot_name = 'far')"
    )
    await connection.execute("SELECT pg_create_logical_replication_slot('near', 'pgoutput')")
    await connection.execute(SQL("SET ROLE {}").format(Identifier(application)))
    (publication,) = await catalog.publications(connection)
    assert publication.name == "p %s"
    (subscription,) = await catalog.subscriptions(connection)
    assert (subscription.name, subscription.database) == ("s %s", database)
    assert (subscription.slot_name, subscription.publications) == ("far", ["p %s"])
    (slot,) = await catalog.replication_slots(connection)
    assert (slot.name, slot.database, slot.plugin) == ("near", database, "pgoutput")
    assert slot.retained_bytes is not None


async def test_triggers_that_fire_on_apply_are_found(
    pair: Pair, opened: Open, database: str
) -> None:
    connection = await opened(16, database)
    await connection.execute("""
        CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TABLE public."T %s" (i int PRIMARY KEY);
        CREATE TRIGGER plain BEFORE INSERT ON public."T %s" EXECUTE FUNCTION public.f();
        CREATE TRIGGER "always %" BEFORE INSERT ON public."T %s" EXECUTE FUNCTION public.f();
        CREATE TRIGGER replica BEFORE INSERT ON public."T %s" EXECUTE FUNCTION public.f();
        ALTER TABLE public."T %s" ENABLE ALWAYS TRIGGER "always %";
        ALTER TABLE public."T %s" ENABLE REPLICA TRIGGER replica""")
    found = await catalog.enabled_always_triggers(connection)
    assert [(t.name, t.trigger, t.enabled) for t in found] == [
        ("T %s", "always %", "A"),
        ("T %s", "replica", "R"),
    ]
    assert found[0].function == "public.f()"
