"""Tables known to differ: what makes one equal, or gives it up by name, strikes it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runbook.base.context import RunContext
from runbook.base.pair import current_pair
from runbook.base.step import Gate, Risk, Watch
from runbook.proofs import diverged
from runbook.proofs.diverged import DIFFERENT
from runbook.repair.contract import Place, Repair, of_database


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
class GiveUp(Repair):
    """Accept by name that a table is not what it was on the way back."""

    what: ClassVar[str] = "give-up"
    risk = Risk.DESTRUCTIVE
    undo = "Copy its differing rows again before the rollback; the comparison then finds it equal."
    database: str
    schema: str
    table: str

    def __post_init__(self) -> None:
        self.named(of_database(self.database, self.schema, self.table))
        self.title = f"Give up {self.schema}.{self.table} by name"

    @property
    def place(self) -> Place:
        return Place.ROWS

    async def gates(self, context: RunContext) -> list[Gate]:
        sides = current_pair(context)
        return [
            Gate(
                key=self.key,
                question=f"Give up {self.schema}.{self.table} in {self.database}: {self.why}.",
                reversible=(
                    f"After {sides.journey} the table is as {sides.subscriber.value} has it: what "
                    f"only {sides.publisher.value} has of it is missing. Nothing is changed now; "
                    "the report names the table."
                ),
                must_type=f"{self.schema}.{self.table}",
                valid_s=0.0,
            )
        ]

    async def verify(self, context: RunContext, watch: Watch) -> None:
        name = (self.database, self.schema, self.table)
        lost = [each for each in diverged.left(context) if each.name == name]
        known = diverged.merged(diverged.given_up(context), lost)
        sides = current_pair(context)
        # First, so that no end in between leaves it on neither list.
        watch.evidence(
            f"as {sides.subscriber.value} has it after {sides.journey}, accepted by name: "
            f"{self.title}",
            key=diverged.GIVEN_UP,
            value=diverged.as_json(known),
        )
        no_longer_differs(
            context, watch, name, f"{self.database}: {self.schema}.{self.table} is given up"
        )
