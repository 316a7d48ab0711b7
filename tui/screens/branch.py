"""The ways off the current track: what each one loses, how long it takes, and what it does."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content

from runbook.base.variants import RollbackTarget, UpgradeVariant
from state.enums import Track
from tui import keys, text
from tui.model import Branch, RunModel
from tui.questions import Question
from tui.screens.base import KeyedScreen
from tui.screens.confirm import ConfirmDialog
from tui.widgets.cards import CardsPane
from tui.widgets.header import LiveHeader
from tui.widgets.keybar import KeyBar
from tui.widgets.pane import line

FINAL = (
    Track.COMMIT.value,
    RollbackTarget.FINALIZE.value,
    RollbackTarget.FOR_GOOD.value,
    Track.CLEANUP.value,
)
"""What ends the way back, or forward: the cluster's name is typed for it."""


class WaysPane(CardsPane[Branch]):
    """Draws the ways, the recommended one first."""

    LOOKING = "Looking at the clusters…"
    NOTHING = "There is no way from here: the run is at its end."
    FAILED = "The ways"

    def __init__(self) -> None:
        super().__init__("Ways from here", id="ways")

    def show(self, cards: list[Branch] | None, error: str = "") -> None:
        """Draw what was found."""
        best_first = sorted(cards or (), key=lambda way: (not way.recommended, not way.available))
        chosen = self.chosen()
        if chosen is not None:
            # Looked at again, the ways may stand in another order.
            places = [(way.track, way.way) for way in best_first]
            same = (chosen.track, chosen.way)
            self.selected = places.index(same) if same in places else 0
        super().show(None if cards is None else best_first, error)

    def card(self, item: Branch, selected: bool, cells: int) -> Iterable[Content]:
        return _card(item, selected, cells)


class BranchScreen(KeyedScreen[None]):
    """Shows the ways, and branches after one more question."""

    PLACE = "branch"
    CSS_PATH = "branch.tcss"
    BINDINGS = keys.bindings("branch")

    def __init__(self, model: RunModel) -> None:
        super().__init__()
        self.model = model

    def compose(self) -> ComposeResult:
        yield self.live_header(self.model)
        yield WaysPane()
        yield KeyBar("branch")

    def on_mount(self) -> None:
        self.query_one(WaysPane).focus()
        self._look()

    @on(LiveHeader.Turned)
    @work(group="ways", exclusive=True)
    async def _look(self) -> None:
        pane = self.query_one(WaysPane)
        ways, error = [], ""
        try:
            ways = await self.face.engine.call(self.model.ways)
        except Exception as failed:  # the words stand where the ways would
            error = str(failed) or type(failed).__name__
        if not self.ending:
            pane.show(ways, error)
            self.refresh_keys()

    def why_not(self, action: str) -> str:
        if action != "choose":
            return ""
        if why := self.watched(self.model) or self.halted():
            return why
        way = self.query_one(WaysPane).chosen() if self.is_mounted else None
        if way is None:
            return "the ways are not known yet"
        return "" if way.available else text.clean(way.why_not) or "not possible from here"

    def action_select(self, by: int) -> None:
        """Select another way."""
        self.query_one(WaysPane).select(by)
        self.refresh_keys()

    def action_back(self) -> None:
        """Go back; nothing is changed."""
        self.dismiss(None)

    @work
    async def action_choose(self) -> None:
        """Ask once more, then branch."""
        way = self.query_one(WaysPane).chosen()
        if way is None or not way.available:
            return
        consent = await self.face.push_screen_wait(ConfirmDialog(_question(way, self.model)))
        if consent is None:
            return
        try:
            await self.face.engine.call(lambda: self.model.branch(way, consent.reason))
        except Exception as error:  # refused in words; the run stays where it was
            self.face.failed(error, "Not branched")
            return
        if not self.ending:
            self.dismiss(None)


def _question(way: Branch, model: RunModel) -> Question:
    final = bool({way.track.value, way.way} & {*FINAL})
    return Question(
        heading=f"Branch to {way.name}",
        question=f"Put the run of {model.run.cluster} onto the track {way.name}: {way.title}?",
        facts=(
            ("What it loses", way.cost),
            ("How long it takes", way.time),
            (
                "Reversible",
                "This alone changes nothing in AWS. Enter then runs the first step; the steps up "
                "to the next stop follow it by themselves, and are named and asked for before. "
                + (f"It ends the way {_ends(way)}." if final else "The history is kept."),
            ),
            ("Steps", way.plan),
        ),
        must_type=model.run.cluster if final else "",
        yes="Branch",
        reason=True,
        grave=final,
    )


def _ends(way: Branch) -> str:
    return "forward" if way.way in (RollbackTarget.FINALIZE, RollbackTarget.FOR_GOOD) else "back"


def _card(way: Branch, selected: bool, cells: int) -> Iterable[Content]:
    mark = ("✓ available", "$text-success") if way.available else ("✗ not from here", "$text-error")
    # Not an advice to leave: where all is well nobody has to take it.
    led = "way forward" if way.way == UpgradeVariant.FORWARD else "way back"
    best = f" · the {led}" if way.recommended else ""
    head = line(
        ("› " if selected else "  ", "bold $text-primary"),
        (text.clean(way.title), "bold" if way.available else "bold $foreground-muted"),
        ("  ", ""),
        mark,
        (best, "bold $text-accent"),
        (f"  ({way.name})", "$foreground-muted"),
    )
    yield head.stylize("on $panel") if selected else head
    if not way.available:
        # What a closed way would lose or take is not said: from here it is nobody's choice.
        yield from _fact("why not", way.why_not, cells)
        return
    yield from _fact("loses", way.cost, cells)
    yield from _fact("takes", way.time, cells)
    yield from _fact("steps", way.plan, cells)


def _fact(label: str, words: str, cells: int) -> Iterable[Content]:
    if not words:
        return
    first, *rest = text.wrap(text.clean(words), cells - 12)
    yield line("    ", (text.fit(label, 8), "$foreground-muted"), first)
    yield from (line(" " * 12 + row) for row in rest)
