"""What a world reads of the journal, and what stands in for a journal where there is no run."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from state.records import Attempt, Decision, Evidence, Json, Sample, TrackEntry


class Kept(Protocol):
    """What a world reads of the journal."""

    def fact(self, run: str, key: str) -> Json | None: ...
    def attempts(self, run: str) -> list[Attempt]: ...
    def decisions(self, run: str) -> list[Decision]: ...
    def evidences(
        self, run: str, step: str | None = None, *, key: str | None = None
    ) -> list[Evidence]: ...
    def entries(self, run: str) -> list[TrackEntry]: ...
    def live(self, run: str) -> dict[str, Json] | None: ...
    def samples_of(
        self,
        run: str,
        kind: str | None,
        subject: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> list[Sample]: ...


class NothingKept:
    """Stands in for a journal where there is no run: the preflight alone, for instance."""

    def fact(self, run: str, key: str) -> Json | None:
        return None

    def attempts(self, run: str) -> list[Attempt]:
        return []

    def decisions(self, run: str) -> list[Decision]:
        return []

    def evidences(
        self, run: str, step: str | None = None, *, key: str | None = None
    ) -> list[Evidence]:
        return []

    def entries(self, run: str) -> list[TrackEntry]:
        return []

    def live(self, run: str) -> dict[str, Json] | None:
        return None

    def samples_of(
        self,
        run: str,
        kind: str | None,
        subject: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> list[Sample]:
        return []
