"""One step in full: why it is there, what it asks and runs, what was seen, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from textual.content import Content

from runbook.base.step import Risk
from runbook.protection.dashboard import Dashboard
from runbook.run.checklist import Line
from state.enums import Outcome, Status
from state.records import Effect, Evidence
from tui import glyphs, text
from tui.model import Preview
from tui.next_action import known_there
from tui.widgets import checks
from tui.widgets.pane import Pane, hanging, heading, indented, joined, line

_LABELS = ("What happened", "Now", "Next")


@dataclass(frozen=True, slots=True)
class Detail:
    """What is known of one step."""

    line: Line
    acts: str = ""
    """The step that enter acts on, where it is another one."""
    watched: bool = False
    """Whether the run is only watched: enter acts on nothing."""
    dashboard: Dashboard = field(default_factory=Dashboard)
    preview: Preview | None = None
    preview_error: str = ""
    looking_s: float = 0.0
    """For how long the preview has been looked for."""
    evidence: tuple[Evidence, ...] = ()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


class DetailPane(Pane):
    """Draws the selected step."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("Step", id=id)
        self.detail: Detail | None = None

    def show(self, detail: Detail | None) -> None:
        """Draw a step; another one than before starts at its top."""
        other = (
            detail is None
            or self.detail is None
            or (detail.line.entry, detail.line.step)
            != (self.detail.line.entry, self.detail.line.step)
        )
        self.detail = detail
        self.border_title = Content(text.clean(detail.line.step) if detail else "Step")
        acts = detail.acts if detail and not detail.watched else ""
        self.border_subtitle = Content(f"only looking · enter acts on {acts}" if acts else "")
        self.redraw()
        if other:
            self.scroll_home(animate=False)

    def draw(self, cells: int) -> Content:
        if self.detail is None:
            return line(("No step is selected.", "$foreground-muted"))
        return joined(_lines(self.detail, cells))


def plain(detail: Detail) -> str:
    """Return what the pane holds as plain text, unshortened and unwrapped, for the clipboard."""
    return joined(_lines(detail, 10_000)).plain + "\n"


def _lines(detail: Detail, cells: int) -> Iterable[Content]:
    step = detail.line
    yield from indented(text.clean(step.title), cells, "bold")
    yield from indented(text.clean(step.why), cells, "")
    yield from _risk(step, cells)
    yield Content()
    yield from _state(detail, cells)
    yield from _waiting(detail, cells)
    yield from checks.shown(detail.evidence, cells)
    yield from _gates(detail, cells)
    yield from _calls(detail, cells)
    yield from _evidence(detail, cells)


def _risk(step: Line, cells: int) -> Iterable[Content]:
    mark = glyphs.RISK[step.risk]
    head = f"{mark.glyph} {mark.word}"
    undo = f" · undo: {text.clean(step.undo)}" if step.risk is not Risk.READ_ONLY else ""
    rows = text.wrap(f"{head}{undo}", cells)
    yield line((rows[0][: len(head)], mark.style), (rows[0][len(head) :], "$foreground-muted"))
    yield from (line(("  " + row, "$foreground-muted")) for row in rows[1:])


def _state(detail: Detail, cells: int) -> Iterable[Content]:
    step = detail.line
    mark = glyphs.mark_of(step)
    words = [mark.word]
    if step.attempt is not None:
        if step.attempts > 1:
            words.append(f"attempt {step.attempt.number}")
        words.append(f"since {text.at(step.attempt.started_at)}")
        if (seconds := step.seconds) is not None:
            # Of one that was cut off with its process, the end is when it was last seen.
            took = "took at least" if step.status is Status.UNKNOWN else "took"
            words[-1] = f"{text.at(step.attempt.started_at)}, {took} {text.duration(seconds)}"
    else:
        waits = detail.watched and step.status is Status.READY
        words.append("the step that comes next" if waits else mark.meaning)
    yield line(
        (f"{mark.glyph} {words[0]}", mark.style),
        (" · ".join(["", *words[1:]]), "$foreground-muted"),
    )
    message = step.attempt.message if step.attempt is not None else ""
    if not message:
        return
    if step.status is Status.SKIPPED:
        yield from indented(text.clean(message), cells, "$foreground-muted", by=2)
        return
    yield Content()
    yield from _message(message, cells, step.status)


def _message(message: str, cells: int, status: Status) -> Iterable[Content]:
    parts = text.clean(message, lines=True).splitlines()
    style = "bold $text-error" if status is Status.FAILED else "bold $text-warning"
    if len(parts) != len(_LABELS):
        yield line((_LABELS[0], style))
        for part in parts:
            yield from indented(part, cells, "", by=2)
        return
    for label, part in zip(_LABELS, parts, strict=True):
        yield line((label, style if label != "Next" else "bold $text-accent"))
        yield from indented(part, cells, "", by=2)


def _waiting(detail: Detail, cells: int) -> Iterable[Content]:
    if detail.line.status is not Status.RUNNING or not detail.dashboard.waiting:
        return
    yield from heading("Waiting", "x stops the wait; it can be taken up again")
    fraction = detail.dashboard.waiting_fraction
    if fraction is not None:
        yield line("  ", (bar(fraction, min(40, cells - 9)), "$text-primary"), f" {fraction:4.0%}")
    yield from indented(text.clean(detail.dashboard.waiting), cells, "", by=2)


def bar(fraction: float, cells: int) -> str:
    """Return a bar that is filled to a fraction of its cells."""
    full = round(max(0.0, min(1.0, fraction)) * cells)
    return "█" * full + "░" * (cells - full)


def _gates(detail: Detail, cells: int) -> Iterable[Content]:
    preview = detail.preview
    if preview is None or detail.line.status.done:
        return
    if preview.passed:
        yield from heading("Asked already", "and not asked again")
        for words in preview.passed:
            yield from indented(text.clean(words), cells, "", by=2)
    if not preview.gates:
        return
    # A step before it may ask the same, and its answer stands for a while.
    asked = "unless it was decided on the way here" if detail.acts else ""
    yield from heading("Asks first", asked)
    for gate in preview.gates:
        typed = f" (type {text.clean(gate.must_type)})" if gate.must_type else ""
        yield from indented(f"{text.clean(gate.question)}{typed}", cells, "", by=2)
        yield from indented(text.clean(gate.reversible), cells, "$foreground-muted", by=4)


def _calls(detail: Detail, cells: int) -> Iterable[Content]:
    step, preview = detail.line, detail.preview
    done = step.attempt.effects if step.attempt is not None else ()
    if done:
        yield from heading("Ran" if step.status.ended else "Running")
        for effect in done:
            yield from _performed(effect, cells)
    if step.status.done:
        return
    if detail.preview_error:
        yield from heading("Will run")
        yield from indented(
            f"? unknown: {text.clean(detail.preview_error)}", cells, "$text-warning", 2
        )
        return
    if preview is None:
        if not step.status.ended and step.status is not Status.RUNNING:
            yield from heading("Will run", f"looking for {text.duration(detail.looking_s)}…")
            words = "asked: AWS and the servers, what of it is there already; no answer yet"
            yield from indented(words, cells, "$foreground-muted", by=2)
        return
    if step.status is Status.RUNNING:
        there = frozenset(effect.title for effect in done)
    else:
        there = known_there(step)
    yield from _will_run(preview, there, cells)


def _will_run(preview: Preview, done: frozenset[str], cells: int) -> Iterable[Content]:
    there = [effect for effect in preview.there if effect[0] not in done]
    if there:
        yield from heading("Seen to be there", "looked at again first")
    for title, seen in there:
        yield from indented(text.clean(title), cells, "", by=2)
        yield from indented(text.clean(seen), cells, "$foreground-muted", by=4)
    left = [effect for effect in preview.effects if effect[0] not in done]
    if (done or there) and not left:
        return
    yield from heading("Will run")
    if preview.note:
        yield from indented(text.clean(preview.note), cells, "$foreground-muted", by=2)
    elif not preview.effects:
        yield from indented(
            "Nothing that changes anything: it only looks.", cells, "$foreground-muted", 2
        )
    for title, call in left:
        yield from indented(text.clean(title), cells, "", by=2)
        yield from indented(text.clean(call, lines=True), cells, "$text-accent", by=4)


def _performed(effect: Effect, cells: int) -> Iterable[Content]:
    mark = glyphs.STATUS[effect.status]
    word = "adopted: had happened already" if effect.outcome is Outcome.ADOPTED else mark.word
    head = line("  ", (mark.glyph, mark.style), " ")
    yield from hanging(head, f"{text.clean(effect.title)} · {word}", cells)
    yield from indented(text.clean(effect.preview, lines=True), cells, "$foreground-muted", by=4)
    error = effect.detail.get("error")
    if error:
        yield from indented(text.clean(str(error), lines=True), cells, "$text-error", by=4)
    if effect.decided:
        yield from indented(
            f"decided by {text.clean(effect.decided)}", cells, "$foreground-muted", by=4
        )


def _evidence(detail: Detail, cells: int) -> Iterable[Content]:
    evidence = [seen for seen in checks.others(detail.evidence) if seen.text]
    if not evidence:
        return
    yield from heading("Evidence", "times are UTC")
    for seen in evidence:
        head = line("  ", (text.at(seen.at), "$foreground-muted"), " ")
        yield from hanging(head, text.clean(seen.text, lines=True), cells)
