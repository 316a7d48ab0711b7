"""The lab's certificate authority, and what its servers present to clients.

The authority stays with the lab's folder, so that a plan that names its file holds beyond a
restart. Its key is readable by its owner alone and leaves the folder never. As on Aurora a
server's certificate names every endpoint that leads to it
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html).
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ALPN = "postgresql"
"""What a client has to name that begins with TLS at once, from PostgreSQL 17 on."""

_AUTHORITY_LASTS = timedelta(days=3650)
_SERVER_LASTS = timedelta(days=365)
_AHEAD = timedelta(hours=1)
"""How far clocks may differ between whoever issues a certificate and whoever checks it."""

_LONGEST_COMMON_NAME = 64


class Authority:
    """Issues the certificates of a lab's servers."""

    def __init__(self, folder: Path) -> None:
        """Take up the authority of a folder, or found one where it holds none that is valid."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.root = folder / "ca.pem"
        """The certificate that clients are to trust: libpq's `sslrootcert`."""
        self._key_file = folder / "ca.key"
        self._certificate, self._key = self._kept() or self._found()

    def context(self, names: Collection[str]) -> ssl.SSLContext:
        """Issue a certificate for these host names, and return what a server answers TLS with."""
        key = ec.generate_private_key(ec.SECP256R1())
        first = min(names, key=len)
        # A common name is too short for many an endpoint, and nobody looks at it beside the others.
        subject = first if len(first) <= _LONGEST_COMMON_NAME else "blueprime lab server"
        certificate = (
            _begun(subject, self._certificate.subject, key, _SERVER_LASTS)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in sorted(names)]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # libpq never takes up a former session again.
        context.num_tickets = 0
        context.set_alpn_protocols([ALPN])
        # The ssl module takes a key from a file alone; a temporary one is its owner's, mode 0600.
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".key") as file:
            file.write(_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _kept(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        try:
            certificate = x509.load_pem_x509_certificate(self.root.read_bytes())
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError):
            return None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            return None
        of_one_kind = certificate.public_key() == key.public_key()
        lasts = certificate.not_valid_after_utc > datetime.now(UTC) + _SERVER_LASTS
        return (certificate, key) if of_one_kind and lasts else None

    def _found(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        # Two that bear one name would be taken for one whose signature is broken.
        subject = f"blueprime lab root {secrets.token_hex(8)}"
        certificate = (
            _begun(subject, _name(subject), key, _AUTHORITY_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._key_file, _pem(key))
        _write(self.root, certificate.public_bytes(serialization.Encoding.PEM))
        return certificate, key


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _begun(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _AHEAD)
        .not_valid_after(now + lasts)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    """Replace a file that its owner alone may read."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
