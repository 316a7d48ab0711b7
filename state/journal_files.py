"""Looking after the journal's file: is it sound, and how a backup is put in its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from state import backups
from state.backups import Backup
from state.enums import HandoverKind
from state.errors import JournalHeld, JournalUnusable
from state.journal import named_holder
from state.lock import lock_path, take_flock
from state.presence import refuse_special
from state.store import Store, altered, connect, trouble_with
from state.tamper_mark import JournalChecksum, MarkFile, digest
from state.unusable import changed_since, plainly


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a journal's file; `trouble` is empty where it is sound."""

    path: Path
    trouble: str
    entries: int
    backups: tuple[Backup, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.trouble


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and where the former journal lies now (None: there was none)."""

    backup: Backup
    aside: Path | None
    lacking: int | None
    """How many entries the former journal is known to have had beyond it."""


def inspect(path: Path) -> Inspection:
    """Look the journal and its backups through; writes nothing, and needs no lock."""
    with plainly(path):
        found, known = tuple(backups.kept(path)), _mark(path)
    trouble = trouble_with(path, known)
    return Inspection(path, trouble, 0 if trouble else _entries(path), found)


def touched(path: Path) -> bool:
    """Return whether a journal that nobody writes is not as blueprime left it. Cheap, for lists."""
    with plainly(path):
        refuse_special(path)
        known = _mark(path)
        return path.exists() and known is not None and altered(path, known)


def trouble_of_changes(path: Path) -> str:
    """Return what is said of a journal that is not as blueprime left it, or an empty text."""
    return str(changed_since(path)) if touched(path) else ""


def restore(path: Path, number: int | None = None) -> Restored:
    """Put the newest sound backup (or the one of a number) in the journal's place.

    The former file is renamed, never removed. Raises `JournalHeld` while it is in use, and
    `JournalUnusable` where it is sound and no number is given, no sound backup is there, or the
    backup does not know that a run was handed over.
    """
    with _alone(path) as mark, plainly(path):
        inspected = inspect(path)
        backup = _chosen(inspected, number)
        if inspected.sound:
            _refuse_to_forget(path, backup)
        known = mark.read()
        aside = backups.put_back(backup, path)
        mark.write(JournalChecksum(backup.entries, digest(path)))
        lacking = None if known is None else max(0, known.entries - backup.entries)
        return Restored(backup, aside, lacking)


def accept(path: Path) -> int:
    """Go by the file as it is from now on, though it is not as it was left; return its entries.

    Raises `JournalHeld` while it is in use, `JournalUnusable` if it is damaged or newer.
    """
    with _alone(path) as mark, plainly(path):
        Store.open_for_reading(path).close()
        entries = _entries(path)
        mark.write(JournalChecksum(entries))
        return entries


def _chosen(inspected: Inspection, number: int | None) -> Backup:
    path = inspected.path
    if number is None:
        if inspected.sound:
            raise JournalUnusable(
                path,
                f"It is sound, with {inspected.entries} entries.",
                now="Nothing was changed.",
                todo="To go back to a backup all the same, name it: "
                "blueprime journal restore --backup NUMBER.",
            )
        for backup in inspected.backups:
            if backup.sound:
                return backup
        raise JournalUnusable(
            path,
            "There is no sound backup of it.",
            now="Nothing was changed.",
            todo="Move the journal away together with its -wal and -shm files and keep them; what "
            "the run created bears its tag in AWS.",
        )
    for backup in inspected.backups:
        if backup.number == number and backup.sound:
            return backup
    raise JournalUnusable(
        path,
        f"There is no backup {number} that is sound.",
        now="Nothing was changed.",
        todo="See what there is: blueprime journal check.",
    )


def _refuse_to_forget(path: Path, backup: Backup) -> None:
    """Refuse a backup by which a run would be acted on here again that another machine has."""
    for run in sorted(_given_away(path) - _given_away(backup.path)):
        raise JournalUnusable(
            path,
            f"Run {run} was handed over since backup {backup.number} was made.",
            now="Nothing was changed.",
            todo="Choose a newer backup, or, if the other side has not begun, take the run back "
            f"first: blueprime handover {run} --take-back.",
        )


def _given_away(path: Path) -> set[str]:
    with closing(connect(path, "ro")) as db:
        if not db.table("handover").exists():
            return set()
        latest = "SELECT run, kind, max(id) FROM handover GROUP BY run"
        return {row["run"] for row in db.query(latest) if row["kind"] == HandoverKind.GIVEN}


@contextmanager
def _alone(path: Path) -> Iterator[MarkFile]:
    """Hold the writer's lock for a while."""
    with plainly(path):
        lock = take_flock(path)
    if lock is None:
        raise JournalHeld(path, named_holder(path))
    try:
        yield MarkFile(lock)
    finally:
        os.close(lock)


def _mark(path: Path) -> JournalChecksum | None:
    try:
        refuse_special(lock_path(path))
        descriptor = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return MarkFile(descriptor).read()
    finally:
        os.close(descriptor)


def _entries(path: Path) -> int:
    with closing(connect(path, "ro")) as db:
        return backups.entries(db.conn)
