"""A night whose journal lies on a disk too small for it: run in a mount namespace of its own.

    unshare --mount python -m tests.operator.small_disk FOLDER COMMAND…

Mounts a tmpfs on FOLDER, runs COMMAND with it as `BLUEPRIME_HOME` again and again, with a little
more room each time that the disk was full, and prints one JSON line a try. The mount goes with the
namespace, however this ends.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

FIRST_KIB = 160
MORE_KIB = 160
TRIES = 60


def main(folder: Path, command: list[str]) -> None:
    """Go on until the command succeeds, or fails for another reason than a full disk."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={FIRST_KIB}k,mode=0700", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    for number in range(TRIES):
        done = subprocess.run(
            command,
            env={**os.environ, "BLUEPRIME_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        tried = {"code": done.returncode, "out": done.stdout[-4000:], "err": done.stderr}
        sys.stdout.write(json.dumps(tried) + "\n")
        full = done.returncode == 1 and "full" in done.stderr
        if not full:
            break
        size = f"remount,size={FIRST_KIB + (number + 1) * MORE_KIB}k"
        subprocess.run(["mount", "-o", size, str(folder)], check=True)
        if _begun(folder / "journal.db"):
            command[command.index("auto") + 1] = "latest"


def _begun(journal: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
            return db.execute("SELECT 1 FROM run").fetchone() is not None
    except sqlite3.Error:
        return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
