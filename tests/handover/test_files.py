"""The commands on journals alone: what they write, ask, refuse, and survive."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from runbook.preflight import plans
from state.enums import Environment, HandoverKind, Outcome, Status
from state.handover import read_parcel
from state.journal import Journal
from tests.test_plan import GOOD
from tests.workspace import Workspace
from tui.cli import journal_commands as commands

PLAN = GOOD.replace(
    'stop = "manual"',
    'stop = "command"\n'
    'stop_command = ["sh", "/nowhere/stop.sh"]\n'
    'start_command = ["begin-traffic"]',
)


def begun(machine: Workspace) -> None:
    """Give a machine a run, of which one change is unknown."""
    machine.home.mkdir()
    plan = machine.home / "plan.toml"
    plan.write_text(PLAN)
    with Journal.open(machine.home / "journal.db") as journal:
        journal.start_run(
            "k2f9qa",
            cluster="orders",
            cluster_resource_id="cluster-ABC123",
            account="471100000815",
            region="us-east-1",
            environment=Environment.REHEARSAL,
            plan=plans.load(plan).as_json(),
            plan_path=str(plan),
        )
        journal.end_attempt(journal.begin_attempt("k2f9qa", "identify").id, Status.SUCCEEDED)
        attempt = journal.begin_attempt("k2f9qa", "preflight").id
        journal.settle(journal.intend(attempt, "k", "Make the \x1b group", ""), Outcome.UNKNOWN)
        journal.end_attempt(attempt, Status.UNKNOWN, "The answer was lost.")


@pytest.fixture
def here(tmp_path: Path) -> Workspace:
    machine = Workspace(tmp_path / "here")
    begun(machine)
    return machine


@pytest.fixture
def there(tmp_path: Path) -> Workspace:
    machine = Workspace(tmp_path / "there")
    machine.home.mkdir()
    return machine


@pytest.fixture
def file(here: Workspace, tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    told(here, "handover", "k2f9", "--to", "ben", "--output", str(path))
    return path


def told(machine: Workspace, *arguments: str, say: str = "", expect: int = 0) -> str:
    """Run one of the two commands in this process, and return what it says."""
    command = {"handover": commands.handover, "accept": commands.accept}[arguments[0]]
    done = CliRunner().invoke(
        command, arguments[1:], input=say, env={"BLUEPRIME_HOME": str(machine.home)}
    )
    assert done.exit_code == expect, done.output
    return done.output


def custody(machine: Workspace) -> list[HandoverKind]:
    with Journal.open(machine.home / "journal.db", writer=False) as journal:
        return [each.kind for each in journal.handovers("k2f9qa")]


def may_act(machine: Workspace) -> bool:
    """Tell whether the machine's journal lets the run be acted on."""
    with Journal.open(machine.home / "journal.db", writer=False) as journal:
        runs = journal.runs()
    return any(run.run == "k2f9qa" and run.away is None for run in runs)


def test_what_is_taken_over_is_shown_and_asked_about(there: Workspace, file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = told(there, "accept", str(file), say="n\n", expect=3)
    for words in (
        "run k2f9qa of cluster orders (cluster-ABC123, us-east-1, account 471100000815), rehearsal",
        "for ben",
        read_parcel(file).fingerprint[:12],
        "stands on the track upgrade: next is preflight",
        "way back from here: abort",
        "? unknown whether it happened: Make the ",
        "lacks something the run needs: traffic.stop_command: there is no /nowhere/stop.sh here",
        "traffic.start_command: there is no command begin-traffic here",
        "credentials.password: the variable ORDERS_PASSWORD is unset",
        "the lab of this rehearsal is not in the environment",
        "Nothing was taken over.",
    ):
        assert words in shown
    assert "\x1b" not in shown
    assert there.json("runs", "--json") == []
    assert "Nobody answered" in told(there, "accept", str(file), say="", expect=3)

    taken = told(there, "accept", str(file), say="y\n")
    assert "acted on here now" in taken
    plan = there.home / "plan-k2f9qa.toml"
    assert f"Its plan was written to {plan}" in taken
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    with Journal.open(there.home / "journal.db", writer=False) as journal:
        assert journal.run("k2f9qa").plan_path == str(plan)
        assert plans.load(plan).as_json() == journal.run("k2f9qa").plan
    assert "to be acted on here" in told(there, "accept", str(file), "--yes", expect=1)


def test_the_plan_is_written_over_no_other_file(there: Workspace, file: Path) -> None:
    (there.home / "plan-k2f9qa.toml").write_text("somebody's")
    told(there, "accept", str(file), "--yes")
    assert (there.home / "plan-k2f9qa.toml").read_text() == "somebody's"
    assert plans.load(there.home / "plan-k2f9qa-2.toml").cluster.identifier == "orders"


def test_no_file_is_written_over(here: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("somebody's")
    refused = told(here, "handover", "k2f9qa", "--output", str(other), expect=1)
    assert "nothing was handed over" in refused
    assert (other.read_text(), custody(here)) == ("somebody's", [])
    told(here, "handover", "k2f9qa", "--output", str(tmp_path / "run.json"))
    told(here, "handover", "k2f9qa", "--output", str(other), expect=1)
    assert other.read_text() == "somebody's"


def test_a_folder_that_takes_no_file_hands_nothing_over(here: Workspace, tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "folder" / "run.json"
    refused = told(here, "handover", "k2f9qa", "--output", str(nowhere), expect=1)
    assert "No such file" in refused
    assert custody(here) == []


def test_the_same_file_is_written_again(here: Workspace, file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    again = tmp_path / "again.json"
    told(here, "handover", "k2f9qa", "--output", str(again))
    assert again.read_bytes() == whole
    file.write_bytes(whole[:1000])
    told(here, "handover", "k2f9qa", "--output", str(file))
    assert file.read_bytes() == whole
    refused = told(here, "handover", "k2f9qa", "--to", "cat", expect=1)
    assert "take it back first" in refused
    assert custody(here) == [HandoverKind.GIVEN]


def test_taking_back_needs_to_be_typed(here: Workspace, file: Path) -> None:
    for say in ("", "y\n", "orders\n"):
        said = told(here, "handover", "k2f9qa", "--take-back", say=say, expect=3)
        assert "two machines act on one run" in said
    assert not may_act(here)
    told(here, "handover", "k2f9qa", "--take-back", say="orders not begun\n")
    assert may_act(here)
    assert "was not handed over" in told(
        here, "handover", "k2f9qa", "--take-back", say="orders not begun\n", expect=1
    )


def test_another_process_at_the_journal_refuses_it(
    here: Workspace, there: Workspace, file: Path, tmp_path: Path
) -> None:
    with Journal.open(there.home / "journal.db"):
        assert "held by process" in told(there, "accept", str(file), "--yes", expect=1)
    with Journal.open(here.home / "journal.db"):
        again = str(tmp_path / "again.json")
        assert "held by process" in told(here, "handover", "k2f9qa", "--output", again, expect=1)
    assert not Path(again).exists()


def test_what_a_dead_process_left_open_goes_over_as_unknown(
    here: Workspace, there: Workspace, tmp_path: Path
) -> None:
    with Journal.open(here.home / "journal.db") as journal:
        journal.intend(journal.begin_attempt("k2f9qa", "preflight").id, "k", "Make it", "")
    path = tmp_path / "run.json"
    said = told(here, "handover", "k2f9qa", "--output", str(path))
    assert "unknown, and handed over as such: Make it" in said
    told(there, "accept", str(path), "--yes")
    with Journal.open(there.home / "journal.db", writer=False) as journal:
        assert journal.attempts("k2f9qa")[-1].effects[-1].outcome is Outcome.UNKNOWN


KILLED = """
import os, signal, sys
from tui import cli

name, count = sys.argv[1], int(sys.argv[2])
real = getattr(os, name)

def deadly(*arguments, **options):
    global count
    count -= 1
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)

import tui.cli.handing
tui.cli.handing.os = type(os)("os")
vars(tui.cli.handing.os).update(vars(os))
setattr(tui.cli.handing.os, name, deadly)
cli.main(sys.argv[3:])
"""


def killed(machine: Workspace, name: str, count: int, *arguments: str) -> bool:
    """Run a command that is killed at the n-th call of a function; tell whether it came to that."""
    command = [machine.command()[0], "-c", KILLED, name, str(count), *arguments]
    done = subprocess.run(
        command, env=machine.environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize(("name", "count"), [("open", 1), ("write", 1), ("fsync", 1), ("fsync", 2)])
def test_killed_while_handing_over_one_side_at_most_may_act(
    here: Workspace, there: Workspace, tmp_path: Path, name: str, count: int
) -> None:
    path = tmp_path / "run.json"
    command = ("handover", "k2f9qa", "--to", "ben", "--output", str(path))
    assert killed(here, name, count, *command)
    if may_act(here):
        assert name == "open"
    else:
        assert custody(here) == [HandoverKind.GIVEN]
    told(here, *command)
    assert not may_act(here)
    told(there, "accept", str(path), "--yes")
    assert may_act(there)


@pytest.mark.parametrize(("name", "count"), [("open", 1), ("fsync", 1), ("fsync", 2)])
def test_killed_while_accepting_it_is_accepted_again(
    there: Workspace, file: Path, name: str, count: int
) -> None:
    assert killed(there, name, count, "accept", str(file), "--yes")
    assert not may_act(there)
    told(there, "accept", str(file), "--yes")
    assert may_act(there)
    assert len(list(there.home.glob("plan-*.toml"))) == 1


def test_a_run_that_comes_back_goes_by_its_own_plan_file_or_says_so(
    here: Workspace, there: Workspace, file: Path, tmp_path: Path
) -> None:
    told(there, "accept", str(file), "--yes")
    back = str(tmp_path / "back.json")
    told(there, "handover", "k2f9qa", "--output", back)
    assert "goes on reading" not in told(here, "accept", back, "--yes")
    again, plan = str(tmp_path / "again.json"), here.home / "plan.toml"
    told(here, "handover", "k2f9qa", "--output", again)
    told(there, "accept", again, "--yes")
    told(there, "handover", "k2f9qa", "--output", str(tmp_path / "last.json"))
    plan.write_text(PLAN.replace('"18.4"', '"17.7"'))
    said = told(here, "accept", str(tmp_path / "last.json"), "--yes")
    assert f"goes on reading {plan}, which says something else" in said


def test_every_listing_says_to_whom_it_went(
    here: Workspace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUEPRIME_HOME", str(here.home))
    for command in (commands.runs, commands.show, commands.report):
        said = CliRunner().invoke(command, [] if command is commands.runs else ["k2f9qa"])
        assert said.exit_code == 0
        assert "handed over to ben at " in said.output.replace("**Handed", "handed")
    with Journal.open(here.home / "journal.db", writer=False) as journal:
        away = journal.run("k2f9qa").away
    assert away is not None
    (listed,) = json.loads(CliRunner().invoke(commands.runs, ["--json"]).output)
    assert listed["handed_over"] == {
        "to": "ben",
        "at": away.at.isoformat(),
        "who": away.who,
        "host": away.host,
        "fingerprint": read_parcel(file).fingerprint,
    }
    shown = json.loads(CliRunner().invoke(commands.show, ["k2f9qa", "--json"]).output)
    assert shown["handed_over"] == listed["handed_over"]
