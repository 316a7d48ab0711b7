"""What steps that are done did not do: each warning stands until a later look takes it back."""

from __future__ import annotations

from state.reading import Reader
from state.records import Evidence

WARNING = "warning."
"""How the keys begin under which warnings are kept; an empty value takes one back."""


def standing(journal: Reader, run: str) -> list[Evidence]:
    """Return the warnings of a run that stand, oldest first; each value is its words."""
    return [
        seen
        for key, seen in journal.facts(run).items()
        if key.startswith(WARNING) and isinstance(seen.value, str) and seen.value
    ]
