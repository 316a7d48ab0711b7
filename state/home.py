"""Where a workspace keeps its things."""

import os
import stat
from pathlib import Path
from typing import Literal, TextIO


def home() -> Path:
    """Return the workspace's folder: `$BLUEPRIME_HOME`, or the XDG state folder's `blueprime`."""
    if named := os.environ.get("BLUEPRIME_HOME"):
        return Path(named).expanduser().absolute()
    # The XDG specification has relative paths ignored.
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".local" / "state"
    return base / "blueprime"


def journal_path() -> Path:
    """Return the journal's file in the workspace's folder."""
    return home() / "journal.db"


def open_private(path: Path, mode: Literal["w", "a", "x"] = "w") -> TextIO:
    """Open a text file to write that its owner alone may read, whatever the umask.

    A file of one's own that others may read is closed to them; `x` refuses one that exists.
    """
    ways = {"w": os.O_TRUNC, "a": os.O_APPEND, "x": os.O_EXCL}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | ways[mode], 0o600)
    found = os.fstat(descriptor)
    own_file = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    if own_file and stat.S_IMODE(found.st_mode) != 0o600:
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "a" if mode == "a" else "w", encoding="utf-8")
