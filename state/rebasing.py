"""Where the present of a run begins: at its start, or where it was read anew from the world.

A journal that was left behind is read anew by `blueprime adopt`. What it knew stays as its history,
and says nothing of the present any more: whoever asks what was done asks from that stay on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from state.records import Attempt, TrackEntry

ADOPT = "adopt"
"""The step that a stay names as the one it came from where the present begins with it."""


class Told(Protocol):
    """What is asked of a journal here."""

    def attempts(self, run: str) -> list[Attempt]:
        """Return the attempts of a run, oldest first."""

    def entries(self, run: str) -> list[TrackEntry]:
        """Return the stays on tracks, oldest first."""


def bases(entries: Sequence[TrackEntry]) -> list[int]:
    """Return the ids of the stays with which a run was read anew, in order."""
    return [entry.id for entry in entries if entry.from_step == ADOPT]


def base(entries: Sequence[TrackEntry]) -> int:
    """Return the id of the stay with which a run's present begins; 0: with the first."""
    return max(bases(entries), default=0)


def present(entries: Sequence[TrackEntry]) -> list[TrackEntry]:
    """Return the stays since a run was last read from the world: all, where it never was."""
    begins = base(entries)
    return [entry for entry in entries if entry.id >= begins]


def tried(journal: Told, run: str) -> list[Attempt]:
    """Return the attempts of a run's present."""
    begins = base(journal.entries(run))
    return [attempt for attempt in journal.attempts(run) if attempt.entry >= begins]
