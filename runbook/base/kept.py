"""What a run reads of its journal, and what stands in for a journal where there is no run."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from state.records import Attempt, Decision, Evidence, Json, Sample, TrackEntry


class JournalReader(Protocol):
    """What a run reads of its journal; of one that has nothing, what stands here."""

    def fact(self, run: str, key: str) -> Json | None:
        """Return the latest value kept under a key, or None."""
        return None

    def attempts(self, run: str) -> list[Attempt]:
        """Return the attempts of a run, oldest first."""
        return []

    def decisions(self, run: str) -> list[Decision]:
        """Return the decisions of a run, oldest first."""
        return []

    def evidences(
        self, run: str, step: str | None = None, *, key: str | None = None
    ) -> list[Evidence]:
        """Return what was seen, oldest first."""
        return []

    def entries(self, run: str) -> list[TrackEntry]:
        """Return the stays on tracks, oldest first."""
        return []

    def live(self, run: str) -> dict[str, Json] | None:
        """Return the figures that were shown last, or None."""
        return None

    def samples_of(
        self,
        run: str,
        kind: str | None,
        subject: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> list[Sample]:
        """Return what was measured, oldest first."""
        return []


class EmptyJournal(JournalReader):
    """Stands in for a journal where there is no run: the preflight alone, for instance."""
