"""What is wrong with a plan, in plain words, with the file, the line and the key."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LARGEST = 1 << 20
"""Bytes of a plan file; a real one has some five thousand."""


class PlanError(Exception):
    """A plan that cannot be used; each problem as `file:line: key: what is wrong`."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.path = path
        self.problems = problems


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of a plan file, and the TOML that it is; raise `PlanError`."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            # A device has no end, and nobody may ever write to a pipe.
            raise PlanError(path, [f"{path}: is no file. Write the plan to a file first."])
        if found.st_size > LARGEST:
            raise PlanError(path, [f"{path}: has {found.st_size} bytes, and is no plan."])
        # Some editors begin a file with the mark of UTF-8.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PlanError(path, [f"{path}: cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise PlanError(path, [f"{path}: is not UTF-8 text"]) from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(path, [f"{path}: is not valid TOML: {error}"]) from error
    except RecursionError as error:
        raise PlanError(path, [f"{path}: is nested too deeply to be a plan"]) from error


_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is no key of a plan",
    "model_type": "must be a section: a line [{key}], and its keys below",
    "tuple_type": 'must be a list: ["one", "two"]',
    "string_type": 'must be a text in quotes: "like this"',
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number with an end, not inf or nan",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number, and a much smaller one",
    "int_from_float": "must be a whole number, without a fraction",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or greater",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "string_too_short": "must have {min_length} characters at least",
    "string_too_long": "must have {max_length} characters at most",
    "enum": "must be one of these: {expected}",
    "literal_error": "must be one of these: {expected}",
    "value_error": "{error}",
}
"""What pydantic's types of errors are called here."""


def problem(path: Path, text: str, item: Any) -> str:
    """Return one of pydantic's errors with its place."""
    return placed(path, text, item["loc"], plainly(item))


def plainly(item: Any) -> str:
    """Return one of pydantic's errors in words, without what was given: it may be a secret."""
    words = _WORDS.get(item["type"], "is not what a plan takes here")
    return words.format(**_values(item))


def _values(item: Any) -> dict[str, Any]:
    given = item.get("ctx") or {}
    figures = {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in given.items()
    }
    return {**figures, "key": item["loc"][-1] if item["loc"] else "plan"}


def placed(path: Path, text: str, keys: Sequence[str | int], message: str) -> str:
    """Return a problem with its place in front."""
    line = _line_of(text, keys)
    place = f"{path}:{line}" if line else str(path)
    # pydantic marks what is wrong with a key itself.
    names = [str(key) for key in keys if key != "[key]"]
    return f"{place}: {'.'.join(names) or 'plan'}: {message}"


_HEADING = re.compile(r"(\[\[?)\s*\"?([^\]\"\[]+?)\"?\s*\]")


def _line_of(text: str, keys: Sequence[str | int]) -> int:
    """Return the line that sets a key, else the one of its section's heading, else 0.

    A number after the section's name counts the `[[sections]]` of that name, or the values of a
    list at the top.
    """
    if len(keys) > 2 and isinstance(keys[1], str):
        # A table of its own: [section.key].
        return _line_of(text, [f"{keys[0]}.{keys[1]}", *keys[2:]]) or _line_of(text, keys[:2])
    section = str(keys[0]) if keys else ""
    place = next((key for key in keys[1:2] if isinstance(key, int)), 0)
    names = [key for key in keys[1:] if isinstance(key, str)]
    wanted = names[0] if names else ""
    heading = 0
    inside = ""
    met = -1
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if match := _HEADING.match(stripped):
            inside = match[2]
            if inside == section:
                met = met + 1 if match[1] == "[[" else place
                if met == place:
                    heading = number
            continue
        name = stripped.split("=", 1)[0].strip().strip('"') if "=" in stripped else ""
        if not inside and name == section:
            return number
        if inside == section and met == place and wanted and name == wanted:
            return number
    return heading
