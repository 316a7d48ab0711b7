"""The two sides of a connection that came in through an endpoint.

Bytes are passed on as they come. TLS ends here, where on Aurora it ends at the server: the lab's
servers may have none of their own, and what is ordered to go wrong has to be read.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from rehearsal.servers.connection_cutter import ConnectionCutter, Moment, settled
from rehearsal.servers.negotiation import (
    GSS_REQUEST,
    HEAD,
    SSL_REQUEST,
    Ended,
    Tls,
    code_of,
    is_direct,
    start_of,
)
from rehearsal.servers.ports import ENCRYPTED_FROM, HOST


@dataclass(frozen=True, slots=True)
class Admission:
    """Whom a server lets in, as far as encryption goes."""

    forced: bool = False
    """Whether sessions without TLS are refused (`rds.force_ssl`)."""
    spares_servers: bool = False
    """Whether other servers of the lab are let in without it, because theirs cannot speak it."""
    direct: bool = False
    """Whether TLS may begin without being asked for, as from PostgreSQL 17 on."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """What a server answers TLS with, and whom it lets in without."""

    context: ssl.SSLContext
    admission: Admission


@dataclass(slots=True)
class Door:
    """What is so of all connections of one endpoint."""

    clients: set[Client] = field(default_factory=set)
    shut_out: bytes = b""
    """Whose start of a connection bears this is refused; empty: nobody's."""


class Side(asyncio.Protocol):
    """One side of a connection: what it receives goes to the other side."""

    def __init__(self) -> None:
        self.other: Side | None = None
        self.transport: asyncio.Transport | None = None
        self.ended = False
        self._finished = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other:
            self.other.deliver(data)

    def deliver(self, data: bytes) -> None:
        """Send data, unless this side is gone."""
        if data and self.transport and not (self._finished or self.transport.is_closing()):
            self.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end on, and keep this side open for answers until the other side ends too."""
        self.ended = True
        if self.other is None or self.other.ended:
            return False
        self.other.finish()
        return True

    def finish(self) -> None:
        """Say that nothing more will come."""
        self._finished = True
        if self.transport and not self.transport.is_closing():
            self.transport.write_eof()

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other and self.other.transport:
            self.other.transport.close()

    def cut(self) -> None:
        """End both sides at once; what is still to be written is lost."""
        for side in (self, self.other):
            if side and side.transport:
                side.transport.abort()


class Client(Side):
    """The side that came in through an endpoint."""

    def __init__(
        self, door: Door, port: int | None, shears: ConnectionCutter, encryption: Encryption | None
    ) -> None:
        """Take the port of the server that it is for; None refuses it.

        Without `encryption` nothing is looked at: a server's answer to a request for TLS is its
        own.
        """
        super().__init__()
        self._door = door
        self._port = port
        self._shears = shears
        self._opening: asyncio.Task[None] | None = None
        self._encryption = encryption
        self._tls: Tls | None = None
        self._has_begun = encryption is None
        self._held = b""
        """What has come of a start that is not whole, or was not passed on yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._port is None:
            self.cut()
            return
        self._door.clients.add(self)
        if self._has_begun:
            self._lead_on()

    @property
    def began(self) -> bytes:
        """The message that its connection was begun with."""
        return self._shears.start

    def _lead_on(self) -> None:
        """Connect to the server; until then nothing is read."""
        assert self.transport is not None
        self.transport.pause_reading()
        self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        assert self._port is not None
        assert self.transport is not None
        server, loop = Server(self), asyncio.get_running_loop()
        wire = _wire(encrypted=self._tls is not None)
        try:
            await loop.sock_connect(wire, (HOST, self._port))
            await loop.create_connection(lambda: server, sock=wire)
        except OSError:
            wire.close()
            self.cut()
            return
        self.other = server
        if self.transport.is_closing():
            self.cut()
            return
        held, self._held = self._held, b""
        if held:
            self._relay(held)
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        try:
            if self._tls:
                data = self._decrypted(self._tls, data)
            if data and not self._has_begun:
                self._begin(data)
            elif data:
                self._relay(data)
        except Ended:
            self._leave()

    def _decrypted(self, tls: Tls, data: bytes) -> bytes:
        try:
            return tls.receive(data)
        finally:
            super().deliver(tls.pending())

    def _begin(self, data: bytes) -> None:
        """Answer what comes before a session, and lead on once its start is whole.

        Raises `Ended` for what the server would end the connection for.
        """
        assert self._encryption is not None
        self._held += data
        held = self._held
        admission = self._encryption.admission
        if is_direct(held) and admission.direct and not self._tls:
            self._held = b""
            self._tls = Tls(self._encryption.context, direct=True)
            if decrypted := self._decrypted(self._tls, held):
                self._begin(decrypted)
            return
        code = code_of(held)
        if code in (SSL_REQUEST, GSS_REQUEST):
            self._answer(code == SSL_REQUEST and not self._tls)
            return
        start = start_of(held)
        if start is None:
            return
        self._has_begun = True
        spared = start.is_cancellation or (admission.spares_servers and start.is_replication)
        if admission.forced and not self._tls and not spared:
            self.deliver(start.refusal(HOST))
            raise Ended
        self._lead_on()

    def _answer(self, agrees: bool) -> None:
        """Answer a request for encryption, which nothing may follow before the answer."""
        assert self._encryption is not None
        if len(self._held) > HEAD:
            raise Ended
        self._held = b""
        self.deliver(b"S" if agrees else b"N")
        if agrees:
            self._tls = Tls(self._encryption.context, direct=False)

    def _relay(self, data: bytes) -> None:
        moment = self._shears.moment(data)
        if self._door.shut_out and self._door.shut_out in self._shears.start:
            self.cut()
            return
        if moment is Moment.BEFORE:
            self.cut()
            return
        if moment is Moment.AFTER and isinstance(self.other, Server):
            self.other.withholds = True
        super().data_received(data)
        if moment is Moment.DURING and self.transport:
            # The server may still read what was passed on, but its answer finds nobody.
            self.transport.abort()

    def deliver(self, data: bytes) -> None:
        super().deliver(self._tls.send(data) if self._tls else data)

    def finish(self) -> None:
        if self._tls:
            super().deliver(self._tls.end())
        super().finish()

    def _leave(self) -> None:
        """End both sides once the client was sent what is still to be written."""
        for side in (self, self.other):
            if side and side.transport:
                side.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.clients.discard(self)
        super().connection_lost(exc)


def _wire(*, encrypted: bool) -> socket.socket:
    """Return a socket to a server that shows by its address whether what it brings was encrypted.

    Where the system has that one address alone (macOS), it shows as not encrypted.
    """
    wire = socket.socket()
    wire.setblocking(False)
    if encrypted:
        with suppress(OSError):
            wire.bind((ENCRYPTED_FROM, 0))
    return wire


class Server(Side):
    """The side that leads to a server."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.other = client
        self.withholds = False
        """Whether the answer under way is kept back, and the connection lost when it is whole."""

    def data_received(self, data: bytes) -> None:
        if self.withholds:
            if settled(data):
                self.cut()
            return
        super().data_received(data)
