"""The ways off the current track: what each one loses, how long it takes, and what it does."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.content import Content

from runbook.base.variants import RollbackTarget, UpgradeVariant
from state.enums import Track
from tui import keys, text
from tui.model import Branch, RunModel
from tui.questions import Question
from tui.screens.cards import CardsScreen
from tui.screens.confirm import ConfirmDialog
from tui.widgets.cards import CardsPane, fact
from tui.widgets.header import LiveHeader
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

    ID = "ways"
    TITLE = "Ways from here"
    LOOKING = "Looking at the clusters…"
    NOTHING = "There is no way from here: the run is at its end."
    FAILED = "The ways"

    def show(self, cards: list[Branch] | None, error: str = "") -> None:
        """Draw what was found."""
        best_first = sorted(
            cards or (), key=lambda branch: (not branch.recommended, not branch.available)
        )
        chosen = self.chosen()
        if chosen is not None:
            # Looked at again, the ways may stand in another order.
            places = [(branch.track, branch.variant) for branch in best_first]
            same = (chosen.track, chosen.variant)
            self.selected = places.index(same) if same in places else 0
        super().show(None if cards is None else best_first, error)

    def card(self, item: Branch, selected: bool, cells: int) -> Iterable[Content]:
        mark = (
            ("✓ available", "$text-success")
            if item.available
            else ("✗ not from here", "$text-error")
        )
        # Not an advice to leave: where all is well nobody has to take it.
        led = "way forward" if item.variant == UpgradeVariant.FORWARD else "way back"
        best = f" · the {led}" if item.recommended else ""
        head = line(
            ("› " if selected else "  ", "bold $text-primary"),
            (text.clean(item.title), "bold" if item.available else "bold $foreground-muted"),
            ("  ", ""),
            mark,
            (best, "bold $text-accent"),
            (f"  ({item.name})", "$foreground-muted"),
        )
        yield head.stylize("on $panel") if selected else head
        if not item.available:
            # What a closed way would lose or take is not said: from here it is nobody's choice.
            yield from fact("why not", text.clean(item.why_not), cells)
            return
        yield from fact("loses", text.clean(item.cost), cells)
        yield from fact("takes", text.clean(item.time), cells)
        yield from fact("steps", text.clean(item.plan), cells)


class BranchScreen(CardsScreen[Branch]):
    """Shows the ways, and branches after one more question."""

    PLACE = "branch"
    CSS_PATH = "branch.tcss"
    BINDINGS = keys.bindings("branch")
    PANE = WaysPane

    @on(LiveHeader.Turned)
    @work(group="ways", exclusive=True)
    async def look(self) -> None:
        """Look which ways there are."""
        await self.show_found(self.model.ways)

    def why_not(self, action: str) -> str:
        if action != "choose":
            return ""
        if why := self.watched(self.model) or self.halted():
            return why
        branch = self.pane.chosen() if self.is_mounted else None
        if branch is None:
            return "the ways are not known yet"
        return "" if branch.available else text.clean(branch.why_not) or "not possible from here"

    @work
    async def action_choose(self) -> None:
        """Ask once more, then branch."""
        branch = self.pane.chosen()
        if branch is None or not branch.available:
            return
        consent = await self.face.push_screen_wait(ConfirmDialog(_question(branch, self.model)))
        if consent is None:
            return
        try:
            await self.face.engine.call(lambda: self.model.branch(branch, consent.reason))
        except Exception as error:  # refused in words; the run stays where it was
            self.face.failed(error, "Not branched")
            return
        if not self.ending:
            self.dismiss(None)


def _question(branch: Branch, model: RunModel) -> Question:
    final = bool({branch.track.value, branch.variant} & {*FINAL})
    return Question(
        heading=f"Branch to {branch.name}",
        question=f"Put the run of {model.run.cluster} onto the track {branch.name}: "
        f"{branch.title}?",
        facts=(
            ("What it loses", branch.cost),
            ("How long it takes", branch.time),
            (
                "Reversible",
                "This alone changes nothing in AWS. Enter then runs the first step; the steps up "
                "to the next stop follow it by themselves, and are named and asked for before. "
                + (f"It ends the way {_ends(branch)}." if final else "The history is kept."),
            ),
            ("Steps", branch.plan),
        ),
        must_type=model.run.cluster if final else "",
        yes="Branch",
        reason=True,
        grave=final,
    )


def _ends(branch: Branch) -> str:
    return (
        "forward"
        if branch.variant in (RollbackTarget.FINALIZE, RollbackTarget.FOR_GOOD)
        else "back"
    )
