"""A connection that is refused alike in several places: told once, with all that it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CANNOT = re.compile(
    r"(?P<of>.*?)(?:: )?Cannot connect to (?P<side>[^()]*) \((?P<at>[^,]*), "
    r'database (?P<database>"(?:[^"]|"")*")\) as (?P<why>.*)',
    re.DOTALL,
)
"""What `connect` says, with what is not known for it before."""

_ATTEMPT = re.compile(
    r"(?:connection failed: )?connection to server (?:at|on) .*? failed: (?=FATAL)"
)
"""What libpq says before the words of a server that has answered: where it is, is said already."""


def libpq_says(words: str) -> str:
    """Return libpq's words on one line, each once: it tries every address, and with TLS without."""
    lines = (" ".join(_ATTEMPT.sub("", line).split()) for line in words.splitlines())
    return " ".join(dict.fromkeys(line for line in lines if line))


def told_once(unknowns: Iterable[str]) -> tuple[str, ...]:
    """Return why things are not known, in order; of those that are refused alike, once for all."""
    told: list[str] = []
    alike: dict[str, tuple[int, list[re.Match[str]]]] = {}
    for words in unknowns:
        found = _CANNOT.fullmatch(words)
        if found is None:
            told.append(words)
            continue
        place, same = alike.setdefault(found["why"], (len(told), []))
        same.append(found)
        if len(same) == 1:
            told.append(words)
        else:
            told[place] = _joined(same)
    return tuple(told)


def _joined(refused: list[re.Match[str]]) -> str:
    sides: dict[tuple[str, str], dict[str, None]] = {}
    for each in refused:
        sides.setdefault((each["side"], each["at"]), {})[each["database"]] = None
    places = [
        f"{side} ({at}, database{'s' if len(names) > 1 else ''} {', '.join(names)})"
        for (side, at), names in sides.items()
    ]
    of = "; ".join(dict.fromkeys(each["of"] for each in refused if each["of"]))
    return (
        f"{of}{': ' if of else ''}Cannot connect to {' and '.join(places)} as {refused[0]['why']}"
    )
