"""A TCP proxy that can lose what is on the wire: requests, or the answers to them."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Cutter:
    """Forward connections to a port until `cut` drops them all."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._deaf_to: set[socket.socket] = set()
        self._swallowed: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def lose(self, what: str) -> None:
        """From now on swallow the `answers` or the `requests` of the open connections."""
        with self._lock:
            for client, server in self._pairs:
                self._deaf_to.add(server if what == "answers" else client)

    def all_lost(self) -> bool:
        """Return whether something was swallowed on each open connection."""
        with self._lock:
            return all(set(pair) & self._swallowed for pair in self._pairs)

    def cut(self) -> None:
        """Drop all connections."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for side in pair:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with source, contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source in self._deaf_to:
                    self._swallowed.add(source)
                else:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
