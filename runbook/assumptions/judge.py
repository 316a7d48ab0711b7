"""What a night showed of each assumption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runbook.assumptions.night import Night
from runbook.assumptions.table import ASSUMPTIONS, Assumption
from runbook.base.kept import JournalReader
from state.masking import masked
from state.records import Json


class Verdict(StrEnum):
    """Whether an assumption holds for the cluster of a run."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Judged:
    """One assumption, and what a night showed of it."""

    assumption: Assumption
    verdict: Verdict
    seen: str = ""
    at: datetime | None = None

    def as_json(self) -> dict[str, Json]:
        """Return it as the report holds it; `at` is ISO 8601, or null where it was not seen."""
        return {
            "id": self.assumption.id,
            "says": self.assumption.says,
            "verdict": self.verdict.value,
            "seen": self.seen,
            "at": self.at and self.at.isoformat(),
        }


def judged(journal: JournalReader, run: str) -> Sequence[Judged]:
    """Return every assumption with its verdict, in the order in which a night comes to them."""
    night = Night(journal, run)
    found = []
    for each in ASSUMPTIONS:
        seen = each.probe(night)
        if seen is None:
            found.append(Judged(each, Verdict.NOT_SEEN))
        else:
            verdict = Verdict.CONFIRMED if seen.holds else Verdict.REFUTED
            found.append(Judged(each, verdict, masked(seen.words), seen.at))
    return found
