"""What is said of a journal that cannot be used: what happened, what is true now, what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from state.errors import JournalUnusable

BUSY_TIMEOUT_MS = 10_000

PUT_BACK = "blueprime journal restore"

RESTORE = (
    "See what there is: blueprime journal check. Put the newest sound backup in its place: "
    f"{PUT_BACK}; what was done since is looked up when the run goes on. "
    "Without a sound one, move all of its files away: blueprime adopt CLUSTER rebuilds the run."
)


def changed_since(path: Path) -> JournalUnusable:
    """Return what is said of a journal that is not as blueprime left it."""
    return JournalUnusable(
        path,
        "It is not as blueprime left it: bytes in it have changed since.",
        now="It was left as it is.",
        todo=f"{RESTORE} If you changed it on purpose: blueprime journal accept.",
    )


def lacking(path: Path, known: int, found: int) -> JournalUnusable:
    """Return what is said of a journal that has `found` of the `known` entries."""
    what = f"Its last {known - found} entries are missing" if found else "Its entries are missing"
    return JournalUnusable(
        path,
        f"{what}: {found} of {known} are there. The file was cut, its -wal file was lost, or "
        "another was put in its place.",
        now="Nothing was changed.",
        todo=f"{RESTORE} To go on with what is there: blueprime journal accept.",
    )


def damaged(path: Path, why: str) -> JournalUnusable:
    """Return what is said of a journal that cannot be read."""
    return JournalUnusable(
        path,
        f"It is damaged or no database: {why}.",
        now="It was left as it is; no run can be read from it.",
        todo=RESTORE,
    )


@contextmanager
def plainly(path: Path) -> Iterator[None]:
    """Turn the errors of the file system and of SQLite into words for a person.

    Raises `JournalUnusable`.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise damaged(path, f"a text in it is no UTF-8 any more ({error.reason})") from error
    except sqlite3.DatabaseError as error:
        raise _in_words(path, error) from error
    except OSError as error:
        raise JournalUnusable(
            path,
            f"It cannot be opened: {error.strerror or error} ({error.filename or path}).",
            now="Nothing was changed.",
            todo="Give this user the folder and its files, or set BLUEPRIME_HOME to another.",
        ) from error


def _in_words(path: Path, error: sqlite3.DatabaseError) -> JournalUnusable:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    undecodable = str(error).startswith("Could not decode")
    if undecodable or code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return damaged(path, str(error))
    now = "The new entry was not written; all earlier ones are there."
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        what, todo = f"The disk is full or failing: {error}.", "Free space on it, then resume."
    elif code == sqlite3.SQLITE_BUSY:
        what = f"Another program has it locked for more than {BUSY_TIMEOUT_MS // 1000} s."
        todo = "End that program (a backup, or a database browser), then resume."
    elif code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        what = f"It cannot be opened or written: {error}."
        todo = "Give this user the folder and its files, or set BLUEPRIME_HOME to another."
    else:
        what, todo = f"SQLite refused: {error}.", "Please report this with the text above."
    return JournalUnusable(path, what, now=now, todo=todo)
