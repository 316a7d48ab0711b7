"""Ports for servers that come and go while others look for one, too."""

from __future__ import annotations

import random
import socket
from collections.abc import Container

from rehearsal.servers.ground import ServerError

HOST = "127.0.0.1"
"""Where everything of a lab listens, whatever the names that lead there."""


ENCRYPTED_FROM = "127.0.0.2"
"""Whence a server is reached with what came encrypted: `sql/aurora.sql` shows it as TLS."""


def free_port(taken: Container[int] = ()) -> int:
    """Return a port on 127.0.0.1 that nobody listens on just now, and that is not `taken`.

    Raises `ServerError` where there is none.
    """
    for port in random.sample(PORTS, len(PORTS)):
        if port not in taken and is_free(port):
            return port
    raise ServerError(f"No free port on {HOST}.")


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port of 127.0.0.1 just now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


PORTS = range(15_000, 32_000)
"""Below the ports that systems hand to outgoing connections, so that a restart finds its own."""
