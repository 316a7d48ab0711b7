"""What the panes of live figures share: the picture that they draw, and its age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from runbook.protection.dashboard import Dashboard
from state.records import Sample
from tui.snapshot import Snapshot
from tui.widgets.pane import Pane


class FiguresPane(Pane):
    """A pane of live figures, known by its title."""

    TITLE: str

    def __init__(self) -> None:
        super().__init__(self.TITLE, id=self.TITLE.lower())
        self.dashboard = Dashboard()
        self.lag: Mapping[str, Sequence[Sample]] = {}
        self.writes: Sequence[Sample] = ()
        self.now = datetime.now(UTC)
        self.limit = 10.0

    def show(self, picture: Snapshot, now: datetime, limit: float) -> None:
        """Draw newer figures; those older than `limit` seconds are greyed and say their age."""
        self.dashboard, self.lag, self.writes = picture.dashboard, picture.lag, picture.writes
        self.now, self.limit = now, limit
        self.redraw()
