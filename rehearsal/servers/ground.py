"""Where the lab's servers stand: their account, their folder, their password, their keeper."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rehearsal.servers import keeper

ADMIN = "rdsadmin"
"""The bootstrap superuser, named as on Aurora; the lab alone knows its password."""


NOTHING_MORE: Mapping[str, str] = {}

LETS_GO_S = 2.0
"""How long a process that was killed may take to be gone, and its locks with it."""


class ServerError(Exception):
    """A server, or a tool that works on one, refused; in words fit for an event message."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user that servers run as where the lab itself runs as root."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """Return the account for servers, or None to run them as oneself: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def _taken(lock: IO[str]) -> bool:
    """Take the lock of a state folder; a process that was just killed lets go a moment later."""
    deadline = time.monotonic() + LETS_GO_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


class Ground:
    """The place of one lab's servers, below a state folder.

    `base` holds their data. It lies in the state folder, but where servers run as another user it
    is a new folder in the system's temporary one, since a home of root's cannot be entered by
    them; `servers` in the state folder then leads to it. What an earlier lab left is ended first.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder.resolve()
        self._lock = (self.folder / "servers.lock").open("w")
        if not _taken(self._lock):
            self._lock.close()
            raise ServerError(f"Another lab is running in {self.folder}.")
        self.account = unprivileged()
        self._link = self.folder / "servers"
        if self._link.is_symlink():
            keeper.sweep(self._link.resolve())
            self._link.unlink()
        outside = None if self.account else self.folder
        self.base = Path(tempfile.mkdtemp(prefix="blueprime-lab-", dir=outside))
        self._link.symlink_to(self.base)
        self.base.chmod(0o711 if self.account else 0o700)
        self.logs = self.folder / "logs"
        self.logs.mkdir(exist_ok=True, mode=0o700)
        self.password = secrets.token_hex(24)
        self.passfile = self.base / "pgpass"
        self.write(self.passfile, f"*:*:*:{ADMIN}:{self.password}\n")
        self._reports = threading.Lock()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, str(self.base)],
            stdin=subprocess.PIPE,
            # It must not hold open what the lab's starter waits on.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def close(self) -> None:
        """Let the keeper end what is left and remove the data, and wait until it has."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait()
        self._link.unlink(missing_ok=True)
        self._lock.close()

    def own(self, path: Path) -> None:
        """Give a file or folder to the account that servers run as."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def write(self, path: Path, text: str) -> None:
        """Replace a file that servers read, in one move and readable by them alone."""
        draft = path.with_name(f"{path.name}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        self.own(draft)
        draft.replace(path)

    def make_folder(self, path: Path) -> None:
        """Make a folder, with its parents, that servers own and nobody else enters."""
        if not path.parent.exists():
            self.make_folder(path.parent)
        path.mkdir(mode=0o700)
        self.own(path)

    def reaches(self, program: Path) -> bool:
        """Return whether the servers' account may run this program where it lies."""
        try:
            process = self._popen([str(program), "--version"], subprocess.PIPE)
        except PermissionError:
            return False
        process.communicate()
        return process.returncode == 0

    def spawn(
        self, command: Sequence[str | Path], log: IO[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        """Start a server as a child of this process; `ended` must be told when it is over."""
        with self._reports:
            process = self._popen([str(word) for word in command], log, environment=environment)
            self._report("server", process)
        return process

    def ended(self, process: subprocess.Popen[str]) -> None:
        """Tell the keeper that a child is over."""
        with self._reports:
            self._report("gone", process)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] = NOTHING_MORE,
    ) -> str:
        """Run a tool to its end and return what it printed.

        Raise `ServerError` with its last lines when it fails.
        """
        words = [str(word) for word in command]
        with self._reports:
            process = self._popen(words, subprocess.PIPE, cwd, environment)
            self._report("tool", process)
        output, _ = process.communicate()
        self.ended(process)
        if process.returncode:
            last = " ".join(output.strip().splitlines()[-6:])
            raise ServerError(f"{Path(words[0]).name} failed: {last}")
        return output

    def _popen(
        self,
        command: Sequence[str],
        output: IO[str] | int,
        cwd: Path | None = None,
        environment: Mapping[str, str] = NOTHING_MORE,
    ) -> subprocess.Popen[str]:
        account = self.account
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            cwd=cwd or self.base,
            # LC_ALL: without it a server on macOS refuses to start as "multithreaded".
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LC_ALL": "C",
                "HOME": str(self.base),
                "PGPASSFILE": str(self.passfile),
                **environment,
            },
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def _report(self, kind: str, process: subprocess.Popen[str]) -> None:
        assert self._keeper.stdin is not None
        # A keeper that was killed is no reason to fail: the next lab sweeps this one's folder.
        with suppress(BrokenPipeError):
            self._keeper.stdin.write(f"{kind} {process.pid}\n".encode())
            self._keeper.stdin.flush()
