"""A real server with two application databases, and a ledger folder for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from rehearsal.servers.server import Binaries, Ground, Server
from rehearsal.workload.workload import Workload

DATABASES = ("orders", 'Ærø "shop" 100%')
PASSWORD = "pässword 'of' app"
ACCOUNTS = 100
BALANCE = 1000

TABLES = f"""
    SET client_min_messages = warning;
    DROP TABLE IF EXISTS ledger_entry, account, kept_entry, kept_account;
    CREATE TABLE ledger_entry (
        writer int, seq bigint, payload text, amount numeric, updated int DEFAULT 0,
        written_at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (writer, seq));
    CREATE TABLE account (id int PRIMARY KEY, balance bigint);
    INSERT INTO account SELECT g, {BALANCE} FROM generate_series(1, {ACCOUNTS}) g;
    GRANT ALL ON ledger_entry, account TO app;
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ground = Ground(tmp_path_factory.mktemp("servers"))
    try:
        binaries = Binaries()
        binaries.prepare(ground)
        server = Server(ground, binaries.find("16"), ground.base / "one" / "data")
        server.initdb()
        server.start()
        with server.connect() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE app LOGIN PASSWORD {}").format(sql.Literal(PASSWORD))
            )
            for name in DATABASES:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield server
        server.stop()
    finally:
        ground.close()


@pytest.fixture
def databases(server: Server) -> tuple[str, ...]:
    """Make the tables of both databases afresh for one test, and the role as it should be."""
    with server.connect() as connection:
        connection.execute("ALTER ROLE app LOGIN")
        connection.execute("ALTER ROLE app RESET ALL")
    for name in DATABASES:
        with server.connect(name) as connection:
            connection.execute("SET search_path = public")
            connection.execute(TABLES)
    return DATABASES


@pytest.fixture
def admin(server: Server) -> Callable[[str], psycopg.Connection[Any]]:
    """Open a superuser's connection to a database, seeing the application's tables."""

    def connect(database: str) -> psycopg.Connection[Any]:
        connection = server.connect(database)
        connection.execute("SET search_path = public")
        return connection

    return connect


@pytest.fixture
def make_workload(
    server: Server, databases: tuple[str, ...], tmp_path: Path
) -> Iterator[Callable[..., Workload]]:
    """Make workloads on one ledger; those left open are closed."""
    made: list[Workload] = []

    def make(**changes: Any) -> Workload:
        given = {
            "host": "127.0.0.1",
            "port": server.port,
            "user": "app",
            "password": PASSWORD,
            "databases": databases,
            "state_dir": tmp_path,
            "tps": 400.0,
        }
        made.append(Workload(**{**given, **changes}))
        return made[-1]

    yield make
    for workload in made:
        workload.close()


@pytest.fixture
def workload(make_workload: Callable[..., Workload]) -> Workload:
    return make_workload()
