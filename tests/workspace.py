"""A workspace and a lab of its own, used through the command line as a person would."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.aws.answers import HELD, MISSHAPEN
from rehearsal.hook import ask
from rehearsal.lab import LOCK, LOG

LIMIT_S = 400
NONE: Mapping[str, str] = {}

NO_AWS_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""The user's own settings and credentials, which lie in the home folder, are not the tests'."""

_HELD = re.compile(rf"([0-9]+) {HELD}")


@dataclass
class Workspace:
    """A `BLUEPRIME_HOME` with the command line on it."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PG", "BLUE"))}
        return {**kept, **NO_AWS_FILES, "BLUEPRIME_HOME": str(self.home)}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tui.cli", *arguments]

    def start(self, *arguments: str, env: Mapping[str, str] = NONE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env={**self.environment, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, expect: int | None = 0, env: Mapping[str, str] = NONE
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, env=env)
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        if expect is not None:
            assert process.returncode == expect, f"{out[-3000:]}\n{err[-3000:]}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, expect: int | None = 0) -> Any:
        return json.loads(self.run(*arguments, expect=expect).stdout)

    def last_line(
        self, *arguments: str, expect: int | None = 0, env: Mapping[str, str] = NONE
    ) -> dict[str, Any]:
        lines = self.run(*arguments, expect=expect, env=env).stdout.splitlines()
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def lab(self, *options: str) -> None:
        self.run("lab", "start", "--pace", "0", "--lives-with", str(os.getpid()), *options)

    def ask_lab(self, name: str, *, timeout_s: float = LIMIT_S) -> dict[str, Any]:
        """Ask the lab itself, as its commands do, without the second that a command begins with."""
        return ask(str(self.home / "lab"), name, timeout_s=timeout_s)

    def lab_environment(self) -> dict[str, str]:
        """Return what `eval "$(blueprime lab env)"` sets."""
        found: dict[str, str] = self.ask_lab("status")["env"]
        return found

    def stop_lab(self) -> None:
        """Stop the lab, if there is one; a lab that is stopped already is no trouble."""
        if (self.home / "lab" / LOCK).exists():
            self.run("lab", "stop", expect=None)

    def plan(self, *options: str) -> Path:
        """Write a plan for the lab's cluster, as an operator would for a real one."""
        found = self.ask_lab("status")
        path = self.home / "plan.toml"
        hooks = found["hooks"]
        self.run(
            *("plan", found["cluster"], "--target-version", found["target_version"]),
            *("--password", found["password"], "--acknowledge", "--fast"),
            *("--stop-command", shlex.join(hooks["stop"])),
            *("--start-command", shlex.join(hooks["start"])),
            *("--output", str(path), *options),
            env=self.lab_environment(),
        )
        return path

    def changes(self) -> list[tuple[str, str]]:
        """Return action and object of each change that AWS made, oldest first.

        The mark that says who holds the run is left out: whoever goes on puts it anew.
        """
        calls = self.ask_lab("calls")["calls"]
        made = ((call["action"], json.dumps(call["target"])) for call in calls)
        return [(action, target) for action, target in made if action != "AddTagsToResource"]

    def answers_held(self) -> tuple[int, list[str]]:
        """Return how many answers the last lab gave by its end, and which broke AWS's model."""
        log = self.home / "lab" / LOG
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        held = [int(found[1]) for line in lines if (found := _HELD.search(line))]
        return sum(held), [line for line in lines if MISSHAPEN in line]

    def ledger(self) -> dict[str, Any]:
        return self.ask_lab("ledger")


NIGHT = ("--auto", "--json", "--pace", "0", "--lives-with", str(os.getpid()))


def until(condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Return the first true value of a condition, asked again and again."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)
    return value
