"""A process that runs the command line and dies at a chosen point of an effect, or moment.

It forks for each command, so that the libraries are loaded once. The four points surround what the
runner does of an effect: probe, intent on disk, the call, outcome on disk.

Run as a module it reads one JSON request a line: `{"arguments", "environment", "point", "killed",
"only", "dies_after_s", "out"}` and answers each with `{"status"}`, the child's exit code, or -9 or
-14 where it was killed. `killed` is a file with the effects that have had their turn; the next one
that is not in it is struck, and added to it before. `only` is a regular expression that the name of
an effect must match to be struck. An empty `point` strikes none.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from state.enums import Outcome
from state.records import Json
from state.writing import Writer

BEFORE_INTENT, AFTER_INTENT = "before-intent", "after-intent"
AFTER_CALL, AFTER_OUTCOME = "after-call", "after-outcome"
POINTS = (BEFORE_INTENT, AFTER_INTENT, AFTER_CALL, AFTER_OUTCOME)


class Executioner:
    """Strikes each effect once, at one point, however often the process is started again."""

    def __init__(self, point: str, killed: Path, only: str) -> None:
        self._point = point
        self._only = re.compile(only)
        self._path = killed
        self._had_their_turn = set(killed.read_text().splitlines()) if killed.exists() else set()

    def strike(self, point: str, effect: str) -> None:
        """End this process here, as `kill -9` does, if it is the effect's turn."""
        if point != self._point or effect in self._had_their_turn:
            return
        if not self._only.search(effect):
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(effect + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)

    def stand_by(self) -> None:
        """Stand beside the journal: it hears of each intent and of each outcome."""
        intend, settle = Writer.intend, Writer.settle
        strike = self.strike

        def intending(self: Writer, attempt: int, key: str, title: str, preview: str) -> int:
            name = _name(self, attempt, key)
            strike(BEFORE_INTENT, name)
            effect = intend(self, attempt, key, title, preview)
            strike(AFTER_INTENT, name)
            return effect

        def settling(
            self: Writer,
            effect: int,
            outcome: Outcome,
            detail: Mapping[str, Json] = {},
        ) -> None:
            of, _ = self._effect(effect)
            name = _name(self, of.attempt, of.key)
            if outcome is Outcome.SUCCEEDED:
                strike(AFTER_CALL, name)
            settle(self, effect, outcome, detail)
            strike(AFTER_OUTCOME, name)

        Writer.intend = intending  # type: ignore[method-assign]
        Writer.settle = settling  # type: ignore[method-assign]


def _name(writer: Writer, attempt: int, key: str) -> str:
    """Return an effect's name on its stay on a track; a line break in it would end the line."""
    of = writer._attempt(attempt)
    return json.dumps([of.entry, of.track.value, of.step, key])


def run(request: Mapping[str, Any]) -> int:
    """Run one command in a child; return its exit code, negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _in_the_child(request)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _in_the_child(request: Mapping[str, Any]) -> int:
    out = os.open(request["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(request["environment"])
    if request["dies_after_s"]:
        # Nobody handles this signal: the kernel ends the process where it stands.
        signal.setitimer(signal.ITIMER_REAL, request["dies_after_s"])
    if request["point"]:
        Executioner(request["point"], Path(request["killed"]), request["only"]).stand_by()
    from tui.cli import main

    try:
        main.main(args=list(request["arguments"]), prog_name="blueprime")
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        return int(end.code or 0) if not isinstance(end.code, str) else 1
    return 0


def serve() -> None:
    """Load what each command needs, then answer requests until there are no more."""
    import tui.cli.unattended  # noqa: F401

    for line in sys.stdin:
        status = run(json.loads(line))
        sys.stdout.write(json.dumps({"status": status}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
