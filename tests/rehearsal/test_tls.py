"""Endpoints that speak TLS, met by a real libpq: names, authorities, and who has to encrypt."""

from __future__ import annotations

import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rehearsal.servers.certificates import Authority
from rehearsal.servers.connection_cutter import ConnectionCut, Moment
from rehearsal.servers.endpoints import Endpoints
from rehearsal.servers.fleet import Fleet
from rehearsal.servers.presented import Certificates
from tests.rehearsal.conftest import BOTH, MASTER, PASSWORD, SETTINGS, ask, until

ZONE = "czm2.us-east-1.rds.localhost"
NAME = f"orders.cluster-{ZONE}"
FORMER = f"orders-green-abc123.cluster-{ZONE}"
FORCED = {**SETTINGS, "rds.force_ssl": "1"}


def at_once() -> float:
    return 0.0


class Place:
    """One server behind an endpoint with a certificate for `NAME`."""

    def __init__(self, fleet: Fleet, volume: str, folder: Path) -> None:
        self.fleet, self.volume = fleet, volume
        self.authority = Authority(folder)
        self.certificates = Certificates(self.authority)
        self.endpoints = Endpoints(
            fleet.port, certificates=self.certificates, admission=fleet.admission
        )
        self.certificates.present(volume, frozenset({NAME}), at_once)
        self.port = self.endpoints.open("orders")
        self.endpoints.route("orders", volume)

    def connect(self, sslmode: str = "verify-full", **given: Any) -> psycopg.Connection[Any]:
        found: dict[str, Any] = {
            "host": NAME,
            "hostaddr": "127.0.0.1",
            "port": self.port,
            "user": MASTER,
            "password": PASSWORD,
            "dbname": "orders",
            "sslmode": sslmode,
            "sslrootcert": str(self.authority.root),
        }
        return psycopg.connect(**{**found, **given}, autocommit=True)

    def refusal(self, sslmode: str = "verify-full", **given: Any) -> str:
        with pytest.raises(psycopg.OperationalError) as refused:
            self.connect(sslmode, **given)
        return str(refused.value)

    def speaks_tls(self, sslmode: str = "verify-full", **given: Any) -> bool:
        with self.connect(sslmode, **given) as connection:
            assert ask(connection, "SELECT count(*) FROM customer")
            return bool(connection.pgconn.ssl_in_use)


@pytest.fixture
def place(fleet: Fleet, production: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(fleet, production, tmp_path / "ca")
    yield made
    made.endpoints.shut()
    fleet.apply_settings(production, SETTINGS)


def test_a_client_that_verifies_everything_gets_in_by_the_right_name_alone(place: Place) -> None:
    assert place.speaks_tls()
    assert place.speaks_tls(ssl_max_protocol_version="TLSv1.2")
    other = place.refusal(host=f"billing.cluster-{ZONE}")
    assert f'certificate for "{NAME}" does not match host name "billing.cluster-' in other
    assert place.speaks_tls("verify-ca", host="billing")


def test_another_authority_is_not_trusted(place: Place, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    assert "certificate verify failed" in place.refusal(sslrootcert=str(stranger.root))


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer", "require"])
def test_encryption_is_offered_and_forced_on_nobody_by_default(place: Place, sslmode: str) -> None:
    asked = sslmode in ("prefer", "require")
    assert place.speaks_tls(sslmode, gssencmode="prefer") == asked


def test_who_does_not_encrypt_is_refused_in_the_servers_own_words_where_it_is_forced(
    place: Place,
) -> None:
    place.fleet.apply_settings(place.volume, FORCED)
    refused = place.refusal("disable")
    assert (
        f'FATAL:  no pg_hba.conf entry for host "127.0.0.1", user "{MASTER}", database "orders", '
        "no encryption" in refused
    )
    assert place.speaks_tls("prefer")
    assert place.speaks_tls("allow"), "libpq tries again with TLS"
    assert place.speaks_tls("require")
    place.fleet.apply_settings(place.volume, SETTINGS)
    assert not place.speaks_tls("disable"), "it is a dynamic parameter"


def test_a_query_is_cancelled_over_tls_and_nobody_is_asked_to_encrypt_for_it(place: Place) -> None:
    place.fleet.apply_settings(place.volume, FORCED)
    with place.connect() as connection:
        over = threading.Event()

        def cancel() -> None:
            while not over.wait(0.1):
                connection.cancel_safe()

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(600)")
        over.set()
        canceller.join()
    with socket.create_connection(("127.0.0.1", place.port), timeout=60) as client:
        client.sendall(struct.pack("!IIII", 16, 80877102, 1, 2))
        assert client.recv(100) == b"", "the server knows no such session, and says nothing"


def test_channel_binding_is_done_without_and_refused_to_whoever_insists(place: Place) -> None:
    assert place.speaks_tls(channel_binding="prefer")
    assert "channel binding is required" in place.refusal(channel_binding="require")


def test_a_server_shows_which_of_its_sessions_came_encrypted(place: Place) -> None:
    with place.connect() as encrypted, place.connect("disable") as plain:
        rows = encrypted.execute(
            "SELECT s.pid, s.ssl FROM pg_stat_ssl AS s JOIN pg_stat_activity AS a USING (pid)"
            " WHERE a.usename = current_user"
        ).fetchall()
        assert dict(rows) == {
            encrypted.info.backend_pid: True,
            plain.info.backend_pid: False,
        }


def test_large_content_passes_both_ways(place: Place) -> None:
    content = "é" * 4_000_000
    with place.connect() as connection:
        row = connection.execute("SELECT %s::text, repeat('y', 9000000)", (content,)).fetchone()
        assert row is not None
        assert row[0] == content
        assert len(row[1]) == 9_000_000


def test_a_connection_is_cut_at_a_message_that_came_encrypted(place: Place) -> None:
    place.endpoints.order(ConnectionCut(Moment.AFTER, "lost on the way", database="orders"))
    with place.connect() as connection:
        with pytest.raises(psycopg.OperationalError):
            connection.execute("UPDATE account SET balance = 4711 WHERE id = 3 -- lost on the way")
        assert connection.closed
    with place.connect() as connection:
        assert ask(connection, "SELECT balance FROM account WHERE id = 3") == 4711


def test_tls_that_was_not_asked_for_is_for_versions_that_know_it(
    place: Place, fleet: Fleet, new_id: Callable[[], str]
) -> None:
    assert "FATAL" not in place.refusal(sslnegotiation="direct"), "it is ended without a word"
    newer = new_id()
    fleet.create(newer, "18", FORCED, master_user=MASTER, master_password=PASSWORD)
    place.certificates.present(newer, frozenset({NAME}), at_once)
    place.endpoints.route("orders", newer)
    with place.connect(dbname="postgres", sslnegotiation="direct") as connection:
        assert connection.pgconn.ssl_in_use


@pytest.mark.parametrize("code", [80877103, 80877104], ids=["SSLRequest", "GSSENCRequest"])
def test_nothing_may_be_sent_along_with_a_request_for_encryption(place: Place, code: int) -> None:
    with socket.create_connection(("127.0.0.1", place.port), timeout=60) as client:
        client.sendall(struct.pack("!II", 8, code) + b"more")
        assert client.recv(10) == b""


def test_a_request_that_comes_in_pieces_is_answered_once_it_is_whole(place: Place) -> None:
    request = struct.pack("!II", 8, 80877104)
    with socket.create_connection(("127.0.0.1", place.port), timeout=60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            client.sendall(bytes([byte]))
        assert client.recv(10) == b"N"
        client.sendall(struct.pack("!II", 8, 80877103))
        assert client.recv(10) == b"S"
        client.sendall(b"this is no TLS at all")
        client.settimeout(60)
        while client.recv(1000):
            pass


def test_a_certificate_trails_its_names_as_long_as_it_is_told_to(place: Place) -> None:
    certificates, volume = place.certificates, place.volume
    certificates.present(volume, frozenset({FORMER}), at_once)
    certificates.present(volume, frozenset({NAME}), lambda: 0.5)
    assert certificates.names(volume) == {FORMER}
    assert f'certificate for "{FORMER}" does not match host name "{NAME}"' in place.refusal()
    assert place.speaks_tls("verify-ca")
    until(lambda: certificates.names(volume) == {NAME}, "the certificate follows")
    assert place.speaks_tls()


def test_a_certificate_that_waits_for_a_start_follows_then_and_not_before(place: Place) -> None:
    certificates, volume = place.certificates, place.volume
    certificates.present(volume, frozenset({FORMER}), lambda: None)
    member = f"orders-3.{ZONE}"
    certificates.present(volume, frozenset({FORMER, member}), at_once)
    assert certificates.names(volume) == {NAME}, "a member that comes meanwhile waits, too"
    certificates.renew(volume)
    assert certificates.names(volume) == {FORMER, member}
    certificates.present(volume, frozenset({FORMER}), lambda: None)
    assert certificates.names(volume) == {FORMER}, "one that goes shows at once"
    certificates.renew("cluster-UNKNOWN")


def test_names_as_long_as_they_may_be_are_certified(place: Place) -> None:
    longest = {f"{letter * 63}.cluster-ro-{ZONE}" for letter in "oq"}
    place.certificates.present(place.volume, frozenset(longest), at_once)
    for name in longest:
        assert place.speaks_tls(host=name)


def test_the_authority_outlives_the_lab_and_its_keys_are_its_owners_alone(
    place: Place, tmp_path: Path
) -> None:
    folder = place.authority.root.parent
    before = place.authority.root.read_bytes()
    assert Authority(folder).root.read_bytes() == before
    assert place.speaks_tls()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"ca.pem": 0o600, "ca.key": 0o600}, "no server's key stays behind"
    for torn in (b"", b"-----BEGIN EC PRIVATE KEY-----\n"):
        (folder / "ca.key").write_bytes(torn)
        assert Authority(folder).root.read_bytes() != before
        assert Authority(folder).root.read_bytes() == (folder / "ca.pem").read_bytes()


def test_a_server_subscribes_over_tls_to_one_that_forces_it(
    place: Place, fleet: Fleet, new_id: Callable[[], str]
) -> None:
    """The subscription's own libpq speaks TLS, with a name that leads to this machine."""
    if not fleet.all_speak_tls:
        pytest.skip("the servers on hand have no libpq with TLS, and none could be lent")
    fleet.apply_settings(place.volume, FORCED)
    subscriber = new_id()
    fleet.create(subscriber, "18", SETTINGS, master_user=MASTER, master_password=PASSWORD)
    conninfo = f"host={NAME} port={place.port} user={MASTER} dbname={BOTH[0]}"
    secret = PASSWORD.replace("'", "\\'")
    with (
        place.connect() as publisher,
        psycopg.connect(fleet.conninfo(subscriber), autocommit=True) as connection,
    ):
        publisher.execute("CREATE TABLE sent (id int PRIMARY KEY)")
        publisher.execute("INSERT INTO sent VALUES (1), (2)")
        publisher.execute("CREATE PUBLICATION sent FOR TABLE sent")
        connection.execute("CREATE TABLE sent (id int PRIMARY KEY)")

        def subscribe(sslmode: str) -> None:
            whole = f"{conninfo} sslmode={sslmode} password='{secret}'".replace("'", "''")
            connection.execute(f"CREATE SUBSCRIPTION sent CONNECTION '{whole}' PUBLICATION sent")

        with pytest.raises(psycopg.OperationalError, match="no encryption"):
            subscribe("disable")
        subscribe("require")
        until(lambda: ask(connection, "SELECT count(*) FROM sent") == 2, "the rows come")
        connection.execute("DROP SUBSCRIPTION sent")
        publisher.execute("DROP PUBLICATION sent")
        publisher.execute("DROP TABLE sent")
