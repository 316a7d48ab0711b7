"""The keeper: a small process that outlives the lab by a moment and ends what the lab started.

It runs beside a lab and reads from a pipe what the lab starts and what has ended. The pipe closes
however the lab ends, `kill -9` included; then the keeper ends the servers and tools that are left
and removes their data. It uses the standard library alone, since it runs outside the package.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

PATIENCE_S = 10.0
"""How long servers may take to end before they are killed."""


def _is_postgres(pid: int) -> bool:
    """Return whether this process is a PostgreSQL server, so that a reused pid is left alone."""
    if Path("/proc/self/cmdline").exists():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
        except OSError:
            return False
    else:
        asked = ["/bin/ps", "-p", str(pid), "-o", "comm="]
        command = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return Path(command).name == "postgres"


def postmasters(base: Path) -> Iterator[int]:
    """Yield the pids of servers that run on data folders below `base`."""
    for lock in base.glob("**/postmaster.pid"):
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            continue
        if _is_postgres(pid):
            yield pid


def _signal(pid: int, what: signal.Signals, *, group: bool = False) -> None:
    try:
        (os.killpg if group else os.kill)(pid, what)
    except ProcessLookupError:
        return


def sweep(base: Path, servers: Iterable[int] = (), tools: Iterable[int] = ()) -> None:
    """End these processes and every server on a data folder below `base`, then remove `base`."""
    for pid in tools:
        _signal(pid, signal.SIGKILL, group=True)
    left = {pid for pid in servers if _is_postgres(pid)} | set(postmasters(base))
    ordered: set[int] = set()
    deadline = time.monotonic() + PATIENCE_S
    while left:
        hard = time.monotonic() > deadline
        for pid in left if hard else left - ordered:
            _signal(pid, signal.SIGKILL if hard else signal.SIGQUIT)
        ordered |= left
        time.sleep(0.02)
        left = {pid for pid in left if _is_postgres(pid)} | set(postmasters(base))
    for _ in range(50):
        shutil.rmtree(base, ignore_errors=True)
        if not base.exists():
            return
        time.sleep(0.02)


def main() -> None:
    """Follow the lab's reports (`server PID`, `tool PID`, `gone PID`) until its pipe closes."""
    running: dict[int, str] = {}
    for line in sys.stdin:
        kind, pid = line.split()
        if kind == "gone":
            running.pop(int(pid), None)
        else:
            running[int(pid)] = kind
    sweep(
        Path(sys.argv[1]),
        servers=[pid for pid, kind in running.items() if kind == "server"],
        tools=[pid for pid, kind in running.items() if kind == "tool"],
    )


if __name__ == "__main__":
    main()
