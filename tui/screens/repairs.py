"""The repairs that are offered: what was seen, what each one runs, and one question before it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from textual import work
from textual.content import Content

from runbook.base.step import Risk
from state.enums import Status
from tui import glyphs, keys, text
from tui.model import Offer, Preview, RunModel
from tui.questions import Question, changed_on
from tui.screens.cards import CardsScreen
from tui.screens.confirm import ConfirmDialog
from tui.widgets.cards import CardsPane, fact
from tui.widgets.pane import indented, line


class OffersPane(CardsPane[Offer]):
    """Draws the repairs, in the order in which they are to be taken."""

    ID = "repairs"
    TITLE = "Repairs"
    LOOKING = "Looking at what was seen, and at both sides…"
    NOTHING = "Nothing is offered: nothing was seen to repair."
    FAILED = "The repairs"

    def perform(self, offer: Offer | None) -> None:
        """Say in the title which repair is being performed, until it has ended (None)."""
        doing = f" · being performed: {text.clean(offer.title)}" if offer else ""
        self.border_title = Content(f"Repairs{doing}")

    def card(self, item: Offer, selected: bool, cells: int) -> Iterable[Content]:
        mark = glyphs.RISK[item.risk]
        first, *rest = text.wrap(text.clean(item.title), cells - 2)
        head = line(
            ("› " if selected else "  ", "bold $text-primary"),
            (first, "bold" if item.key else "bold $foreground-muted"),
        )
        yield head.stylize("on $panel") if selected else head
        yield from (line("  ", (row, "bold")) for row in rest)
        yield from fact("why", item.why, cells)
        if not item.key:
            yield from fact("by hand", item.by_hand, cells)
            return
        yield line("    ", (f"{mark.glyph} {mark.word}", mark.style))
        for gate in item.gates:
            typed = f" (asks to type {gate.must_type})" if gate.must_type else ""
            yield from fact("asks", gate.question + typed, cells)
        yield from fact("on", item.where, cells)
        yield from fact("undo", item.undo, cells)
        yield from fact("note", item.note, cells)
        if selected:
            for _, preview in item.effects:
                words = text.clean(preview, lines=True)
                yield from indented(words, cells, "$foreground-muted", by=6)


class RepairsScreen(CardsScreen[Offer]):
    """Shows the repairs, and performs one after a question."""

    PLACE = "repairs"
    CSS_PATH = "repairs.tcss"
    BINDINGS = keys.bindings("repairs")
    PANE = OffersPane

    @work(group="offers", exclusive=True)
    async def look(self) -> None:
        """Look at both sides again; this changes nothing."""
        self.pane.show(None)
        self.refresh_keys()
        await self.show_found(self.model.repairs)

    def action_look(self) -> None:
        """Look again."""
        self.look()

    def why_not(self, action: str) -> str:
        if action != "choose":
            return ""
        if why := self.watched(self.model) or self.halted():
            return why
        if self.face.conducting:
            return f"{text.clean(self.face.conducting)} is running"
        offer = self.query_one(OffersPane).chosen() if self.is_mounted else None
        if offer is None:
            return "no repair is selected"
        return "" if offer.key else "only a person can do this one"

    @work
    async def action_choose(self) -> None:
        """Ask, then perform the selected repair, and look what is left."""
        offer = self.query_one(OffersPane).chosen()
        if offer is None or not offer.key:
            return
        if not offer.gates and not await self.face.push_screen_wait(
            ConfirmDialog(_question(offer, self.model))
        ):
            return
        self.query_one(OffersPane).perform(offer)
        self.face.repair(self.model, offer.key, partial(self._repaired, offer))
        self.refresh_keys()

    def shown_of(self, step: str) -> Preview | None:
        """Return what is shown of the repair that asks."""
        offer = self.query_one(OffersPane).chosen()
        if offer is None or offer.key != step:
            return None
        return Preview(step, offer.gates, offer.effects, offer.note, where=offer.where)

    def _repaired(self, offer: Offer, status: Status | None) -> None:
        if status is not None and status is not Status.READY:
            how = glyphs.STATUS[status]
            self.face.notify(f"{how.word}: {text.clean(offer.title)}", markup=False)
        if not self.ending:
            self.query_one(OffersPane).perform(None)
            self.look()


def _question(offer: Offer, model: RunModel) -> Question:
    run = model.run
    return Question(
        heading="Repair",
        question=f"{offer.title}?",
        facts=(
            ("Why", offer.why),
            *changed_on(run, offer.where),
            ("Undo", offer.undo),
        ),
        calls=tuple(title for title, _ in offer.effects),
        yes="Perform",
        grave=offer.risk is Risk.DESTRUCTIVE,
    )
