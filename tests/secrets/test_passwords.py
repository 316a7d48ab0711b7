"""Passwords of every kind, by every way that they take, against a real server."""

from __future__ import annotations

import asyncio
import json
import socket
import string
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from rehearsal.daemon import _write_pgpass
from rehearsal.servers.server import Server
from runbook.aws.clients import Clients
from runbook.aws.secrets import Secrets
from runbook.plan.connection import CredentialsSection
from runbook.postgres import replication
from runbook.postgres.connect import CannotConnect, connect
from runbook.postgres.target import Target
from tests.secrets.treasure import Treasure, punctuated, random_word

ROLE = "both \"double\" 'single' \\ 100%s;:"
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:471100000815:secret:orders-AbCdEf"

PASSWORDS = (
    # Each mark between letters, at an end, and beside itself.
    *("x".join(f"{mark}{mark}" for mark in string.punctuation[n::8]) for n in range(8)),
    string.punctuation,
    " around ",
    "in between",
    "tab\there",
    "'; DROP ROLE x; --",
    "p' host=elsewhere password='q",
    "\\' \\\\ ends with \\",
    "$HOME $(id) `id` ${x} $$ $1 %s %(x)s %% {0}",
    "Grüße 東京 🐘 \u202e",
    "123456",
    '{"password": "no"}',
    "x" * 99,
    "Zz9!" * 40,
)


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[AsyncConnection]:
    connection = await AsyncConnection.connect(server.conninfo(), autocommit=True)
    async with connection:
        await connection.execute(
            SQL("DROP ROLE IF EXISTS {0}; CREATE ROLE {0} SUPERUSER LOGIN").format(Identifier(ROLE))
        )
        yield connection


def target(server: Server, **changes: Any) -> Target:
    assert server.port is not None
    fields: dict[str, Any] = {
        "role": "blue",
        "host": "127.0.0.1",
        "port": server.port,
        "user": ROLE,
        "sslmode": "disable",
        "sslrootcert": "",
        "server_major": server.major,
        "engine_version": server.version,
        "instance_ids": frozenset(),
    }
    return Target(**{**fields, **changes})


class OneSecret(Clients):
    """Answers for Secrets Manager."""

    def __init__(self, text: str) -> None:
        super().__init__("us-east-1")
        self._text = text

    async def read(self, *asked: Any, **more: Any) -> dict[str, Any]:
        return {"SecretString": self._text}


async def test_the_master_users_by_secret_variable_and_password_file(
    server: Server, admin: AsyncConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, password in enumerate(PASSWORDS):
        await replication.set_password(admin, ROLE, password)
        monkeypatch.setenv("ORDERS_PASSWORD", password)
        folder = tmp_path / str(number)
        folder.mkdir()
        _write_pgpass(folder, {ROLE: password})
        monkeypatch.setenv("PGPASSFILE", str(folder / "pgpass"))
        ways = {
            "env:ORDERS_PASSWORD": "",
            SECRET_ARN: json.dumps({"username": ROLE, "password": password}),
            "pgpass": "",
        }
        for reference, kept in ways.items():
            await _log_in(server, reference, kept)
        if not password.startswith("{"):
            await _log_in(server, SECRET_ARN, password)


async def _log_in(server: Server, reference: str, kept: str) -> None:
    credentials = CredentialsSection(user=ROLE, password=reference)
    secrets = Secrets(OneSecret(kept))

    async def password() -> str | None:
        return await secrets.follow(credentials, host="127.0.0.1", port=1)

    connection = await connect(target(server), password, "postgres", deadline_s=10)
    assert connection.info.user == ROLE
    await connection.close()


async def test_the_replication_roles_in_a_subscription(
    server: Server, admin: AsyncConnection
) -> None:
    for number, password in enumerate(PASSWORDS):
        await replication.set_password(admin, ROLE, password)
        conninfo = _conninfo(server, password)
        assert conninfo_to_dict(conninfo)["password"] == password
        # It logs in at once, and asks the publisher for its tables.
        name = f"bp_{number}"
        created = replication.create_subscription(
            name, conninfo, name, name, server_major=server.major
        )
        await created.execute(admin)
        kept = await admin.execute("SELECT subconninfo FROM pg_subscription")
        assert await kept.fetchall() == [(conninfo,)]
        for statement in replication.drop_subscription(name):
            await statement.execute(admin)


async def test_a_wrong_one_is_refused_by_the_publisher(
    server: Server, admin: AsyncConnection
) -> None:
    await replication.set_password(admin, ROLE, random_word())
    wrong = random_word()
    created = replication.create_subscription(
        "bp", _conninfo(server, wrong), "bp", "bp", server_major=server.major
    )
    with pytest.raises(psycopg.Error, match="password authentication failed") as caught:
        await created.execute(admin)
    assert Treasure({"it": wrong}).found_in(str(caught.value)) == set()


def _conninfo(server: Server, password: str, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.port,
        "dbname": "postgres",
        "user": ROLE,
        "password": password,
        "sslmode": "disable",
    }
    return replication.subscriber_conninfo(**{**fields, **changes})


anything = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(password=anything, user=anything, dbname=anything)
def test_a_connection_string_says_what_it_was_told(password: str, user: str, dbname: str) -> None:
    said = replication.subscriber_conninfo(
        host="h", port=5432, dbname=dbname, user=user, password=password, sslmode="require"
    )
    found = conninfo_to_dict(said)
    assert (found["password"], found["user"], found["dbname"]) == (password, user, dbname)
    assert (found["host"], found["port"], found["sslmode"]) == ("h", "5432", "require")


@pytest.mark.parametrize("end", ["cancel", "terminate"])
async def test_a_subscription_that_is_cut_off_says_no_password(
    server: Server, admin: AsyncConnection, end: str
) -> None:
    """A server quotes the statement that it was in when it was cancelled, or its session ended."""
    treasure = Treasure({"it": punctuated()})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        created = replication.create_subscription(
            "bp",
            _conninfo(server, treasure.secrets["it"], port=silent.getsockname()[1]),
            "bp",
            "bp",
            server_major=server.major,
        )
        worker = await AsyncConnection.connect(server.conninfo(), autocommit=True)
        async with worker:
            creating = asyncio.create_task(created.execute(worker))
            # It has come as far as asking the publisher who answers.
            caller, _ = await asyncio.to_thread(silent.accept)
            with caller:
                await admin.execute(
                    SQL("SELECT {}(%s)").format(SQL(f"pg_{end}_backend")),  # type: ignore[arg-type]
                    (worker.info.backend_pid,),
                )
                with pytest.raises(psycopg.Error) as caught:
                    await creating
            assert treasure.found_in(str(caught.value)) == set()
    log = "".join(path.read_text() for path in server.ground.logs.iterdir())
    assert f"{'canceling statement' if end == 'cancel' else 'terminating connection'} due to" in log
    assert treasure.found_in(log) == set()


async def test_a_refused_login_says_no_password(server: Server) -> None:
    treasure = Treasure({"it": punctuated()})

    async def password() -> str:
        return treasure.secrets["it"]

    with pytest.raises(CannotConnect) as caught:
        await connect(target(server), password, "postgres", deadline_s=10)
    assert treasure.found_in(str(caught.value)) == set()
