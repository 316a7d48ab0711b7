"""TLS before a server that has none: ended by a relay, whose certificate can be changed at will.

It answers libpq's SSLRequest as a server does
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL), so that what is said
of certificates is libpq's own.
"""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority of a folder; `root` is what clients are to trust."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {name}")])
        self.root = folder / f"{name}.pem"
        signed = self._signed(self._name, self._key, x509.BasicConstraints(True, 0))
        self.root.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def context(self, names: Collection[str]) -> ssl.SSLContext:
        """Return what a server answers with that has a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        signed = self._signed(subject, key, alternatives)
        chain = self._folder / "server.pem"
        chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(extension, critical=True)
            .sign(self._key, hashes.SHA256())
        )


@dataclass
class Relay:
    """An endpoint that speaks TLS before a server's port."""

    server: int
    context: ssl.SSLContext | None
    """None: it says that it has no TLS."""
    port: int = 0
    asked: list[str | None] = field(default_factory=list)
    """The names that clients have asked for (SNI), the oldest first."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            begin = await reader.readexactly(8)
            if begin == _SSL_REQUEST:
                writer.write(b"N" if self.context is None else b"S")
                await writer.drain()
                if self.context is not None:
                    self.context.sni_callback = lambda _, name, __: self.asked.append(name)
                    await writer.start_tls(self.context)
                begin = b""
            there, back = await asyncio.open_connection("127.0.0.1", self.server)
            back.write(begin)
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def relayed(server: int, context: ssl.SSLContext | None) -> AsyncIterator[Relay]:
    """Speak TLS before a server until the block ends."""
    relay = Relay(server, context)
    listening = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = listening.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        listening.close()
