"""Secrets are masked before anything is written: defence in depth.

Whoever writes to the journal hands over no secret in the first place; what slips through in an
error message or a command line is masked here, by the forms in which PostgreSQL and AWS spell
passwords. References to secrets (`env:NAME`, `pgpass`, `iam`, the ARN of a secret) are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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


def masked(text: str) -> str:
    """Return `text` with every secret in a known form replaced by `***`."""
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
