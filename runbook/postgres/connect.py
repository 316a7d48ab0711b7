"""Connections that have proved to be on the server they mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol, runtime_checkable

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads

from runbook.postgres.queries import one_value, says
from runbook.postgres.refusals import libpq_says
from runbook.postgres.statement import quoted
from runbook.postgres.target import Target
from state.masking import masked, remember

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

# libpq hands out no SQLSTATE for a connection that failed, so the cause is read from the message.
# A server that speaks another language than English is then tried until the deadline.
_REFUSED = "password authentication failed"

_TURNS_ALL_AWAY = ("terminating connection", "the database system is")
"""What a server says that takes no connection at all: it starts, ends or recovers."""

_FINAL_CAUSES = (
    (
        _REFUSED,
        "check the password that the plan refers to; where it was changed on another cluster "
        "alone, m, or blueprime repair, says how this one gets it, and in ~/.pgpass each host and "
        "port may have a line of its own",
    ),
    ("no password supplied", "name a password in the plan's credentials, or add one to ~/.pgpass"),
    ("PAM authentication failed", "check the IAM token's user, Region and policy"),
    ("no pg_hba.conf entry", "check sslmode (Aurora 17 and later refuses plain connections)"),
    ("pg_hba.conf rejects", "this database or user is closed to clients; choose another"),
    ("is not permitted to log in", "give the role LOGIN again"),
    ("permission denied for database", "grant CONNECT on the database to the user"),
    ("is not currently accepting connections", "the database has datallowconn = false"),
    ('" does not exist', "check the name of the database and of the user"),
    ("certificate verify failed", "check sslrootcert and the endpoint's name"),
    ("root certificate file", "check sslrootcert"),
    ("does not match host name", "connect by the endpoint's own name, or use verify-ca"),
    ("server does not support SSL", "check sslmode"),
)


class CannotConnect(Exception):
    """No connection could be made, in the words that a person reads; never a password."""

    def __init__(self, words: str, *, password_refused: bool = False) -> None:
        super().__init__(words)
        self.password_refused = password_refused
        """Whether the server answered, and takes another password."""

    @property
    def server_runs(self) -> bool:
        """Whether a server answered, and refused this one connection in its own words."""
        words = str(self).lower()
        return "fatal:" in words and not any(each in words for each in _TURNS_ALL_AWAY)


class WrongServer(Exception):
    """What answers is another server than the one meant, and was so until the deadline."""

    def __init__(self, words: str, *, named: str = "") -> None:
        super().__init__(words)
        self.named = named
        """What it calls itself, where nothing else says that it is another one."""


UNREACHABLE = (CannotConnect, WrongServer, psycopg.Error, OSError)
"""What a look at a database may end in: nothing was changed by it."""


async def connect(
    target: Target,
    password: Password,
    database: str,
    *,
    deadline_s: float,
    read_only: bool = False,
) -> AsyncConnection:
    """Open an autocommit connection that has proved to be on the target's cluster.

    The proof: the server's major version is the target's, and where the server knows its own name
    (`aurora_db_instance_identifier()`, on Aurora) it is one of the target's instances, as they are
    named now or were before. After a switchover or a rename DNS and names may lag, so a mismatch is
    looked up anew and tried again until the deadline. A server
    that refuses the password may be one that a rotation has not reached, or has reached first.

    Raises `CannotConnect` (at once where waiting cannot help) and `WrongServer`.
    """
    if target.no_way:
        raise CannotConnect(f"Cannot connect to {target.place(database)}: {target.no_way}")
    ends = monotonic() + deadline_s
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
            if await _is_known_by_now(target, error.named):
                continue
        except (psycopg.OperationalError, TimeoutError, OSError) as error:
            problem = _cannot_connect(target, database, error)
            if problem.password_refused and isinstance(password, Remembering):
                try:
                    found = await _with_another(
                        target, password, database, ends, read_only=read_only
                    )
                except WrongServer as mismatch:
                    # It takes the former password, and may be the one that the name led to before.
                    problem, found = mismatch, None
                if found is not None:
                    return found
            if isinstance(problem, CannotConnect) and _final_advice(error) is not None:
                raise problem from None
        if monotonic() + pause >= ends:
            raise problem
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


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
            if _REFUSED not in str(error):
                return None
            continue
        password.took(other)
        password.outdated = True
        return connection
    return None


async def prove(connection: AsyncConnection, target: Target) -> None:
    """Raise `WrongServer` unless the connection is on the target's cluster.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora_db_instance_identifier.html
    """
    major = connection.info.server_version // 10000
    if major != target.server_major:
        raise WrongServer(
            f"{target.place(connection.info.dbname)} is PostgreSQL {major}, and "
            f"{target.role} runs {target.engine_version}: the name still leads to another server. "
            "Nothing was changed there. Wait until the endpoint has moved, then try again."
        )
    name = await _instance_identifier(connection)
    if name is not None and not target.is_named(name):
        known = ", ".join(sorted(target.instance_ids | target.known_since)) or "none"
        place = target.place(connection.info.dbname)
        raise WrongServer(
            f"{place} is the instance {name or '(unnamed)'}, and those of {target.role} are: "
            f"{known}. Nothing was changed there. Wait until the endpoint has moved, or the server "
            "bears its new name, then try again.",
            named=name,
        )


async def _is_known_by_now(target: Target, name: str) -> bool:
    """Look up what a target's instances are named; return whether a server's name is among it."""
    if not name or target.look_again is None:
        return False
    if name in await target.look_again():
        target.known_since.add(name)
    return target.is_named(name)


class Session:
    """Keeps one proven connection a database open: inside the fence every millisecond counts.

    A connection that is handed out again has proved anew that it lives and where it is.
    """

    def __init__(self, target: Target, password: Password, *, deadline_s: float) -> None:
        self.target = target
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
                    self.target, self._password, database, deadline_s=self._deadline_s
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
    target: Target, password: Password, database: str, ends: float, *, read_only: bool
) -> AsyncConnection:
    async with asyncio.timeout(max(ends - monotonic(), 1.0)):
        connection = await AsyncConnection.connect(
            host=target.host,
            hostaddr=target.via.host if target.via else None,
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


def _encoding(connection: AsyncConnection) -> str:
    """Return the client's encoding, by which every byte of the database goes there and back.

    The server converts nothing for a database in SQL_ASCII, and refuses what is no valid text of
    the client's encoding: in LATIN1 each byte is (postgresql.org/docs, "Character Set Support").
    """
    ascii_only = connection.info.parameter_status("server_encoding") == "SQL_ASCII"
    return "LATIN1" if ascii_only else "UTF8"


def _json(encoding: str, data: str | bytes) -> Any:
    return json.loads(data if isinstance(data, str) else bytes(data).decode(encoding))


async def _instance_identifier(connection: AsyncConnection) -> str | None:
    """Return the server's own name, empty where it does not say; None where it has no such name."""
    if await says(
        connection,
        "SELECT pg_catalog.to_regprocedure('pg_catalog.aurora_db_instance_identifier()') IS NULL",
    ):
        return None
    name = await one_value(connection, "SELECT pg_catalog.aurora_db_instance_identifier()::text")
    return str(name or "")


def _final_advice(error: BaseException) -> str | None:
    """Return what to do about a failure that waiting does not repair, else None."""
    return next((advice for cause, advice in _FINAL_CAUSES if cause in str(error)), None)


def _cannot_connect(target: Target, database: str, error: BaseException) -> CannotConnect:
    advice = _final_advice(error) or "check that the cluster is up and reachable from here"
    said = masked(libpq_says(str(error))) or "no answer in time"
    return CannotConnect(
        f"Cannot connect to {target.place(database)} as {quoted(target.user)}: {said}. "
        f"{advice[0].upper()}{advice[1:]}.",
        password_refused=_REFUSED in str(error),
    )
