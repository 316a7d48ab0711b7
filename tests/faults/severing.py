"""Nights that lose a connection at each change by SQL, and are gone on with each time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from state.enums import Outcome
from state.journal import Journal
from state.records import Effect
from tests.chaos.nights import Night
from tests.faults.severed import Point, read
from tests.workspace import LIMIT_S, Workspace, until

BEFORE, DURING, AFTER = "before", "during", "after"
MOMENTS = (BEFORE, DURING, AFTER)

FAILED, UNKNOWN = 1, 4

ROUNDS, CUTS_A_ROUND = 6, 4
"""How often so many random cuts are ordered, each time before a command, on each track."""

REPEATED = ("/barrier-", "/refresh", "/password", "/analyze")
"""Keys of effects that are done anew whatever came of them: no look tells what became of one."""

LASTING_AT_ONCE = ("pg_create_logical_replication_slot",)
"""What lasts although it stands inside of a transaction: the COMMIT at which a connection is lost
adds nothing to it."""


@dataclass
class Figures:
    """What a night came to."""

    struck: int = 0
    commands: int = 0
    acknowledged: int = 0

    def __str__(self) -> str:
        return (
            f"{self.struck} connections lost, gone on with {self.commands} times, "
            f"{self.acknowledged} writes acknowledged, none lost"
        )


def sever(workspace: Workspace, night: Night, moment: str) -> Figures:
    """Go through a night with a connection lost at each change by SQL, and return its figures."""
    workspace.lab()
    plan = workspace.plan(*night.options)
    text = plan.read_text(encoding="utf-8")
    for old, new in night.edits:
        text = text.replace(old, new)
    plan.write_text(text, encoding="utf-8")
    workspace.run("lab", "traffic", "start")
    record = workspace.home.parent / "severed.jsonl"
    figures = Figures()
    for phase in night.phases:
        run = workspace.json("runs", "--json")
        arguments = (run[0]["run"] if run else str(plan), *phase.arguments)
        figures.commands += _through(workspace, moment, record, arguments)
        check_traffic(workspace)
    assert workspace.json("runs", "--json")[0]["result"] == night.result
    struck = read(record)
    check_history(workspace, struck)
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    figures.struck = sum(point.struck for point in struck)
    figures.acknowledged = verdict["acknowledged"]
    assert figures.acknowledged > 0
    return figures


def sever_at_random(workspace: Workspace, chance: random.Random) -> Figures:
    """Go through an upgrade and a rollback with connections lost at random messages."""
    workspace.lab()
    plan = workspace.plan()
    workspace.run("lab", "traffic", "start")
    env = workspace.lab_environment()
    figures = Figures()
    for track, result in ((), "protected"), (("--track", "rollback"), "rolled_back"):
        left = ROUNDS
        while True:
            spared = not left
            if left:
                left -= 1
                for _ in range(CUTS_A_ROUND):
                    skip = str(chance.randrange(5, 250))
                    moment = chance.choice(MOMENTS)
                    workspace.run("lab", "fault", "lose-connection", "*", moment, "", "", skip)
            else:
                workspace.run("lab", "fault", "spare-connections")
            run = workspace.json("runs", "--json")
            first = run[0]["run"] if run else str(plan)
            ended = workspace.run("auto", first, "--yes", "--json", *track, expect=None, env=env)
            said = f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
            waiting = workspace.json("lab", "fault", "list")["waiting"]
            figures.commands += 1
            if ended.returncode == 0:
                break
            assert ended.returncode in (FAILED, UNKNOWN), said
            assert "Traceback" not in said
            assert "itself failed" not in said
            assert not spared, said
        figures.struck += (ROUNDS - left) * CUTS_A_ROUND - len(waiting)
        workspace.run("lab", "fault", "spare-connections")
        assert workspace.json("runs", "--json")[0]["result"] == result
        check_traffic(workspace)
    verdict = workspace.ledger()
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)
    figures.acknowledged = verdict["acknowledged"]
    return figures


def _through(workspace: Workspace, moment: str, record: Path, arguments: Sequence[str]) -> int:
    """Begin or go on until a phase is done; each command that stops must have lost a connection."""
    commands = 0
    while True:
        before = len(read(record))
        commands += 1
        run = workspace.json("runs", "--json")
        first, *others = arguments
        ended = severed(workspace, moment, record, run[0]["run"] if run else first, *others)
        if ended.returncode == 0:
            return commands
        said = f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        assert ended.returncode in (FAILED, UNKNOWN), said
        assert any(point.struck for point in read(record)[before:]), said
        assert "Traceback" not in said


def severed(
    workspace: Workspace, moment: str, record: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run `blueprime auto` in a process that loses its connections."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "tests.faults.severed", moment, str(record)),
            *("auto", *arguments, "--yes", "--json"),
        ],
        env={**workspace.environment, **workspace.lab_environment()},
        cwd=os.getcwd(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def check_traffic(workspace: Workspace) -> None:
    """Where the journal says that the applications are let in, they are: their writes arrive."""
    with Journal.open(workspace.home / "journal.db", writer=False) as journal:
        traffic = journal.fact(journal.run("").id, "traffic")
    if traffic is None or traffic["open"]:
        before = workspace.json("lab", "traffic", "status")["acknowledged"]
        until(lambda: workspace.json("lab", "traffic", "status")["acknowledged"] > before)


def check_history(workspace: Workspace, points: Sequence[Point]) -> None:
    """Every change by SQL lost its connection; every outcome that was written down is true."""
    with Journal.open(workspace.home / "journal.db", writer=False) as journal:
        run = journal.run("").id
        attempts = journal.attempts(run)
    by_id = {effect.id: effect for attempt in attempts for effect in attempt.effects}
    assert all(each.outcome not in (None, Outcome.UNKNOWN) for each in by_id.values())
    turns = Counter(point.place[:3] for point in points)
    missed = [point for point in points if not point.struck]
    for attempt in attempts:
        for effect in attempt.effects:
            if effect.preview.startswith("-- on ") and effect.outcome is Outcome.SUCCEEDED:
                place = (attempt.track.value, attempt.step, effect.key)
                assert turns[place], f"{place} never had its turn"
    # A database may have no view to refresh, a later try no role to lock: nothing is sent then.
    assert len(missed) * 5 < len(points), missed
    for point in points:
        if point.struck and turns[point.place[:3]] == 1:
            _check_outcome(point, by_id[point.intent])


def _check_outcome(point: Point, effect: Effect) -> None:
    if point.moment == BEFORE and point.text in LASTING_AT_ONCE:
        return
    if point.moment == BEFORE:
        assert effect.outcome is Outcome.FAILED, f"{point} did not happen, but {effect}"
    elif point.moment == AFTER and not any(part in point.key for part in REPEATED):
        assert effect.outcome is not Outcome.FAILED, f"{point} happened, but {effect}"
