"""The operator's own commands: run to their end, within a limit, and their end told as it was."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shlex
import signal
import tempfile
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from runbook.base.step import ClusterImpact, Effect
from runbook.failures import Finding, StepFailed
from runbook.plan.model import Plan
from runbook.procedure.steps.shared.effects import no
from state.masking import masked
from state.records import Json

KEPT_BYTES = 64 * 1024
"""How much of a command's last output is kept."""

OUTPUT_BYTES = 1024 * 1024
"""How far its output grows while it runs before what is older is dropped."""

LOOK_EVERY_S = 0.2
ENDS_S = 5.0
"""How long a command is given to end after SIGTERM, and to be gone after SIGKILL."""


class CommandEffect(Effect):
    """The operator's own command, run without a shell. It must be safe to repeat.

    It has blueprime's environment, AWS's variables included, less the database's password. It is
    done when it ends by itself with exit code 0, whatever it has left running.
    """

    def __init__(
        self, plan: Plan, argv: Sequence[str], *, key: str, title: str, stakes: ClusterImpact
    ) -> None:
        self.key = key
        self.title = title
        self.stakes = stakes
        self._argv = tuple(argv)
        self._timeout_s = plan.traffic.command_timeout_s
        self._withheld = plan.credentials.password.removeprefix("env:")

    def preview(self) -> str:
        """Return the command line, secrets masked."""
        return masked(shlex.join(self._argv))

    async def probe(self) -> Finding:
        """Say no: whether it has run cannot be seen, and it is safe to repeat."""
        return no("whether the command has run cannot be seen; it is safe to repeat")

    async def perform(self) -> Mapping[str, Json]:
        """Run it to its end; a non-zero exit is a failure with its last words."""
        # A file, not a pipe: whoever else holds it keeps nobody waiting, nor dies of its end.
        with tempfile.TemporaryFile(buffering=0) as file:
            output = Output(file)
            process = await self._start(file)
            try:
                await asyncio.wait_for(_followed(process, output), self._timeout_s)
            except TimeoutError:
                raise await self._too_slow(process, output) from None
            tail = output.tail()
        if process.returncode != 0:
            raise StepFailed(
                f"The command {self._argv[0]} {_ending(process.returncode)}: {_last_words(tail)}.",
                now="What it had done until then is not known here.",
                todo="Fix the cause, then run the step again: the command is safe to repeat.",
            )
        return {"exit": 0}

    async def _start(self, output: BinaryIO) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._argv,
                env={name: os.environ[name] for name in os.environ if name != self._withheld},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                # A hang-up or Ctrl-C of the terminal is for blueprime, which lets it settle.
                start_new_session=True,
            )
        except OSError as error:
            raise StepFailed(
                f"The command {self._argv[0]} cannot be started: {error.strerror}.",
                now="It did not run.",
                todo="Correct the command in the plan, or run it by hand; then run the step again.",
            ) from error

    async def _too_slow(self, process: Process, output: Output) -> StepFailed:
        """End it, with what it has started, and tell whether that ended."""
        tail = output.tail()
        left = await _end_all(process)
        ended = (
            f"Still running, though killed: {', '.join(map(str, left))}."
            if left
            else "It was killed, with the processes that it had started."
        )
        return StepFailed(
            f"The command {self._argv[0]} did not end within {self._timeout_s:.0f} s: "
            f"{_last_words(tail)}.",
            now=f"{ended} What it had done until then is not known here.",
            todo="Look at what it does, then run the step again: it is safe to repeat.",
        )


class Output:
    """A file that a command writes to, and of which only the end is kept."""

    def __init__(self, file: BinaryIO) -> None:
        self._number = file.fileno()
        self._kept = b""
        # Whoever shares the file has its position, too: all write at its end, wherever that is.
        flags = fcntl.fcntl(self._number, fcntl.F_GETFL)
        fcntl.fcntl(self._number, fcntl.F_SETFL, flags | os.O_APPEND)

    def bound(self) -> None:
        """Drop what is older where much was written."""
        if os.fstat(self._number).st_size > OUTPUT_BYTES:
            self._kept = self.tail()
            os.ftruncate(self._number, 0)

    def tail(self) -> bytes:
        """Return the end of what was written."""
        size = os.fstat(self._number).st_size
        there = os.pread(self._number, KEPT_BYTES, max(0, size - KEPT_BYTES))
        return (self._kept + there)[-KEPT_BYTES:]


async def _followed(process: Process, output: Output) -> None:
    """Wait for a command's end, its output bounded meanwhile."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        while not (await asyncio.wait({waiting}, timeout=LOOK_EVERY_S))[0]:
            output.bound()
    finally:
        waiting.cancel()


async def _end_all(process: Process) -> list[int]:
    """End a command and its descendants, politely first; return the pids that go on."""
    known = {process.pid, *_descendants(process.pid)}
    for number in (signal.SIGTERM, signal.SIGKILL):
        known |= _descendants(process.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        for pid in known:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        ends = asyncio.get_running_loop().time() + ENDS_S
        while known and asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(0.05)
            known = {pid for pid in known if _lives(pid)}
        if not known and not _group_lives(process.pid):
            break
    return sorted(known)


def _lives(pid: int) -> bool:
    """Tell whether a process goes on; one that has ended and is not waited for does not."""
    try:
        os.kill(pid, 0)
        return _stat(pid)[0] != "Z"
    except ProcessLookupError:
        return False
    except (OSError, IndexError):
        return True


def _group_lives(leader: int) -> bool:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, 0)
        return True
    return False


def _stat(pid: int) -> list[str]:
    """Return a process's state, parent and what follows in /proc; see proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _descendants(root: int) -> set[int]:
    """Return the processes that a process has started and is still the parent of, and theirs.

    Those that have left its process group are among them. Empty where the system has no /proc.
    """
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found: set[int] = set()
    left = [root]
    while left:
        fresh = [pid for pid in children.get(left.pop(), []) if pid not in found]
        found.update(fresh)
        left += fresh
    return found


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _last_words(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()[-3:]
    return masked(" / ".join(lines)) or "no output"
