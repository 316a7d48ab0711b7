"""Endpoints: local ports that follow names, as DNS names follow clusters on AWS.

A name keeps its port for ever, and leads to a volume, wherever that volume's server listens just
now. Bytes are passed on as they come: nothing is parsed, so any client works.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from rehearsal.servers import free_port

T = TypeVar("T")


@dataclass(slots=True)
class Disturbance:
    """What goes wrong on an endpoint.

    With `cut_at` n, the n-th message that a client sends still reaches the server, but the
    connection is gone before its answer. `delay_s` holds every answer back. A message is what one
    read of the socket yields, which for a client that awaits answers is one request.
    """

    cut_at: int | None = None
    delay_s: float = 0.0


@dataclass(slots=True)
class _Name:
    port: int
    volume: str | None = None
    disturbance: Disturbance = field(default_factory=Disturbance)
    listener: asyncio.Server | None = None
    clients: set[_Side] = field(default_factory=set)


class _Side(asyncio.Protocol):
    """One side of a connection: what it receives goes to the other side."""

    def __init__(self) -> None:
        self.other: _Side | None = None
        self.transport: asyncio.Transport | None = None
        self.sent = 0
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.pass_on(data)

    def pass_on(self, data: bytes) -> None:
        """Give data to the other side, unless that is gone."""
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end on, and keep this side open for answers until the other side ends too."""
        self.ended = True
        if self.other is None or self.other.ended:
            return False
        self.pass_end()
        return True

    def pass_end(self) -> None:
        """Tell the other side that nothing more will come."""
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.write_eof()

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


class _Client(_Side):
    """The side that came in through an endpoint."""

    def __init__(self, name: _Name, port: int | None) -> None:
        super().__init__()
        self._name = name
        self._port = port
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._port is None:
            self.cut()
            return
        self._name.clients.add(self)
        cast(asyncio.Transport, transport).pause_reading()
        self._opening = asyncio.ensure_future(self._open(self._port))

    async def _open(self, port: int) -> None:
        server = _Server(self._name, self)
        try:
            await asyncio.get_running_loop().create_connection(lambda: server, "127.0.0.1", port)
        except OSError:
            self.cut()
            return
        assert self.transport is not None
        self.other = server
        if self.transport.is_closing():
            self.cut()
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.sent += 1
        super().data_received(data)
        if self.sent == self._name.disturbance.cut_at and self.transport:
            # The server may still read what was passed on, but its answer finds nobody.
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._name.clients.discard(self)
        super().connection_lost(exc)


class _Server(_Side):
    """The side that leads to a server."""

    def __init__(self, name: _Name, client: _Client) -> None:
        super().__init__()
        self._name = name
        self.other = client

    def data_received(self, data: bytes) -> None:
        if delay := self._name.disturbance.delay_s:
            asyncio.get_running_loop().call_later(delay, self.pass_on, data)
        else:
            self.pass_on(data)

    def pass_end(self) -> None:
        """Tell the client that nothing more will come, after what is held back."""
        asyncio.get_running_loop().call_later(self._name.disturbance.delay_s, super().pass_end)

    def connection_lost(self, exc: Exception | None) -> None:
        delay = self._name.disturbance.delay_s
        asyncio.get_running_loop().call_later(delay, super().connection_lost, exc)


class Endpoints:
    """All endpoints of a lab, served by one thread. Methods may be called from any other thread."""

    def __init__(self, locate: Callable[[str], int | None]) -> None:
        """Take the function that tells where a volume's server listens now, if it does."""
        self._locate = locate
        self._names: dict[str, _Name] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="endpoints", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shut()

    def open(self, name: str) -> int:
        """Return the name's port, listening from now on; a name keeps its port for ever."""
        return self._do(self._open(name))

    def close(self, name: str) -> None:
        """Stop listening for the name; its live connections go on, as when a DNS name goes."""
        self._do(self._close(name))

    def route(self, name: str, volume: str | None) -> None:
        """Lead new connections of the name to a volume's server, or refuse them with None."""
        self._names[name].volume = volume

    def drop(self, name: str) -> int:
        """Cut the name's live connections and return how many there were."""
        return self._do(self._drop(name))

    def disturb(self, name: str, disturbance: Disturbance | None) -> None:
        """Disturb the name's connections, or stop doing so."""
        self._names[name].disturbance = disturbance or Disturbance()

    def shut(self) -> None:
        """End every connection, every listener and the thread."""
        for name in list(self._names):
            self._do(self._close(name))
            self._do(self._drop(name))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, name: str) -> int:
        taken = {each.port for each in self._names.values()}
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = _Name(free_port(taken.__contains__))
        if known.listener is None:
            known.listener = await asyncio.get_running_loop().create_server(
                lambda: self._accept(known), sock=_listening(known.port)
            )
        return known.port

    def _accept(self, name: _Name) -> _Client:
        try:
            port = None if name.volume is None else self._locate(name.volume)
        except KeyError:
            # The volume was destroyed and the name not closed yet.
            port = None
        return _Client(name, port)

    async def _close(self, name: str) -> None:
        known = self._names[name]
        if known.listener is not None:
            known.listener.close()
            known.listener = None

    async def _drop(self, name: str) -> int:
        clients = self._names[name].clients
        live = list(clients)
        clients.clear()
        for client in live:
            client.cut()
        return len(live)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener
