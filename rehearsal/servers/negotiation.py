"""How a connection to PostgreSQL begins: requests for encryption, and the start of a session.

https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL and
https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass, field

from rehearsal.servers.certificates import ALPN

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
"""Codes in place of a protocol version."""

HEAD = 8
"""Length and code, the whole of a request for encryption."""

_LONGEST = 10_000
"""PostgreSQL refuses a longer start of a session."""

_HANDSHAKE = 0x16
"""How TLS begins that was not asked for: the type of a handshake record."""

_CHUNK = 1 << 16


class Ended(Exception):
    """The other side broke off, or did what no client may: the connection is over."""


@dataclass(slots=True)
class Start:
    """The start of a session."""

    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def is_cancellation(self) -> bool:
        """Whether it begins no session but cancels what another one does."""
        return not self.parameters

    @property
    def is_replication(self) -> bool:
        """Whether a server asks, for what it subscribes to."""
        return self.parameters.get("replication", "") == "database"

    def refusal(self, host: str) -> bytes:
        """Return the server's words for one that came without encryption where it is forced."""
        user = self.parameters.get("user", "")
        database = self.parameters.get("database") or user
        text = (
            f'no pg_hba.conf entry for host "{host}", user "{user}", database "{database}", '
            "no encryption"
        )
        fields = {"S": "FATAL", "V": "FATAL", "C": "28000", "M": text}
        body = "".join(f"{kind}{value}\0" for kind, value in fields.items()).encode() + b"\0"
        return b"E" + struct.pack("!I", len(body) + 4) + body


def code_of(data: bytes) -> int | None:
    """Return the code of what a connection begins with; None while it is not whole."""
    return None if len(data) < HEAD else int(struct.unpack_from("!I", data, 4)[0])


def start_of(data: bytes) -> Start | None:
    """Read the start of a session; None while it is not whole.

    What no server would take is a start without parameters: the server says why.
    """
    if len(data) < HEAD:
        return None
    length = int(struct.unpack_from("!I", data)[0])
    if not HEAD <= length <= _LONGEST or code_of(data) == CANCEL_REQUEST:
        return Start()
    if len(data) < length:
        return None
    words = [word.decode(errors="replace") for word in data[HEAD:length].split(b"\0")]
    return Start(dict(zip(words[::2], words[1::2], strict=False)))


def is_direct(data: bytes) -> bool:
    """Tell whether a connection begins with TLS at once, as `sslnegotiation=direct` has it."""
    return data[:1] == bytes([_HANDSHAKE])


class Tls:
    """The server's side of TLS, without any socket: bytes in, bytes out."""

    def __init__(self, context: ssl.SSLContext, *, direct: bool) -> None:
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._goes, server_side=True)
        self._direct = direct
        self._agreed = False

    def receive(self, data: bytes) -> bytes:
        """Take what came and return what it says, which may be nothing yet.

        Raises `Ended` where the client does not go on with TLS; `pending` still has its answer.
        """
        self._came.write(data)
        said = []
        try:
            if not self._agreed:
                self._tls.do_handshake()
                self._agreed = True
                if self._direct and self._tls.selected_alpn_protocol() != ALPN:
                    raise Ended
            while part := self._tls.read(_CHUNK):
                said.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            # The client's own end of TLS comes with the end of its connection.
            if not isinstance(error, ssl.SSLZeroReturnError):
                raise Ended from error
        return b"".join(said)

    def send(self, data: bytes) -> bytes:
        """Return what is to be sent so that the client reads this."""
        self._tls.write(data)
        return self.pending()

    def end(self) -> bytes:
        """Return what is to be sent so that the client reads the end."""
        # The client's own end is waited for in vain, or it has broken off.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        return self.pending()

    def pending(self) -> bytes:
        """Return what is to be sent on TLS's own account."""
        return self._goes.read()
