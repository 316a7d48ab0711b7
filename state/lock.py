"""One process writes the journal at a time.

A `flock` on a file beside the journal is held for as long as the process lives: the kernel drops
it with the process, however that ends. A row in the journal says who holds it; it also stands in
where the lock file was deleted, or where the folder is shared between hosts whose kernels do not
know each other's locks.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from state.errors import JournalHeld
from state.presence import refuse_special
from state.records import Holder
from state.times import from_text, now, to_text


def lock_path(journal: Path) -> Path:
    """Return the path of a journal's lock file."""
    return journal.with_name(journal.name + ".lock")


def take_flock(path: Path) -> int | None:
    """Return the descriptor that holds the lock file of `path`, or None if another holds it."""
    refuse_special(lock_path(path))
    descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@dataclass(frozen=True, slots=True)
class Written:
    """Who is written down as the writer, with the mark of its process's start."""

    holder: Holder
    process_start: str

    @property
    def elsewhere(self) -> bool:
        """Whether another machine wrote it."""
        return self.holder.host != socket.gethostname()

    @property
    def may_live(self) -> bool:
        """Whether it is on another host, or its very process, not one of the same pid, lives."""
        return self.elsewhere or process_start(self.holder.pid) == self.process_start


def read_holder(db: Database) -> Written | None:
    """Return who is written down as the writer."""
    for row in db.query("SELECT host, pid, user, since, process_start FROM writer"):
        holder = Holder(row["host"], row["pid"], row["user"], from_text(row["since"]))
        return Written(holder, row["process_start"])
    return None


def write_holder(db: Database, path: Path, *, take_over: bool) -> Holder | None:
    """Write this process down as the writer; return the dead one whose place it took.

    To be called inside a transaction that holds SQLite's write lock, by the holder of the flock.
    Raises `JournalHeld` if the one written down still lives, or, unless `take_over`, if it is on
    another host, where that cannot be seen.
    """
    former = read_holder(db)
    if former and former.may_live and not (former.elsewhere and take_over):
        raise JournalHeld(path, former.holder, elsewhere=former.elsewhere)
    pid = os.getpid()
    db.execute(
        "REPLACE INTO writer (one, host, pid, user, process_start, since) "
        "VALUES (1, ?, ?, ?, ?, ?)",
        [socket.gethostname(), pid, user(), process_start(pid) or "", to_text(now())],
    )
    return former.holder if former else None


def erase_holder(db: Database) -> None:
    """Take this process's name off the journal."""
    db.execute("DELETE FROM writer WHERE host = ? AND pid = ?", [socket.gethostname(), os.getpid()])


def unnamed_holder(since: datetime) -> Holder:
    """Return the holder of a lock who has not written its name down yet."""
    return Holder(socket.gethostname(), 0, "unknown", since)


def process_start(pid: int) -> str | None:
    """Return a mark that tells this process from any other that had or will have its pid."""
    try:
        # Field 22 of proc(5) stat, counted after the name, which may hold spaces and brackets:
        # ticks since the boot, hence the boot's own id beside it.
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except ProcessLookupError:
        return None
    except OSError:
        return None if Path("/proc/self/stat").exists() else _start_by_ps(pid)
    return None if stat[0] == "Z" else f"{boot}/{stat[19]}"


def _start_by_ps(pid: int) -> str | None:
    """Ask ps(1), where there is no /proc."""
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    started = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return started or None


def user() -> str:
    """Return the name of the user whose process this is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
