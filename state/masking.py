"""Secrets are masked before anything is written: defence in depth.

Whoever writes to the journal hands over no secret in the first place. What slips through in an
error message or a command line is masked here, in two ways: by the forms in which PostgreSQL and
AWS spell passwords, and by value, for secrets that this process has met (`remember`). References to
secrets (`env:NAME`, `pgpass`, `iam`, the ARN of a secret) are no secrets.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

from state.records import Json

MASK = "***"

# No open-ended prefix here: it would make the search of a long word quadratic.
_NAME = (
    r"(?:password|passwd|secret_?access_?key|session_?token|security[_-]token"
    r"|amz-signature)"
)
# The first form is a quoted value within an SQL string, where each quote is written twice.
_QUOTED = r"''[^']+(?:''''[^']*)*''|[eE]?'(?:[^'\\]|''|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_REFERENCE = r"(?:env:\w+|pgpass|iam|arn:aws[\w-]*:secretsmanager:[^\s'\"]+)"
_HARMLESS = rf"(?![\"']?(?:{_REFERENCE}|true|false|none|null|\*\*\*)[\"']?(?![\w*]))"

_SECRET_KEY = re.compile(rf"[\w-]*{_NAME}", re.IGNORECASE)
_HARMLESS_VALUE = re.compile(rf"(?:{_REFERENCE}|\*\*\*|)")

_FORMS = (
    # password=…, PGPASSWORD=…, MasterUserPassword='…', --master-user-password=…
    (
        re.compile(
            rf"(?P<before>{_NAME}[\"']?\s*=\s*){_HARMLESS}(?:{_QUOTED}|[^\s&'\"]+)",
            re.IGNORECASE,
        ),
        rf"\g<before>{MASK}",
    ),
    # "MasterUserPassword": "…": only quoted, since prose says "password: see the plan"
    (
        re.compile(
            rf"(?P<before>{_NAME}[\"']?\s*:\s*){_HARMLESS}(?:{_QUOTED})",
            re.IGNORECASE,
        ),
        rf"\g<before>'{MASK}'",
    ),
    # --master-user-password …
    (
        re.compile(
            rf"(?P<before>(?<![\w-])--[\w-]{{0,40}}{_NAME}\s+){_HARMLESS}(?:{_QUOTED}|[^\s-]\S*)",
            re.IGNORECASE,
        ),
        rf"\g<before>{MASK}",
    ),
    # ALTER ROLE … PASSWORD '…'
    (
        re.compile(
            rf"(?P<before>\bpassword\s+){_HARMLESS}"
            r"(?:[eE]?'(?:[^'\\]|''|\\.)*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)",
            re.IGNORECASE | re.DOTALL,
        ),
        rf"\g<before>'{MASK}'",
    ),
    # postgresql://user:…@host
    (re.compile(r"(?P<before>://[^\s:/@]*:)[^\s/]*@"), rf"\g<before>{MASK}@"),
    # The verifier that PostgreSQL stores is as good as a password for guessing offline.
    (re.compile(r"SCRAM-SHA-256\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+"), f"SCRAM-SHA-256${MASK}"),
)


_SECRET_VARIABLE = re.compile(
    r"\w*(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?)"
    r"|(?:PG|MYSQL_)PWD",
    re.IGNORECASE,
)
"""Variables that hold a secret by their names; one that names a file or an id ends otherwise."""

_LENGTH, _VARIED_LENGTH = 16, 8
_KINDS = ("[a-z]", "[A-Z]", "[0-9]", r"[^a-zA-Z0-9\s_-]")
_LINE_LENGTH = 6
"""The shortest line of a secret of many lines, a private key say, that is masked by itself."""

_remembering = threading.Lock()
_remembered: set[str] = set()
_known: re.Pattern[str] | None = None


def remember(secret: str | None) -> None:
    """Mask a secret from now on wherever it stands, in all its usual encodings.

    One that could as well be a word or the name of a table is left to the known forms: masked
    everywhere, it would garble the journal. So it takes 16 characters without a space, or 16, or 8
    without a space, of three kinds (small, capital, digit, punctuation).
    """
    global _known
    if not secret or not _tells_apart(secret):
        return
    with _remembering:
        if secret in _remembered:
            return
        _remembered.add(secret)
        spellings = {each for known in _remembered for each in _spellings(known)}
        longest_first = sorted(spellings, key=len, reverse=True)
        _known = re.compile("|".join(map(re.escape, longest_first)))


def remember_environment(environment: Mapping[str, str]) -> None:
    """Remember the values of variables that hold secrets by their names."""
    for name, value in environment.items():
        if _SECRET_VARIABLE.fullmatch(name):
            remember(value)


def masked_by_value(text: str) -> str:
    """Return `text` with every secret that this process has met replaced by `***`."""
    return text if _known is None else _known.sub(MASK, text)


def masked(text: str) -> str:
    """Return `text` with every secret replaced by `***`, known by its value or by its form."""
    text = masked_by_value(text)
    for form, replacement in _FORMS:
        text = form.sub(replacement, text)
    return text


def masked_json(value: Json) -> Json:
    """Return a JSON value with its strings masked, and the values under names of secrets."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {
            masked(str(key)): MASK if _is_secret(str(key), member) else masked_json(member)
            for key, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked_json(member) for member in value]
    return value


def _is_secret(key: str, value: Json) -> bool:
    return (
        isinstance(value, str)
        and _SECRET_KEY.fullmatch(key) is not None
        and _HARMLESS_VALUE.fullmatch(value) is None
    )


def _tells_apart(secret: str) -> bool:
    """Return whether a secret is so unlike a word that it can be masked wherever it stands."""
    spaced = re.search(r"\s", secret) is not None
    varied = sum(1 for kind in _KINDS if re.search(kind, secret)) >= 3
    if len(secret) >= _LENGTH:
        return varied or not spaced
    return len(secret) >= _VARIED_LENGTH and varied and not spaced


def _spellings(secret: str) -> Iterator[str]:
    """Yield the forms that a secret takes in URLs, JSON, SQL, connection strings and so on."""
    yield secret
    for line in secret.splitlines():
        if len(line) >= _LINE_LENGTH and _tells_apart(line):
            yield line
    encoded = secret.encode("utf-8", "surrogatepass")
    yield quote(encoded, safe="")
    yield quote(encoded)
    yield quote_plus(encoded)
    yield html.escape(secret)
    yield html.escape(secret, quote=False)
    yield shlex.quote(secret)[1:-1] if shlex.quote(secret) != secret else secret
    yield repr(secret)[1:-1]
    yield repr(encoded)[2:-1]
    yield encoded.hex()
    yield from _in_base64(encoded)
    in_conninfo = secret.replace("\\", "\\\\").replace("'", "\\'")
    for spelt in (secret, in_conninfo):
        in_literal = spelt.replace("'", "''")
        for sql in (spelt, in_literal, in_literal.replace("\\", "\\\\")):
            yield sql
            yield json.dumps(sql)[1:-1]
            yield json.dumps(sql, ensure_ascii=False)[1:-1]


def _in_base64(encoded: bytes) -> Iterator[str]:
    """Yield what of a secret shows in base64, alone and behind one or two other bytes."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(encoded).decode()
        for begin in range(3):
            # Letters stand for three bytes at a time; those at both ends mix with the neighbours.
            core = encoded[begin : begin + (len(encoded) - begin) // 3 * 3]
            if len(core) >= _VARIED_LENGTH:
                yield encode(core).decode()
