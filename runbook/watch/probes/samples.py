"""Figures kept for drawing the past."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from runbook.protection.dashboard import LagView
from state.journal import Journal
from state.records import Sample

CALM_AFTER_S = 900.0
"""So long after the last step, only every so often a sample is kept: a bake may last for days."""

CALM_SAMPLE_EVERY_S = 30.0


class Samples:
    """Keeps them, sparsely once nothing has been done for a while."""

    def __init__(self, journal: Journal, run: str) -> None:
        self._journal, self._run = journal, run
        self._stirred = time.monotonic()
        self._kept: dict[str, float] = {}

    def stir(self) -> None:
        """Take note that something was done."""
        self._stirred = time.monotonic()

    def keep(self, samples: Sequence[Sample]) -> None:
        """Keep those that are due."""
        clock = time.monotonic()
        every = CALM_SAMPLE_EVERY_S if clock - self._stirred > CALM_AFTER_S else 0.0
        due = [s for s in samples if clock - self._kept.get(f"{s.kind} {s.subject}", 0.0) >= every]
        if due:
            self._kept |= {f"{s.kind} {s.subject}": clock for s in due}
            self._journal.samples(self._run, due)

    def keep_lags(self, views: Sequence[LagView], now: datetime) -> None:
        """Keep how far each slot's subscriber is behind."""
        samples = []
        for view in views:
            known = None if view.bytes is None else float(view.bytes)
            samples.append(Sample(view.at or now, "lag_bytes", view.database, known))
            samples.append(Sample(view.at or now, "lag_seconds", view.database, view.seconds))
        self.keep(samples)
