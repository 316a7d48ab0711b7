"""How much has been written to the journal, kept outside of it.

SQLite cannot tell that its -wal file was lost, that an older copy was put in its place, or that a
bit was flipped inside a text: what is left is sound. So the lock file bears a line with the number
of entries that the journal has, renewed with each commit, and the digest of the file as it was
left. The line is no promise of its own: it is not synced, and where it is missing nothing is said.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

_NO_DIGEST = "-" * 64


@dataclass(frozen=True, slots=True)
class JournalChecksum:
    """What the journal must hold: `entries` at least, and where it was closed, that `digest`."""

    entries: int
    digest: str = ""


class MarkFile:
    """The line in a file that is open as `descriptor`, written over in place."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> JournalChecksum | None:
        """Return the line, or None where there is none that can be understood."""
        words = os.pread(self._descriptor, 200, 0).decode("ascii", "replace").split()
        if len(words) != 2 or not words[0].isdecimal() or len(words[1]) != len(_NO_DIGEST):
            return None
        return JournalChecksum(int(words[0]), "" if words[1] == _NO_DIGEST else words[1])

    def write(self, mark: JournalChecksum) -> None:
        """Write the line, always of the same length."""
        line = f"{mark.entries:020d} {mark.digest or _NO_DIGEST}\n"
        os.pwrite(self._descriptor, line.encode("ascii"), 0)


def digest(path: Path) -> str:
    """Return the digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
