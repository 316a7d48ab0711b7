"""Coming back to a run: where it stands and what is unknown, before any key can act.

Opening a run performs nothing. Effects whose outcome is unknown are probed, what the probes found
is shown, and a person says what became of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message

from runbook.step import Answer
from state.words import Status
from tui import glyphs, keys, text
from tui.model import Pending, RunModel
from tui.picture import Picture, fresh_limit, take
from tui.screens.base import KeyedScreen
from tui.screens.branch import BranchScreen
from tui.screens.confirm import ConfirmDialog, Question
from tui.screens.help import HelpScreen
from tui.sentence import held_by
from tui.widgets.header import verdict
from tui.widgets.keybar import KeyBar
from tui.widgets.pane import Pane, joined, line

_ANSWER = {
    Answer.YES: ("it happened", "$text-success"),
    Answer.NO: ("it did not happen", "$text-accent"),
    Answer.UNKNOWN: ("it cannot be told", "bold $text-warning"),
}

CHOICES = {
    "adopt": ("Record that it happened", "The run goes on as if the answer had not been lost."),
    "retry": (
        "Record that it did not happen, and leave its step to be run again",
        "Nothing is performed now. Running the step again looks first, and only then acts.",
    ),
    "failed": ("Record it as failed", "The step is failed then; it can be retried or left."),
}


class StandPane(Pane):
    """Draws where the run stands, and the unknown effects with a cursor."""

    def __init__(self) -> None:
        super().__init__("Where this run stands", id="stand")
        self.lines: list[Content] = []
        self.pending: list[Pending] | None = None
        self.error = ""
        self.selected = 0

    def draw(self, cells: int) -> Content:
        rows = [*self.lines, line()]
        if self.error:
            words = f"? The unknown effects could not be looked up: {text.clean(self.error)}"
            rows += [line((row, "$text-warning")) for row in text.wrap(words, cells)]
        elif self.pending is None:
            rows.append(line(("Probing what is unknown…", "$foreground-muted")))
        elif not self.pending:
            rows.append(line(("✓ ", "$text-success"), "No effect is unknown."))
        else:
            count = len(self.pending)
            noun = "effect is" if count == 1 else "effects are"
            rows += [line((f"? {count} {noun} of unknown outcome", "bold $text-warning")), line()]
            for index, item in enumerate(self.pending):
                rows += [*_pending(item, index == self.selected, cells), line()]
        return joined(rows)

    def chosen(self) -> Pending | None:
        """Return the effect under the cursor."""
        return self.pending[self.selected] if self.pending else None

    def key_up(self) -> None:
        self._move(-1)

    def key_down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        if self.pending:
            self.selected = max(0, min(len(self.pending) - 1, self.selected + by))
            self.redraw()
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
        self.picture: Picture | None = None

    def compose(self) -> ComposeResult:
        yield self.live_header(self.model)
        yield StandPane()
        yield KeyBar("resume")

    def on_mount(self) -> None:
        self.query_one(StandPane).focus()
        self.action_probe()

    @work(group="probe")
    async def action_probe(self) -> None:
        """Read where the run stands and probe what is unknown; both only look."""
        pane = self.query_one(StandPane)
        try:
            self.picture = await self.face.engine.read(lambda: take(self.model, None, ""))
            self._stand(self.picture)
            pane.pending, pane.error = await self._findings(), ""
        except Exception as error:  # shown in place of the findings; leaving stays possible
            pane.pending, pane.error = [], str(error) or type(error).__name__
        pane.selected = 0
        pane.redraw()
        self.refresh_keys()

    async def _findings(self) -> list[Pending]:
        if not self.model.writable:
            return []
        return await self.face.engine.call(self.model.findings)

    def _stand(self, picture: Picture) -> None:
        now = self.face.now()
        pane = self.query_one(StandPane)
        pane.lines = list(_standing(self.model, picture, now))
        pane.redraw()

    def why_not(self, action: str) -> str:
        if not self.is_mounted:
            return ""
        pane = self.query_one(StandPane)
        if action in ("proceed", "branch", *CHOICES) and pane.pending is None:
            return "the probes have not answered yet"
        if action in (*CHOICES, "branch") and not self.model.writable:
            return f"watching only; {held_by(self.model.holder)}"
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
            self.notify(str(error), title="Not recorded", severity="error", markup=False)
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
        self.action_probe()

    def action_help(self) -> None:
        """Show the help."""
        self.face.push_screen(HelpScreen())

    def action_proceed(self) -> None:
        """Go on to the run."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Leave the run."""
        self.dismiss(False)

    @on(StandPane.Moved)
    def _moved(self) -> None:
        self.refresh_keys()


def _standing(model: RunModel, picture: Picture, now: datetime) -> Iterable[Content]:
    checklist = picture.checklist
    run, following = checklist.run, checklist.next
    said = verdict(picture.board.protection, now, fresh_limit(run))
    last = picture.events[-1] if picture.events else None
    yield _row("run", line((run.id, "bold"), f" · cluster {text.clean(run.cluster)}"))
    track = " → ".join(
        f"{section.entry.track.value}{_way(section.entry.way)}" for section in checklist.sections
    )
    yield _row("track", line(text.clean(track)))
    if following is None:
        yield _row("step", line(("✓ every step of the track is done", "$text-success")))
    else:
        mark = glyphs.STATUS[following.status]
        yield _row(
            "step",
            line(
                (text.clean(following.step), "bold"), " ", (f"{mark.glyph} {mark.word}", mark.style)
            ),
        )
        if following.status is Status.FAILED and following.attempt is not None:
            for part in text.clean(following.attempt.message, lines=True).splitlines():
                yield _row("", line((part, "$foreground-muted")))
    yield _row("protection", line((said.word, said.style), f" {text.clean(said.why)}"))
    if last is not None:
        age = text.ago(text.elapsed(last.at, now))
        yield _row(
            "last touched",
            line(f"{age} ({text.day_and_time(last.at)} UTC): {text.clean(last.text)}"),
        )
    decisions = [event for event in picture.events if event.kind in ("decision", "open", "leave")]
    if decisions:
        yield _row("last person", line(text.clean(decisions[-1].text)))
    if not model.writable:
        yield _row("held by", line((held_by(model.holder), "bold $text-warning")))


def _way(way: str) -> str:
    return f" ({way})" if way else ""


def _row(label: str, words: Content) -> Content:
    return line((text.fit(label, 14), "$foreground-muted"), words)


def _pending(item: Pending, selected: bool, cells: int) -> Iterable[Content]:
    said, style = _ANSWER[item.finding.answer]
    head = line(
        ("› " if selected else "  ", "bold $text-primary"),
        (text.clean(item.effect.title), "bold"),
        (
            f"  of step {text.clean(item.step)}, asked for at {text.at(item.effect.intent_at)} UTC",
            "$foreground-muted",
        ),
    )
    yield head.stylize("on $panel") if selected else head
    for row in text.wrap(text.clean(item.effect.preview, lines=True), cells - 4):
        yield line("    ", (row, "$foreground-muted"))
    error = item.effect.detail.get("error")
    if error:
        for row in text.wrap(f"lost: {text.clean(str(error))}", cells - 4):
            yield line("    ", (row, "$foreground-muted"))
    first, *rest = text.wrap(f"probe: {said}. {text.clean(item.finding.seen)}", cells - 4)
    yield line("    ", (first, style))
    yield from (line("    ", (row, style)) for row in rest)
    offers = " · ".join(_OFFERS[offer] for offer in item.offers if offer in _OFFERS)
    yield line("    ", ("offers: ", "$foreground-muted"), (offers, "$text-accent"))


_OFFERS = {"adopt": "a adopt", "retry": "r retry", "failed": "f mark failed", "branch": "b branch"}
