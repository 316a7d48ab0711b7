"""Signals and kills in every kind of moment; and a second operator, who looks on or takes over."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.nights.test_invariants import (
    a_dropped_slot_is_named,
    drop_slot,
    no_rollback_without_its_slot,
)
from tests.operator.nights import (
    ended,
    left_unknown,
    no_call_twice,
    nothing_lost,
    reaches,
    rows,
)
from tests.operator.terminal import terminal
from tests.workspace import LIMIT_S, Workspace, until

AWAITING = "SELECT 1 FROM attempt WHERE step = 'await-green' AND ended_at IS NULL"
SWITCHOVER = "SELECT 1 FROM effect WHERE key LIKE '%/switchover'"


class SlowStop:
    """A stop command that is under way until it is let go on."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        real = workspace.json("lab", "status", "--json")["hooks"]["stop"]
        self.begun, self.released = folder / "begun", folder / "released"
        script = folder / "stop.sh"
        script.write_text(
            f"touch {shlex.quote(str(self.begun))}\n"
            f"while [ ! -e {shlex.quote(str(self.released))} ]; do sleep 0.05; done\n"
            f"exec {shlex.join(real)}\n"
        )
        self.command = f"sh {shlex.quote(str(script))}"


def test_left_by_signals_killed_and_watched_through_a_night(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.lab()
    stop = SlowStop(workspace, tmp_path)
    plan = workspace.plan("--stop-command", stop.command)
    workspace.run("lab", "traffic", "start")

    _the_terminal_is_closed_in_a_wait(workspace, plan)
    (run,) = rows(workspace, "SELECT id FROM run")[0]
    _asked_to_end_in_the_middle_of_an_effect(workspace, run, stop)
    _killed_inside_the_fence_under_the_eyes_of_another(workspace, plan, run)

    assert workspace.json("show", run, "--json")["next"] == "switchover"
    last = workspace.start("auto", run, "--yes", "--json")
    out, err = last.communicate()
    assert last.returncode == 0, err
    assert "taken over from process" in out
    assert json.loads(out.splitlines()[-1])["result"] == "protected"
    assert left_unknown(workspace) == []
    no_call_twice(workspace)
    nothing_lost(workspace)

    drop_slot(workspace.lab_environment(), f"blueprime_{run}_1")
    no_rollback_without_its_slot(workspace, run)
    a_dropped_slot_is_named(workspace, run)


def _the_terminal_is_closed_in_a_wait(workspace: Workspace, plan: Path) -> None:
    environment = workspace.lab_environment()
    with terminal(workspace, "auto", str(plan), "--yes", env=environment) as opened:
        until(lambda: rows(workspace, AWAITING))
        opened.hang_up()
        assert opened.process.wait(60) == 1, "it left by itself, and was not killed"
    assert _latest_attempt(workspace)[:2] == ("await-green", "failed")
    assert "left meanwhile" in _latest_attempt(workspace)[2]
    assert _left_by(workspace) == "asked to leave: SIGHUP"
    assert rows(workspace, "SELECT pid FROM writer") == [], "the journal was let go"


def _asked_to_end_in_the_middle_of_an_effect(
    workspace: Workspace, run: str, stop: SlowStop
) -> None:
    process = workspace.start("auto", run, "--yes")
    until(stop.begun.exists)
    process.send_signal(signal.SIGTERM)
    until(lambda: _left_by(workspace) == "asked to leave: SIGTERM")
    process.send_signal(signal.SIGHUP)
    assert process.poll() is None, "the effect in flight settles first"
    stop.released.touch()
    ended(process, 1, "SIGTERM: leaving run", "ends first")
    assert _latest_attempt(workspace)[:2] == ("stop-traffic", "failed")
    (outcome,) = rows(workspace, "SELECT outcome FROM effect WHERE key LIKE '%stop-command'")[0]
    assert outcome == "succeeded"
    assert rows(workspace, SWITCHOVER) == [], "nothing further was begun"


def _killed_inside_the_fence_under_the_eyes_of_another(
    workspace: Workspace, plan: Path, run: str
) -> None:
    first = workspace.start("auto", run, "--yes", "--json")
    watcher = workspace.start("watch", run, "--json")
    try:
        lines = _Lines(watcher)
        held = lines.until(lambda line: line.get("holder"))["holder"]
        assert held["pid"] == first.pid
        assert held["since"]
        reaches(workspace, SWITCHOVER, first)
        first.send_signal(signal.SIGSTOP)  # it stands still, and lives
        for second in (str(plan), run):
            said = workspace.run("auto", second, "--yes", expect=1).stderr
            assert f"held by process {first.pid}" in said
            assert "since" in said
            forced = workspace.run("auto", second, "--yes", "--take-over", expect=1).stderr
            assert f"held by process {first.pid}" in forced, "who lives here is not pushed aside"
        first.kill()
        first.communicate()
        lines.until_all(
            # Told with where it stands, if the watcher began late.
            lambda _: any("switch over" in json.dumps(line) for line in lines.seen),
            lambda line: line["kind"] == "holder" and line["holder"] is None,
        )
        assert lines.until(lambda line: line["kind"] == "board")["board"]["at"]
    finally:
        watcher.kill()
        watcher.communicate()
        if first.poll() is None:
            first.kill()
            first.communicate()


class _Lines:
    """The JSON lines that a process prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.seen: list[dict[str, Any]] = []

    def until(self, wanted: Any) -> dict[str, Any]:
        """Return the next line that is wanted."""
        return self.until_all(wanted)

    def until_all(self, *wanted: Any) -> dict[str, Any]:
        """Read until each that is wanted has come, in any order; return the last."""
        assert self._process.stdout is not None
        waiting = list(wanted)
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline and (text := self._process.stdout.readline()):
            line: dict[str, Any] = json.loads(text)
            self.seen.append(line)
            waiting = [each for each in waiting if not each(line)]
            if not waiting:
                return line
        self._process.kill()
        raise AssertionError(f"it ended: {self._process.communicate()[1][-2000:]}")


def _latest_attempt(workspace: Workspace) -> tuple[str, str, str]:
    step, status, message = rows(
        workspace, "SELECT step, status, message FROM attempt ORDER BY id DESC LIMIT 1"
    )[0]
    return step, status, message


def _left_by(workspace: Workspace) -> str:
    found = rows(
        workspace,
        "SELECT text FROM event WHERE kind = 'leave' AND text LIKE 'asked%' "
        "ORDER BY id DESC LIMIT 1",
    )
    return str(found[0][0]) if found else ""
