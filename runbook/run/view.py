"""A run as anybody may look at it: what its journal and its clusters show, what is offered."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from runbook.aws import Aws, budget
from runbook.base.context import RunContext
from runbook.base.offer import Offer, Pending, choices
from runbook.base.roles import Role
from runbook.base.step import Step
from runbook.failures import Ambiguous, Answer, Finding, StepFailed
from runbook.plan.model import Plan
from runbook.postgres.connect import UNREACHABLE
from runbook.preflight import plans
from runbook.procedure.tracks import steps_of
from runbook.protection import given_up, verdicts
from runbook.protection.dashboard import Dashboard
from runbook.repair import offered as repairs
from runbook.repair.contract import is_repair
from runbook.repair.kinds import rebuilt
from runbook.run import checklist as checklists
from runbook.run.branches import Branch, branches
from runbook.run.checklist import Checklist
from runbook.watch.listing import WatchContext
from runbook.watch.monitor import Monitor
from runbook.watch.position import position, rollback_path
from state.enums import Outcome, Result, Status
from state.journal import Journal
from state.records import Decision, Effect, Event, Evidence, Holder, Json, Run, Sample
from state.stays import on_stay

SAMPLE_CONNECT_S = 3.0
"""How long a sampler tries to connect: an old figure is shown as old, not waited for."""


class View:
    """One run, looked at. It changes nothing."""

    def __init__(self, journal: Journal, run: Run) -> None:
        self.run = run
        self.plan: Plan = plans.of_run(journal, run)
        self._journal = journal
        aws = Aws(self.plan.cluster.region, self.plan.aws.access)
        budget.of_process().limit(self.plan.limits.calls_per_s)
        world = partial(RunContext, run=run.id, plan=self.plan, journal=journal, aws=aws)
        self._context = world()
        # Looks are on connections of their own, so that none waits for the runner's.
        self._looking = world()
        watched = WatchContext(
            run=run.id, plan=self.plan, journal=journal, aws=aws, connect_s=SAMPLE_CONNECT_S
        )
        self._monitor = Monitor(watched, journal)
        self._watching: asyncio.Task[None] | None = None

    @property
    def holder(self) -> Holder | None:
        """Return who holds the run, or None."""
        return self._journal.holder()

    def checklist(self) -> Checklist:
        """Return where the run stands."""
        return checklists.read(self._journal, self.run.id)

    def dashboard(self) -> Dashboard:
        """Return the live figures: this process's own, or those that the holder published."""
        if self._watching is not None or self._monitor.dashboard.at is not None:
            return self._monitor.dashboard
        watched = self._journal.holder() is not None
        return verdicts.board_as_seen(self._looking, watched=watched) or Dashboard()

    def events(self, after: int = 0, limit: int = 200) -> list[Event]:
        """Return the newest events after an id, oldest first."""
        return self._journal.events(self.run.id, after=after, limit=limit)

    def evidences(self, step: str, entry: int | None = None) -> list[Evidence]:
        """Return what a step saw, oldest first: on one stay, by its id, or on any."""
        found = self._journal.evidences(self.run.id, step)
        if entry is None:
            return found
        attempts, entries = self._journal.attempts, self._journal.entries
        return on_stay(entry, found, attempts(self.run.id), entries(self.run.id))

    def decisions(self) -> list[Decision]:
        """Return what was decided, oldest first."""
        return self._journal.decisions(self.run.id)

    def samples(self, kind: str, subject: str | None, minutes: float) -> list[Sample]:
        """Return measured values of the last minutes, oldest first."""
        since = self._context.now() - timedelta(minutes=minutes)
        return self._journal.samples_of(self.run.id, kind, subject, since)

    def data_version(self) -> int:
        """Return a number that changes when anything was written."""
        return self._journal.data_version()

    def result(self) -> Result | None:
        """Return how the run ended, or where it rests."""
        return self._journal.run(self.run.id).result

    def unclosed(self) -> Role | None:
        """Return the cluster that was given up by force and may take writes, or None."""
        return given_up.of(self._context)

    def way_back(self) -> str:
        """Return the sentence on the way back from here and what it loses."""
        return rollback_path(self._context, position(self._context, self._journal), fresh=False)

    def fact(self, key: str) -> Json | None:
        """Return the latest value kept as evidence under a key, or None."""
        return self._journal.fact(self.run.id, key)

    async def repairs(self) -> list[Offer]:
        """Return the repairs that are offered now, in the order in which they are to be taken."""
        try:
            found = await repairs.offered(self._looking, self._journal)
            return await repairs.described(self._looking, found)
        finally:
            await self._looking.forget_connections()

    async def ways(self) -> list[Branch]:
        """Return the ways off the current track, the recommended one first."""
        return branches(self._context, self._journal)

    def _step(self, key: str) -> Step:
        if is_repair(key) and (repair := rebuilt(self._journal.fact(self.run.id, key))):
            return repair
        entry = self._journal.entries(self.run.id)[-1]
        for step in steps_of(entry.track, self.plan, entry.variant):
            if step.key == key:
                return step
        raise StepFailed(
            f"There is no step {key} on the track {entry.track.value}.",
            now="Nothing was changed.",
            todo="Choose a step of the checklist.",
        )

    async def findings(self) -> list[Pending]:
        """Return the effects of the present track whose outcome is unknown, probed now."""
        listed = self.checklist()
        found = []
        for line in listed.current.lines:
            if line.attempt is None or line.status is not Status.UNKNOWN:
                continue
            for effect in line.attempt.effects:
                if effect.outcome is Outcome.UNKNOWN:
                    finding = await self._probe(line.step, effect)
                    found.append(Pending(effect, line.step, finding, choices(finding)))
        return found

    async def _probe(self, step: str, effect: Effect) -> Finding:
        try:
            for wave in await self._step(step).effects(self._looking):
                for candidate in wave:
                    if candidate.key == effect.key:
                        return await candidate.probe()
        except (StepFailed, Ambiguous, *UNREACHABLE) as error:
            return Finding(Answer.UNKNOWN, f"it could not be looked at: {error}")
        finally:
            await self._looking.forget_connections()
        # Most often the world has it already; but that is a guess, and a guess is not good news.
        return Finding(Answer.UNKNOWN, "the step as it would run now does not list this change")
