"""A database that came to the publisher after the capture: given up by name, or carried by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runbook.base.context import RunContext
from runbook.base.pair import ReplicationPair, current_pair
from runbook.base.step import Gate, Risk, Watch
from runbook.postgres.statement import quoted
from runbook.proofs import schema_drift
from runbook.proofs.schema_drift import GIVEN_UP
from runbook.repair.contract import Repair


@dataclass
class GiveUpDatabase(Repair):
    """Accept by name that a database stays behind when the applications are taken away from it."""

    what: ClassVar[str] = "give-up-database"
    risk = Risk.DESTRUCTIVE
    undo = "Carry it by hand afterwards: nothing is changed by giving it up."
    database: str

    def __post_init__(self) -> None:
        self.named(quoted(self.database))
        self.title = f"Give up the database {self.database} by name"

    async def gates(self, context: RunContext) -> list[Gate]:
        sides = current_pair(context)
        return self.asking(
            f"Give up the database {self.database}: {self.why}.",
            f"After {sides.journey} it is on {sides.publisher.value} alone, as it was then, and "
            f"{sides.subscriber.value} has none of that name. All other databases are protected as "
            "before. Nothing is changed now.",
            typed=self.database,
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        known = sorted({*schema_drift.given_up(context), self.database})
        watch.evidence(
            f"left behind by {current_pair(context).journey}, accepted by name: database "
            f"{self.database}",
            key=GIVEN_UP,
            value=known,
        )


def by_hand(database: str, sides: ReplicationPair) -> str:
    """Return how a database is carried over without being fed."""
    name, here, there = quoted(database), sides.publisher.value, sides.subscriber.value
    return (
        f"It is not fed: a slot in it would have to be older than its first row on {there}.\n"
        f"1. Keep new databases for after commit or cleanup where you can; or give {name} up by "
        "name, which lets the others be protected.\n"
        f"2. To have it on {there} all the same: {here} is kept after {sides.journey}, closed, "
        f"with every row. Then pg_dump --create of {name} from {here}, and psql -d postgres with "
        f"that on {there}; its applications wait meanwhile. Try before how long it takes."
    )
