"""What the run screen looks up beside its picture: previews and ways.

Each is asked for once for each state of affairs, and kept under it: what is shown of a step, and
what a key does, never belongs to another one.
"""

from __future__ import annotations

from datetime import datetime

from textual import work

from runbook.run.checklist import Line
from state.enums import Status
from tui.model import Branch, Preview, RunModel
from tui.screens.base import KeyedScreen
from tui.snapshot import Snapshot
from tui.widgets.checklist import ChecklistPane
from tui.widgets.header import turning

Stamp = tuple[int, str, int, str]
"""A state of affairs of one step: stay on a track, step, attempts so far, status."""


def stamp_of(item: Line) -> Stamp:
    """Return the state of affairs of a step."""
    return (item.entry, item.step, item.attempts, item.status.value)


def stamp_of_ways(picture: Snapshot) -> Stamp:
    """Return the state of affairs on which the ways off the track depend.

    Beside the step that is next these are the protection and whether production answers, which
    change without any step, and what a step has asked for meanwhile.
    """
    following = picture.checklist.next
    stamp = (picture.checklist.current.entry.id, "", 0, "end")
    if following is not None:
        stamp = stamp_of(following)
    made = following.attempt.effects if following and following.attempt else ()
    seen = (*turning(picture.dashboard), [effect.outcome for effect in made])
    return (*stamp[:3], f"{stamp[3]} {seen}")


class LookingScreen(KeyedScreen[None]):
    """A screen of one run that looks up what its steps would do and which ways lead off."""

    def __init__(self, model: RunModel) -> None:
        super().__init__()
        self.model = model
        self.picture: Snapshot | None = None
        self._previews: dict[Stamp, tuple[Preview | None, str]] = {}
        self._asked: dict[Stamp, datetime] = {}
        """When each preview was asked for that has not failed."""
        self._ways: tuple[Stamp, list[Branch], str] | None = None
        self._ways_asked: Stamp | None = None

    def redraw(self) -> None:
        """Draw what was looked up."""

    def look_again(self, step: str) -> None:
        """Forget what was looked up of a step: it was acted on since, if only by an answer."""
        for stamp in [each for each in self._asked if each[1] == step]:
            del self._asked[stamp]
            self._previews.pop(stamp, None)

    def shown_of(self, step: str) -> Preview | None:
        """Return what is shown of the step that is next, if that is the one."""
        following = self.picture.checklist.next if self.picture else None
        return self.preview_of(following)[0] if following and following.step == step else None

    def preview_of(self, item: Line | None) -> tuple[Preview | None, str, float]:
        """Return a step's preview, why there is none, and for how many seconds it is looked for."""
        if item is None:
            return None, "", 0.0
        stamp = stamp_of(item)
        asked = self._asked.get(stamp)
        looking = 0.0 if asked is None else max(0.0, (self.face.now() - asked).total_seconds())
        return (*self._previews.get(stamp, (None, "")), looking)

    def look_up(self, picture: Snapshot) -> None:
        """Look up what is not known yet of the selected step, the next one, and the ways."""
        if not picture.checklist.run.open:
            return
        following = picture.checklist.next
        for item in (self.query_one(ChecklistPane).line_selected(), following):
            if item is None or item.status.done or item.entry != picture.checklist.current.entry.id:
                continue
            stamp = stamp_of(item)
            if stamp not in self._asked and item.status is not Status.RUNNING:
                self._asked[stamp] = self.face.now()
                self._take_preview(stamp)
        stamp = stamp_of_ways(picture)
        if self._ways_asked != stamp:
            self._ways_asked = stamp
            self._take_ways(stamp)

    @work(group="preview")
    async def _take_preview(self, stamp: Stamp) -> None:
        preview, error = None, ""
        try:
            preview = await self.face.engine.call(lambda: self.model.preview(stamp[1]))
        except Exception as failed:  # shown where the preview would stand
            error = str(failed) or type(failed).__name__
        self._previews[stamp] = (preview, error)
        if error:
            self._asked.pop(stamp, None)
        if not self.ending:
            self.redraw()

    @work(group="ways")
    async def _take_ways(self, stamp: Stamp) -> None:
        ways: list[Branch] = []
        error = ""
        try:
            ways = await self.face.engine.call(self.model.ways)
        except Exception as failed:  # shown where the way back would stand
            error = str(failed) or type(failed).__name__
        if stamp == self._ways_asked:
            self._ways = (stamp, ways, error)
        if not self.ending:
            self.redraw()
