"""The checklist: every step of every track the run has been on, with a cursor to look at one.

The cursor selects what is shown; it never moves the run. The position, which is what enter acts on,
is the line that is ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.message import Message

from runbook.base.variants import name
from runbook.run.checklist import Checklist, Line, Section
from state.enums import Status
from tui import glyphs, text
from tui.glyphs import Sign
from tui.snapshot import Place
from tui.widgets.pane import Pane, joined, line

BELOW = 2
"""So many lines below the selected step are brought into view with it."""

NO_MARKS: Mapping[str, Sign] = {}

_WORD = 9
_TIME = 6


class ChecklistPane(Pane):
    """Draws a checklist and keeps the cursor."""

    class Selected(Message):
        """Another line was selected."""

        def __init__(self, place: Place) -> None:
            super().__init__()
            self.place = place

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("Checklist", id=id)
        self.checklist: Checklist | None = None
        self.notes: Mapping[Place, str] = {}
        self.marks: Mapping[str, Sign] = {}
        self.selected: Place | None = None
        self.now = datetime.now(UTC)
        self._rows: list[Place | None] = []

    def show(
        self, checklist: Checklist, notes: Mapping[Place, str], title: str, now: datetime
    ) -> None:
        """Draw a newer checklist, with what stands beside its steps.

        The cursor follows the position if it stood there.
        """
        position = position_of(checklist)
        followed = self.checklist is None or self.selected == position_of(self.checklist)
        self.checklist, self.notes, self.now = checklist, notes, now
        self.border_title = Content(title)
        if followed or self.selected not in places(checklist):
            self.selected = position
            self.call_after_refresh(self._reveal)
        self.redraw()

    def tick(self, now: datetime, marks: Mapping[str, Sign] = NO_MARKS) -> None:
        """Let durations go on; `marks` has the steps that wait for a person."""
        self.now, self.marks = now, marks
        self.redraw()

    def line_selected(self) -> Line | None:
        """Return the line under the cursor."""
        if self.checklist is None or self.selected is None:
            return None
        return places(self.checklist).get(self.selected)

    def move(self, by: int) -> None:
        """Move the cursor by so many steps."""
        rows = [row for row in self._rows if row is not None]
        if rows and self.selected in rows:
            self.select(rows[max(0, min(len(rows) - 1, rows.index(self.selected) + by))])

    def select(self, place: Place) -> None:
        """Put the cursor on a line, bring it into view, and say so."""
        if place != self.selected:
            self.selected = place
            self.redraw()
            self.post_message(self.Selected(place))
        self._reveal()

    def follow(self) -> None:
        """Put the cursor back to the position."""
        if self.checklist is not None and (place := position_of(self.checklist)):
            self.select(place)

    def draw(self, cells: int) -> Content:
        if self.checklist is None:
            return line(("Reading the journal…", "$foreground-muted"))
        rows: list[Content] = []
        self._rows = []
        several = len(self.checklist.sections) > 1
        for section in self.checklist.sections:
            if several:
                if rows:
                    self._add(rows, Content(), None)
                self._add(rows, _heading(section, cells), None)
            for item in section.lines:
                place = (item.entry, item.step)
                self._add(rows, self._row(item, place == self.selected, cells), place)
        return joined(rows)

    def _add(self, rows: list[Content], row: Content, place: Place | None) -> None:
        rows.append(row)
        self._rows.append(place)

    def _row(self, item: Line, selected: bool, cells: int) -> Content:
        mark = glyphs.mark_of(item)
        if item.entry == self._present():
            mark = self.marks.get(item.step, mark)
        tries = f" ×{item.attempts}" if item.attempts > 1 else ""
        room = cells - 3 - 1 - _WORD - 1 - _TIME
        name = text.shorten(text.clean(item.step), room - len(tries)) + tries
        note = text.clean(self.notes.get((item.entry, item.step), "")) if item.attempts else ""
        note = text.shorten(f" {note}", room - text.width(name)) if note else ""
        row = line(
            ("›" if selected else " ", "bold $text-primary"),
            (mark.glyph, mark.style),
            " ",
            (name, _name_style(item.status)),
            (text.fit(note, room - text.width(name)), "$foreground-muted"),
            " ",
            (text.fit(mark.word, _WORD), mark.style),
            " ",
            (text.right(text.duration(self._seconds(item)), _TIME), "$foreground-muted"),
        )
        return row.stylize("on $panel") if selected else row

    def _present(self) -> int:
        return self.checklist.current.entry.id if self.checklist else 0

    def _seconds(self, item: Line) -> float | None:
        if item.lasts and item.attempt is not None:
            return text.elapsed(item.attempt.started_at, self.now)
        if item.attempt is not None and item.status is Status.RUNNING:
            return text.elapsed(item.attempt.started_at, self.now)
        return None if item.status is Status.SKIPPED else item.seconds

    def on_resize(self, event: events.Resize) -> None:
        # The pane's own handler draws: Textual calls both.
        self.call_after_refresh(self._reveal)

    def on_click(self, event: events.Click) -> None:
        row = event.get_content_offset(self)
        if row is not None:
            index = row.y + self.scroll_offset.y
            if 0 <= index < len(self._rows) and (place := self._rows[index]):
                self.select(place)

    def key_up(self) -> None:
        self.move(-1)

    def key_down(self) -> None:
        self.move(1)

    def _reveal(self) -> None:
        if self.selected in self._rows:
            row = self._rows.index(self.selected)
            # With what comes next in view, and the step itself last, where there is room for one.
            for below in (BELOW, 0):
                last = min(row + below, len(self._rows) - 1)
                self.scroll_to_region(Region(0, row, 1, last - row + 1), animate=False)


def position_of(checklist: Checklist) -> Place | None:
    """Return the line that enter acts on, or the last one where the track is done."""
    following = checklist.next or (checklist.current.lines or (None,))[-1]
    return None if following is None else (following.entry, following.step)


def places(checklist: Checklist) -> dict[Place, Line]:
    """Return every line by its place."""
    return {
        (item.entry, item.step): item for section in checklist.sections for item in section.lines
    }


def _heading(section: Section, cells: int) -> Content:
    entry = section.entry
    called = name(entry.track, entry.variant)
    variant = f" ▸ {text.clean(entry.variant)}" if entry.variant and entry.variant != called else ""
    words = f"{called.capitalize()}{variant}"
    since = text.at(section.entry.at)
    return line(
        (text.fit(words, cells - len(since) - 1), "bold $text-secondary"),
        " ",
        (since, "$foreground-muted"),
    )


def _name_style(status: Status) -> str:
    if status in (Status.PENDING, Status.SKIPPED):
        return "$foreground-muted"
    return "bold" if status is not Status.SUCCEEDED else ""
