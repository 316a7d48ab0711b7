"""The workspace that a command works in: its journal, and its lab's environment."""

from __future__ import annotations

import os
from pathlib import Path

from runbook.session import Session
from state.home import journal_path
from state.journal import Journal
from state.records import Run
from state.words import Environment


def read_journal() -> Journal:
    """Open the journal for reading. Raises `NoJournal` where there is none yet."""
    return Journal.open(journal_path(), writer=False)


def write_journal(*, take_over: bool = False) -> Journal:
    """Open the journal for writing, as its only writer.

    `take_over` also takes it from a holder on another host, whose life cannot be seen from here.
    """
    return Journal.open(journal_path(), take_over=take_over)


def enter_lab(run: Run) -> None:
    """Point this process at the workspace's lab, if a run is a rehearsal and nothing else is set.

    A rehearsal that is opened in another terminal finds its lab without `lab env` this way.
    """
    if run.environment is not Environment.REHEARSAL or os.environ.get("AWS_ENDPOINT_URL"):
        return
    from rehearsal import lab

    os.environ.update(lab.env())


def open_session(journal: Journal, run: str) -> Session:
    """Open a run, in its own environment."""
    enter_lab(journal.run(run))
    return Session.open(journal, run)


def is_run(journal: Journal, what: str) -> bool:
    """Return whether a word names a run; a file of that name wins."""
    return not Path(what).exists() and not what.endswith(".toml")
