"""Endpoints: ports that follow names, and pass on every byte."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from rehearsal.servers.connection_cutter import ConnectionCut, Moment
from rehearsal.servers.endpoints import Endpoints
from tests.rehearsal.conftest import until


class Greeter:
    """A server that says its name, then echoes until the client's end, which it confirms."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.received = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client:
            try:
                client.sendall(f"{self.name}\n".encode())
                while data := client.recv(65536):
                    self.received += data
                    client.sendall(data)
                client.sendall(b"end")
            except OSError:
                return

    def close(self) -> None:
        # Without shutdown a thread that waits in accept keeps the listener open.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


class Place:
    """Endpoints over two servers, one for each of the volumes `blue` and `green`."""

    def __init__(self) -> None:
        self.servers = {"blue": Greeter("blue"), "green": Greeter("green")}
        self.ports: dict[str, int | None] = {
            name: server.port for name, server in self.servers.items()
        }
        self.endpoints = Endpoints(self.ports.get)

    def open(self, name: str, volume: str | None) -> int:
        port = self.endpoints.open(name)
        self.endpoints.route(name, volume)
        return port


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.endpoints.shut()
    for server in made.servers.values():
        server.close()


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=120)


def greeting(client: socket.socket) -> str:
    return client.makefile().readline().strip()


def ended(client: socket.socket) -> bool:
    """Return whether the connection is over without another byte; waits for what comes."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def refused(port: int) -> bool:
    try:
        with dial(port) as client:
            return ended(client)
    except OSError:
        return True


def test_a_name_keeps_its_port_and_leads_where_it_is_routed(place: Place) -> None:
    port = place.open("orders", "blue")
    with dial(port) as before:
        assert greeting(before) == "blue"
        place.endpoints.route("orders", "green")
        with dial(port) as after:
            assert greeting(after) == "green"
        before.sendall(b"still")
        assert before.recv(5) == b"still"
    place.endpoints.close("orders")
    assert refused(port)
    assert place.endpoints.open("orders") == port
    with dial(port) as again:
        assert greeting(again) == "green"
    assert place.open("orders-old1", "blue") != port


def test_a_name_finds_its_server_on_another_port_and_refuses_without_one(place: Place) -> None:
    port = place.open("orders", "blue")
    place.ports["blue"] = None
    assert refused(port)
    place.ports["blue"] = place.servers["green"].port
    with dial(port) as client:
        assert greeting(client) == "green"
    place.endpoints.route("orders", None)
    assert refused(port)


def test_a_server_that_does_not_answer_refuses(place: Place) -> None:
    port = place.open("orders", "blue")
    place.servers["blue"].close()
    assert refused(port)
    place.servers["blue"] = Greeter("blue")


def test_every_byte_passes_both_ways_and_each_side_may_end_alone(place: Place) -> None:
    sent = os.urandom(8_000_000)
    with dial(place.open("orders", "blue")) as client:
        assert greeting(client) == "blue"

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = b"".join(iter(lambda: client.recv(1 << 20), b""))
        sender.join()
    assert hashlib.sha256(received).digest() == hashlib.sha256(sent + b"end").digest()


def test_dropping_cuts_the_connections_of_one_name(place: Place) -> None:
    with dial(place.open("orders", "blue")) as cut, dial(place.open("other", "blue")) as spared:
        for client in (cut, spared):
            assert greeting(client) == "blue"
        assert place.endpoints.drop("orders") == 1
        assert place.endpoints.drop("orders") == 0
        assert ended(cut)
        spared.sendall(b"x")
        assert spared.recv(1) == b"x"


def test_a_response_is_lost_after_its_request_arrived(place: Place) -> None:
    port = place.open("orders", "blue")
    place.endpoints.order(ConnectionCut(Moment.DURING, "two"))
    with dial(port) as client:
        assert greeting(client) == "blue"
        client.sendall(b"one")
        assert client.recv(3) == b"one"
        client.sendall(b"two")
        assert ended(client)
    until(lambda: place.servers["blue"].received == b"onetwo", "the request arrives")
    with dial(port) as client:
        greeting(client)
        for _ in range(3):
            client.sendall(b"again")
            assert client.recv(5) == b"again"


def test_nothing_listens_after_shutting() -> None:
    server = Greeter("blue")
    with Endpoints(lambda volume: server.port) as endpoints:
        port = endpoints.open("orders")
        endpoints.route("orders", "blue")
        client = dial(port)
        assert greeting(client) == "blue"
    assert refused(port)
    with client:
        assert ended(client)
    server.close()


def test_a_message_is_lost_before_it_arrives(place: Place) -> None:
    port = place.open("orders", "blue")
    place.endpoints.order(ConnectionCut(Moment.BEFORE, "commit"))
    with dial(port) as client:
        assert greeting(client) == "blue"
        client.sendall(b"first")
        assert client.recv(5) == b"first"
        client.sendall(b"commit")
        assert ended(client)
    assert place.endpoints.ordered() == ()
    assert place.servers["blue"].received == b"first"


def test_a_cut_that_is_taken_back_strikes_nobody(place: Place) -> None:
    port = place.open("orders", "blue")
    place.endpoints.order(ConnectionCut(Moment.BEFORE, "commit", database="orders"))
    assert place.endpoints.spare("commit", "billing") == 0
    assert place.endpoints.spare("commit", "orders") == 1
    with dial(port) as client:
        greeting(client)
        client.sendall(b"commit")
        assert client.recv(6) == b"commit"


def test_a_name_that_is_held_leads_where_it_led_until_it_is_let_go(place: Place) -> None:
    port = place.open("orders", "blue")
    place.endpoints.hold("orders", None)
    place.endpoints.route("orders", None)
    place.endpoints.close("orders")
    assert place.endpoints.open("orders") == port
    place.endpoints.route("orders", "green")
    with dial(port) as client:
        assert greeting(client) == "blue"
    place.endpoints.follow("orders")
    with dial(port) as client:
        assert greeting(client) == "green"


def test_a_name_that_trails_follows_by_itself(place: Place) -> None:
    port = place.open("orders", "blue")
    place.endpoints.hold("orders", 0.05)
    place.endpoints.route("orders", "green")

    def leads_to() -> str:
        with dial(port) as client:
            return greeting(client)

    until(lambda: leads_to() == "green", "it follows")


def test_a_name_that_was_held_and_is_gone_refuses_when_let_go(place: Place) -> None:
    port = place.open("orders", "blue")
    place.endpoints.hold("orders", None)
    place.endpoints.close("orders")
    with dial(port) as client:
        assert greeting(client) == "blue"
    place.endpoints.follow("orders")
    assert refused(port)


def test_a_name_can_be_led_astray(place: Place) -> None:
    port = place.open("orders", "blue")
    place.endpoints.hold("orders", None, "green")
    with dial(port) as client:
        assert greeting(client) == "green"
    place.endpoints.follow("orders")
    with dial(port) as client:
        assert greeting(client) == "blue"


def test_one_application_is_shut_out_and_everybody_else_goes_on(place: Place) -> None:
    port = place.open("orders", "blue")
    with dial(port) as out, dial(port) as stays:
        for client, start in ((out, b"start of blueprime"), (stays, b"start of blueprime_k3f9qa")):
            assert greeting(client) == "blue"
            client.sendall(start)
            assert client.recv(len(start), socket.MSG_WAITALL) == start
        place.endpoints.shut_out("orders", b"start of blueprime_")
        assert ended(stays)
        out.sendall(b"still")
        assert out.recv(5, socket.MSG_WAITALL) == b"still"
        with dial(port) as late:
            assert greeting(late) == "blue"
            late.sendall(b"start of blueprime_k3f9qa")
            assert ended(late)
    place.endpoints.shut_out("orders", b"")
    with dial(port) as again:
        assert greeting(again) == "blue"
        again.sendall(b"start of blueprime_k3f9qa")
        assert again.recv(25, socket.MSG_WAITALL) == b"start of blueprime_k3f9qa"
