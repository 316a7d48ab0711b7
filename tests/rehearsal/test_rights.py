"""What the lab's master may do, and what it is refused: as on Aurora, in PostgreSQL's own words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection, sql

from rehearsal.servers.fleet import Fleet, Seed
from rehearsal.servers.server import Binaries
from runbook.postgres import objects, preflight_queries
from tests.majors import GIVEN, at_hand
from tests.rehearsal.conftest import MASTER, PASSWORD, ROLE_PASSWORDS, SETTINGS, SHOP, ask, connect

STRANGERS = """
CREATE ROLE stranger;
CREATE SCHEMA strange;
GRANT USAGE ON SCHEMA strange TO PUBLIC;
CREATE TABLE strange.secret (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW strange.summary AS SELECT 1 AS one;
CREATE TABLE strange.guarded (id int PRIMARY KEY);
ALTER TABLE strange.guarded ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON strange.guarded TO PUBLIC;
ALTER TABLE strange.secret OWNER TO stranger;
ALTER TABLE strange.guarded OWNER TO stranger;
ALTER MATERIALIZED VIEW strange.summary OWNER TO stranger;
"""
"""What rdsadmin makes, so that the master has no right to it."""

REFUSED = {
    "CREATE PUBLICATION p FOR TABLES IN SCHEMA public": "must be superuser to create FOR TABLES",
    "CREATE PUBLICATION p FOR TABLE customer, strange.guarded": "must be owner of table guarded",
    "CREATE PUBLICATION p FOR TABLE strange.secret": "must be owner of table secret",
    "SELECT * FROM strange.secret": "permission denied for table secret",
    "SELECT * FROM strange.guarded": "query would be affected by row-level security policy",
    "DO 'BEGIN LOCK TABLE strange.guarded IN SHARE MODE; END'": "denied for table guarded",
    "REFRESH MATERIALIZED VIEW strange.summary": "(must be owner of|permission denied for) mat",
    "SELECT rolpassword FROM pg_authid": "permission denied for table pg_authid",
    "SELECT subconninfo FROM pg_subscription": "permission denied for table pg_subscription",
    "ALTER DATABASE theirs SET work_mem = '8MB'": "must be owner of database theirs",
    "ALTER SYSTEM SET work_mem = '8MB'": "permission denied to set parameter",
    "SET log_error_verbosity = terse": "permission denied to set parameter",
    "SET SESSION AUTHORIZATION app": "permission denied to set session authorization",
    "SET ROLE stranger": "permission denied to set role",
    "GRANT stranger TO app": "permission denied to grant role",
    "ALTER ROLE stranger NOLOGIN": "permission denied to alter role",
    "ALTER ROLE app SUPERUSER": "permission denied to alter role",
    "ALTER ROLE app BYPASSRLS": "permission denied to alter role",
    "CREATE ROLE boss SUPERUSER": "permission denied to create role",
    "COPY account TO PROGRAM 'cat'": "permission denied to COPY to or from an external program",
    "SELECT pg_read_file('PG_VERSION')": "permission denied for function pg_read_file",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rdsadmin'":
        "permission denied to terminate process",
    "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION stamp()":
        "permission denied to create event trigger",
    "DROP EVENT TRIGGER rds_before_command": "must be owner of event trigger",
    "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)":
        "password is required",
}  # fmt: skip

ALLOWED = (
    "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE PUBLICATION p FOR TABLE customer, payment, document",
    "DO $$ BEGIN CREATE PUBLICATION p FOR ALL TABLES; END $$",
    "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 password=x' PUBLICATION p"
    " WITH (connect = false)",
    "SET LOCAL session_replication_role = replica",
    "GRANT pg_read_all_data TO app",
    "GRANT rds_replication, rds_superuser, pg_monitor TO app",
    "ALTER ROLE app NOLOGIN",
    "ALTER ROLE app REPLICATION",
    "CREATE ROLE newcomer LOGIN",
    'ALTER DATABASE "Ærø ""shop"" 100%" SET default_transaction_read_only = on',
    'GRANT CONNECT ON DATABASE "Ærø ""shop"" 100%" TO rds_replication',
    "ALTER TABLE customer ADD COLUMN more int",
    "REFRESH MATERIALIZED VIEW revenue_by_day",
    "LOCK TABLE ONLY ledger_entry IN SHARE MODE",
    "SELECT * FROM pg_replication_origin_status",
    "SELECT pg_replication_origin_create('o')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'",
    "CHECKPOINT",
)


@pytest.fixture(scope="module")
def sides(fleet: Fleet, production: str) -> Iterator[dict[str, str]]:
    """A clone of production, and what pg_upgrade has made of one."""
    made = {"clone": "cluster-RIGHTS", "green": "cluster-UPGRADED"}
    fleet.clone(production, made["clone"])
    fleet.start(made["clone"])
    with psycopg.connect(fleet.conninfo(made["clone"], "orders"), autocommit=True) as admin:
        admin.execute(STRANGERS)
        admin.execute("CREATE DATABASE theirs OWNER stranger")
    fleet.replicate(made["clone"], made["green"], "18", SETTINGS, lambda task, status: None)
    fleet.detach(made["clone"], made["green"])
    yield made
    for volume in made.values():
        fleet.destroy(volume)


@pytest.fixture(params=["clone", "green"])
def master(fleet: Fleet, sides: dict[str, str], request: Any) -> Iterator[Connection[Any]]:
    """A session of the master."""
    with connect(fleet, sides[request.param]) as connection:
        connection.execute("SET row_security = off")
        yield connection


@pytest.mark.parametrize(("statement", "words"), REFUSED.items())
def test_what_aurora_refuses_is_refused(
    master: Connection[Any], statement: str, words: str
) -> None:
    with pytest.raises(psycopg.DatabaseError, match=words):
        master.execute(statement.encode())
    assert not ask(master, "SELECT rolsuper FROM pg_roles WHERE rolname = session_user")


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_the_master_needs_it_may(master: Connection[Any], statement: str) -> None:
    with master.transaction(force_rollback=True):
        master.execute(statement.encode())
        assert not ask(master, "SELECT rolsuper FROM pg_roles WHERE rolname = session_user")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), master.transaction():
            master.execute("SELECT FROM pg_authid")


def test_only_members_of_rds_superuser_publish_all(fleet: Fleet, sides: dict[str, str]) -> None:
    everything = b"CREATE PUBLICATION p FOR ALL TABLES"
    for volume in sides.values():
        with connect(fleet, volume, SHOP) as connection:
            # Who owns the database may make publications there, and is refused all of its tables.
            connection.execute("SET ROLE shop_owner")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be superuser"):
                connection.execute(everything)
            connection.execute("RESET ROLE")
        with (
            connect(fleet, volume, "orders", "app", ROLE_PASSWORDS["app"]) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="for database orders"),
        ):
            connection.execute(everything)


def test_databases_that_are_made_later_are_like_the_others(
    fleet: Fleet, sides: dict[str, str]
) -> None:
    for volume in sides.values():
        for template in ("template1", "template0"):
            with connect(fleet, volume) as connection:
                connection.execute(
                    sql.SQL("CREATE DATABASE later TEMPLATE {}").format(sql.Identifier(template))
                )
            with connect(fleet, volume, "later") as connection:
                connection.execute("CREATE PUBLICATION p FOR ALL TABLES")
                assert ask(connection, "SELECT aurora_version()")
            with connect(fleet, volume) as connection:
                connection.execute("DROP DATABASE later")
        with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
            connect(fleet, volume, "template0")


async def test_nothing_of_it_is_a_hazard_or_an_object_of_the_clients(
    fleet: Fleet, sides: dict[str, str]
) -> None:
    told = []
    for volume in sides.values():
        async with await AsyncConnection.connect(
            host="127.0.0.1",
            port=fleet.port(volume),
            user=MASTER,
            password=PASSWORD,
            dbname="orders",
            autocommit=True,
        ) as connection:
            assert await preflight_queries.event_triggers(connection) == []
            found = await objects.of_database(connection, common=16)
            server = await objects.of_server(connection, common=16)
            told.append({e.key: e.made for e in [*found, *server.items] if e.exact})
    blue, green = told
    assert blue, "something was compared"
    assert {key for key in blue.keys() | green if blue.get(key) != green.get(key)} == set()
    ours = {key for key in blue if any(name.startswith("rds_") for name in key[1])}
    assert ours == {("membership", ("rds_superuser", MASTER))}


@pytest.fixture
def older(tmp_path: Path) -> Iterator[tuple[Fleet, str]]:
    """A production below 16, where only superusers let others replicate."""
    majors = {major: folder for major, folder in at_hand().items() if major < 16}
    if not majors:
        pytest.skip(f"no PostgreSQL below 16 here: name one in {GIVEN}")
    with Fleet(tmp_path / "lab", binaries=Binaries(majors)) as fleet:
        fleet.create(
            "cluster-OLDER",
            str(min(majors)),
            SETTINGS,
            master_user=MASTER,
            master_password=PASSWORD,
            seed=Seed(roles=ROLE_PASSWORDS),
        )
        yield fleet, "cluster-OLDER"


def test_below_16_members_of_rds_replication_replicate(older: tuple[Fleet, str]) -> None:
    fleet, volume = older

    def give(connection: Connection[Any], password: str) -> None:
        """Set a password as blueprime does, which keeps it out of the log by a temporary table."""
        with connection.transaction():
            connection.execute("CREATE TEMPORARY TABLE private (value text)")
            connection.execute(f"ALTER ROLE follower PASSWORD '{password}'".encode())
            connection.execute("DROP TABLE private")

    with connect(fleet, volume) as connection:
        connection.execute("CREATE PUBLICATION p FOR ALL TABLES")
        connection.execute(
            "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 password=x' PUBLICATION p"
            " WITH (connect = false)"
        )
        connection.execute("CREATE ROLE follower LOGIN; GRANT rds_replication TO follower")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be superuser"):
            connection.execute("ALTER ROLE follower REPLICATION")
        for password in ("first", "second"):
            give(connection, password)
            with psycopg.connect(
                host="127.0.0.1",
                port=fleet.port(volume),
                user="follower",
                password=password,
                dbname="orders",
                autocommit=True,
                replication="database",
            ) as walsender:
                assert walsender.execute("IDENTIFY_SYSTEM").fetchone()
        connection.execute("DROP ROLE follower")
