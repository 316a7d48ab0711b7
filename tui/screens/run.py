"""The run: checklist, the selected step, what is seen live, and the keys that act.

A poller looks at the run and arms its next look once the last one has ended. What is selected is
only looked at: enter acts on the position, and the line above the footer says what that is.
"""

from __future__ import annotations

from datetime import datetime
from time import monotonic

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message

from runbook.protection.dashboard import Dashboard
from tui import glyphs, keys, text
from tui.glyphs import Sign
from tui.model import RunModel
from tui.next_action import must_be_confirmed, undecided
from tui.questions import of_steps
from tui.screens.branch import BranchScreen
from tui.screens.confirm import ConfirmDialog
from tui.screens.help import HelpScreen
from tui.screens.log import LogScreen
from tui.screens.looking import stamp_of
from tui.screens.note import NoteDialog
from tui.screens.repairs import RepairsScreen
from tui.screens.run_state import RunState
from tui.snapshot import Snapshot, fresh_limit, take
from tui.widgets.checklist import ChecklistPane
from tui.widgets.clusters import ClustersPane
from tui.widgets.detail import DetailPane, plain
from tui.widgets.figures import FiguresPane
from tui.widgets.header import CLOCK_S, POLL_S, RunHeader
from tui.widgets.journal import JournalPane
from tui.widgets.keybar import KeyBar
from tui.widgets.lag import LagPane
from tui.widgets.nextline import NextLine
from tui.widgets.pane import Pane, line
from tui.widgets.traffic import TrafficPane
from tui.widgets.words import Words

POLL_BUSY_S = 0.2
RING_EVERY_S = 5
TABS: dict[str, tuple[str, type[Pane]]] = {
    "1": ("Checklist", ChecklistPane),
    "2": ("Step", DetailPane),
    "3": ("Clusters", ClustersPane),
    "4": ("Lag", LagPane),
    "5": ("Journal", JournalPane),
}
"""By the key that shows it: the name of a tab, and the pane that has the focus then."""


class RunScreen(RunState):
    """One run, to act on or to watch."""

    PLACE = "run"
    CSS_PATH = "run.tcss"
    BINDINGS = keys.bindings("run")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012

    class PictureTaken(Message):
        """A newer look at the run; an older one that still waits is dropped for it."""

        def __init__(self, picture: Snapshot) -> None:
            super().__init__()
            self.picture = picture

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RunScreen.PictureTaken)

    def __init__(self, model: RunModel) -> None:
        super().__init__(model)
        self._rung = -1
        """In which stretch of time the bell rang last."""
        self._pane = "1"
        self._second = 0
        self._figures: list[FiguresPane] = [ClustersPane(), LagPane(), TrafficPane()]

    def compose(self) -> ComposeResult:
        yield RunHeader(self.model.run)
        yield NextLine()
        yield Words(id="tabs")
        with Horizontal(id="body"):
            yield ChecklistPane(id="checklist")
            yield DetailPane(id="detail")
            with Vertical(id="figures"):
                yield from self._figures
        yield JournalPane(id="journal")
        yield KeyBar("run")

    def on_mount(self) -> None:
        self.query_one(ChecklistPane).focus()
        self.action_show("1")
        self.set_interval(CLOCK_S, self._clock)
        self._look()

    def on_screen_resume(self) -> None:
        # What enter does may have changed beneath what stood above.
        self.face.guard.start_anew(monotonic())

    # Looking: one poller, armed again once its look has ended.

    @work(group="look")
    async def _look(self) -> None:
        before, selected = self.picture, self._selected()
        try:
            picture = await self.face.engine.read(lambda: take(self.model, before, selected))
        except Exception as error:  # whatever a look runs into, the screen stays, and says so
            self.trouble = text.clean(f"{type(error).__name__}: {error}")
            if not self.ending:
                self._tick()
        else:
            self.trouble = ""
            if picture is not before:
                self.post_message(self.PictureTaken(picture))
        busy = bool(self.picture and self.picture.busy)
        self.set_timer(POLL_BUSY_S if busy else POLL_S, self._look)

    @on(PictureTaken)
    def _draw(self, message: PictureTaken) -> None:
        before, self.picture = self.picture, message.picture
        picture = message.picture
        if before is not None and before.busy and not picture.busy:
            self.look_again(before.busy)
        self.query_one(ChecklistPane).show(
            picture.checklist, picture.notes, self._track_title(), self.face.now()
        )
        self.query_one(JournalPane).show(picture.events)
        self.look_up(picture)
        self._draw_detail()
        self._tick()
        self.face.retitle(self._window_title())
        self.refresh_keys()

    def _clock(self) -> None:
        """Let the outage's clock run, in tenths; every other figure has ages in seconds."""
        now = self.face.now()
        if self.picture is not None:
            self.query_one(RunHeader).show(self.picture.dashboard, now)
        if int(now.timestamp()) != self._second:
            self._second = int(now.timestamp())
            self._tick()

    def _tick(self) -> None:
        """Draw what depends on the time: the figures, whose ages grow."""
        picture, now = self.picture, self.face.now()
        if picture is None or not self.is_mounted:
            return
        limit = fresh_limit(picture.checklist.run)
        header = self.query_one(RunHeader)
        header.run = picture.checklist.run
        header.show(picture.dashboard, now)
        self.query_one(ChecklistPane).tick(now, self._marks(picture.dashboard))
        for pane in self._figures:
            pane.show(picture, now, limit)
        does = self._press()
        self.query_one(NextLine).show(does, self._way_back())
        following = picture.checklist.next
        self.face.guard.shows(
            (stamp_of(following), does.verb, self.preview_of(following)[0])
            if does.acts and following
            else None,
            monotonic(),
        )
        self._ring(picture.dashboard.to_do, now)

    def _ring(self, to_do: str, now: datetime) -> None:
        """Ring for a person until somebody says that they know, or nothing is to do any more."""
        self._heard = self._heard if to_do else ""
        due = int(now.timestamp()) // RING_EVERY_S
        if to_do and not self._heard and due != self._rung:
            self._rung = due
            self.face.bell()

    def _marks(self, dashboard: Dashboard) -> dict[str, Sign]:
        """Return how steps are marked that wait for a person."""
        marks = {self.face.asking: glyphs.ASKS} if self.face.asking else {}
        return {**marks, self._busy(): glyphs.CALLS} if dashboard.to_do else marks

    def redraw(self) -> None:
        """Draw what was looked up."""
        self._draw_detail()
        self._tick()

    def _draw_detail(self) -> None:
        self.query_one(DetailPane).show(self._detail())

    # Keys.

    @work(group="advance", exclusive=True)
    async def action_advance(self) -> None:
        """Run the step that is ready, as the screen says; ask where it asks nothing itself."""
        if self.picture is not None and self.picture.dashboard.to_do:
            self._heard = self.picture.dashboard.to_do
            self._tick()
            return
        checklist = self._checklist()
        following = checklist.next if checklist else None
        if checklist is None or following is None or not self._press().acts:
            return
        if undecided(following):
            self.face.show_resume(self.model)
            return
        standing = self._standing(checklist)
        if must_be_confirmed(checklist, standing):
            asked = of_steps(self.model.run, checklist, standing)
            if await self.face.push_screen_wait(ConfirmDialog(asked)) is None:
                return
        self.query_one(ChecklistPane).follow()
        self.face.conduct(self.model, following)
        self._tick()
        self.refresh_keys()

    async def action_retry(self) -> None:
        self.action_advance()

    def action_branch(self) -> None:
        self.face.push_screen(BranchScreen(self.model))

    def action_repairs(self) -> None:
        self.face.push_screen(RepairsScreen(self.model))

    def action_log(self) -> None:
        self.face.push_screen(LogScreen(self.model))

    def action_help(self) -> None:
        self.face.push_screen(HelpScreen())

    @work
    async def action_note(self) -> None:
        words = await self.face.push_screen_wait(NoteDialog())
        if words:
            try:
                await self.face.engine.read(lambda: self.model.note(words))
            except Exception as error:  # refused in words; nothing was kept
                self.face.failed(error, "Not kept")
            else:
                self.notify("Kept in the journal.")

    def action_stop_waiting(self) -> None:
        self.face.engine.post(self.model.cancel_wait)
        self.notify("Asked to stop waiting. What AWS is doing goes on.")

    def action_leave(self) -> None:
        self.face.ask_to_leave(self.model)

    def action_copy(self) -> None:
        if detail := self._detail():
            self.face.copy(plain(detail), f"{self.model.run.id}-{detail.line.step}")

    def action_select(self, by: int) -> None:
        self.query_one(ChecklistPane).move(by)

    def action_follow(self) -> None:
        checklist = self.query_one(ChecklistPane)
        checklist.follow()
        checklist.focus()

    @on(ChecklistPane.Selected)
    def _select(self) -> None:
        if self.picture is not None:
            self.look_up(self.picture)
        self._draw_detail()
        self._look_at_evidence()

    @work(group="evidence")
    async def _look_at_evidence(self) -> None:
        before, selected = self.picture, self._selected()
        picture = await self.face.engine.read(lambda: take(self.model, before, selected))
        self.post_message(self.PictureTaken(picture))

    # Panes: side by side where there is room, else one at a time behind the same keys.

    def action_show(self, pane: str) -> None:
        self._pane = pane
        for other in TABS:
            self.set_class(other == pane, f"-pane-{other}")
        self.query_one(TABS[pane][1]).focus(scroll_visible=False)
        self._draw_tabs()

    def action_pane(self, by: int) -> None:
        order = list(TABS)
        self.action_show(order[(order.index(self._pane) + by) % len(order)])

    def on_descendant_focus(self) -> None:
        if isinstance(self.focused, Pane) and self.has_class("-wide"):
            self._pane = next(
                (key for key, (_, pane) in TABS.items() if isinstance(self.focused, pane)), "1"
            )

    def _draw_tabs(self) -> None:
        parts: list[Content] = []
        for number, (name, _) in TABS.items():
            here = number == self._pane
            parts.append(
                line(
                    (f" {number} ", "bold $text-accent"),
                    (f"[{name}]" if here else f" {name} ", "bold" if here else "$foreground-muted"),
                )
            )
        self.query_one("#tabs", Words).update(Content("").join(parts))
