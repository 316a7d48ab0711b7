"""The journal's file: opened safely, written durably, and its failures put in plain words."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from state.errors import JournalUnusable, NoJournal, Refused
from state.schema import APPLICATION_ID, known_migrations, migrations

BUSY_TIMEOUT_MS = 10_000

Row = dict[str, Any]


class Store:
    """One connection to the journal, shared by the threads of a process.

    A lock of its own keeps a thread from reading what another has not committed yet.
    """

    def __init__(self, path: Path, db: Database, *, writable: bool) -> None:
        self.path = path
        self.db = db
        self.writable = writable
        self._lock = threading.RLock()
        self._commits = 0

    @classmethod
    def open_for_writing(cls, path: Path) -> Store:
        """Open the journal, create it if there is none, and bring its schema up to date.

        The caller holds the writer's lock. Raises `JournalUnusable`.
        """
        with plainly(path):
            _make_private(path)
            db = _connect(path, "rw")
        try:
            with plainly(path):
                _check_whole(db, path)
                db.execute("PRAGMA journal_mode = WAL").fetchone()
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                _migrate(db, path)
        except BaseException:
            db.close()
            raise
        return cls(path, db, writable=True)

    @classmethod
    def open_for_reading(cls, path: Path) -> Store:
        """Open the journal read-only; raise `NoJournal` or `JournalUnusable`."""
        with plainly(path):
            try:
                path.open("rb").close()
            except FileNotFoundError:
                raise NoJournal(path) from None
            # Without a file of its own, WAL needs to create one; in a folder that forbids that,
            # nobody can be writing either.
            frozen = not os.access(path.parent, os.W_OK) and not _beside(path, "-wal").exists()
            db = _connect(path, "ro&immutable=1" if frozen else "ro")
        try:
            with plainly(path):
                _check_whole(db, path)
                if not migrations.applied(db):
                    raise NoJournal(path)
                if migrations.pending(db):
                    raise JournalUnusable(
                        path,
                        "It was written by an older blueprime.",
                        now="It is as it was; watching cannot bring it up to date.",
                        todo="Open it once for writing (blueprime), which does.",
                    )
        except BaseException:
            db.close()
            raise
        return cls(path, db, writable=False)

    def close(self) -> None:
        with self._lock:
            self.db.close()

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """Run a block in one transaction, durable when the block is left.

        Raises `Refused` if it breaks one of the schema's guards, `JournalUnusable` if the file
        cannot be written; nothing of the block is kept then.
        """
        if not self.writable:
            raise Refused(f"{self.path} is open for watching only; nothing was written.")
        with self._lock, plainly(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException as error:
                if self.db.conn.in_transaction:
                    self.db.execute("ROLLBACK")
                if isinstance(error, sqlite3.IntegrityError):
                    raise Refused(str(error)) from error
                raise
            self._commits += 1

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return the rows of a query; inside `writing` or `reading`, of that transaction."""
        with self._lock, plainly(self.path):
            return list(self.db.query(sql, parameters))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let the queries of a block see one and the same state of the journal."""
        with self._lock, plainly(self.path):
            if self.db.conn.in_transaction:
                yield
                return
            self.db.execute("BEGIN")
            try:
                yield
            finally:
                self.db.execute("ROLLBACK")

    def data_version(self) -> int:
        """Return a number that changes whenever anybody has written."""
        with self._lock, plainly(self.path):
            # SQLite's own counts the commits of others alone.
            return int(self.db.execute("PRAGMA data_version").fetchone()[0]) + self._commits


def _connect(path: Path, mode: str) -> Database:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    return Database(connection, execute_plugins=False)


def _make_private(path: Path) -> None:
    """Create folder and file for the owner alone; SQLite gives -wal and -shm the file's mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o600:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _check_whole(db: Database, path: Path) -> None:
    """Raise `JournalUnusable` unless this is a sound journal that this version understands."""
    problems = [row[0] for row in db.execute("PRAGMA quick_check(3)").fetchall()]
    if problems != ["ok"]:
        raise _damaged(path, "; ".join(problems))
    application = db.execute("PRAGMA application_id").fetchone()[0]
    if db.table_names() and application != APPLICATION_ID:
        raise JournalUnusable(
            path,
            "It is a database, but not a journal of blueprime.",
            now="It was left as it is.",
            todo="Move it away, or set BLUEPRIME_HOME to another folder.",
        )
    known = known_migrations()
    unknown = [applied.name for applied in migrations.applied(db) if applied.name not in known]
    if unknown:
        raise JournalUnusable(
            path,
            f"It was written by a newer blueprime ({', '.join(unknown)} is not known here).",
            now="It was left as it is.",
            todo="Use that version, or set BLUEPRIME_HOME to another folder.",
        )


def _migrate(db: Database, path: Path) -> None:
    pending = migrations.pending(db)
    if not pending:
        return
    if migrations.applied(db):
        _keep_copy(db, _beside(path, f".before-{pending[0].name}"))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrations.apply(db)


def _keep_copy(db: Database, copy: Path) -> None:
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(copy)) as target:
        db.conn.backup(target)


def _damaged(path: Path, why: str) -> JournalUnusable:
    return JournalUnusable(
        path,
        f"It is damaged or no database: {why}.",
        now="It was left as it is; no run can be read from it.",
        todo="Move it away together with its -wal and -shm files and keep them; a run that was "
        "open can be taken over by its plan.",
    )


@contextmanager
def plainly(path: Path) -> Iterator[None]:
    """Turn the errors of the file system and of SQLite into words for a person."""
    try:
        yield
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
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return _damaged(path, str(error))
    now = "What was to be written is not in the journal; what stood there before, is."
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
