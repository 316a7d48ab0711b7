"""Tables known to differ: what makes one equal, or gives it up by name, strikes it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.step import Gate, Risk, Watch
from runbook.proofs import diverged
from runbook.proofs.diverged import DIFFERENT
from runbook.repair.contract import Place, TableRepair


def no_longer_differs(
    context: RunContext, watch: Watch, name: tuple[str, str, str], text: str
) -> None:
    """Keep that a table (database, schema, name) no longer counts among those that differ."""
    left = [each for each in diverged.left(context) if each.name != name]
    watch.evidence(text, key=diverged.FACT, value=diverged.as_json(left))
    database, schema, table = name
    words = f"{database}: {schema}.{table}"
    compared = context.fact(DIFFERENT) or []
    if words in compared:
        watch.evidence(
            f"no longer among the differing ones: {words}",
            key=DIFFERENT,
            value=[each for each in compared if each != words],
        )


@dataclass
class GiveUp(TableRepair):
    """Accept by name that a table is not what it was on the way back."""

    what: ClassVar[str] = "give-up"
    risk = Risk.DESTRUCTIVE
    undo = "Copy its differing rows again before the rollback; the comparison then finds it equal."
    place = Place.ROWS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.title = f"Give up {self.table_name} by name"

    async def gates(self, context: RunContext) -> list[Gate]:
        sides = current_pair(context)
        return self.asking(
            f"Give up {self.table_name} in {self.database}: {self.why}.",
            f"After {sides.journey} the table is as {sides.subscriber.value} has it: what only "
            f"{sides.publisher.value} has of it is missing. Nothing is changed now; the report "
            "names the table.",
            typed=self.table_name,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        lost = [each for each in diverged.left(context) if each.name == self.name]
        known = diverged.merged(diverged.given_up(context), lost)
        sides = current_pair(context)
        # First, so that no end in between leaves it on neither list.
        watch.evidence(
            f"as {sides.subscriber.value} has it after {sides.journey}, accepted by name: "
            f"{self.title}",
            key=diverged.GIVEN_UP,
            value=diverged.as_json(known),
        )
        words = f"{self.database}: {self.table_name} is given up"
        no_longer_differs(context, watch, self.name, words)
