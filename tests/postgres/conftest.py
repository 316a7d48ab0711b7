"""One pair of real servers for all tests of this folder: 16 as on blue, 18 as on green."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from rehearsal.servers import ADMIN, Binaries, Ground, Server
from runbook.postgres.connect import Target, connect

MASTER = 'Må"ster 100%'
SECRET = "p'a\\s\"s %s 🔑"
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
            self.servers[major].conninfo(database), autocommit=True, client_encoding="UTF8"
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

    def log(self) -> str:
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.ground.logs.iterdir())
        )


async def master_password() -> str:
    return SECRET


def _role(connection: psycopg.Connection[Any], name: str, attributes: str) -> None:
    verifier = connection.pgconn.encrypt_password(
        SECRET.encode(), name.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(
            Identifier(name), SQL(attributes), verifier
        )
    )


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("postgres")
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


Open = Callable[..., Awaitable[AsyncConnection]]


@pytest.fixture
async def opened(pair: Pair) -> AsyncIterator[Open]:
    """Open blueprime's own connections; they are closed at the end."""
    async with AsyncExitStack() as stack:

        async def open_(major: int, database: str = "postgres", **more: Any) -> AsyncConnection:
            connection = await connect(
                pair.target(major), master_password, database, deadline_s=10, **more
            )
            stack.push_async_callback(connection.close)
            return connection

        yield open_


@pytest.fixture
def database(pair: Pair) -> Iterator[str]:
    """Make a database of the same awkward name on both servers."""
    name = f"Ær \"ø\" 100% '🐘' {next(_numbers)}"
    for major in (16, 18):
        with pair.admin(major) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    yield name
    for major in (16, 18):
        with pair.admin(major) as connection:
            for (gid,) in connection.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
                with pair.admin(major, name) as inside:
                    inside.execute(SQL("ROLLBACK PREPARED {}").format(gid))
            drop_subscriptions(pair, major, name)
            connection.execute(
                "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                " WHERE database = %s AND active_pid IS NOT NULL",
                (name,),
            )
            connection.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE database = %s",
                (name,),
            )
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def drop_subscriptions(pair: Pair, major: int, database: str) -> None:
    with pair.admin(major, database) as inside:
        query = """SELECT subname FROM pg_subscription
            WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"""
        for (name,) in inside.execute(query).fetchall():
            subscription = Identifier(name)
            inside.execute(SQL("ALTER SUBSCRIPTION {} DISABLE").format(subscription))
            inside.execute(SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(subscription))
            inside.execute(SQL("DROP SUBSCRIPTION {}").format(subscription))


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


__all__ = ["ADMIN", "MASTER", "SECRET", "Open", "Pair"]
