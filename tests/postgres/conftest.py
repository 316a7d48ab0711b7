"""One pair of real servers for all tests of this folder: 16 as on blue, 18 as on green."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from rehearsal.servers.server import ADMIN, Binaries, Ground, Server
from runbook.postgres.comparison import fenced
from runbook.postgres.comparison.fenced import Comparison
from runbook.postgres.comparison.hashing import Salt, row_hash
from runbook.postgres.comparison.scan import Scan, digests
from runbook.postgres.comparison.tables import ComparedTable
from runbook.postgres.connect import connect
from runbook.postgres.statement import Statement
from runbook.postgres.target import Target

MASTER = 'Må"ster 100%'
SECRET = "p'a\\s\"s %s 🔑"
LIMIT_S = 120.0
"""It only ends a test that fails."""
_SETTINGS = {
    "wal_level": "logical",
    "max_prepared_transactions": "10",
    "max_connections": "100",
    "max_worker_processes": "16",
    "max_logical_replication_workers": "8",
    "wal_retrieve_retry_interval": "100ms",
    "autovacuum": "off",
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_connections": "off",
}

_numbers = itertools.count(1)


@dataclass
class Pair:
    """Both servers, and the ways into them."""

    ground: Ground
    servers: dict[int, Server]

    def target(self, major: int, **changes: Any) -> Target:
        server = self.servers[major]
        assert server.port is not None
        fields: dict[str, Any] = {
            "role": f"cluster {major}",
            "host": "127.0.0.1",
            "port": server.port,
            "user": MASTER,
            "sslmode": "disable",
            "sslrootcert": "",
            "server_major": major,
            "engine_version": server.version,
            "instance_ids": frozenset({f"writer-{major}"}),
        }
        return Target(**{**fields, **changes})

    def admin(self, major: int, database: str = "postgres") -> psycopg.Connection[Any]:
        """Open a session as the server's own superuser, `rdsadmin`."""
        return psycopg.connect(
            self.servers[major].conninfo(database),
            autocommit=True,
            client_encoding="UTF8",
            options="-c default_transaction_read_only=off",
        )

    def client(self, major: int, database: str, user: str, **more: Any) -> psycopg.Connection[Any]:
        """Open a session as an application does."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.servers[major].port,
            user=user,
            password=SECRET,
            dbname=database,
            autocommit=True,
            **more,
        )

    @contextmanager
    def stray(self, major: int, database: str) -> Iterator[psycopg.Connection[Any]]:
        """Open a session that is gone from the server when the block ends."""
        with self.admin(major, database) as connection:
            yield connection
            pid = connection.info.backend_pid
        ends = monotonic() + LIMIT_S
        with self.admin(major) as watcher:
            query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
            while watcher.execute(query, (pid,)).fetchone():
                assert monotonic() < ends

    def log(self) -> str:
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.ground.logs.iterdir())
        )


async def master_password() -> str:
    return SECRET


async def in_one(connection: AsyncConnection, statements: Iterable[Statement]) -> None:
    """Run statements in one transaction, as an effect does."""
    async with connection.transaction():
        for statement in statements:
            await statement.execute(connection)


_SALT = Salt()


async def hashed(connection: AsyncConnection, table: ComparedTable) -> str | None:
    """Return a table's hash, with the same salt on both servers."""
    (digest,) = await digests(connection, [Scan(table, row_hash(table, table.columns, _SALT))])
    return digest.hash


_verifiers: dict[str, str] = {}


def _role(connection: psycopg.Connection[Any], name: str, attributes: str) -> None:
    """Make a role, with the same verifier on both servers, as one that was copied."""
    if name not in _verifiers:
        _verifiers[name] = connection.pgconn.encrypt_password(
            SECRET.encode(), name.encode(), b"scram-sha-256"
        ).decode()
    connection.execute(
        SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
            Identifier(name), SQL(attributes), _verifiers[name]
        )
    )


@contextmanager
def two_servers(folder: Path) -> Iterator[Pair]:
    """Start both servers in a folder; they are gone when the block ends."""
    ground = Ground(folder)
    try:
        binaries = Binaries()
        binaries.prepare(ground)
        servers = {}
        for major in (16, 18):
            server = Server(ground, binaries.find(str(major)), ground.base / str(major) / "data")
            server.configure("group", _SETTINGS)
            server.initdb()
            server.start()
            servers[major] = server
        made = Pair(ground, servers)
        for major in servers:
            with made.admin(major) as connection:
                _role(connection, MASTER, "SUPERUSER")
        yield made
        for server in servers.values():
            server.stop("immediate")
    finally:
        ground.close()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with two_servers(tmp_path_factory.mktemp("postgres")) as made:
        yield made


Open = Callable[..., Awaitable[AsyncConnection]]


@pytest.fixture
async def opened(pair: Pair) -> AsyncIterator[Open]:
    """Open blueprime's own connections; they are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_(major: int, database: str = "postgres", **more: Any) -> AsyncConnection:
            connection = await connect(
                pair.target(major), master_password, database, deadline_s=LIMIT_S, **more
            )
            stack.push_async_callback(connection.close)
            return connection

        yield open_


Compare = Callable[..., Awaitable[Comparison]]


@pytest.fixture
def compared(pair: Pair, database: str) -> Compare:
    """Compare 18 with 16, by what this project says to both."""

    async def run(budget_s: float = 60.0, **more: object) -> Comparison:
        return await fenced.compare_databases(
            lambda: connect(pair.target(18), master_password, database, deadline_s=LIMIT_S),
            lambda: connect(pair.target(16), master_password, database, deadline_s=LIMIT_S),
            budget_s=budget_s,
            parallel=2,
            **more,  # type: ignore[arg-type]
        )

    return run


def make_database(pair: Pair) -> str:
    """Make a database of the same awkward name on both servers."""
    name = f"Ær \"ø\" 100% '🐘' {next(_numbers)}"
    for major in (16, 18):
        with pair.admin(major) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return name


@pytest.fixture(scope="session")
def _swept(pair: Pair) -> str:
    return make_database(pair)


@pytest.fixture
def database(pair: Pair, _swept: str) -> Iterator[str]:
    """Lend a database, empty on both servers; sweeping it costs less than making another."""
    yield _swept
    for major in (16, 18):
        with pair.admin(major, _swept) as connection:
            _sweep(connection, _swept)


@pytest.fixture
def large_database(pair: Pair) -> Iterator[str]:
    """Lend a database for more objects than one sweep can hold locks on."""
    name = make_database(pair)
    yield name
    for major in (16, 18):
        with pair.admin(major) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def _sweep(connection: psycopg.Connection[Any], database: str) -> None:
    for (gid,) in connection.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
        connection.execute(SQL("ROLLBACK PREPARED {}").format(gid))
    query = """SELECT subname FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    for (name,) in connection.execute(query).fetchall():
        subscription = Identifier(name)
        connection.execute(SQL("ALTER SUBSCRIPTION {} DISABLE").format(subscription))
        connection.execute(SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(subscription))
        connection.execute(SQL("DROP SUBSCRIPTION {}").format(subscription))
    connection.execute(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
        " WHERE active_pid IS NOT NULL"
    )
    connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    connection.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
    connection.execute(SQL("ALTER DATABASE {} RESET ALL").format(Identifier(database)))
    for kind, query in (
        ("PUBLICATION", "SELECT pubname FROM pg_publication"),
        ("EXTENSION", "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"),
        ("FOREIGN DATA WRAPPER", "SELECT fdwname FROM pg_foreign_data_wrapper"),
        (
            "SCHEMA",
            "SELECT nspname FROM pg_namespace"
            " WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'",
        ),
    ):
        for (name,) in connection.execute(query.encode()).fetchall():
            connection.execute(SQL(f"DROP {kind} {{}} CASCADE").format(Identifier(name)))
    connection.execute("CREATE SCHEMA public")


@pytest.fixture
def application(pair: Pair) -> Iterator[str]:
    """Make an application's role on both servers."""
    name = f'App "ü" 50% {next(_numbers)}'
    for major in (16, 18):
        with pair.admin(major) as connection:
            _role(connection, name, "")
            connection.execute(SQL("GRANT pg_write_all_data TO {}").format(Identifier(name)))
    yield name
    for major in (16, 18):
        with pair.admin(major) as connection:
            connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))


__all__ = ["ADMIN", "MASTER", "SECRET", "Compare", "Open", "Pair"]


@pytest.fixture
def job(pair: Pair) -> Iterator[str]:
    """Make a role that is none of the application's, as jobs and people have."""
    name = 'Job "j" 50%'
    for major in (16, 18):
        with pair.admin(major) as admin:
            _role(admin, name, "")
            admin.execute(SQL("GRANT pg_write_all_data TO {}").format(Identifier(name)))
            admin.execute(SQL("GRANT pg_read_all_data TO {}").format(Identifier(name)))
    yield name
    for major in (16, 18):
        with pair.admin(major) as admin:
            admin.execute(SQL("DROP ROLE {}").format(Identifier(name)))
