"""Counts agree with their nouns: `1 row`, never `1 rows`, since one place puts them together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.amounts import counted

ROOT = Path(__file__).parents[1]

PLURAL = re.compile(r" (?:[a-z]+ ){0,2}[a-z]*[a-rt-z]s\b")


def by_hand(source: str) -> Iterator[str]:
    """Yield each `len(…)` of an f-string that stands before a plural, unless it is `m of n`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for value, after in zip(node.values, [*node.values[1:], None], strict=True):
            if isinstance(value, ast.Constant):
                before = str(value.value)
                continue
            counts = re.fullmatch(r"len\(.*\)(?: - 1)?", ast.unparse(value.value))  # type: ignore[attr-defined]
            words = str(after.value) if isinstance(after, ast.Constant) else ""
            if counts and PLURAL.match(words) and not before.endswith("of "):
                yield f"{{{counts[0]}}}{words}"
            before = ""


@pytest.mark.parametrize("package", ["runbook", "tui"])
def test_no_count_is_put_before_a_plural_by_hand(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {words}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for words in by_hand(path.read_text())
    ]
    assert not found


def test_a_count_that_is_put_by_hand_is_found() -> None:
    assert list(by_hand('f"{len(found)} tables differ"')) == ["{len(found)} tables differ"]
    assert list(by_hand('f"{done} of {len(found)} tables, {name} differs"')) == []


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (12_000, ("row",), "12,000 rows"),
        (1, ("key differs", "keys differ"), "1 key differs"),
        (2, ("key differs", "keys differ"), "2 keys differ"),
    ],
)
def test_a_number_of_things_in_words(count: int, words: tuple[str, ...], said: str) -> None:
    assert counted(count, *words) == said
