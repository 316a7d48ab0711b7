"""Why a connection cannot be made: told by libpq's own words, each provoked here.

What may pass with time is waited out and named meanwhile; what cannot pass ends at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from rehearsal.servers.ports import free_port
from runbook.postgres.connect import CannotConnect, WrongServer, connect
from runbook.postgres.refused import CAUSES, cause_of
from runbook.postgres.target import Address, Target
from tests.postgres.conftest import LIMIT_S, SECRET, Pair, master_password
from tests.postgres.tls import Authority, Relay, relayed

NAME = "orders.cluster-abc.us-east-1.rds.amazonaws.com"
FORMER = "orders-green-x1.cluster-abc.us-east-1.rds.amazonaws.com"


def _behind(pair: Pair, relay: Relay, authority: Authority, **changes: Any) -> Target:
    """Return server 16 as it is reached by the relay, under a name that its certificate bears."""
    fields = {
        "host": NAME,
        "port": 5432,
        "via": Address("127.0.0.1", relay.port),
        "sslmode": "verify-full",
        "sslrootcert": str(authority.root),
    }
    return pair.target(16, **{**fields, **changes})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class Held:
    """Hears what is waited for, and does something at the second wait."""

    def __init__(self, do: Any = lambda: None, *, goes_on: bool = True) -> None:
        self.said: list[str] = []
        self._do = do
        self._goes_on = goes_on

    async def __call__(self, words: str, seconds: float) -> bool:
        self.said.append(words)
        if len(self.said) == 2:
            self._do()
        return self._goes_on


@pytest.fixture(autouse=True)
def named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbook.postgres.connect._NAMED_AFTER_S", 0.0)


async def _fails_at_once(target: Target, database: str = "postgres", secret: str = SECRET) -> str:
    """Return the words of a failure that is not waited out."""

    async def password() -> str:
        return secret

    held = Held()
    with pytest.raises(CannotConnect) as caught:
        await connect(target, password, database, deadline_s=LIMIT_S, hold=held)
    assert held.said == []
    assert not caught.value.cause.passes
    assert secret not in str(caught.value)
    return str(caught.value)


async def _waits(target: Target, database: str = "postgres") -> tuple[str, str]:
    """Return what is told of a failure while it is waited out, and at the end."""
    held = Held(goes_on=False)
    with pytest.raises(CannotConnect) as caught:
        await connect(target, master_password, database, deadline_s=LIMIT_S, hold=held)
    (said,) = held.said
    assert f"connecting to cluster 16 ({target.address}): {caught.value.cause.what};" in said
    assert "UTC, until" in said
    return said, str(caught.value)


async def test_a_certificate_that_changes_while_it_is_waited_for_lets_in(
    pair: Pair, authority: Authority
) -> None:
    async with relayed(pair.target(16).port, authority.context([FORMER])) as relay:

        def follow() -> None:
            relay.context = authority.context([NAME])

        held = Held(follow)
        target = _behind(pair, relay, authority)
        connection = await connect(
            target, master_password, "postgres", deadline_s=LIMIT_S, hold=held
        )
        assert connection.pgconn.ssl_in_use
        await connection.close()
    assert len(held.said) == 2
    assert f"({NAME}:5432 via 127.0.0.1:{relay.port})" in held.said[0]
    assert "its certificate is for another name; tried since" in held.said[0]
    assert set(relay.asked) == {NAME}


async def test_a_certificate_that_does_not_follow_says_what_to_do(
    pair: Pair, authority: Authority
) -> None:
    async with relayed(pair.target(16).port, authority.context([FORMER])) as relay:
        _, words = await _waits(_behind(pair, relay, authority))
    assert f'server certificate for "{FORMER}"' in words
    assert "stopped and started" in words
    assert "former_names = true" in words


async def test_the_certificate_of_a_name_that_the_same_cluster_bore_is_taken_where_it_may_be(
    pair: Pair, authority: Authority
) -> None:
    async with relayed(pair.target(16).port, authority.context([FORMER])) as relay:
        target = _behind(pair, relay, authority, former_hosts=("gone.example", FORMER))
        connection = await connect(target, master_password, "postgres", deadline_s=LIMIT_S)
        await connection.close()
        assert target.certified_as == {FORMER}
        # Without a tunnel its own name tells where it is.
        direct = replace(target, host="localhost", port=relay.port, via=None)
        connection = await connect(direct, master_password, "postgres", deadline_s=LIMIT_S)
        await connection.close()
        # Another's name, or another CA's word, is none.
        relay.context = authority.context(["others.example"])
        await _waits(target)
        relay.context = Authority(authority.root.parent, "other").context([FORMER])
        await _fails_at_once(target)


async def test_what_certificates_show_that_no_waiting_mends(
    pair: Pair, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    missing = tmp_path / "missing.pem"
    async with relayed(pair.target(16).port, authority.context([NAME])) as relay:
        target = _behind(pair, relay, authority)
        words = await _fails_at_once(replace(target, sslrootcert=str(other.root)))
        assert "certificate verify failed" in words
        assert f"credentials.sslrootcert ({other.root})" in words
        words = await _fails_at_once(replace(target, sslrootcert=str(missing)))
        assert f'root certificate file "{missing}" does not exist' in words
        assert f"names the CA file ({missing}): download AWS's bundle" in words
        assert "name of the database" not in words
        words = await _fails_at_once(replace(target, sslrootcert=str(garbage)))
        assert "Put AWS's bundle in its place" in words
        relay.context = None
        assert "Aurora has TLS" in await _fails_at_once(target)


async def test_what_a_server_refuses_for_good(pair: Pair, application: str) -> None:
    target = pair.target(16)
    words = await _fails_at_once(target, secret="Wr0ng")
    assert "password authentication failed" in words
    assert "the password that the plan refers to" in words
    words = await _fails_at_once(target, 'no "such" %')
    assert "Check the name of the database and of the user" in words
    with pair.admin(16) as admin:
        admin.execute("CREATE DATABASE shut ALLOW_CONNECTIONS false")
        admin.execute("CREATE DATABASE hers")
        admin.execute("REVOKE CONNECT ON DATABASE hers FROM PUBLIC")
        admin.execute(SQL("ALTER ROLE {} NOLOGIN").format(Identifier(application)))
        try:
            assert "datallowconn = false" in await _fails_at_once(target, "shut")
            locked = replace(target, user=application)
            assert "Give the role LOGIN again" in await _fails_at_once(locked)
            admin.execute(SQL("ALTER ROLE {} LOGIN").format(Identifier(application)))
            assert "Grant CONNECT" in await _fails_at_once(locked, "hers")
        finally:
            admin.execute("DROP DATABASE shut")
            admin.execute("DROP DATABASE hers")


@contextmanager
def _hba(pair: Pair, line: str) -> Iterator[None]:
    """Put a line before those of pg_hba.conf while the block lasts."""
    with pair.admin(16) as admin:
        (path,) = admin.execute("SHOW hba_file").fetchone() or ("",)
        file = Path(path)
        before = file.read_text()
        file.write_text(f"{line}\n{before}" if line else "local all all trust\n")
        admin.execute("SELECT pg_reload_conf()")
        _reloaded(pair)
        yield
        file.write_text(before)
        admin.execute("SELECT pg_reload_conf()")


def _reloaded(pair: Pair) -> None:
    """Wait until new connections go by the file, as a client sees it."""
    for _ in range(1000):
        try:
            with closing(pair.client(16, "postgres", "nobody")):
                pass
        except psycopg.OperationalError as error:
            if "pg_hba" in str(error):
                return
    raise AssertionError("pg_hba.conf was not read")


async def test_what_pg_hba_conf_keeps_out(pair: Pair) -> None:
    with _hba(pair, "host all all all reject"):
        words = await _fails_at_once(pair.target(16))
        assert "closed to clients" in words
    with _hba(pair, ""):
        words = await _fails_at_once(pair.target(16))
        assert "no encryption" in words
        assert "rds.force_ssl" in words


async def test_what_may_pass_is_waited_out_and_named(
    pair: Pair, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Names are to be resolved here.
    monkeypatch.delenv("PGHOSTADDR")
    target = pair.target(16)
    said, words = await _waits(replace(target, port=free_port()))
    assert "it does not answer" in said
    assert "Check that the cluster is up" in words
    said, _ = await _waits(replace(target, host="orders.invalid"))
    assert "its name does not resolve here" in said
    with pair.admin(16) as admin:
        role = Identifier("few")
        admin.execute(SQL("CREATE ROLE {} LOGIN PASSWORD 'x' CONNECTION LIMIT 0").format(role))
        try:

            async def password() -> str:
                return "x"

            held = Held(goes_on=False)
            few = replace(target, user="few")
            with pytest.raises(CannotConnect, match="too many connections for role"):
                await connect(few, password, database, deadline_s=LIMIT_S, hold=held)
            assert "all its connections are taken" in held.said[0]
        finally:
            admin.execute(SQL("DROP ROLE {}").format(role))


async def test_a_name_that_leads_to_another_server_is_named_while_it_lasts(pair: Pair) -> None:
    held = Held(goes_on=False)
    target = pair.target(16, server_major=18, engine_version="18.4", role="new blue")
    with pytest.raises(WrongServer, match="is PostgreSQL 16"):
        await connect(target, master_password, "postgres", deadline_s=LIMIT_S, hold=held)
    assert "connecting to new blue" in held.said[0]
    assert "its name leads to another server" in held.said[0]


@pytest.mark.parametrize(
    ("words", "what", "passes", "runs"),
    [
        ('FATAL:  PAM authentication failed for user "app"', "its token is refused", True, True),
        ("FATAL:  the database system is starting up", "it starts, ends or recovers", True, False),
        ("FATAL:  the database system is in recovery mode", "it starts", True, False),
        ("FATAL:  terminating connection due to administrator command", "it start", True, False),
        ("FATAL:  terminating connection due to conflict with recovery", "replay", True, True),
        ("FATAL:  sorry, too many clients already", "all its connections", True, True),
        (
            "FATAL:  remaining connection slots are reserved for superusers",
            "all its connections",
            True,
            True,
        ),
        ("server closed the connection unexpectedly", "it does not answer", True, False),
        ('FATAL:  role "x" does not exist', "there is no such database or user", False, True),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a", database "b", SSL '
            "encryption",
            "it lets this user in",
            False,
            True,
        ),
    ],
)
def test_words_of_servers_that_no_test_can_have(
    words: str, what: str, passes: bool, runs: bool
) -> None:
    cause = cause_of(words)
    assert cause.what.startswith(what)
    assert cause.passes is passes
    assert CannotConnect(words).server_runs is runs


def test_what_cannot_pass_comes_before_what_may() -> None:
    passes = [cause.passes for cause in CAUSES]
    assert passes == sorted(passes)
