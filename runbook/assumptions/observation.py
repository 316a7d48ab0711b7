"""What was seen of Aurora in a night, kept as evidence under an assumption's id."""

from __future__ import annotations

from typing import Protocol

from state.records import Json

PREFIX = "assumption."


class Evidence(Protocol):
    """What takes what was seen, as a step's watch does by its `evidence`."""

    def __call__(self, text: str, *, key: str = "", value: Json = None) -> object:
        """Keep what was seen."""


def observe(evidence: Evidence, assumption: str, *, holds: bool, seen: str) -> None:
    """Keep that an assumption holds here, or does not, with what was seen in words."""
    evidence(seen, key=PREFIX + assumption, value={"holds": holds, "seen": seen})
