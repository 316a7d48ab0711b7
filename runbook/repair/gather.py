"""What is offered, as it is gathered: repairs in their order, and words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from runbook.base.offer import Offer
from runbook.failures import Ambiguous, StepFailed
from runbook.postgres.connect import UNREACHABLE
from runbook.repair.contract import Repair

UNSEEN = (StepFailed, Ambiguous, *UNREACHABLE)


@dataclass
class Offered:
    """What is offered: repairs, once ordered as they are to be taken, and words."""

    repairs: list[Repair] = field(default_factory=list)
    by_hand: list[Offer] = field(default_factory=list)

    def add(self, repair: Repair) -> None:
        """Offer a repair, once."""
        if all(repair.key != each.key for each in self.repairs):
            self.repairs.append(repair)

    def order(self) -> None:
        """Put what others rest on before them; else they stay as they came."""
        self.repairs.sort(key=lambda repair: repair.place)

    def take(self, cure: Repair | Offer | None) -> None:
        """Offer what there is: a repair, words, or nothing."""
        if isinstance(cure, Repair):
            self.add(cure)
        elif cure is not None:
            self.by_hand.append(cure)

    def say(self, title: str, why: str, words: str) -> None:
        """Offer words, where blueprime cannot do it itself."""
        self.by_hand.append(Offer("", title, why, by_hand=words))

    @asynccontextmanager
    async def looking_at(self, what: str) -> AsyncIterator[None]:
        """Look at something; where that fails, say so instead of offering nothing."""
        try:
            yield
        except UNSEEN as error:
            words = str(error).strip().partition("\n")[0]
            self.say(f"Look at {what} again", f"it could not be looked at: {words}", "")
