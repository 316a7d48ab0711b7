"""What the screens know of a run: one protocol.

A screen never reaches past this. The open run of `runbook.run.session` satisfies it, and so does
the one that the tests keep in memory.
"""

from __future__ import annotations

from typing import Protocol

from runbook.base.offer import Offer, Pending, Preview
from runbook.procedure.runner import Decide
from runbook.protection.dashboard import Dashboard
from runbook.run.branches import Branch
from runbook.run.checklist import Checklist
from state.enums import Status
from state.records import Decision, Event, Evidence, Holder, Run, Sample

__all__ = ["Branch", "Decide", "Offer", "OnlyToWatch", "Pending", "Preview", "RunModel"]


class OnlyToWatch(Exception):
    """A run that can be looked at, and that nobody can act on any more from here."""


class RunModel(Protocol):
    """A run that is open in this process, to act on or to watch.

    All of it is called on the engine's thread.
    """

    run: Run
    writable: bool
    """False while another operator's process holds the run."""

    @property
    def holder(self) -> Holder | None:
        """Return who writes the journal now."""

    def checklist(self) -> Checklist:
        """Return where the run stands."""

    def dashboard(self) -> Dashboard:
        """Return the latest live figures."""

    def events(self, after: int = 0, limit: int = 200) -> list[Event]:
        """Return the newest `limit` events with an id above `after`, oldest first; all for -1."""

    def evidences(self, step: str, entry: int | None = None) -> list[Evidence]:
        """Return what was seen by a step, oldest first: on one stay, by its id, or on any."""

    def decisions(self) -> list[Decision]:
        """Return what was decided, oldest first."""

    def samples(self, kind: str, subject: str | None, minutes: float) -> list[Sample]:
        """Return measured values of the last minutes, oldest first."""

    def data_version(self) -> int:
        """Return a number that changes when anything was written."""

    def busy(self) -> str:
        """Return the key of the step that this process runs now, or an empty string."""

    async def preview(self, step: str) -> Preview:
        """Return what a step would ask and do."""

    async def advance(self, step: str, decide: Decide) -> Status:
        """Run a step, and those that follow it by themselves."""

    async def repairs(self) -> list[Offer]:
        """Return the repairs that are offered now, in the order in which they are to be taken."""

    async def repair(self, key: str, decide: Decide) -> Status:
        """Perform a repair that is offered now."""

    async def findings(self) -> list[Pending]:
        """Return the effects whose outcome is unknown, probed now."""

    async def resolve(self, effect: int, choice: str, reason: str) -> None:
        """Record what became of an effect whose outcome was unknown."""

    async def ways(self) -> list[Branch]:
        """Return the ways off the current track, the recommended one first."""

    async def branch(self, branch: Branch, reason: str) -> None:
        """Put the run onto another track; performs nothing."""

    def note(self, text: str) -> None:
        """Keep a remark in the journal."""

    def cancel_wait(self) -> None:
        """Ask the running step to stop waiting; waiting is reading, so nothing is cut."""

    async def start_watching(self) -> None:
        """Start the samplers behind `board`."""

    async def close(self) -> None:
        """Stop sampling, start no further effect, let the one in flight settle, and leave."""
