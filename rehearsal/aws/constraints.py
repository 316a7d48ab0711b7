"""What botocore's model demands of a value beside its type: presence, enums, patterns, lengths.

A client checks little of it before it sends (no enum, no pattern, no upper end); AWS checks all.

Source: https://smithy.io/2.0/spec/constraint-traits.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from rehearsal.aws.wire_values import ABSENT, at, failed

_JAVA = {
    r"\p{L}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}
"""Java's notations as Python's `re` comes near to them; a letter's class takes digits too."""


def broken(shape: Any, value: Any, path: str = "", *, sizes: bool = True) -> Iterator[str]:
    """Yield what a value breaks, in AWS's words.

    AWS's own answers keep to presence and enums, not to the lengths and patterns that are meant for
    requests (a hosted zone's id is too long with the prefix that it is answered with): without
    `sizes` these are passed over.
    """
    if value is ABSENT or value is None:
        return
    match shape.type_name:
        case "structure":
            yield from _structure(shape, value, path, sizes)
        case "list":
            if sizes:
                yield from _length(shape, value, path)
            for number, item in enumerate(value, 1):
                yield from broken(shape.member, item, f"{path}.{number}.member", sizes=sizes)
        case "map":
            if sizes:
                yield from _length(shape, value, path)
            for key, item in value.items():
                yield from broken(shape.key, key, path, sizes=sizes)
                yield from broken(shape.value, item, f"{path}.{key}", sizes=sizes)
        case "string":
            yield from _enum(shape, value, path)
            if sizes:
                yield from _length(shape, value, path)
                yield from _pattern(shape, value, path)
        case "integer" | "long" | "float" | "double" if sizes:
            yield from _bounds(shape, value, value, path, "value")
        case "blob" if sizes:
            yield from _length(shape, value, path)


def missing(shape: Any, value: Any) -> str | None:
    """Return the first required member of a request's own level that is absent."""
    present = value if isinstance(value, dict) else {}
    return next((name for name in shape.required_members if present.get(name) is None), None)


def _structure(shape: Any, value: Any, path: str, sizes: bool) -> Iterator[str]:
    if getattr(shape, "is_document_type", False):
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield failed(None, at(path, name), "Member must not be null")
    for name, below in value.items():
        yield from broken(shape.members[name], below, at(path, name), sizes=sizes)


def _enum(shape: Any, value: str, path: str) -> Iterator[str]:
    if (allowed := shape.metadata.get("enum")) and value not in allowed:
        words = f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        yield failed(value, path, words)


def _pattern(shape: Any, value: str, path: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        words = f"Member must satisfy regular expression pattern: {pattern}"
        yield failed(value, path, words)


def _length(shape: Any, value: Any, path: str) -> Iterator[str]:
    yield from _bounds(shape, len(value), value, path, "length")


def _bounds(shape: Any, size: float, value: Any, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield failed(value, path, f"Member must have {what} greater than or equal to {least}")
    if most is not None and size > most:
        yield failed(value, path, f"Member must have {what} less than or equal to {most}")


def _matches(pattern: str, value: str) -> bool:
    """Tell whether a value fits; a pattern without anchors means the whole of it."""
    anchored = pattern.startswith("^") or pattern.endswith("$")
    compiled = _compiled(pattern)
    if compiled is None:
        return True
    return bool(compiled.search(value) if anchored else compiled.fullmatch(value))


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a pattern, or None for the few that Python cannot read: they hold nothing."""
    for java, python in _JAVA.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None
