"""A run kept in memory that behaves as an open one: for pilots and pictures, with a frozen clock.

The night is that of the cluster `orders`, on its way from 16.14 to 18.4; `scenes` freezes it at the
moments that matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from runbook.base.offer import Offer, Pending, Preview
from runbook.base.step import Gate, Risk
from runbook.procedure.runner import Decide
from runbook.protection.dashboard import Dashboard
from runbook.run.branches import Branch
from runbook.run.checklist import Checklist, Line, Section
from state.enums import Environment, Outcome, Result, Status, Track
from state.records import (
    Attempt,
    Decision,
    Effect,
    Event,
    Evidence,
    Handover,
    Holder,
    Run,
    Sample,
    TrackEntry,
)

NOW = datetime(2026, 3, 14, 12, 3, 32, tzinfo=UTC)


def now() -> datetime:
    """Return the moment at which the clock stands."""
    return NOW


def ago(seconds: float) -> datetime:
    """Return a moment before the frozen one."""
    return NOW - timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Script:
    """One step of the invented runbook."""

    key: str
    title: str
    why: str
    risk: Risk = Risk.READ_ONLY
    undo: str = "Nothing to undo."
    effects: tuple[tuple[str, str], ...] = ()
    gates: tuple[Gate, ...] = ()
    note: str = ""
    there: tuple[tuple[str, str], ...] = ()
    continues: bool = False
    lasts: bool = False


@dataclass
class Tried:
    """How a step stands."""

    status: Status
    seconds: float | None = None
    message: str = ""
    number: int = 1
    outcomes: tuple[Outcome | None, ...] | None = None
    started: datetime | None = None


@dataclass
class FakeRun:
    """An open run in memory; `calls` records what was asked of it, in order."""

    scripts: Sequence[Script]
    tried: dict[str, Tried] = field(default_factory=dict)
    cluster: str = "orders"
    environment: Environment = Environment.REHEARSAL
    track: Track = Track.UPGRADE
    variant: str = ""
    before: Sequence[tuple[Track, Sequence[Script], Mapping[str, Tried]]] = ()
    figures: Dashboard = field(default_factory=Dashboard)
    history: list[Event] = field(default_factory=list)
    seen: dict[str, list[Evidence]] = field(default_factory=dict)
    offered: list[Branch] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    on_offer: list[Offer] = field(default_factory=list)
    measured: Mapping[tuple[str, str | None], Sequence[float | None]] = field(default_factory=dict)
    writable: bool = True
    holder: Holder | None = None
    away: Handover | None = None
    result: Result | None = None
    outcome: Status = Status.SUCCEEDED
    hold: bool = False
    """Whether a step goes on until its wait is cancelled or the run is closed."""
    trouble: Exception | None = None
    calls: list[tuple[str, ...]] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self._busy = ""
        self._version = 1
        self._go = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def run(self) -> Run:
        return Run(
            id="k2f9qa",
            cluster=self.cluster,
            cluster_resource_id="cluster-ABCDEF",
            account="471108150815",
            region="us-east-1",
            environment=self.environment,
            plan={
                "upgrade": {"target_version": "18.4"},
                "protection": {"fresh_s": 10.0},
            },
            plan_path="orders.toml",
            track=self.track,
            result=self.result,
            started_at=ago(1800),
            closed_at=None if self.result is None else ago(5),
            away=self.away,
        )

    # Reads.

    def checklist(self) -> Checklist:
        if self.trouble is not None:
            raise self.trouble
        sections = [
            self._section(index + 1, track, "", scripts, tried, last=False)
            for index, (track, scripts, tried) in enumerate(self.before)
        ]
        sections.append(
            self._section(
                len(self.before) + 1, self.track, self.variant, self.scripts, self.tried, last=True
            )
        )
        return Checklist(self.run, tuple(sections))

    def _section(
        self,
        entry: int,
        track: Track,
        variant: str,
        scripts: Sequence[Script],
        tried: Mapping[str, Tried],
        *,
        last: bool,
    ) -> Section:
        lines = []
        ready = last
        for script in scripts:
            state = tried.get(script.key)
            status = state.status if state else Status.PENDING
            if ready and not status.done:
                ready = False
                status = Status.READY if status is Status.PENDING else status
            attempt = self._attempt(entry, track, script, state) if state else None
            if last or state:
                lines.append(
                    Line(
                        entry,
                        track,
                        script.key,
                        script.title,
                        script.why,
                        script.risk,
                        script.undo,
                        status,
                        attempt,
                        state.number if state else 0,
                        continues=script.continues,
                        lasts=script.lasts and last and status is Status.SUCCEEDED,
                    )
                )
        at = ago(1800 - 600 * (entry - 1))
        return Section(TrackEntry(entry, "k2f9qa", track, variant, "", "", at), tuple(lines))

    def _attempt(self, entry: int, track: Track, script: Script, state: Tried) -> Attempt:
        start = state.started or ago((state.seconds or 0) + 30)
        outcomes = state.outcomes
        if outcomes is None:
            done = state.status in (Status.SUCCEEDED, Status.SKIPPED)
            outcomes = tuple(Outcome.SUCCEEDED for _ in script.effects) if done else ()
        effects = tuple(
            Effect(
                id=index + 1,
                attempt=1,
                key=title,
                title=title,
                preview=call,
                intent_at=start,
                outcome=outcome,
                outcome_at=None if outcome is None else start,
                detail={"error": "the connection was lost"} if outcome is Outcome.UNKNOWN else {},
                decided="",
            )
            for index, ((title, call), outcome) in enumerate(
                zip(script.effects, outcomes, strict=False)
            )
        )
        ended = None if state.seconds is None else start + timedelta(seconds=state.seconds)
        return Attempt(
            1, "k2f9qa", entry, track, script.key, state.number, state.status, start, ended,
            state.message, effects,
        )  # fmt: skip

    def dashboard(self) -> Dashboard:
        return self.figures

    def events(self, after: int = 0, limit: int = 200) -> list[Event]:
        found = [event for event in self.history if event.id > after]
        return found if limit < 0 else found[-limit:]

    def evidences(self, step: str, entry: int | None = None) -> list[Evidence]:
        seen = self.seen.get(step, [])
        return seen if entry in (None, len(self.before) + 1) else []

    def decisions(self) -> list[Decision]:
        return []

    def samples(self, kind: str, subject: str | None, minutes: float) -> list[Sample]:
        values = self.measured.get((kind, subject), ())
        step = minutes * 60 / max(1, len(values))
        return [
            Sample(ago((len(values) - index - 0.5) * step), kind, subject or "", value)
            for index, value in enumerate(values)
        ]

    def data_version(self) -> int:
        return self._version

    def busy(self) -> str:
        return self._busy

    async def preview(self, step: str) -> Preview:
        for offer in self.on_offer:
            if offer.key == step:
                return Preview(step, offer.gates, offer.effects, offer.note, where=offer.where)
        script = next(script for script in self.scripts if script.key == step)
        return Preview(step, script.gates, script.effects, script.note, script.there)

    async def findings(self) -> list[Pending]:
        self.calls.append(("findings",))
        return list(self.pending)

    async def ways(self) -> list[Branch]:
        return list(self.offered)

    # Acts.

    async def advance(self, step: str, decide: Decide) -> Status:
        self.calls.append(("advance", step))
        self._idle.clear()
        self._set(step)
        try:
            script = next(script for script in self.scripts if script.key == step)
            for gate in script.gates:
                self.answers.append(await decide(gate))
                if self.answers[-1] is None:
                    return Status.READY
            self.tried[step] = Tried(Status.RUNNING, started=NOW)
            self._set(step)
            if self.hold:
                await self._go.wait()
            number = self.tried[step].number
            self.tried[step] = Tried(self.outcome, 0.4, number=number)
            return self.outcome
        finally:
            self._set("")
            self._idle.set()

    def _set(self, step: str) -> None:
        self._busy = step
        self.touch()

    def touch(self, text: str = "", kind: str = "note") -> None:
        """Let something be written."""
        if text:
            self.history.append(Event(len(self.history) + 1, "k2f9qa", NOW, kind, text))
        self._version += 1

    async def repairs(self) -> list[Offer]:
        return list(self.on_offer)

    async def repair(self, key: str, decide: Decide) -> Status:
        self.calls.append(("repair", key))
        offer = next(offer for offer in self.on_offer if offer.key == key)
        for gate in offer.gates:
            self.answers.append(await decide(gate))
            if self.answers[-1] is None:
                return Status.READY
        if self.outcome is Status.SUCCEEDED:
            self.on_offer = [offer for offer in self.on_offer if offer.key != key]
        self.touch()
        return self.outcome

    async def resolve(self, effect: int, choice: str, reason: str) -> None:
        self.calls.append(("resolve", str(effect), choice, reason))
        self.pending = [item for item in self.pending if item.effect.id != effect]
        for step, state in self.tried.items():
            if state.status is Status.UNKNOWN:
                self.tried[step] = replace(state, status=Status.FAILED, outcomes=None)
        self.touch()

    async def branch(self, branch: Branch, reason: str) -> None:
        self.calls.append(("branch", branch.track.value, branch.variant, reason))
        self.before = [*self.before, (self.track, self.scripts, dict(self.tried))]
        self.track, self.variant, self.tried = branch.track, branch.variant, {}
        self.scripts = [Script(key, key.capitalize(), "As it says.") for key in branch.steps]
        self.touch()

    def note(self, text: str) -> None:
        self.calls.append(("note", text))
        self.touch(text)

    def cancel_wait(self) -> None:
        self.calls.append(("cancel_wait",))
        self._go.set()

    async def start_watching(self) -> None:
        self.calls.append(("start_watching",))

    async def close(self) -> None:
        self.calls.append(("close",))
        self._go.set()
        await self._idle.wait()
        self.closed = True

    def called(self, name: str) -> list[tuple[str, ...]]:
        """Return the calls of one name."""
        return [call for call in self.calls if call[0] == name]


def opener(model: FakeRun) -> Callable[[str, bool], object]:
    """Return a door that opens this run, whatever its name."""

    async def open_run(run: str, watch: bool) -> FakeRun:
        model.calls.append(("open", run, str(watch)))
        return model

    return open_run
