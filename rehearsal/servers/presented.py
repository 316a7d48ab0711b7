"""What each server presents to whoever connects with TLS, and how its certificate trails its names.

On Aurora a certificate is issued anew for the names that a switchover or a rename gives. How long
that takes is not documented, and by the guide it takes a stop and a start after a rename
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html).
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.servers.certificates import Authority

Trail = Callable[[], float | None]
"""Tells after how many seconds a certificate follows new names; None: not before it is renewed."""


@dataclass(slots=True)
class _Presented:
    names: frozenset[str]
    context: ssl.SSLContext | None = None
    waiting: frozenset[str] | None = None
    due: float | None = None
    """When the names that wait are taken over, on the monotonic clock; None: by `renew` alone."""

    def take_over(self) -> None:
        """Present the names that wait, if any do."""
        if self.waiting is not None and self.waiting != self.names:
            self.names, self.context = self.waiting, None
        self.waiting = self.due = None


class Certificates:
    """The certificates of all volumes' servers. Methods may be called from any thread."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._presented: dict[str, _Presented] = {}
        self._lock = threading.Lock()

    def present(self, volume: str, names: frozenset[str], trail: Trail) -> None:
        """Let a volume's server present these host names.

        Where they take the place of others, the certificate follows as `trail` says; a member that
        comes or goes shows at once.
        """
        with self._lock:
            found = self._presented.get(volume)
            if found is None:
                self._presented[volume] = _Presented(names)
                return
            last = found.names if found.waiting is None else found.waiting
            if names == last:
                return
            waits = found.waiting is not None
            found.waiting = names
            if not (last <= names or names <= last):
                after = trail()
                found.due = None if after is None else time.monotonic() + after
                waits = after != 0
            if not waits:
                found.take_over()

    def names(self, volume: str) -> frozenset[str]:
        """Return the host names that a volume's server presents now; none of an unknown one."""
        with self._lock:
            found = self._current(volume)
            return found.names if found else frozenset()

    def renew(self, volume: str) -> None:
        """Let a volume's server present the names that it bears, as after a stop and a start."""
        with self._lock:
            if found := self._presented.get(volume):
                found.take_over()

    def context(self, volume: str) -> ssl.SSLContext | None:
        """Return what a volume's server answers TLS with now; None for an unknown one."""
        with self._lock:
            found = self._current(volume)
            if found is None:
                return None
            if found.context is None:
                found.context = self._authority.context(found.names)
            return found.context

    def _current(self, volume: str) -> _Presented | None:
        found = self._presented.get(volume)
        if found and found.due is not None and time.monotonic() >= found.due:
            found.take_over()
        return found
