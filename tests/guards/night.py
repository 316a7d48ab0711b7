"""Drives a night in the simulated world: an operator, the processes that they start, and a plan."""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from runbook.base.downtime import STOPPED_BY_HAND
from runbook.base.step import Gate
from runbook.failures import StepFailed
from runbook.run.branches import Branch
from runbook.run.session import Session
from state.enums import Outcome, Status
from state.errors import Refused, RunIsOpen
from tests.guards.clock import Killed
from tests.guards.control import ControlPlane
from tests.guards.guard import TALLY
from tests.guards.machines import Machines
from tests.guards.process import RunProcess
from tests.guards.things import PRODUCTION, SOMEBODY, WRITTEN, Violation

PLAN = """
version = 1
[cluster]
identifier = "orders"
resource_id = "{resource_id}"
region = "us-east-1"
account = "123456789012"
[upgrade]
target_version = "18.4"
order = "{order}"
switchover_timeout_s = 60
[credentials]
user = "postgres"
password = "pgpass"
sslmode = "prefer"
[traffic]
stop = "{stop}"
stop_command = ["app", "stop"]
start_command = ["app", "start"]
application_roles = ["app"]
[fence]
window_s = 2.0
limit_s = 20.0
[endpoint]
method = "{endpoint}"
hosted_zone_id = "Z1"
record = "db.example.org"
command = ["lead"]
[rollback]
protect = {protect}
[commit]
delete_old_blue = {delete_old_blue}
[limits]
parameter_settle_s = 0
create_deployment_s = 300
delete_deployment_s = 60
switchover_grace_s = 60
clone_s = 60
instance_s = 60
rename_s = 60
drain_s = 5
subscribe_s = 10
connect_s = 15
poll_s = 5
fast_poll_s = 0.5
"""


PLANS = TemporaryDirectory(prefix="guards-plan-")
"""Where the plan lies: a journal knows its path, and is gone on with in folder after folder."""

WATCHED_S = 25.0
"""Longer than any figure counts as fresh."""

PROVING = ("verify-protection", "verify-new-blue", "bake")

HELD = ("roll back to blue prime, nothing is lost", "forward again to new blue, nothing is lost")
"""What is said of the way where the run is protected."""

_SLIP = re.compile(r"object has no attribute|object is not|KeyError|TypeError")
"""Words of an error that nobody foresaw, which the runner takes for a lost answer."""


@dataclass(frozen=True)
class Settings:
    """What of the plan and of the account differs between nights."""

    order: str = "traffic-first"
    stop: str = "roles"
    endpoint: str = "rename"
    delete_old_blue: bool = False
    protected: bool = False
    protect: bool = True
    """Whether a rollback is protected in its turn."""
    tagless: bool = False
    """Whether AWS lets nobody tag what is there already."""


class Night(Machines):
    """One operator's night. Everything is in `world`, in the journals, and in the plan file."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__(folder)
        self.settings = settings
        self.plan_path = Path(PLANS.name, "plan.toml")
        self.world = ControlPlane(protected=settings.protected, tagless=settings.tagless)
        self.remembered: list[Branch] = []
        """Ways that were offered some time ago."""

    def write_plan(self, settings: Settings) -> None:
        """Write the plan file for the cluster that bears the production name."""
        self.settings = settings
        cluster = self.world.named(PRODUCTION)
        resource_id = cluster.resource_id if cluster else "cluster-gone"
        text = PLAN.format(
            resource_id=resource_id,
            order=settings.order,
            stop=settings.stop,
            endpoint=settings.endpoint,
            delete_old_blue=str(settings.delete_old_blue).lower(),
            protect=str(settings.protect).lower(),
        )
        self.plan_path.write_text(text)

    def start(self) -> None:
        """Begin a run for the cluster that bears the production name."""
        self.leave()
        self.write_plan(self.settings)
        self.begin()

    # What the operator does.

    def advance(self, decide: Callable[[Gate], Awaitable[str | None]] | None = None) -> str:
        """Run the next step of the checklist, and those that follow it; return how it went."""
        process = self.opened()
        session = process.session
        following = session.checklist().next
        if following is None or not session.run.open:
            return "nothing to do"
        before = len(session._journal.attempts(self.run))
        status = process.do(self._advance(session, following.step, decide or self._yes))
        if status is None:
            return "killed"
        self._look_after(before)
        return status.value

    async def _advance(
        self, session: Session, step: str, decide: Callable[[Gate], Awaitable[str | None]]
    ) -> Status:
        """Run it; where it asks the watch whether the run is protected, with the watch at work.

        The steps of `protect-first` follow one another from the outage's beginning.
        """
        if step not in PROVING and self.settings.order != "protect-first":
            return await session.advance(step, decide)
        await session.start_watching()
        try:
            return await session.advance(step, decide)
        finally:
            await session.stop_watching()

    async def _yes(self, gate: Gate) -> str | None:
        """Say yes to a gate, as it is asked for; do by hand what it says was done."""
        typed = gate.must_type or "yes"
        self.world.consents.add((self.run, gate.key, typed))
        if gate.key.startswith("accept-"):
            self.world.accepted_loss = True
        if gate.key.startswith(STOPPED_BY_HAND):
            self._check(lambda: self.opened().guard.before_asked(gate.key))
            self.world.application.running = False
        if gate.key == "endpoint-switched":
            self._check(lambda: self.opened().guard.before_asked(gate.key))
            self.world.lead = gate.question.split(" to ", 1)[1].split(":")[0]
        self.world.tick()
        return typed

    def _look_after(self, before: int) -> None:
        """Check what the steps that just ended claim."""
        process = self.opened()
        for attempt in process.session._journal.attempts(self.run)[before:]:
            if "blueprime itself failed" in attempt.message or _SLIP.search(attempt.message):
                raise Violation(f"{attempt.step}: {attempt.message}")
            if attempt.status is not Status.SUCCEEDED:
                continue
            TALLY["steps"] += 1
            if attempt.step in ("resume-traffic", "reopen-blue"):
                self.world.application.running = True
                self.world.pass_time(0.1)
            if attempt.step in ("verify-end", "bake"):
                self.world.pass_time(10.0)
                self._check(process.guard.nothing_lost)
            if attempt.step in ("verify-protection", "verify-new-blue"):
                self.expect_protection(f"{attempt.step} succeeded")

    def _check(self, check: Callable[[], None]) -> None:
        try:
            check()
        except Killed:
            raise self.opened().guard.violation or Violation("killed by nobody") from None

    def expect_every_write(self) -> None:
        """Check, wherever the night stands, that no acknowledged write is lost."""
        world = self.world
        world.pass_time(10.0)
        serving = world.serving()
        if world.accepted_loss:
            return
        if serving is None:
            raise Violation("the applications are led to no cluster that exists")
        rows = serving.databases[WRITTEN].rows
        if missing := sorted(set(world.application.acknowledged) - set(rows)):
            raise Violation(f"{len(missing)} acknowledged writes are not on {serving.name}")

    def expect_protection(self, claim: str) -> None:
        """Check a claim that the run is protected."""
        TALLY["protection claims"] += 1
        if why := self.opened().guard.protected():
            raise Violation(f"{claim}, and yet {why}")

    def watch(self) -> None:
        """Let the samplers look for a while, and check what they show."""
        process = self.opened()
        session = process.session

        async def look() -> None:
            await session.start_watching()
            await asyncio.sleep(WATCHED_S)

        process.do(look())
        if process.alive and session.dashboard().protection.protected:
            self.expect_protection("the board says protected")
        if process.alive and session.way_back().endswith(HELD):
            self.expect_protection(f"the way back says {session.way_back()!r}")
        self.leave()

    def branch(self, index: int, *, available: bool = True) -> None:
        """Branch to one of the ways that are available, or try one that is not."""
        process = self.opened()
        ways = process.do(process.session.ways()) or []
        self.remembered = ways
        chosen = [branch for branch in ways if branch.available is available]
        if not chosen:
            return
        self._branch(process, chosen[index % len(chosen)], available=available)

    def choose(self, name: str) -> None:
        """Branch to the way of a name, if it is available."""
        process = self.opened()
        ways = process.do(process.session.ways()) or []
        chosen = [
            branch for branch in ways if branch.available and name in (branch.variant, branch.name)
        ]
        if chosen:
            self._branch(process, chosen[0], available=True)

    def branch_late(self, index: int) -> None:
        """Branch to a way that was offered some time ago."""
        process = self.opened()
        if not self.remembered:
            return
        branch = self.remembered[index % len(self.remembered)]
        # It may have come to be available since.
        now = process.do(process.session.ways()) or []
        available = any(
            each.available
            for each in now
            if (each.track, each.variant) == (branch.track, branch.variant)
        )
        self._branch(process, branch, available=available)

    def _branch(self, process: RunProcess, branch: Branch, *, available: bool) -> None:
        entries = len(process.journal.entries(self.run))
        try:
            process.do(process.session.branch(branch, "so decided"))
        except (StepFailed, Refused, RunIsOpen):
            if len(process.journal.entries(self.run)) != entries:
                raise Violation(f"{branch.title} was refused, and yet taken") from None
            return
        TALLY["branches"] += 1
        if not available:
            raise Violation(f"{branch.title} was taken though it is not available")

    def repair(self) -> None:
        """Take every repair that is offered, in order."""
        process = self.opened()
        session = process.session
        before = len(session._journal.attempts(self.run))
        for offer in process.do(session.repairs()) or []:
            with suppress(StepFailed):
                if offer.key and process.do(session.repair(offer.key, self._yes)) is None:
                    return
                TALLY["repairs"] += 1
        if process.alive:
            self._look_after(before)

    def resolve(self, choice: str) -> None:
        """Decide every unknown effect in one way, offered or not, true or not."""
        process = self.opened()
        session = process.session
        for pending in process.do(session.findings()) or []:
            if pending.effect.outcome is Outcome.UNKNOWN:
                process.do(session.resolve(pending.effect.id, choice, "so decided"))
                TALLY["resolutions"] += 1

    def edit_plan(self, **changes: object) -> None:
        """Edit the plan file of the run; it is read again where steps check."""
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        text = self.plan_path.read_text()
        for key in changes:
            old, new = _line(self.settings, key), _line(settings, key)
            text = text.replace(old, new)
        self.settings = settings
        self.plan_path.write_text(text)

    def second_run(self) -> None:
        """Begin another run for the cluster that bears the name now, once this one is over.

        Before that the preflight, which is not simulated, finds this one's slots and refuses.
        """
        if self.opened().session.run.open:
            return
        self.leave()
        former = self.run
        try:
            self.start()
        except RunIsOpen:
            self.run = former

    # What others do.

    def hand(self, what: str, after_s: float) -> None:
        """Let somebody do something to the world by hand, some seconds from now."""
        world, run = self.world, self.run
        prime = f"{PRODUCTION}-prime-{run}"
        later = world.clock.later
        clusters = {c.resource_id: c for c in world.clusters.values() if c.made_by != SOMEBODY}
        own = [r for r, c in clusters.items() if c.made_by == run and c.clone_group]
        match what:
            case "delete blue prime":
                for each in own:
                    later(after_s, "hand_deletes", each)
            case "rename blue prime":
                for each in own:
                    later(after_s, "hand_renames", each, "spare")
            case "rename old blue":
                for each in [r for r, c in clusters.items() if "-old" in c.name]:
                    later(after_s, "hand_renames", each, "archive")
            case "lose the slots":
                for each in clusters:
                    later(after_s, "hand_loses_slots", each)
            case "delete the deployment":
                for identifier in world.deployments:
                    later(after_s, "hand_lets_go", identifier)
            case "make blue prime's name":
                later(after_s, "hand_makes", prime, {})
            case "forge blue prime":
                later(after_s, "hand_makes", prime, {"blueprime:run": run})
            case "make the deployment's name":
                later(after_s, "hand_deploys", f"bp-{run}-bgd")

    # Checkpoints.

    def keep(self) -> bytes:
        """Return the whole night, to be gone on with elsewhere. The run is left for it."""
        self.leave()
        state = (self.world, self.settings, self.plan_path.read_bytes(), self.machine.kept())
        return pickle.dumps(state)

    @classmethod
    def resume(cls, folder: Path, kept: bytes) -> Night:
        """Go on with a night that was kept."""
        world, settings, plan, journal = pickle.loads(kept)
        night = cls(folder, settings)
        night.world = world
        night.plan_path.write_bytes(plan)
        night.machine.put(journal)
        return night


def _line(settings: Settings, key: str) -> str:
    value = getattr(settings, key)
    name = {"endpoint": "method"}.get(key, key)
    shown = str(value).lower() if isinstance(value, bool) else f'"{value}"'
    return f"{name} = {shown}"
