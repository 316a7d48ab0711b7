"""One process of blueprime in the simulated world: its journal, its session, its death."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from runbook.aws.budget import Budget
from runbook.run.session import Session
from state.enums import Outcome
from state.journal import Journal
from state.records import Evidence, Json
from tests.guards import patches
from tests.guards.clock import Killed, SimulatedLoop
from tests.guards.control import ControlPlane
from tests.guards.faults import Fault
from tests.guards.guard import TALLY, Guard
from tests.guards.ledger import HOLDER

T = TypeVar("T")


def _remembered(name: str) -> Callable[..., Any]:
    """Return a reading method that answers from memory as long as nothing was written."""
    real = getattr(Journal, name)

    def read(self: WatchedJournal, *args: Any, **more: Any) -> Any:
        if self._store.db.conn.in_transaction:
            return real(self, *args, **more)
        if self.read_at != self._store._commits:
            self.memory, self.read_at = {}, self._store._commits
        key = (name, args, tuple(more.items()))
        if key not in self.memory:
            self.memory[key] = real(self, *args, **more)
        return self.memory[key]

    return read


class WatchedJournal(Journal):
    """The real journal, at whose intents and outcomes the process may be killed.

    What was read once is not read again before the next write: most of a night would be that.
    """

    process: Process
    memory: dict[Any, Any]
    read_at = -1
    run = _remembered("run")
    attempts = _remembered("attempts")
    decisions = _remembered("decisions")
    entries = _remembered("entries")
    fact = _remembered("fact")

    def intend(self, attempt: int, key: str, title: str, preview: str) -> int:
        if self.process.world.faults.intent() is Fault.KILL_BEFORE_INTENT:
            raise Killed
        return super().intend(attempt, key, title, preview)

    def evidence(self, run: str, step: str, text: str, **more: Any) -> Evidence:
        claims = more.get("key") == HOLDER and bool(text)
        if claims and self.process.world.faults.intent(claim=True) is Fault.KILL_BEFORE_INTENT:
            raise Killed
        return super().evidence(run, step, text, **more)

    def settle(self, effect: int, outcome: Outcome, detail: Mapping[str, Json] = {}) -> None:
        super().settle(effect, outcome, detail)
        if self.process.world.faults.take(Fault.KILL_AFTER_OUTCOME):
            raise Killed


class Process:
    """Opens a journal; what it does takes simulated time only. See `RunProcess` for a run."""

    def __init__(self, world: ControlPlane, journal: Path) -> None:
        self.world = world
        self.alive = True
        self._acting = ""
        self._guard: Guard | None = None
        self.budget = Budget(clock=lambda: world.clock.now)
        self.requests: list[tuple[float, str]] = []
        """What it has asked RDS for, and when."""
        self.throttled_until = 0.0
        """Until when AWS refuses whatever it asks: too much was asked in its account."""
        self._loop = SimulatedLoop(lambda: world.clock.now, world.pass_time)
        patches.CURRENT.started += 1
        self.number: int = patches.CURRENT.started
        """Stands for what the kernel knows a process by."""
        self.come_to_the_fore()
        opened = WatchedJournal.open(journal)
        assert isinstance(opened, WatchedJournal)
        self.journal = opened
        self.journal.process = self

    @property
    def guard(self) -> Guard:
        """Who watches the run: nothing is changed without one."""
        assert self._guard is not None, "no run is open"
        return self._guard

    def come_to_the_fore(self) -> None:
        """Be the process that acts: others may be open, and stand still."""
        asyncio.set_event_loop(self._loop)
        patches.CURRENT.process = self
        self.world.acting = self._acting

    def live(self) -> None:
        """Raise `Killed` in what a dead process left behind, for it to do nothing more."""
        if not self.alive:
            raise Killed

    def do(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do something; return None if the process was killed, raise what was violated."""
        self.come_to_the_fore()
        try:
            return self._loop.run_until_complete(work)
        except Killed:
            self.kill()
            if self._guard is not None and self._guard.violation:
                raise self._guard.violation from None
            TALLY["kills"] += 1
            return None

    def kill(self) -> None:
        """End as by SIGKILL: nothing is put in order, and the kernel lets the lock go."""
        self.alive = False
        self._loop.set_exception_handler(lambda loop, context: None)
        for task in asyncio.all_tasks(self._loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            # Now, and not whenever the garbage is collected. What still wants to wait is cut: it
            # finds no loop any more, or says that it wants to.
            with contextlib.suppress(RuntimeError, AttributeError, Killed):
                task.get_coro().close()  # type: ignore[union-attr]
        lock, self.journal._lock = self.journal._lock, None
        self.journal._store.db.close()
        if lock is not None:
            os.close(lock)
        self._end()

    def leave(self) -> None:
        """Close the journal as it ought to be closed."""
        if self._guard is not None:
            # The last one to close folds what was written lately into the file.
            self._guard.close()
        self.journal.close()
        self.alive = False
        self._end()

    def _end(self) -> None:
        if self._guard is not None:
            self._guard.close()
        self._loop.close()
        asyncio.set_event_loop(None)


class RunProcess(Process):
    """A process with a run that it began or opened, and somebody who watches what it changes."""

    def __init__(
        self,
        world: ControlPlane,
        journal: Path,
        begin: Callable[[Journal], Session],
        known: Counter[str],
    ) -> None:
        """`known` is up to which change of each run the journal knows it."""
        super().__init__(world, journal)
        try:
            self.session = begin(self.journal)
        except BaseException:
            super().leave()
            raise
        run = self.session.run
        world.acting = self._acting = run.id
        self._guard = Guard(world, journal, run.id, run.cluster_resource_id, known)

    def leave(self) -> None:
        """Close the run, and then the journal."""
        self.do(self.session.close())
        if self.alive:
            super().leave()
