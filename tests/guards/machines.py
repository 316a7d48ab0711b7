"""The machines of a night: each has a journal of its own, and only one of them knows the run best.

A journal's lineage is counted, not guessed: every change of a run has a number, and a journal knows
the run up to the last change that was made from it, or from what it is a copy of. Whoever adopts a
run knows it up to that moment.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from runbook import recovery
from runbook.aws import Aws
from runbook.failures import StepFailed
from runbook.preflight import plans
from runbook.run.session import Session
from state.errors import Refused
from state.journal import Journal
from tests.guards.control import REGION, ControlPlane
from tests.guards.guard import TALLY
from tests.guards.process import Process, RunProcess
from tests.guards.things import PRODUCTION


@dataclass(frozen=True)
class Kept:
    """A journal as it was at some time."""

    content: bytes
    run: str
    known: Counter[str]


@dataclass
class Machine:
    """A machine with a journal, or with none yet."""

    folder: Path
    run: str = ""
    """The run that its operator goes on with."""
    known: Counter[str] = field(default_factory=Counter)
    """Run -> the number of the last change that its journal knows of."""
    process: RunProcess | None = None

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive

    def leave(self) -> None:
        """Leave what is open here properly."""
        if self.process is not None and self.process.alive:
            self.process.leave()
        self.process = None

    def kill(self) -> None:
        """Kill the process between two steps."""
        if self.process is not None and self.process.alive:
            self.process.kill()
        self.process = None

    def kept(self) -> Kept:
        """Return the journal as it is now, whoever has it open."""
        with closing(sqlite3.connect(self.journal)) as db:
            content = db.serialize()
        return Kept(content, self.run, Counter(self.known))

    def put(self, kept: Kept) -> None:
        """Put a copy in the place of the journal, with nothing beside it."""
        self.leave()
        self.clear()
        self.folder.mkdir(exist_ok=True)
        self.journal.write_bytes(kept.content)
        self.run, self.known = kept.run, Counter(kept.known)

    def clear(self) -> None:
        """Take the journal away, with all that lies beside it."""
        for path in self.folder.glob("*"):
            path.unlink()


class Machines:
    """The machines that have a part in a night. One process acts at a time, several may be open."""

    world: ControlPlane
    plan_path: Path

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._machines: dict[int, Machine] = {}
        self.here = 0
        """Which machine the operator is at."""
        self.copies: dict[int, Kept] = {}
        """Copies that somebody keeps, by number."""

    @property
    def machine(self) -> Machine:
        return self._at(self.here)

    def _at(self, number: int) -> Machine:
        return self._machines.setdefault(number, Machine(self._folder / f"machine-{number}"))

    @property
    def run(self) -> str:
        """The run that is gone on with here."""
        return self.machine.run

    @run.setter
    def run(self, run: str) -> None:
        self.machine.run = run

    def begin(self) -> None:
        """Begin a run here. Raises `RunIsOpen` where one is open for the cluster."""
        self.machine.folder.mkdir(exist_ok=True)
        plan = plans.load(self.plan_path)
        process = self._process(
            lambda journal: Session.start(journal, plan, self.plan_path, who="ada")
        )
        self.machine.process = process
        self.run = process.session.run.id

    def _process(self, begin: Callable[[Journal], Session]) -> RunProcess:
        return RunProcess(self.world, self.machine.journal, begin, self.machine.known)

    def opened(self) -> RunProcess:
        """Return the process that has the run open here; open it anew if there is none."""
        machine = self.machine
        if not machine.alive:
            machine.process = self._process(
                lambda journal: Session.open(journal, machine.run, who="ada")
            )
            TALLY["opened"] += 1
        assert machine.process is not None
        machine.process.come_to_the_fore()
        return machine.process

    def leave(self) -> None:
        """Leave the run properly."""
        self.machine.leave()

    def kill(self) -> None:
        """Kill the process here between two steps."""
        self.machine.kill()

    def end(self) -> None:
        """Kill whatever is open on any machine."""
        for machine in self._machines.values():
            machine.kill()

    # Copies, and other machines.

    def keep_copy(self, number: int, *, killed: bool = False) -> None:
        """Keep a copy of the journal as it is now."""
        if killed:
            self.kill()
        else:
            self.leave()
        self.copies[number] = self.machine.kept()

    def put_back(self, number: int) -> None:
        """Put a copy that was kept in the place of the journal here, as from a backup."""
        if number in self.copies:
            self.machine.put(self.copies[number])
            TALLY["journals put back"] += 1

    def go_to(self, number: int, *, left: bool = True) -> None:
        """Go on at another machine, which has a journal, or gets a copy of the one from here.

        Unless it is `left`, the process from here stays open, and goes on when one comes back.
        """
        former = self.machine
        if left:
            former.leave()
        if not self._at(number).journal.exists():
            self._at(number).put(former.kept())
        TALLY["changes of machine"] += self.here != number
        self.here = number

    def adopt(self, number: int) -> None:
        """Adopt the run at another machine: into its journal, which may know it, or into a new one.

        Where that is refused nothing is there to go on with, and the operator comes back.
        """
        run = self.run
        self.leave()
        machine = self._at(number)
        machine.leave()
        empty = not machine.journal.exists()
        machine.folder.mkdir(exist_ok=True)
        process = Process(self.world, machine.journal)
        try:
            process.do(self._adopting(process, run))
            # Where it was killed meanwhile nothing of it is in the journal.
            adopted = process.alive
        except (StepFailed, Refused):
            adopted = False
        if process.alive:
            process.leave()
        TALLY["adoptions" if adopted else "adoptions refused"] += 1
        if adopted:
            TALLY["adoptions by a journal that knew the run"] += machine.known[run] > 0
            machine.run, self.here = run, number
            machine.known[run] = self.world.changes[run]
        elif empty:
            machine.clear()

    async def _adopting(self, process: Process, run: str) -> None:
        journal = process.journal
        try:
            found = await recovery.look(
                Aws(REGION), PRODUCTION, run=run, plan=plans.load(self.plan_path)
            )
        except recovery.Ended as ended:
            known = recovery.known(journal, run)
            if known is None or not known.open:
                raise Refused(str(ended)) from ended
            recovery.close_ended(journal, known, ended, who="ada")
            return
        standing = await recovery.stand(journal, found)
        locked = tuple(sorted({*found.surely_locked, *found.maybe_locked}))
        recovery.write(journal, found, self.plan_path, standing, locked=locked, who="ada")
