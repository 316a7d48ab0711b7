"""Copies of the journal, made at each opening and after each step, and how to put one back.

`journal.db.backup-0007` lies beside the journal, mode 0600. Numbers and not times name them: a
clock may be set back. A copy is whole or not there: it is written under another name first.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from state.schema import APPLICATION_ID

KEPT = 5
"""Generations; the oldest goes when a new one is there."""

_INFIX = ".backup-"


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy; `trouble` says why it cannot be used, or is empty."""

    path: Path
    number: int
    entries: int
    made_at: datetime
    trouble: str

    @property
    def sound(self) -> bool:
        """Whether it can be put back."""
        return not self.trouble


def entries(db: sqlite3.Connection) -> int:
    """Return how many rows were ever added to the append-only tables; it never goes down."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        return 0
    return int(db.execute("SELECT coalesce(sum(seq), 0) FROM sqlite_sequence").fetchone()[0])


def trouble_in(db: sqlite3.Connection, *, quick: bool = False) -> str:
    """Return what SQLite finds wrong with a database, or an empty string.

    `quick` leaves out whether indexes agree with their tables: half the time, 4 ms a megabyte.
    """
    check = "quick_check" if quick else "integrity_check"
    try:
        found = [str(row[0]) for row in db.execute(f"PRAGMA {check}(3)").fetchall()]
    except UnicodeDecodeError as error:
        # Raised for the very words in which SQLite tells what is wrong, where they quote it.
        return f"a text in it is no UTF-8 any more ({error.reason})"
    return "" if found == ["ok"] else "; ".join(found)


def keep(db: sqlite3.Connection, journal: Path) -> Path | None:
    """Copy the journal, unless its latest copy holds the same; return the new copy.

    Raises OSError or sqlite3.Error; nothing half-made is left then.
    """
    count = entries(db)
    numbers = _numbers(journal)
    latest = max(numbers, default=0)
    if not count or (latest and look(numbers[latest]).entries == count):
        return None
    made = _path(journal, latest + 1)
    copy(db, made)
    for number in sorted(numbers)[: max(0, len(numbers) + 1 - KEPT)]:
        numbers[number].unlink(missing_ok=True)
    return made


def keep_anew(db: sqlite3.Connection, journal: Path) -> Path:
    """Copy an open journal whose file is not the one of its name any more; no copy goes for it.

    Raises OSError or sqlite3.Error.
    """
    made = _path(journal, max(_numbers(journal), default=0) + 1)
    copy(db, made)
    return made


def copy(db: sqlite3.Connection, to: Path) -> None:
    """Write a copy of a database that is there as a whole, on disk, or not at all.

    Raises sqlite3.DatabaseError if the copy is not sound: it was made from damaged pages.
    """
    half = to.with_name(f"{to.name}.part")
    os.close(os.open(half, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(half)) as target:
            db.backup(target)
            # A copy is read where nothing may be written: it stands without files beside it.
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
            if trouble := trouble_in(target):
                raise sqlite3.DatabaseError(trouble)
        _put(half, to)
    finally:
        half.unlink(missing_ok=True)


def kept(journal: Path) -> list[Backup]:
    """Return the copies there are, each looked through, the newest first."""
    return [look(path) for _, path in sorted(_numbers(journal).items(), reverse=True)]


def look(path: Path) -> Backup:
    """Return what a copy holds, and whether it is sound."""
    called = number(path)
    try:
        made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            trouble = trouble_in(db)
            if not trouble and db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                trouble = "it is no journal of blueprime"
            return Backup(path, called, 0 if trouble else entries(db), made_at, trouble)
    except (OSError, sqlite3.Error) as error:
        return Backup(path, called, 0, datetime.fromtimestamp(0, UTC), str(error))


def number(path: Path) -> int:
    """Return the number that a copy's path bears."""
    return int(path.name.rpartition("-")[2])


def put_back(backup: Backup, journal: Path) -> Path | None:
    """Put a copy in the journal's place; return where the former journal lies now, if any did.

    The former one is renamed together with its -wal and -shm, never removed. The caller holds the
    writer's lock. The copy itself stays.
    """
    half = journal.with_name(f"{journal.name}.restoring")
    try:
        uri = f"{backup.path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            copy(db, half)
        aside = _put_aside(journal)
        _put(half, journal)
    finally:
        half.unlink(missing_ok=True)
    return aside


def _put_aside(journal: Path) -> Path | None:
    number = 1
    while (aside := journal.with_name(f"{journal.name}.damaged-{number}")).exists():
        number += 1
    # The journal first: were it to stay without its -wal, it would pass for a sound one.
    moved = [ending for ending in ("", "-wal", "-shm") if _move(journal, aside, ending)]
    return aside if moved else None


def _move(journal: Path, aside: Path, ending: str) -> bool:
    beside = journal.with_name(journal.name + ending)
    if not beside.exists():
        return False
    beside.rename(aside.with_name(aside.name + ending))
    return True


def _put(half: Path, to: Path) -> None:
    """Give a finished file its name, durably."""
    _sync(half)
    half.replace(to)
    _sync(to.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _path(journal: Path, number: int) -> Path:
    return journal.with_name(f"{journal.name}{_INFIX}{number:04d}")


def _numbers(journal: Path) -> dict[int, Path]:
    """Return the copies' paths by their numbers."""
    if not journal.parent.is_dir():
        return {}
    found = {}
    for path in journal.parent.iterdir():
        name, infix, number = path.name.rpartition(_INFIX)
        if infix and name == journal.name and number.isdecimal() and path.is_file():
            found[int(number)] = path
    return found
