"""Whether the files that a connection writes are still those that their names lead to.

A file that is removed or renamed stays open: SQLite goes on writing it, and nobody will ever read
that. In its place another one may lie. Device and inode tell.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

_Identity = tuple[int, int]


def _identity(path: Path) -> _Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def refuse_special(*paths: Path) -> None:
    """Raise `OSError` where a path leads to a pipe, a device or a socket.

    Reading one may never end, nor opening it begin. A path that leads nowhere is for whoever opens
    it to tell.
    """
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            mode = os.stat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise OSError(errno.EINVAL, "It is a pipe, a device or a socket", str(path))


class Presence:
    """The identities of the journal's files, as they were when they were opened."""

    def __init__(self, *paths: Path) -> None:
        self._known: dict[Path, _Identity | None] = {path: _identity(path) for path in paths}

    def gone(self) -> str:
        """Return which file is not the one any more that was opened, in words, or an empty text.

        One that was not there yet is taken for ours when it is first seen. Costs a stat(2) a file.
        """
        for path, known in self._known.items():
            found = _identity(path)
            if known is None:
                self._known[path] = found
            elif found is None:
                return f"{path.name} was removed or moved, or cannot be reached any more"
            elif found != known:
                return f"{path.name} was replaced by another file"
        return ""
