"""The journal: what a run did, saw and was told, durable before anything depends on it.

One SQLite file a workspace, append-only. `Reader` holds what can be asked of it, `Writer` what can
be told to it, `HandoverJournal` how a run is handed over; one opened read-only refuses the latter.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from state.errors import JournalHeld, JournalUnusable
from state.handover import HandoverJournal
from state.lock import erase_holder, take_flock, unnamed_holder, write_holder
from state.records import Holder
from state.store import Store
from state.tamper_mark import MarkFile
from state.times import now
from state.unusable import plainly

_NAMING_S = 2.0
"""How long a new holder of the lock has to write its name into the journal."""


class Journal(HandoverJournal):
    """A journal that is open, for writing by this process alone or for watching."""

    def __init__(
        self, path: Path, store: Store, *, lock: int | None = None, former: Holder | None = None
    ) -> None:
        super().__init__(store)
        self.path = path
        self.writer = lock is not None
        self.took_over_from = former
        """The dead process (or, when told to, the other host's) whose lock was taken over."""
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, writer: bool = True, take_over: bool = False) -> Journal:
        """Open the journal, for writing (creating it, or bringing it up to date) or for watching.

        A writer that died is replaced; one on another host, whose life cannot be seen from here,
        only with `take_over`. Raises `JournalHeld` if another process writes it, `NoJournal` if
        there is none to watch, `JournalUnusable` if it cannot be used.
        """
        if not writer:
            return cls(path, Store.open_for_reading(path))
        with plainly(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = take_flock(path)
        if lock is None:
            raise JournalHeld(path, named_holder(path))
        with ExitStack() as undo:
            undo.callback(os.close, lock)
            store = Store.open_for_writing(path, MarkFile(lock))
            undo.callback(store.close)
            with store.writing() as db:
                former = write_holder(db, path, take_over=take_over)
            undo.pop_all()
        return cls(path, store, lock=lock, former=former)

    def keep_backup(self) -> None:
        """Keep a copy of what is there, beside those made at each opening; cheap and bounded."""
        self._store.keep_backup()

    def close(self) -> None:
        """Let the journal go; what was written stays. Closing twice does nothing more."""
        lock, self._lock = self._lock, None
        try:
            if lock is not None:
                with self._store.writing() as db:
                    erase_holder(db)
        finally:
            self._store.close()
            if lock is not None:
                os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def named_holder(path: Path) -> Holder:
    """Return who holds the lock, giving a process that has just taken it the time to say so."""
    deadline = time.monotonic() + _NAMING_S
    while time.monotonic() < deadline:
        try:
            with Journal.open(path, writer=False) as journal:
                if holder := journal.holder():
                    return holder
        except JournalUnusable:
            # It is being made, or brought up to date.
            time.sleep(0.02)
    return unnamed_holder(now())
