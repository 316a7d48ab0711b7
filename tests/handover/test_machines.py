"""Two machines and one world: a run goes from one to the other in the middle of a night."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nights.test_killed import rows
from tests.workspace import Workspace, until


class Machine(Workspace):
    """A second workspace, which reaches the first one's lab by its environment alone."""

    def __init__(self, home: Path, lab: dict[str, str]) -> None:
        super().__init__(home)
        self.lab_env = lab

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.lab_env, "BLUEPRIME_HOME": str(self.home)}


@pytest.fixture
def first(workspace: Workspace) -> Workspace:
    """The machine with the lab, its plan written and its applications running."""
    workspace.lab()
    workspace.plan()
    workspace.run("lab", "traffic", "start")
    return workspace


@pytest.fixture
def second(first: Workspace, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "second", first.lab_environment())
    machine.home.mkdir()
    return machine


def upgraded(first: Workspace, last: str) -> str:
    """Begin the run and stop after a step; return its id."""
    run: str = first.last_line(
        *("auto", str(first.home / "plan.toml"), "--until", last, "--yes", "--json"),
        env=first.lab_environment(),
    )["run"]
    return run


def ledger_is_whole(first: Workspace) -> None:
    verdict = first.ledger()
    assert verdict["acknowledged"] > 0
    assert (verdict["missing"], verdict["mismatched"]) == (0, 0)


def passed_on(giver: Workspace, taker: Workspace, run: str, file: Path) -> str:
    """Hand a run over, and return what the other machine was shown."""
    giver.run("handover", run, "--to", "ben", "--output", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = taker.run("accept", str(file), "--yes").stdout
    assert "lacks" not in shown
    return shown


def gone_on(machine: Workspace, run: str, *options: str) -> str:
    result: str = machine.last_line("auto", run, "--yes", "--json", *options)["result"]
    return result


@pytest.mark.chaos
def test_a_night_on_two_machines_by_turns(
    first: Workspace, second: Machine, tmp_path: Path
) -> None:
    run = upgraded(first, "validate-green")
    shown = passed_on(first, second, run, tmp_path / "before the pivot")
    assert "way back from here: abort" in shown

    watching = first.start("watch", run, "--json", "--history")
    gone_on(second, run, "--until", "switchover")
    nothing_can_be_done(first, run)
    watching.kill()
    seen = [json.loads(line) for line in watching.communicate()[0].splitlines()]
    assert seen[0]["kind"] == "stands"
    assert seen[0]["handed_over"]["at"]
    assert [line["kind"] for line in seen if line["kind"] not in ("board", "holder")][-1] == (
        "handover"
    )
    assert "switchover" not in {line.get("data", {}).get("step") for line in seen}

    shown = passed_on(second, first, run, tmp_path / "inside the fence")
    assert "next is create-slots" in shown
    assert "return to old blue, nothing is lost" in shown
    assert gone_on(first, run) == "protected"

    passed_on(first, second, run, tmp_path / "baking")
    gone_on(second, run, "--track", "rollback", "--until", "compare")
    passed_on(second, first, run, tmp_path / "in the rollback's fence")
    assert gone_on(first, run, "--track", "rollback") == "rolled_back"
    ledger_is_whole(first)


@pytest.mark.chaos
@pytest.mark.parametrize("key", ["%-bgd", "%/switchover", "blueprime_%_1", "%/subscription"])
@pytest.mark.parametrize("track", ["rollback", "commit"])
def test_killed_at_a_change_and_handed_over_unknown(
    first: Workspace, second: Machine, tmp_path: Path, key: str, track: str
) -> None:
    begun = first.start(
        *("auto", str(first.home / "plan.toml"), "--yes", "--json"), env=first.lab_environment()
    )
    until(lambda: rows(first, f"SELECT 1 FROM effect WHERE key LIKE '{key}'"))
    begun.kill()
    begun.communicate()
    (run,) = rows(first, "SELECT id FROM run")[0]
    passed_on(first, second, run, tmp_path / "file")
    assert gone_on(second, run) == "protected"
    ended = {"rollback": "rolled_back", "commit": "committed"}[track]
    assert gone_on(second, run, "--track", track) == ended
    ledger_is_whole(first)


def nothing_can_be_done(machine: Workspace, run: str) -> None:
    """Try every way to act on a run that was handed over, and to hide that it was."""
    before = rows(machine, f"SELECT count(*), max(id) FROM event WHERE run = '{run}'")
    for command in (
        ("auto", run, "--yes", "--track", "cleanup"),
        ("resume", run),
    ):
        refused = machine.run(*command, expect=1)
        assert f"Run {run} of cluster orders was handed over to " in refused.stderr
        assert "Traceback" not in refused.stderr
    (listed,) = machine.json("runs", "--json")
    assert listed["handed_over"]["at"]
    assert machine.json("show", run, "--json")["handed_over"] == listed["handed_over"]
    assert "handed over to" in machine.run("report", run).stdout
    assert rows(machine, f"SELECT count(*), max(id) FROM event WHERE run = '{run}'") == before
