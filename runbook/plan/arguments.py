"""Whether a command's arguments hold a secret: ps(1) shows them to everybody on the machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

from state.masking import masked

_NAMES = (
    r"pass|passwd|password|passphrase|secret|token|api[-_]?key|access[-_]?key|secret[-_]?key"
    r"|private[-_]?key|credentials?"
)
_OPTION = re.compile(rf"--?(?:[\w-]*[-_])?(?:{_NAMES}|pw|pwd)(?:=(?P<value>.*))?", re.I | re.S)
"""An option that takes a secret by its name; one that names a file or a variable ends otherwise."""

_NO_OPTION = re.compile(r"--?no[-_]?\w*", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?<![\w-])(?:\w*_)?(?:PG|MYSQL_)?(?:{_NAMES}|(?<=PG)PWD|(?<=MYSQL_)PWD)=(?P<value>\S+)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\bauthorization:\s*(?:basic|bearer|token)\s+\S", re.IGNORECASE)
_ELSEWHERE = re.compile(r"env:\w+|@\S+|arn:\S+|pgpass|iam|-\S*|/dev/\S+|")
"""Says where a secret is, or is no value at all."""

_USER_OPTIONS = {"curl": ("-u", "--user"), "http": ("-a", "--auth"), "https": ("-a", "--auth")}
_SHORT_PASSWORD = ("mysql", "mysqladmin", "mysqldump", "mariadb", "sshpass")
"""Programs whose `-pWORD` is a password."""


def hold_secret(words: Sequence[str]) -> bool:
    """Return whether arguments hold a password, key or token in clear.

    A command line inside an argument (`sh -c '...'`) is looked through like one of its own.
    """
    program = PurePath(words[0]).name if words else ""
    return any(
        _holds(word, after, program) or (" " in word.strip() and hold_secret(_parts(word)))
        for word, after in pairwise((*words, ""))
    )


def _holds(word: str, after: str, program: str) -> bool:
    if _NO_OPTION.fullmatch(word):
        return False
    if option := _OPTION.fullmatch(word):
        value = option["value"]
        return not _ELSEWHERE.fullmatch(after if value is None else value)
    if any(not _ELSEWHERE.fullmatch(found["value"]) for found in _ASSIGNED.finditer(word)):
        return True
    if program in _SHORT_PASSWORD and re.fullmatch(r"-p.+", word):
        return True
    if word in _USER_OPTIONS.get(program, ()) and ":" in after:
        return True
    return bool(_HEADER.search(word)) or masked(word) != word


def _parts(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
