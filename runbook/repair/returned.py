"""The cluster that a forced way has left behind answers again: closed to the applications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch, Wave
from runbook.procedure.steps.rollback import given_up as shut
from runbook.protection import given_up
from runbook.repair.contract import Repair
from runbook.repair.gather import Offered


@dataclass
class CloseReturned(Repair):
    """Take LOGIN from the applications there, end their sessions, make it read-only."""

    what: ClassVar[str] = "shut"
    undo = shut.UNDO
    role: str

    def __post_init__(self) -> None:
        self.named(Role(self.role).slug)
        self.title = f"Close {self.role}, which was given up and is back"

    async def effects(self, context: RunContext) -> list[Wave]:
        return await shut.waves(context, Role(self.role))

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await shut.prove(context, watch, Role(self.role))

    async def wanted(self, context: RunContext) -> bool:
        return given_up.of(context) == self.role


async def offer(context: RunContext, found: Offered) -> None:
    """Offer to close it where it answers."""
    async with found.looking_at("the cluster that was given up"):
        seen = await given_up.look(context)
        if seen is None or not seen.answers:
            return
        if seen.admission is None:
            found.say(f"Close {seen.role.value}", given_up.words(seen), "Close it by hand.")
        else:
            why = given_up.words(seen) or f"{seen.role.value} was given up, and answers again"
            found.add(CloseReturned(why, seen.role.value))
