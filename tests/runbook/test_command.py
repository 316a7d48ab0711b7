"""The operator's commands: what their end was, and that they hold nothing up."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Impact
from runbook.failures import StepFailed
from runbook.plan.model import Plan
from runbook.procedure.steps.shared import command
from runbook.procedure.steps.shared.command import CommandEffect
from tests.workspace import until

LONG_S = 120.0
"""Longer than any command here takes, however loaded the machine is."""


def effect(*argv: str, timeout_s: float = LONG_S) -> CommandEffect:
    plan = SimpleNamespace(
        traffic=SimpleNamespace(command_timeout_s=timeout_s),
        credentials=SimpleNamespace(password="env:WITHHELD"),
    )
    stakes = ClusterImpact(Impact.STOP, Role.BLUE)
    return CommandEffect(cast(Plan, plan), argv, key="k", title="t", stakes=stakes)


def shell(script: str, **more: Any) -> CommandEffect:
    return effect("sh", "-c", script, **more)


def pid_in(path: Path) -> int:
    until(lambda: path.exists() and path.read_text().strip().isdigit())
    return int(path.read_text())


async def test_what_a_command_leaves_running_does_not_hold_it_up(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/pid; exit 0"
    assert await shell(script).perform() == {"exit": 0}
    pid = pid_in(tmp_path / "pid")
    assert command._lives(pid), "what it started is its own business"
    os.kill(pid, signal.SIGKILL)


async def test_what_is_left_running_may_go_on_writing(tmp_path: Path) -> None:
    script = (
        f"(while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo x; echo y && "
        f"touch {tmp_path}/wrote) & exit 0"
    )
    assert await shell(script).perform() == {"exit": 0}
    (tmp_path / "go").touch()
    until((tmp_path / "wrote").exists)


async def test_an_exit_code_is_told_with_the_last_words() -> None:
    with pytest.raises(StepFailed, match=r"sh ended with exit code 3: b / c / d\.") as failed:
        await shell(
            "for i in a b c d; do echo $i; done; sleep 600 >/dev/null 2>&1 & exit 3"
        ).perform()
    assert "killed" not in str(failed.value)


async def test_a_command_that_was_ended_by_a_signal_is_not_told_as_an_exit_code() -> None:
    with pytest.raises(StepFailed, match="was ended by SIGKILL: no output"):
        await shell("kill -9 $$").perform()


@pytest.mark.parametrize("apart", ["", "setsid "])
async def test_a_command_that_is_too_slow_is_killed_with_what_it_started(
    tmp_path: Path, apart: str
) -> None:
    script = (
        f'{apart}sh -c \'trap "" TERM; echo $$ > {tmp_path}/pid; sleep 600; '
        f"touch {tmp_path}/wrote' & echo working; wait; wait; sleep 600"
    )
    slow = shell(script, timeout_s=2.0)
    with pytest.raises(StepFailed, match=r"did not end within 2 s: working") as failed:
        await slow.perform()
    grandchild = pid_in(tmp_path / "pid")
    assert not command._lives(grandchild)
    assert failed.value.now.startswith("It was killed, with the processes that it had started.")


async def test_what_cannot_be_killed_is_not_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ENDS_S", 0.1)
    monkeypatch.setattr(command, "_lives", lambda pid: True)
    with pytest.raises(StepFailed) as failed:
        await effect("sleep", "600", timeout_s=0.1).perform()
    assert failed.value.now.startswith("Still running, though killed: ")


async def test_output_without_end_is_bounded_and_its_last_words_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    tail = command.Output.tail

    def seen(output: command.Output) -> bytes:
        kept = tail(output)
        sizes.append(len(kept))
        # What was dropped leaves no hole before what is written next.
        assert b"\0" not in kept
        return kept

    monkeypatch.setattr(command.Output, "tail", seen)
    monkeypatch.setattr(command, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(command, "OUTPUT_BYTES", 100_000)
    with pytest.raises(StepFailed, match=r"exit code 7: .*the last word"):
        await shell("yes 0123456789 | head -c 20000000; echo; echo the last word; exit 7").perform()
    assert len(sizes) > 1
    assert max(sizes) <= command.KEPT_BYTES


async def test_the_last_words_of_a_command_that_was_too_slow_outlast_what_was_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(command, "OUTPUT_BYTES", 100_000)
    said = "yes 0123456789 | head -c 2000000; echo; echo what it waits for; sleep 600"
    with pytest.raises(StepFailed, match=r"did not end within .*what it waits for"):
        await shell(said, timeout_s=3).perform()


async def test_a_command_that_is_not_there_did_not_run() -> None:
    with pytest.raises(StepFailed, match="cannot be started: No such file"):
        await effect("/nowhere/at/all").perform()


async def test_the_password_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WITHHELD", "s3cret")
    monkeypatch.setenv("GIVEN", "yes")
    with pytest.raises(StepFailed, match=r"exit code 1: \[\] \[yes\]"):
        await shell('echo "[$WITHHELD] [$GIVEN]"; exit 1').perform()
