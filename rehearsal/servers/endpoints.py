"""Endpoints: local ports that follow names, as DNS names follow clusters on AWS.

A name keeps its port for ever, and leads to a volume, wherever that volume's server listens just
now. Bytes are passed on as they come: nothing is parsed, so any client works. What is ordered to go
wrong on the way is in `rehearsal.servers.connection_cutter`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, cast

from rehearsal.servers.connection_cutter import ConnectionCut, ConnectionCutter, Moment, settled
from rehearsal.servers.ports import free_port

T = TypeVar("T")


@dataclass(slots=True)
class _Name:
    port: int
    volume: str | None = None
    listener: asyncio.Server | None = None
    clients: set[_Client] = field(default_factory=set)
    stale: _Stale | None = None
    shut_out: bytes = b""
    """Whose start of a connection bears this is refused; empty: nobody's."""


@dataclass(slots=True)
class _Stale:
    """A name that goes on leading to where it led, as a DNS answer that is kept too long.

    `volume` and `listens` are what the name was told meanwhile. `seconds` after the first change
    it follows; None: not before it is told to.
    """

    seconds: float | None
    volume: str | None
    listens: bool = True
    following: asyncio.Handle | None = None


class _Side(asyncio.Protocol):
    """One side of a connection: what it receives goes to the other side."""

    def __init__(self) -> None:
        self.other: _Side | None = None
        self.transport: asyncio.Transport | None = None
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

    def __init__(self, name: _Name, port: int | None, shears: ConnectionCutter) -> None:
        super().__init__()
        self._name = name
        self._port = port
        self._shears = shears
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._port is None:
            self.cut()
            return
        self._name.clients.add(self)
        cast(asyncio.Transport, transport).pause_reading()
        self._opening = asyncio.ensure_future(self._open(self._port))

    @property
    def began(self) -> bytes:
        """The message that its connection was begun with."""
        return self._shears.start

    async def _open(self, port: int) -> None:
        server = _Server(self)
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
        moment = self._shears.moment(data)
        if self._name.shut_out and self._name.shut_out in self._shears.start:
            self.cut()
            return
        if moment is Moment.BEFORE:
            self.cut()
            return
        if moment is Moment.AFTER and isinstance(self.other, _Server):
            self.other.withholds = True
        super().data_received(data)
        if moment is Moment.DURING and self.transport:
            # The server may still read what was passed on, but its answer finds nobody.
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._name.clients.discard(self)
        super().connection_lost(exc)


class _Server(_Side):
    """The side that leads to a server."""

    def __init__(self, client: _Client) -> None:
        super().__init__()
        self.other = client
        self.withholds = False
        """Whether the answer under way is kept back, and the connection lost when it is whole."""

    def data_received(self, data: bytes) -> None:
        if self.withholds:
            if settled(data):
                self.cut()
            return
        self.pass_on(data)


class Endpoints:
    """All endpoints of a lab, served by one thread. Methods may be called from any other thread."""

    def __init__(self, locate: Callable[[str], int | None]) -> None:
        """Take the function that tells where a volume's server listens now, if it does."""
        self._locate = locate
        self._names: dict[str, _Name] = {}
        self._cuts: list[ConnectionCut] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="endpoints", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    def open(self, name: str) -> int:
        """Return the name's port, listening from now on; a name keeps its port for ever."""
        return self._do(self._open(name))

    def close(self, name: str) -> None:
        """Stop listening for the name; its live connections go on, as when a DNS name goes."""
        self._do(self._close(name))

    def route(self, name: str, volume: str | None) -> None:
        """Lead new connections of the name to a volume's server, or refuse them with None."""
        known = self._names[name]
        if known.stale is None:
            known.volume = volume
            return
        known.stale.volume = volume
        if volume != known.volume and known.stale.seconds is not None:
            self._loop.call_soon_threadsafe(self._follow_later, name, known.stale)

    def hold(self, name: str, seconds: float | None, volume: str | None = None) -> None:
        """Let the name lead to where it leads now, or to `volume`, until `follow`.

        With `seconds` it follows by itself so long after it was led elsewhere.
        """
        known = self._names[name]
        if known.stale is None:
            known.stale = _Stale(seconds, known.volume)
        known.volume = volume or known.volume

    def follow(self, name: str) -> None:
        """Let a name that was held lead to where it should."""
        self._do(self._follow(name))

    def order(self, cut: ConnectionCut) -> None:
        """Let a connection be lost at a message that is still to come."""
        self._cuts.append(cut)

    def ordered(self) -> Sequence[ConnectionCut]:
        """Return the cuts that still wait for their message."""
        return tuple(self._cuts)

    def spare(self, text: str, database: str | None) -> int:
        """Forget the cuts that still wait, of this text and database; return how many there were.

        An empty text stands for any, and so does None for the database.
        """
        spared = [
            cut
            for cut in self._cuts
            if (not text or cut.text == text) and database in (None, cut.database)
        ]
        for cut in spared:
            self._cuts.remove(cut)
        return len(spared)

    def drop(self, name: str) -> int:
        """Cut the name's live connections and return how many there were."""
        return self._do(self._drop(name))

    def shut_out(self, name: str, start: bytes) -> None:
        """Cut the name's connections that began with these bytes, and refuse such ones from now on.

        Empty bytes let everybody in again.
        """
        self._names[name].shut_out = start
        if start:
            self._do(self._drop(name, start))

    def shut(self) -> None:
        """End every connection, every listener and the thread."""
        for name in list(self._names):
            self._names[name].stale = None
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
            known = self._names[name] = _Name(free_port(taken))
        if known.stale is not None:
            known.stale.listens = True
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
        return _Client(name, port, ConnectionCutter(self._cuts, name.volume))

    async def _close(self, name: str) -> None:
        known = self._names[name]
        if known.stale is not None:
            known.stale.listens = False
        elif known.listener is not None:
            known.listener.close()
            known.listener = None

    def _follow_later(self, name: str, stale: _Stale) -> None:
        if stale.following is None and stale.seconds is not None:
            stale.following = self._loop.call_later(
                stale.seconds, lambda: asyncio.ensure_future(self._follow(name))
            )

    async def _follow(self, name: str) -> None:
        known = self._names[name]
        stale, known.stale = known.stale, None
        if stale is None:
            return
        if stale.following is not None:
            stale.following.cancel()
        known.volume = stale.volume
        if not stale.listens:
            await self._close(name)

    async def _drop(self, name: str, start: bytes = b"") -> int:
        clients = self._names[name].clients
        live = [client for client in clients if start in client.began]
        clients.difference_update(live)
        for client in live:
            client.cut()
        return len(live)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener
