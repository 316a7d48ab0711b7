"""Endpoints: local ports that follow names, as DNS names follow clusters on AWS.

A name keeps its port for ever, and leads to a volume, wherever that volume's server listens just
now. What passes is in `rehearsal.servers.relay`, what is ordered to go wrong on the way in
`rehearsal.servers.connection_cutter`, and which certificate is shown in
`rehearsal.servers.presented`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from rehearsal.servers.connection_cutter import ConnectionCut, ConnectionCutter
from rehearsal.servers.ports import HOST, free_port
from rehearsal.servers.presented import Certificates, Trail
from rehearsal.servers.relay import Admission, Client, Door, Encryption

T = TypeVar("T")


@dataclass(slots=True)
class _Name:
    port: int
    volume: str | None = None
    listener: asyncio.Server | None = None
    stale: _Stale | None = None
    door: Door = field(default_factory=Door)


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


class Endpoints:
    """All endpoints of a lab, served by one thread. Methods may be called from any other thread."""

    def __init__(
        self,
        locate: Callable[[str], int | None],
        *,
        certificates: Certificates | None = None,
        admission: Callable[[str], Admission] = lambda volume: Admission(),
    ) -> None:
        """Take the function that tells where a volume's server listens now, if it does.

        With `certificates` TLS ends here, and `admission` tells whom a volume's server lets in;
        without, a request for TLS reaches the server.
        """
        self._locate = locate
        self._certificates = certificates
        self._admission = admission
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

    def present(self, volume: str, hosts: frozenset[str], trail: Trail) -> None:
        """Let a volume's server present these host names, as late as `trail` says."""
        if self._certificates:
            self._certificates.present(volume, hosts, trail)

    def renew(self, volume: str) -> None:
        """Let a volume's server present the names that it bears, as after a stop and a start."""
        if self._certificates:
            self._certificates.renew(volume)

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
        self._names[name].door.shut_out = start
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

    def _accept(self, name: _Name) -> Client:
        port = encryption = None
        # A volume may have been destroyed and the name not closed yet.
        with suppress(KeyError):
            if name.volume is not None:
                encryption = self._encryption(name.volume)
                port = self._locate(name.volume)
        return Client(name.door, port, ConnectionCutter(self._cuts, name.volume), encryption)

    def _encryption(self, volume: str) -> Encryption | None:
        context = self._certificates.context(volume) if self._certificates else None
        return None if context is None else Encryption(context, self._admission(volume))

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
        clients = self._names[name].door.clients
        live = [client for client in clients if start in client.began]
        clients.difference_update(live)
        for client in live:
            client.cut()
        return len(live)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener
