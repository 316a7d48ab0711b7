"""Physical copies of a server's data, and their upgrade to another major version."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from rehearsal.servers.ground import ADMIN
from rehearsal.servers.server import Server


def base_backup(source: Server, target: Server, *, slot: str | None = None) -> None:
    """Copy a running server, a locked one too, with the WAL that makes the copy consistent.

    With `slot` the source keeps, in a new physical slot of that name, the WAL that follows. The
    copy takes over the source's own settings layer of the parameter group.
    """
    ground = source.ground
    if not target.data.parent.exists():
        ground.make_folder(target.data.parent)
    # A stream ends with the next message from the source, for which a standby of nobody takes its
    # time; but its WAL stands still and can be fetched.
    method = "fetch" if source.standby else "stream"
    keep = ["--create-slot", f"--slot={slot}"] if slot else []
    ground.run(
        [
            source.installation.tool("pg_basebackup"),
            f"--dbname={source.address('postgres', passfile=str(ground.passfile))}",
            f"--pgdata={target.data}",
            "--checkpoint=fast",
            f"--wal-method={method}",
            "--no-sync",
            "--no-manifest",
            *keep,
        ]
    )
    _set_free(source, target)


def cold_copy(source: Server, target: Server) -> None:
    """Copy a stopped server's data, as the servers' own account."""
    ground = source.ground
    if not target.data.parent.exists():
        ground.make_folder(target.data.parent)
    ground.run(["/bin/cp", "-R", "-p", source.data, target.data])
    _set_free(source, target)


def _set_free(source: Server, target: Server) -> None:
    (target.data / "standby.signal").unlink(missing_ok=True)
    target.set_doors(open_=True)
    target.configure("group", source.layers["group"])


def upgrade(old: Server, new: Server) -> None:
    """Move a stopped server's data into a fresh one of a newer major version.

    Files are linked, so the old data folder cannot be used again and is removed.
    """
    ground = old.ground
    old.configure("state", {})
    # The path of a socket may have 107 bytes at most; that of a state folder is often too long.
    with tempfile.TemporaryDirectory(prefix="pg-") as sockets:
        ground.own(Path(sockets))
        ground.run(
            [
                new.installation.tool("pg_upgrade"),
                f"--old-bindir={old.installation.bindir}",
                f"--new-bindir={new.installation.bindir}",
                f"--old-datadir={old.data}",
                f"--new-datadir={new.data}",
                f"--socketdir={sockets}",
                f"--username={ADMIN}",
                "--jobs=2",
                "--link",
                "--no-sync",
            ],
            cwd=new.data.parent,
        )
    shutil.rmtree(old.data)
