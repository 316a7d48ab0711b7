"""Secrets that can be recognised, and the search for them in whatever came out of a night."""

from __future__ import annotations

import base64
import html
import json
import secrets
import shlex
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

PIECE = 12
"""Of a longer spelling each piece of so many bytes is looked for: what was cut or wrapped shows."""

_DRAWN = "│┃┌┐└┘├┤┬┴┼─━╭╮╰╯▌▐"
_UNBREAK = {ord(character): None for character in string.whitespace + _DRAWN}


def punctuated() -> str:
    """Return a password with each ASCII punctuation mark between letters, and more."""
    letters = secrets.token_hex(len(string.punctuation))
    marked = "".join(a + b for a, b in zip(letters, string.punctuation, strict=False))
    return f"{marked} ø🔑 {secrets.token_hex(4)}"


def random_word(length: int = 40) -> str:
    """Return a secret as AWS makes them."""
    alphabet = string.ascii_letters + string.digits + "/+"
    return "".join(secrets.choice(alphabet) for _ in range(length))


@dataclass
class Treasure:
    """The secrets of a night by what they are."""

    secrets: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, secret: str) -> str:
        self.secrets[what] = secret
        return secret

    def found_in(self, content: bytes | str) -> set[str]:
        """Return what was found, with its spelling; nothing is what is hoped for."""
        text = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        joined = text.decode("utf-8", "replace").translate(_UNBREAK).encode()
        wanted: dict[bytes, str] = {}
        unbroken: dict[bytes, str] = {}
        for what, secret in self.secrets.items():
            for how, spelt in spellings(secret):
                wanted |= dict.fromkeys(_pieces(spelt), f"{what} ({how})")
            whole = secret.translate(_UNBREAK).encode()
            unbroken |= dict.fromkeys(_pieces(whole), f"{what} (over lines)")
        found = {what for piece, what in wanted.items() if piece in text}
        return found | {what for piece, what in unbroken.items() if piece in joined}


def _pieces(spelt: bytes) -> list[bytes]:
    whole = range(0, len(spelt) - PIECE + 1, PIECE)
    return [spelt[begin : begin + PIECE] for begin in whole] or [spelt]


def spellings(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yield the encodings that a secret may hide in; written without a look at the product's."""
    raw = secret.encode()
    yield "plain", raw
    yield "URL", quote(raw, safe="").encode()
    yield "URL with slashes", quote(raw).encode()
    yield "form", quote_plus(raw).encode()
    yield "hex", raw.hex().encode()
    yield "JSON", json.dumps(secret)[1:-1].encode()
    yield "JSON, UTF-8", json.dumps(secret, ensure_ascii=False)[1:-1].encode()
    yield "repr", repr(secret)[1:-1].encode()
    yield "repr of bytes", repr(raw)[2:-1].encode()
    yield "SQL", secret.replace("'", "''").encode()
    escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
    yield "conninfo", escaped.encode()
    yield "conninfo in SQL", escaped.replace("'", "''").encode()
    yield "E'…'", secret.replace("\\", "\\\\").replace("'", "''").encode()
    yield "shell", shlex.quote(secret).strip("'").encode()
    yield "HTML", html.escape(secret).encode()
    for ahead in range(3):
        # What stands before a secret shifts how its bytes fall into base64's groups of three.
        core = raw[-ahead % 3 :]
        core = core[: len(core) // 3 * 3]
        yield f"base64 +{ahead}", base64.b64encode(core)
        yield f"base64url +{ahead}", base64.urlsafe_b64encode(core)
