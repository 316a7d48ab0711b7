"""Looks over a night's shoulder: at processes' arguments, and at servers' sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from rehearsal.hook import LabError

EVERY_S = 0.25


class Watcher:
    """Samples on a thread until the block ends; `seen` is all that it saw, once each."""

    def __init__(self, servers: Callable[[], list[str]]) -> None:
        """`servers` returns connection strings of superusers of the servers there are now."""
        self.seen: set[str] = set()
        self.processes = 0
        self.sessions = 0
        self._servers = servers
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._watching = self._pool.submit(self._watch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._pool.shutdown()
        if error is None:
            self._watching.result()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            for arguments in _processes():
                self.processes += 1
                self.seen.add(arguments)
            try:
                servers = self._servers()
            except LabError:
                continue  # a cluster is between two names
            for server in servers:
                self._ask(server)

    def _ask(self, server: str) -> None:
        try:
            with psycopg.connect(server, connect_timeout=2) as connection:
                rows = connection.execute(
                    "SELECT query || ' ' || application_name FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND query IS NOT NULL"
                ).fetchall()
        except psycopg.Error:
            return  # a server that comes or goes
        self.sessions += len(rows)
        self.seen |= {text for (text,) in rows}


def _processes() -> list[str]:
    """Return what ps shows of every process, titles that servers give themselves included."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended
    return found
