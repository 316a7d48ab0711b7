"""Connections that have proved to be on the server they mean."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, Protocol, runtime_checkable

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads

from runbook.postgres.identity import is_known_by_now, prove
from runbook.postgres.refused import OTHER_NAME, REFUSED, Cause, cannot_connect, cause_of
from runbook.postgres.refused import UNREACHABLE as UNREACHABLE
from runbook.postgres.refused import CannotConnect as CannotConnect
from runbook.postgres.refused import WrongServer as WrongServer
from runbook.postgres.target import Target
from state.masking import remember

Password = Callable[[], Awaitable[str | None]]
"""Fetches the password when a connection is opened. None: libpq looks in `~/.pgpass`."""


@runtime_checkable
class Remembering(Protocol):
    """A password that may be changed on one of several clusters while another keeps the former."""

    outdated: bool
    """Whether the server that was connected to last takes another one than the plan refers to."""

    async def others(self) -> Sequence[str]:
        """Return what the same reference held before, or is about to hold, the likeliest first."""

    def took(self, password: str) -> None:
        """Take note of the password that a server has taken."""


_SETTINGS = {
    "search_path": "pg_catalog",
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "synchronous_commit": "on",
    # Text output is compared between servers and read by people; roles may have their own.
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
}
_OPTIONS = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0

_NAMED_AFTER_S = 1.0
"""A failure that passes sooner is not told."""

Hold = Callable[[str, float], Awaitable[bool]]
"""Waits so many seconds, saying what for; tells whether to go on waiting."""


async def _hold(words: str, seconds: float) -> bool:
    """Wait, where nobody hears what for nor stops it."""
    await asyncio.sleep(seconds)
    return True


async def connect(
    target: Target,
    password: Password,
    database: str,
    *,
    deadline_s: float,
    read_only: bool = False,
    hold: Hold = _hold,
) -> AsyncConnection:
    """Open an autocommit connection that has proved to be on the target's cluster.

    The proof is `identity.prove`'s. After a switchover, a rename or a failover DNS, names and
    certificates trail: what may pass with time (`refused.Cause`) is looked up anew and tried again
    until the deadline, and told to `hold` for as long as it lasts. A server that refuses the
    password may be one that a rotation has not reached, or has reached first.

    Raises `CannotConnect` (at once where waiting cannot help) and `WrongServer`.
    """
    if target.no_way:
        raise CannotConnect(f"Cannot connect to {target.place(database)}: {target.no_way}")
    began = monotonic()
    since = datetime.now(UTC)
    ends = began + deadline_s
    pause = _FIRST_PAUSE_S
    while True:
        problem: CannotConnect | WrongServer
        try:
            connection = await _attempt(target, password, database, ends, read_only=read_only)
            if isinstance(password, Remembering):
                password.took(connection.info.password)
                password.outdated = False
            return connection
        except WrongServer as error:
            problem = error
            if await is_known_by_now(target, error.named):
                continue
        except (psycopg.OperationalError, TimeoutError, OSError) as error:
            problem = cannot_connect(target, database, error)
            try:
                found = await _otherwise(
                    problem.cause, target, password, database, ends, read_only=read_only
                )
            except WrongServer as mismatch:
                # It takes the former password, and may be the one that the name led to before.
                problem, found = mismatch, None
            if found is not None:
                return found
            if isinstance(problem, CannotConnect) and not problem.cause.passes:
                raise problem from None
        if monotonic() + pause >= ends:
            raise problem
        if monotonic() - began < _NAMED_AFTER_S:
            await asyncio.sleep(pause)
        elif not await hold(_waited_for(target, problem, since, deadline_s), pause):
            raise problem
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _waited_for(
    target: Target, problem: CannotConnect | WrongServer, since: datetime, deadline_s: float
) -> str:
    """Return what is waited for, at which endpoint, since when and until when at most."""
    what = problem.what if isinstance(problem, WrongServer) else problem.cause.what
    return (
        f"connecting to {target.role} ({target.address}): {what}; tried since {since:%H:%M:%S} "
        f"UTC, until {since + timedelta(seconds=deadline_s):%H:%M:%S} at most"
    )


async def _otherwise(
    cause: Cause, target: Target, password: Password, database: str, ends: float, *, read_only: bool
) -> AsyncConnection | None:
    """Try what else this server may take, or show; return None where it is of no use."""
    if cause is REFUSED and isinstance(password, Remembering):
        return await _with_another(target, password, database, ends, read_only=read_only)
    if cause is OTHER_NAME:
        for former in target.former_hosts:
            try:
                connection = await _attempt(
                    target, password, database, ends, read_only=read_only, named=former
                )
            except (psycopg.OperationalError, TimeoutError, OSError):
                continue
            target.certified_as.add(former)
            return connection
    return None


async def _with_another(
    target: Target, password: Remembering, database: str, ends: float, *, read_only: bool
) -> AsyncConnection | None:
    """Try the other passwords of the same reference; return None where none of them is taken."""
    for other in await password.others():

        async def this(value: str = other) -> str:
            return value

        try:
            connection = await _attempt(target, this, database, ends, read_only=read_only)
        except (psycopg.OperationalError, TimeoutError, OSError) as error:
            if cause_of(str(error)) is not REFUSED:
                return None
            continue
        password.took(other)
        password.outdated = True
        return connection
    return None


class Session:
    """Keeps one proven connection a database open: inside the fence every millisecond counts.

    A connection that is handed out again has proved anew that it lives and where it is.
    """

    def __init__(
        self, target: Target, password: Password, *, deadline_s: float, hold: Hold = _hold
    ) -> None:
        self.target = target
        self._hold = hold
        self._password = password
        self._deadline_s = deadline_s
        self._connections: dict[str, AsyncConnection] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def on(self, database: str) -> AsyncConnection:
        """Return the database's connection. Raises as `connect` does."""
        async with self._locks.setdefault(database, asyncio.Lock()):
            kept = self._connections.pop(database, None)
            if kept is not None:
                try:
                    await prove(kept, self.target)
                except (psycopg.OperationalError, WrongServer):
                    await kept.close()
                    kept = None
            if kept is None:
                kept = await connect(
                    self.target,
                    self._password,
                    database,
                    deadline_s=self._deadline_s,
                    hold=self._hold,
                )
            self._connections[database] = kept
            return kept

    @property
    def outdated(self) -> bool:
        """Whether the server takes another password than the plan refers to."""
        return isinstance(self._password, Remembering) and self._password.outdated

    @property
    def databases(self) -> list[str]:
        """The databases to which a connection is kept."""
        return list(self._connections)

    async def drop(self, database: str) -> None:
        """Close the database's connection, which nobody may be using: a query in flight on a
        connection that is closed under it reads memory that libpq has freed.
        """
        if (connection := self._connections.pop(database, None)) is not None:
            await connection.close()


async def _attempt(
    target: Target,
    password: Password,
    database: str,
    ends: float,
    *,
    read_only: bool,
    named: str = "",
) -> AsyncConnection:
    """Connect once. `named`: the name that the server's certificate is held against instead."""
    async with asyncio.timeout(max(ends - monotonic(), 1.0)):
        connection = await AsyncConnection.connect(
            host=named or target.host,
            hostaddr=await _hostaddr(target) if named or target.via else None,
            port=target.via.port if target.via else target.port,
            user=target.user,
            password=await password(),
            dbname=database,
            sslmode=target.sslmode,
            sslrootcert=target.sslrootcert or None,
            application_name=target.application_name,
            connect_timeout=10,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30_000,
            client_encoding="UTF8",
            options=_OPTIONS,
            autocommit=True,
            prepare_threshold=None,
        )
        # One that libpq has found by itself is known from here on.
        remember(connection.info.password)
        try:
            await prove(connection, target)
            await connection.execute(
                "SELECT pg_catalog.set_config('default_transaction_read_only', %s, false),"
                " pg_catalog.set_config('client_encoding', %s, false)",
                ("on" if read_only else "off", _encoding(connection)),
            )
            # By itself psycopg takes JSON for UTF-8.
            set_json_loads(partial(_json, connection.info.encoding), connection)
        except BaseException:
            await connection.close()
            raise
        return connection


async def _hostaddr(target: Target) -> str:
    """Return the address to connect to, where it is not libpq that looks it up.

    Source: https://www.postgresql.org/docs/current/libpq-connect.html (hostaddr)
    """
    if target.via:
        return target.via.host
    if given := os.environ.get("PGHOSTADDR"):
        return given
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


def _encoding(connection: AsyncConnection) -> str:
    """Return the client's encoding, by which every byte of the database goes there and back.

    The server converts nothing for a database in SQL_ASCII, and refuses what is no valid text of
    the client's encoding: in LATIN1 each byte is (postgresql.org/docs, "Character Set Support").
    """
    ascii_only = connection.info.parameter_status("server_encoding") == "SQL_ASCII"
    return "LATIN1" if ascii_only else "UTF8"


def _json(encoding: str, data: str | bytes) -> Any:
    return json.loads(data if isinstance(data, str) else bytes(data).decode(encoding))
