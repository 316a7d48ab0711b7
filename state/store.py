"""The journal's file: opened safely, written durably, and its failures put in plain words."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from state import backups
from state.errors import JournalOutdated, JournalUnusable, NoJournal, Refused
from state.presence import Presence, refuse_special
from state.schema import APPLICATION_ID, known_migrations, migrations
from state.tamper_mark import JournalChecksum, MarkFile, digest
from state.unusable import (
    BUSY_TIMEOUT_MS,
    PUT_BACK,
    RESTORE,
    changed_since,
    damaged,
    lacking,
    plainly,
)

_log = logging.getLogger("blueprime.journal")


Row = dict[str, Any]
T = TypeVar("T")


class Store:
    """One connection to the journal, shared by the threads of a process.

    A lock of its own keeps a thread from reading what another has not committed yet.
    """

    def __init__(self, path: Path, db: Database, *, mark: MarkFile | None = None) -> None:
        self.path = path
        self.db = db
        self._mark = mark
        self._lock = threading.RLock()
        self._commits = 0
        self._presence = Presence(path, _beside(path, "-wal"))
        self._elsewhere: JournalUnusable | None = None

    @classmethod
    def open_for_writing(cls, path: Path, mark: MarkFile) -> Store:
        """Open the journal, create it if there is none, and bring its schema up to date.

        A copy is kept of what was found. The caller holds the writer's lock, whose file bears the
        mark. Raises `JournalUnusable`.
        """
        with plainly(path):
            refuse_special(path, _beside(path, "-wal"))
            known = mark.read() or _mark_of_backups(path)
            if known.entries and not path.exists():
                raise lacking(path, known.entries, 0)
            changed = altered(path, known)
            _make_private(path)
            db = connect(path, "rw")
        try:
            with plainly(path):
                mark.write(JournalChecksum(_check_kept(db, path, known, changed=changed)))
                db.execute("PRAGMA journal_mode = WAL").fetchone()
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                store = cls(path, db, mark=mark)
                store.keep_backup()
                _migrate(db, path)
                mark.write(JournalChecksum(backups.entries(db.conn)))
        except BaseException:
            db.close()
            raise
        return store

    @classmethod
    def open_for_reading(cls, path: Path) -> Store:
        """Open the journal read-only; raise `NoJournal` or `JournalUnusable`."""
        with plainly(path):
            refuse_special(path, _beside(path, "-wal"))
            try:
                path.open("rb").close()
            except FileNotFoundError:
                raise _nothing_there(path, _mark_of_backups(path)) from None
            # WAL needs to create a file; in a folder that forbids that, nobody can be writing.
            frozen = not os.access(path.parent, os.W_OK) and not _beside(path, "-wal").exists()
            db = connect(path, "ro&immutable=1" if frozen else "ro")
        try:
            with plainly(path):
                _check_whole(db, path, quick=True)  # a list of runs reads it every few seconds
                if not migrations.applied(db):
                    raise _nothing_there(path, _mark_of_backups(path))
                if migrations.pending(db):
                    raise JournalOutdated(path)
        except BaseException:
            db.close()
            raise
        return cls(path, db)

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._mark is not None

    def close(self) -> None:
        """Close the file, and mark it as it was left."""
        with self._lock:
            # The digest of another file in its place is no mark of this one.
            elsewhere = bool(self._presence.gone())
            self.db.close()
            if self._mark is None or elsewhere:
                return
            # Where a watcher keeps the -wal alive, the file is not all there is of the journal.
            known = self._mark.read()
            if known is not None and _whole_in_itself(self.path):
                with suppress(OSError):
                    self._mark.write(JournalChecksum(known.entries, digest(self.path)))
            self._mark = None

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """Run a block in one transaction, durable when the block is left.

        Raises `Refused` if it breaks one of the schema's guards, `JournalUnusable` if the file
        cannot be written; nothing of the block is kept then.
        """
        if not self.writable:
            raise Refused(f"{self.path} is open for watching only; nothing was written.")
        with self._lock, plainly(self.path):
            if self.db.conn.in_transaction:
                # Part of a larger block, which ends with all of it or with nothing.
                yield self.db
                return
            self._refuse_elsewhere()
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                entries = backups.entries(self.db.conn)
                self.db.execute("COMMIT")
            except BaseException as error:
                if self.db.conn.in_transaction:
                    self.db.execute("ROLLBACK")
                if isinstance(error, sqlite3.IntegrityError):
                    raise Refused(str(error)) from error
                raise
            self._commits += 1
            # In a file that nobody can open any more it is not kept.
            self._refuse_elsewhere()
            # What is committed is committed, whether or not the mark can follow it.
            with suppress(OSError):
                if self._mark is not None:
                    self._mark.write(JournalChecksum(entries))

    def _refuse_elsewhere(self) -> None:
        """Raise `JournalUnusable` where the file that is open is not the one of its name."""
        if self._elsewhere is None and (what := self._presence.gone()):
            self._elsewhere = self._rescued(what)
        if self._elsewhere is not None:
            raise self._elsewhere

    def _rescued(self, what: str) -> JournalUnusable:
        """Keep a copy of what is open, though it has no name any more; say what became of it."""
        try:
            kept = backups.keep_anew(self.db.conn, self.path)
            now = f"All that was written stands in {kept.name} beside it."
            todo = f"Put that in its place, then resume: {PUT_BACK} --backup {backups.number(kept)}"
        except (OSError, sqlite3.Error) as error:
            now, todo = f"No copy of it could be kept ({error}).", RESTORE
        now = f"Nothing further is done; what was asked of the clusters stands. {now}"
        return JournalUnusable(self.path, f"While it was open, {what}.", now=now, todo=todo)

    def keep_backup(self) -> None:
        """Keep a copy; that it cannot be kept is no reason to leave a run alone in the night."""
        with self._lock:
            try:
                backups.keep(self.db.conn, self.path)
            except (OSError, sqlite3.Error) as error:
                _log.warning("no backup of %s was kept: %s", self.path, error)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return the rows of a query; inside `writing` or `reading`, of that transaction."""
        with self._lock, plainly(self.path):
            return list(self.db.query(sql, parameters))

    def records(
        self, make: Callable[[Row], T], sql: str, parameters: Sequence[object] = ()
    ) -> list[T]:
        """Return what `make` makes of each row of a query.

        Raises `JournalUnusable` where a row holds what was never written.
        """
        try:
            return [make(row) for row in self.rows(sql, parameters)]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise damaged(self.path, f"an entry cannot be read ({error})") from error

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


def trouble_with(path: Path, known: JournalChecksum | None) -> str:
    """Return what is wrong with a journal, or an empty string; raise `NoJournal` without one."""
    try:
        with plainly(path):
            refuse_special(path)
            known = known or _mark_of_backups(path)
            if not path.exists():
                raise _nothing_there(path, known)
            changed = altered(path, known)
            with closing(connect(path, "ro")) as db:
                _check_kept(db, path, known, changed=changed)
    except NoJournal:
        raise
    except JournalUnusable as unusable:
        return unusable.what
    return ""


def connect(path: Path, mode: str) -> Database:
    """Open a file of SQLite's as it is, with a mode and further parameters of its URI."""
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


def _whole_in_itself(path: Path) -> bool:
    """Return whether nothing of the journal lies in its -wal; a watcher leaves an empty one."""
    wal = _beside(path, "-wal")
    return not wal.exists() or wal.stat().st_size == 0


def _check_whole(db: Database, path: Path, *, quick: bool = False) -> None:
    """Raise `JournalUnusable` unless this is a sound journal that this version understands."""
    if trouble := backups.trouble_in(db.conn, quick=quick):
        raise damaged(path, trouble)
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


def _check_kept(db: Database, path: Path, known: JournalChecksum, *, changed: bool) -> int:
    """Raise `JournalUnusable` unless it is sound and holds what it must; return its entries."""
    _check_whole(db, path)
    if (found := backups.entries(db.conn)) < known.entries:
        raise lacking(path, known.entries, found)
    if changed:
        raise changed_since(path)
    return found


def _migrate(db: Database, path: Path) -> None:
    pending = migrations.pending(db)
    if not pending:
        return
    if migrations.applied(db):
        backups.copy(db.conn, _beside(path, f".before-{pending[0].name}"))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrations.apply(db)


def _mark_of_backups(path: Path) -> JournalChecksum:
    """Return what the latest backup holds, where the mark itself is gone."""
    return JournalChecksum(next((each.entries for each in backups.kept(path) if each.sound), 0))


def _nothing_there(path: Path, known: JournalChecksum) -> JournalUnusable:
    return lacking(path, known.entries, 0) if known.entries else NoJournal(path)


def altered(path: Path, known: JournalChecksum) -> bool:
    """Return whether the file is not as it was left when it was closed."""
    return bool(known.digest) and _whole_in_itself(path) and digest(path) != known.digest
