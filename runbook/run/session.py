"""A run that is open in this process: the one object that a screen or a script holds.

It joins the runner (which performs), the checklist (what stands), the ways back (what may be
branched into) and the board (what is seen live). Opening performs nothing.
"""

from __future__ import annotations

import asyncio
import getpass
import secrets
import string
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from runbook.aws import Aws, budget
from runbook.base.offer import Preview
from runbook.failures import StepFailed
from runbook.ownership import holder
from runbook.plan.model import Plan
from runbook.preflight import plans
from runbook.procedure.runner import Decide, Runner
from runbook.procedure.tracks import ends_with
from runbook.repair import offered as repairs
from runbook.run.branches import Branch
from runbook.run.credentials import CredentialsWait
from runbook.run.preview import preview
from runbook.run.view import View
from state.enums import Outcome, Status, Track
from state.errors import HandedOver
from state.journal import Journal
from state.records import Run

_ID_LETTERS = string.ascii_lowercase + string.digits

FIRST_LOOK_S = 20.0
"""How long the first look at everything may take before one goes by what is known."""

LOOKED_EVERY_S = 0.05

LAST_LOOK_S = 10.0
"""How long leaving waits for the samplers' last looks."""


class Busy(Exception):
    """A step is running: one at a time."""


class NotYours(Exception):
    """The run is held by another process; this one may only watch."""


def new_run_id() -> str:
    """Return a short id, fit for every AWS and PostgreSQL name: a letter, then five more."""
    return secrets.choice(string.ascii_lowercase) + "".join(
        secrets.choice(_ID_LETTERS) for _ in range(5)
    )


class Session(View):
    """One open run. `who` is the operator's name, for decisions."""

    def __init__(self, journal: Journal, run: Run, *, who: str = "") -> None:
        super().__init__(journal, run)
        self.writable = journal.writer and run.away is None
        self.who = who or getpass.getuser()
        self._runner = Runner(self._context, journal, who=self.who, notice=self._monitor.waiting)
        if self.writable:
            self._context.aws.wait_for_credentials(
                CredentialsWait(
                    journal, run.id, self._monitor.waiting, lambda: self._runner.stopped
                )
            )
        self._busy = ""
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    def start(cls, journal: Journal, plan: Plan, plan_path: Path, *, who: str = "") -> Session:
        """Begin a run of a plan. Raises `RunIsOpen` where one is open for the cluster."""
        environment = Aws(plan.cluster.region, plan.aws.access).environment
        run = plans.begin(journal, new_run_id(), plan, plan_path, environment)
        return cls(journal, run, who=who)

    @classmethod
    def open(cls, journal: Journal, run: str = "", *, who: str = "") -> Session:
        """Open a run to go on with it, or to watch it: read-only, or handed over.

        Intents without outcome become `unknown`; nothing is performed.
        """
        record = journal.run(run)
        if journal.writer and record.open and record.away is None:
            journal.mark_unknown(record.id)
            journal.event(
                record.id, "open", f"opened by {who or getpass.getuser()}{_taken_over(journal)}"
            )
        return cls(journal, record, who=who)

    def busy(self) -> str:
        """Return the key of the step that this process runs now, or an empty string."""
        return self._busy

    @property
    def refused(self) -> bool:
        """Whether the last step was stopped by a check, with nothing changed."""
        return self._runner.refused

    async def preview(self, step: str) -> Preview:
        """Return what a step would ask and do, as far as it can be known now."""
        following = self.checklist().next
        is_next = following is not None and following.step == step
        try:
            found, standing = self._step(step), self._runner.standing
            return await preview(self._looking, found, standing, is_next=is_next)
        finally:
            await self._looking.forget_connections()

    async def advance(self, step: str, decide: Decide, *, until: str = "") -> Status:
        """Run a step, and those that follow it by themselves; return how the last one stands.

        `until` names a step after which even those wait for a person.

        Raises `Busy` while another step runs.
        """
        self._refuse_unless_free()
        self._refuse_unless_next(step)
        status = Status.READY
        async with self._performing(step):
            while True:
                self._busy = step
                self._go_by(plans.for_step(self._journal, self.run, self.plan, step))
                found = self._step(step)
                self._monitor.acts(not found.lasts)
                status = await self._runner.run_step(found, decide)
                self._monitor.nudge()
                following = self.checklist().next
                last = not status.done or not found.continues or step == until
                if last or following is None or self._runner.leaving:
                    break
                step = following.step
        return status

    async def repair(self, key: str, decide: Decide) -> Status:
        """Perform a repair that is offered now, as any step; READY: a gate was declined.

        Raises `Busy` while a step runs, `StepFailed` where it is not offered or the run is over.
        """
        self._refuse_unless_free()
        if not self.run.open:
            raise StepFailed(
                f"The run {self.run.id} is over.",
                now="Nothing was changed.",
                todo="Branch first, if a way is left.",
            )
        async with self._performing(key):
            found = await repairs.offered(self._context, self._journal, only=key)
            repair = next((each for each in found.repairs if each.key == key), None)
            if repair is None:
                raise StepFailed(
                    f"{key} is not offered now.",
                    now="Nothing was changed.",
                    todo="Look at the repairs again: what they repair may be gone.",
                )
            # What it is rebuilt from, by whoever opens the run next.
            words = f"repair: {repair.title}: {repair.why}"
            self._journal.evidence(self.run.id, key, words, key=key, value=repair.as_json())
            status = await self._runner.run_step(repair, decide)
            self._monitor.nudge()
        return status

    @asynccontextmanager
    async def _performing(self, key: str) -> AsyncIterator[None]:
        """Hold this process busy while steps are performed; then see whether the run is over."""
        self._busy = key
        self._idle.clear()
        self._runner.permission.begin()
        try:
            yield
        finally:
            self._busy = ""
            self._monitor.acts(False)
            await self._context.forget_connections()
            self._idle.set()
        await self._close_at_the_end()
        self._journal.keep_backup()

    def _go_by(self, plan: Plan) -> None:
        self.plan = plan
        budget.of_process().limit(plan.limits.calls_per_s)
        for context in (self._context, self._looking, self._monitor.context):
            context.plan = plan

    async def _close_at_the_end(self) -> None:
        """Close the run once the last step of a track that ends runs is done."""
        listed = self.checklist()
        entry = listed.current.entry
        result = ends_with(entry.track, entry.variant)
        held = entry.track is Track.ROLLBACK and self.fact("slots")
        if entry.track is not Track.CLEANUP and (held or self.unclosed()):
            # The way forward is held, until it is taken or settled; or a cluster that was given
            # up is looked for, until it is closed or deleted.
            return
        if result is not None and listed.current.complete and self._journal.run(self.run.id).open:
            self.run = self._journal.close_run(self.run.id, result)
            await self._runner.permission.let_go()

    async def resolve(self, effect: int, choice: str, reason: str) -> None:
        """Record what became of an effect: `adopt`, or `failed`; `retry` is failed, tried anew."""
        self._refuse_unless_ours()
        outcome = Outcome.ADOPTED if choice == "adopt" else Outcome.FAILED
        words = reason or ("it happened" if choice == "adopt" else "it did not happen")
        self._journal.resolve(effect, outcome, who=self.who, reason=words)

    async def looked(self, limit_s: float = FIRST_LOOK_S) -> bool:
        """Wait until protection was looked at since this process watches; tell whether it was.

        Which ways are open depends on it; what a former process saw of it may be long ago.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            found, served = self.dashboard().protection, self.dashboard().production
            if found.at is not None and not found.looking and served.at is not None:
                return True
            await asyncio.sleep(LOOKED_EVERY_S)
        return False

    async def branch(self, branch: Branch, reason: str) -> None:
        """Put the run onto another track; performs nothing.

        Raises `Busy` while a step runs, `StepFailed` where the way is not open.
        """
        self._refuse_unless_free()
        # It was offered some time ago, and the run may have moved on since.
        offered = {(each.track, each.variant): each for each in await self.ways()}
        branch = offered.get((branch.track, branch.variant), branch)
        holder.refuse_if_known_left_behind(self._context)
        if not branch.available:
            raise StepFailed(
                f"“{branch.title}” is not possible from here: {branch.why_not}.",
                now="Nothing was changed.",
                todo="Choose a way that is available.",
            )
        if not self.run.open:
            self.run = self._journal.reopen_run(self.run.id)
        following = self.checklist().next
        self._journal.enter_track(
            self.run.id,
            branch.track,
            variant=branch.variant,
            from_step=following.step if following else "",
            reason=reason,
        )
        self.run = self._journal.run(self.run.id)

    def note(self, text: str) -> None:
        """Keep a remark in the journal."""
        self._refuse_unless_ours()
        self._journal.event(self.run.id, "note", text, {"who": self.who})

    def cancel_wait(self) -> None:
        """Ask the running step to stop waiting; waiting is reading, so nothing is cut."""
        if self._busy:
            self._journal.event(self.run.id, "wait", f"{self.who} asked to stop waiting")
            self._runner.stop_waiting()

    async def start_watching(self) -> None:
        """Start the samplers behind `board`; a watcher reads what the holder publishes."""
        if self.writable and self._watching is None:
            self._watching = self._monitor.start()

    async def stop_watching(self) -> None:
        """Let the looks under way come to their end, and begin no other."""
        if self._watching is not None:
            self._monitor.stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watching, LAST_LOOK_S)
            self._watching = None
            await self._monitor.context.forget_connections()

    def leave(self, why: str) -> None:
        """Start nothing more: the effect in flight settles, and `advance` returns after it."""
        if not self._runner.leaving:
            self._runner.leave()
            self._journal.event(self.run.id, "leave", f"asked to leave: {why}")

    @property
    def leaving(self) -> bool:
        """Whether nothing more is started."""
        return self._runner.leaving

    async def close(self) -> None:
        """Start nothing more, let the effect in flight settle, and leave.

        The journal stays open for whoever opened it.
        """
        self._runner.leave()
        await self._idle.wait()
        await self.stop_watching()
        await self._context.forget_connections()
        await self._looking.forget_connections()
        if self.writable and self.run.open:
            self._journal.event(self.run.id, "leave", f"left by {self.who}; nothing was undone")

    def _refuse_unless_next(self, step: str) -> None:
        """Refuse a step out of its order: a key may have been pressed at an old picture."""
        following = self.checklist().next
        if following is None or following.step != step:
            raise StepFailed(
                f"{step} is not the next step"
                + (f": that is {following.step}." if following else ": the track is done."),
                now="Nothing was changed.",
                todo="Look at the checklist, which may have gone on meanwhile.",
            )

    def _refuse_unless_free(self) -> None:
        """Refuse what is done while no step runs, by whoever holds the run."""
        self._refuse_unless_ours()
        if self._busy:
            raise Busy(f"{self._busy} is running")

    def _refuse_unless_ours(self) -> None:
        if self.run.away is not None:
            raise HandedOver(self.run, self.run.away)
        if not self.writable:
            raise NotYours("Another process holds this run; here it can only be watched.")


def _taken_over(journal: Journal) -> str:
    former = journal.took_over_from
    if former is None:
        return ""
    held = f"process {former.pid} of {former.user} on {former.host}"
    return f"; taken over from {held}, which held it since {former.since:%Y-%m-%d %H:%M:%S} UTC"
