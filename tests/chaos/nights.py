"""Nights in which every effect is struck once, at one point, and the run gone on with each time.

Which effects there are is not written down anywhere here: each night finds them in its own
journal, as the tracks ask for them. A new step or effect is struck without anybody remembering.
"""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from runbook.run import checklist
from state.enums import Outcome, Status
from state.journal import Journal
from state.records import Effect
from tests.chaos.victim import AFTER_CALL, AFTER_OUTCOME, BEFORE_INTENT
from tests.workspace import Workspace

KILLED = -signal.SIGKILL
DIED = -signal.SIGALRM
THERE = (Outcome.SUCCEEDED, Outcome.ADOPTED)


class Struck(NamedTuple):
    """One effect on one stay on a track."""

    entry: int
    track: str
    step: str
    key: str


@dataclass(frozen=True, slots=True)
class Phase:
    """One command that goes on until it is done; `strike` tells whether it is killed on its way."""

    arguments: tuple[str, ...]
    strike: bool = True


@dataclass(frozen=True, slots=True)
class Night:
    """A way through the tracks."""

    name: str
    phases: tuple[Phase, ...]
    result: str
    edits: tuple[tuple[str, str], ...] = ()
    """What is replaced in the plan file."""
    options: tuple[str, ...] = ()
    """What `blueprime plan` is given beside the usual."""


UNTIL_PROTECTED = Phase((), strike=False)
BACK = Phase(("--track", "rollback"))
QUIETLY_BACK = Phase(("--track", "rollback"), strike=False)
CLEAN = Phase(("--track", "cleanup"))

NIGHTS = (
    Night("upgrade, back to blue prime", (Phase(()), BACK, CLEAN), "cleaned"),
    Night(
        "protect first, commit",
        (Phase(()), Phase(("--track", "commit")), CLEAN),
        "cleaned",
        edits=(("delete_old_blue = false", "delete_old_blue = true"),),
        options=("--order", "protect-first"),
    ),
    Night(
        "abort behind the fence",
        (Phase(("--until", "stop-traffic")), Phase(("--track", "abort"))),
        "aborted",
    ),
    Night(
        "back to old blue",
        (Phase(("--until", "create-slots"), strike=False), BACK, CLEAN),
        "cleaned",
    ),
    Night(
        "protect, then back to blue prime",
        (Phase(("--until", "resume-traffic"), strike=False), BACK, CLEAN),
        "cleaned",
    ),
    Night(
        "a rollback called off",
        (
            UNTIL_PROTECTED,
            Phase(("--track", "rollback", "--until", "compare"), strike=False),
            Phase(("--track", "upgrade")),
        ),
        "protected",
    ),
    Night(
        "back to blue prime, forward again",
        (UNTIL_PROTECTED, QUIETLY_BACK, Phase(("--track", "forward"))),
        "protected",
    ),
    Night(
        "going forward called off, settled",
        (
            UNTIL_PROTECTED,
            QUIETLY_BACK,
            Phase(("--track", "forward", "--until", "create-slots"), strike=False),
            BACK,
            Phase(("--track", "finalize")),
            CLEAN,
        ),
        "cleaned",
    ),
)


class Prison:
    """A process that runs commands and strikes them; see `tests.chaos.victim`."""

    def __init__(self, workspace: Workspace) -> None:
        self._environment = {**workspace.environment, **workspace.lab_environment()}
        self.out = workspace.home.parent / "out.txt"
        self.killed = workspace.home.parent / "killed.txt"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.victim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def run(self, *arguments: str, point: str = "", only: str = "", dies_after_s: float = 0) -> int:
        """Run a command and return its exit code, or `KILLED`, or `DIED`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.out.write_text("")
        request = {
            "arguments": arguments,
            "environment": self._environment,
            "point": point,
            "killed": str(self.killed),
            "only": only,
            "dies_after_s": dies_after_s,
            "out": str(self.out),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status: int = json.loads(self._process.stdout.readline())["status"]
        return status

    def struck(self) -> list[Struck]:
        """Return what has had its turn, oldest first."""
        lines = self.killed.read_text().splitlines() if self.killed.exists() else []
        return [Struck(*json.loads(line)) for line in lines]


@dataclass
class Figures:
    """What a night's matrix came to."""

    kills: int = 0
    acknowledged: int = 0

    def __str__(self) -> str:
        return f"{self.kills} kills, {self.acknowledged} writes acknowledged, none lost"


def go_through(workspace: Workspace, night: Night, point: str, only: str = "") -> Figures:
    """Go through a night, killed at `point` of each effect, and return its figures.

    `only` is a regular expression for the names of the effects that are struck.
    """
    workspace.lab()
    plan = workspace.plan(*night.options)
    text = plan.read_text(encoding="utf-8")
    for old, new in night.edits:
        assert old in text
        text = text.replace(old, new)
    plan.write_text(text, encoding="utf-8")
    workspace.run("lab", "traffic", "start")
    with Prison(workspace) as prison:
        for phase in night.phases:
            _phase(workspace, prison, phase, point if phase.strike else "", only, plan)
        struck = prison.struck()
    assert workspace.json("runs", "--json")[0]["result"] == night.result
    _check_history(workspace, night, struck, point, only)
    _check_calls(workspace)
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    assert verdict["acknowledged"] > 0
    return Figures(len(struck), verdict["acknowledged"])


def go_through_at_random(workspace: Workspace, seed: int) -> Figures:
    """Go through a night that dies again and again at moments that `seed` gives."""
    moments = random.Random(seed)
    workspace.lab()
    plan = workspace.plan("--order", moments.choice(["traffic-first", "protect-first"]))
    workspace.run("lab", "traffic", "start")
    kills = 0
    with Prison(workspace) as prison:
        for track in ((), ("--track", moments.choice(["rollback", "commit"]))):
            while True:
                run = _run(workspace) or str(plan)
                dies_after_s = moments.uniform(0.2, 2.5)
                status = prison.run(
                    "auto", run, "--yes", "--json", *track, dies_after_s=dies_after_s
                )
                if status != DIED:
                    break
                kills += 1
            assert status == 0, prison.out.read_text()[-4000:]
    assert workspace.json("runs", "--json")[0]["result"] in ("rolled_back", "committed")
    _check_settled(workspace)
    _check_calls(workspace)
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    return Figures(kills, verdict["acknowledged"])


def _phase(
    workspace: Workspace, prison: Prison, phase: Phase, point: str, only: str, plan: Path
) -> None:
    while True:
        run = _run(workspace)
        before = len(prison.struck())
        status = prison.run(
            "auto", run or str(plan), "--yes", "--json", *phase.arguments, point=point, only=only
        )
        if status != KILLED:
            assert status == 0, prison.out.read_text()[-4000:]
            return
        struck = prison.struck()
        assert len(struck) == before + 1
        _check_reopened(workspace, struck[-1], point)


def _run(workspace: Workspace) -> str:
    path = workspace.home / "journal.db"
    if not path.exists():
        return ""
    with Journal.open(path, writer=False) as journal:
        runs = journal.runs()
    return runs[0].run if runs else ""


def _check_reopened(workspace: Workspace, struck: Struck, point: str) -> None:
    """What the journal says after the kill is what was so."""
    with Journal.open(workspace.home / "journal.db", writer=False) as journal:
        run = journal.run("")
        listed = checklist.read(journal, run.id)
        assert listed.current.entry.track == struck.track
        line = listed.next
        assert line is not None
        assert line.step == struck.step
        assert line.attempt is not None
        assert (line.attempt.status, line.attempt.ended_at) == (Status.UNKNOWN, None)
        of_it = [effect for effect in line.attempt.effects if effect.key == struck.key]
        if point == BEFORE_INTENT:
            assert of_it == []
            return
        (effect,) = of_it
        if point == AFTER_OUTCOME:
            assert effect.outcome in THERE
        else:
            assert effect.outcome is None


def _check_history(
    workspace: Workspace, night: Night, struck: Sequence[Struck], point: str, only: str
) -> None:
    """Every effect was struck, once; every one is there."""
    seen = _check_settled(workspace)
    with Journal.open(workspace.home / "journal.db", writer=False) as journal:
        entries = [entry.id for entry in journal.entries(journal.run("").id)]
    phase_of = dict(zip(entries, night.phases, strict=True))
    for name, effects in seen.items():
        its_turn = phase_of[name.entry].strike and re.search(only, json.dumps(name))
        if its_turn and _was_performed(effects, point):
            assert name in struck, f"{name} was never struck"
    assert len(struck) == len(set(struck))


def _check_settled(workspace: Workspace) -> dict[Struck, list[Effect]]:
    """Return every effect by its name: each is there in the end, and nothing is left unknown."""
    with Journal.open(workspace.home / "journal.db", writer=False) as journal:
        attempts = journal.attempts(journal.run("").id)
    seen: dict[Struck, list[Effect]] = {}
    for attempt in attempts:
        for effect in attempt.effects:
            name = Struck(attempt.entry, attempt.track.value, attempt.step, effect.key)
            seen.setdefault(name, []).append(effect)
    for name, effects in seen.items():
        unknown = [effect for effect in effects if effect.outcome in (None, Outcome.UNKNOWN)]
        assert not unknown, f"{name} is left unknown"
        assert effects[-1].outcome in THERE, f"{name} ended {effects[-1].outcome}"
    return seen


def _was_performed(effects: Sequence[Effect], point: str) -> bool:
    """Return whether an effect came to the point at all: what is there already is not called."""
    return point != AFTER_CALL or any(e.outcome is Outcome.SUCCEEDED for e in effects)


def _check_calls(workspace: Workspace) -> None:
    """Each call that changes AWS was made once for its object."""
    again = {call: times for call, times in Counter(workspace.changes()).items() if times > 1}
    assert not again
