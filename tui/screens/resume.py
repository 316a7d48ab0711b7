"""Coming back to a run: where it stands and what is unknown, before any key can act.

Opening a run performs nothing. Effects whose outcome is unknown are probed, what the probes found
is shown, and a person says what became of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message

from runbook.amounts import counted
from runbook.failures import Answer
from state.enums import Status
from tui import keys, text
from tui.model import Branch, Pending, RunModel
from tui.questions import Question
from tui.resume_summary import ResumeSummary, before, where
from tui.screens.base import KeyedScreen
from tui.screens.branch import BranchScreen
from tui.screens.confirm import ConfirmDialog
from tui.screens.help import HelpScreen
from tui.screens.looking import Stamp, stamp_of_ways
from tui.snapshot import Snapshot, take
from tui.widgets.header import POLL_S, RunHeader
from tui.widgets.keybar import KeyBar
from tui.widgets.pane import Pane, hanging, indented, joined, line

CLOCK_S = 1.0

_ANSWER = {
    Answer.YES: ("it happened", "$text-success"),
    Answer.NO: ("it did not happen", "$text-accent"),
    Answer.UNKNOWN: ("it cannot be told", "bold $text-warning"),
}

CHOICES = {
    "adopt": (
        "Record that it happened",
        "The step, run again, looks once more and goes on from there.",
    ),
    "retry": (
        "Record that it did not happen, and leave its step to be run again",
        "Nothing is performed now. Run again, the step looks first, and acts only if it must.",
    ),
    "failed": ("Record it as failed", "The step is failed then; it can be tried again or left."),
}

_OFFERS = {
    "adopt": ("a", "adopt", "keep that it happened; its step, run again, looks and goes on"),
    "retry": ("r", "retry", "keep that it did not; its step, run again, looks, then acts"),
    "failed": ("f", "mark failed", "keep it as failed; its step can be tried again or left"),
    "branch": ("b", "branch", "leave this track; the ways, and what each one loses"),
}


class StandPane(Pane):
    """Draws where the run stands, and the unknown effects with a cursor."""

    def __init__(self) -> None:
        super().__init__("Where this run stands", id="stand")
        self.stand: ResumeSummary | None = None
        self.pending: list[Pending] | None = None
        self.probed_at: datetime | None = None
        self.error = ""
        self.watched = False
        self.selected = 0
        self.now = datetime.now(UTC)
        self._tops: list[int] = []

    def draw(self, cells: int) -> Content:
        rows = [*where(self.stand, self.now, cells), line()] if self.stand else []
        if self.error:
            words = f"? The unknown effects could not be looked up: {text.clean(self.error)}"
            rows += indented(words, cells, "$text-warning")
            rows.append(line(("F5 looks again.", "$foreground-muted")))
        elif self.pending is None:
            rows.append(line(("Probing what is unknown…", "$foreground-muted")))
        elif self.watched:
            words = "Watched only: what is unknown is probed and decided where the run is held."
            rows += indented(words, cells, "$foreground-muted")
        elif not self.pending:
            rows += self._none_unknown(cells)
        else:
            rows += self._unknown(self.pending, cells, len(rows))
        if self.stand:
            rows += [line(), *before(self.stand, self.now, cells)]
        if item := self.chosen():
            rows += [line(), *_call(item, cells)]
        return joined(rows)

    def _none_unknown(self, cells: int) -> list[Content]:
        words = "No effect is unknown. Enter goes on to the run, and performs nothing."
        following = self.stand.picture.checklist.next if self.stand else None
        if following is None or following.status is not Status.UNKNOWN:
            return [*hanging(line(("✓ ", "$text-success")), words, cells)]
        words = (
            f"No effect is unknown, but {text.clean(following.step)} was cut off before it ended. "
            "Run again, it looks at each change first. Enter goes on to the run, and performs "
            "nothing."
        )
        return [*hanging(line(("? ", "bold $text-warning")), words, cells)]

    def _unknown(self, pending: list[Pending], cells: int, top: int) -> list[Content]:
        count = len(pending)
        unknown = f"? {counted(count, 'effect is', 'effects are')} of unknown outcome"
        age = text.ago(text.elapsed(self.probed_at, self.now)) if self.probed_at else "never"
        probed = f" · probed {age}, F5 looks again"
        rows = [line((unknown, "bold $text-warning"), (probed, "$foreground-muted"))]
        self._tops = []
        for index, item in enumerate(pending):
            self._tops.append(top + len(rows))
            rows += _pending(item, index == self.selected, cells)
        if count > 1:
            rows.append(line(("  what can be said of the one marked ›", "$foreground-muted")))
        return [*rows, *_choices(pending[self.selected], cells)]

    def chosen(self) -> Pending | None:
        """Return the effect under the cursor."""
        return self.pending[self.selected] if self.pending else None

    def key_up(self) -> None:
        self._move(-1)

    def key_down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        place = self.selected + by
        if not self.pending or not 0 <= place < len(self.pending):
            self.scroll_relative(y=by, animate=False)
            return
        self.selected = place
        self.redraw()
        self.scroll_to(y=max(0, self._tops[place] - 1), animate=False)
        self.screen.refresh_bindings()
        self.post_message(self.Moved())

    class Moved(Message):
        """The cursor went to another effect."""


class ResumeScreen(KeyedScreen[bool]):
    """Dismissed with True to go on to the run, with False to leave it."""

    PLACE = "resume"
    CSS_PATH = "resume.tcss"
    BINDINGS = keys.bindings("resume")

    def __init__(self, model: RunModel) -> None:
        super().__init__()
        self.model = model
        self.picture: Snapshot | None = None
        self._ways: list[Branch] | None = None
        self._ways_asked: Stamp | None = None
        self._ways_error = ""

    def compose(self) -> ComposeResult:
        yield RunHeader(self.model.run)
        yield StandPane()
        yield KeyBar("resume")

    def on_mount(self) -> None:
        self.query_one(StandPane).focus()
        self.set_interval(CLOCK_S, self._tick)
        self.action_probe()
        self._look()

    def _tick(self) -> None:
        pane = self.query_one(StandPane)
        pane.now = self.face.now()
        if self.picture is not None:
            self.query_one(RunHeader).show(self.picture.dashboard, pane.now)
        pane.redraw()

    @work(group="look")
    async def _look(self) -> None:
        # A look that fails leaves the figures as they are: their ages tell.
        with suppress(Exception):
            before = self.picture
            self._stand(await self.face.engine.read(lambda: take(self.model, before, None)))
        self.set_timer(POLL_S, self._look)

    @work(group="probe", exclusive=True)
    async def action_probe(self) -> None:
        """Read where the run stands and probe what is unknown; both only look."""
        pane = self.query_one(StandPane)
        pane.pending, pane.error = None, ""
        self.refresh_keys()
        try:
            self._stand(await self.face.engine.read(lambda: take(self.model, None, None)))
            pane.pending = await self._findings()
        except Exception as error:  # shown in place of the findings; leaving stays possible
            pane.pending, pane.error = [], str(error) or type(error).__name__
        if self.ending:
            return
        pane.selected = 0
        pane.probed_at = self.face.now()
        self._tick()
        self.refresh_keys()

    @work(group="ways", exclusive=True)
    async def _take_ways(self) -> None:
        try:
            ways, error = await self.face.engine.call(self.model.ways), ""
        except Exception as failed:  # shown where the way back would stand
            ways, error = [], str(failed) or type(failed).__name__
        self._ways, self._ways_error = ways, error
        if self.picture is not None:
            self._stand(self.picture)

    async def _findings(self) -> list[Pending]:
        if not self.model.writable:
            return []
        return await self.face.engine.call(self.model.findings)

    def _stand(self, picture: Snapshot) -> None:
        """Draw a picture: banner and way back are of the same one."""
        if self.ending:
            return
        self.picture = picture
        if self._ways_asked != (stamp := stamp_of_ways(picture)):
            # Those of before are not these: until then none is said.
            self._ways, self._ways_asked = None, stamp
            self._take_ways()
        pane = self.query_one(StandPane)
        pane.watched = not self.model.writable
        pane.stand = ResumeSummary(self.model, picture, self._ways, self._ways_error)
        self._tick()

    def why_not(self, action: str) -> str:
        if not self.is_mounted:
            return ""
        pane = self.query_one(StandPane)
        if action in ("proceed", "branch", *CHOICES) and pane.pending is None:
            return "the probes have not answered yet"
        if action in CHOICES and (why := self.watched(self.model)):
            return why
        if action in (*CHOICES, "branch") and (why := self.halted()):
            return why
        if action in CHOICES:
            item = pane.chosen()
            if item is None:
                return "no effect is unknown"
            if action not in item.offers:
                return "the probe's finding does not allow it"
        return ""

    @work
    async def _resolve(self, choice: str) -> None:
        item = self.query_one(StandPane).chosen()
        if item is None:
            return
        verb, then = CHOICES[choice]
        asked = Question(
            heading=choice.replace("failed", "mark failed").capitalize(),
            question=f"{verb}: {item.effect.title}?",
            facts=(
                ("Probe", f"{_ANSWER[item.finding.answer][0]}: {item.finding.seen}"),
                ("Then", then),
                ("Reversible", "No: the journal keeps the decision, with your name."),
            ),
            yes=choice.replace("failed", "mark failed").capitalize(),
            reason=True,
            grave=False,
        )
        consent = await self.face.push_screen_wait(ConfirmDialog(asked))
        if consent is None:
            return
        try:
            await self.face.engine.call(
                lambda: self.model.resolve(item.effect.id, choice, consent.reason)
            )
        except Exception as error:  # refused in words; the outcome stays unknown
            self.face.failed(error, "Not recorded")
        if not self.ending:
            self.action_probe()

    def action_adopt(self) -> None:
        """Record that the effect happened."""
        self._resolve("adopt")

    def action_retry(self) -> None:
        """Record that it did not happen."""
        self._resolve("retry")

    def action_failed(self) -> None:
        """Record it as failed."""
        self._resolve("failed")

    @work
    async def action_branch(self) -> None:
        """Show the ways off the track."""
        await self.face.push_screen_wait(BranchScreen(self.model))
        if not self.ending:
            self.action_probe()

    def action_help(self) -> None:
        """Show the help."""
        self.face.push_screen(HelpScreen())

    def action_proceed(self) -> None:
        """Go on to the run."""
        self.dismiss(True)

    @work(exclusive=True, group="leave")
    async def action_leave(self) -> None:
        """Leave the run."""
        if await self.face.may_leave(self.model):
            self.dismiss(False)

    @on(StandPane.Moved)
    def _moved(self) -> None:
        self.refresh_keys()


def _pending(item: Pending, selected: bool, cells: int) -> Iterable[Content]:
    said, style = _ANSWER[item.finding.answer]
    first, *rest = text.wrap(text.clean(item.effect.title), cells - 2)
    head = line(("› " if selected else "  ", "bold $text-primary"), (first, "bold"))
    yield head.stylize("on $panel") if selected else head
    yield from (line("  ", (row, "bold")) for row in rest)
    yield from indented(f"probe: {said}. {text.clean(item.finding.seen)}", cells, style, by=4)


def _choices(item: Pending, cells: int) -> Iterable[Content]:
    for offer in (offer for offer in _OFFERS if offer in item.offers):
        key, verb, then = _OFFERS[offer]
        head = line("    ", (f"{key} ", "bold $text-accent"), text.fit(verb, 12))
        yield from hanging(head, then, cells)


def _call(item: Pending, cells: int) -> Iterable[Content]:
    error = item.effect.detail.get("error")
    if error:
        words = f"why unknown: {text.clean(str(error))}"
        yield from indented(words, cells, "$foreground-muted", by=4)
    step, at = text.clean(item.step), text.at(item.effect.intent_at)
    words = f"step {step} asked for it at {at} UTC:"
    yield from indented(words, cells, "$foreground-muted", by=4)
    preview = text.clean(item.effect.preview, lines=True)
    yield from indented(preview, cells, "$foreground-muted", by=6)
