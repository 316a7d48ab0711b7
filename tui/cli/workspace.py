"""The workspace that a command works in: its journal, and its lab's environment."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from state.enums import Environment
from state.errors import (
    HandedOver,
    JournalError,
    JournalOutdated,
    JournalUnusable,
    NoJournal,
)
from state.home import journal_path
from state.journal import Journal
from state.records import Run, RunSummary

if TYPE_CHECKING:
    # The whole procedure, of which a command that only looks has no need.
    from runbook.run.session import Session

LISTENS_S = 1.0
"""How long a lab on this machine may take to accept a connection."""


def read_journal() -> Journal:
    """Open the journal for reading. Raises `NoJournal` where there is none yet."""
    return Journal.open(journal_path(), writer=False)


def write_journal(*, take_over: bool = False) -> Journal:
    """Open the journal for writing, as its only writer.

    `take_over` also takes it from a holder on another host, whose life cannot be seen from here.
    """
    return Journal.open(journal_path(), take_over=take_over)


def bring_up_to_date(*, take_over: bool = False) -> None:
    """Bring a journal that an older blueprime wrote up to date, for whoever is about to act.

    Raises `JournalHeld` where another process holds it. What else is wrong with the journal is
    told by whoever opens it next.
    """
    with suppress(JournalUnusable):
        try:
            read_journal().close()
        except JournalOutdated:
            write_journal(take_over=take_over).close()


def list_runs() -> list[RunSummary]:
    """Return the runs there are, newest first; none where there is no journal yet."""
    try:
        with read_journal() as journal:
            return journal.runs()
    except NoJournal:
        return []


_given_endpoint = os.environ.get("AWS_ENDPOINT_URL", "")


def enter_lab(run: Run) -> None:
    """Point this process at the workspace's lab, if a run is a rehearsal and nothing else is set.

    A rehearsal that is opened in another terminal finds its lab without `lab env` this way.
    """
    if run.environment is not Environment.REHEARSAL or os.environ.get("AWS_ENDPOINT_URL"):
        return
    from rehearsal import lab

    os.environ.update(lab.env())


LAB_GONE = (
    "The lab of this rehearsal is gone, and its clusters with it: there is nothing left to act on. "
    "Its journal stays: it can be looked at here, and blueprime report prints it."
)


def lab_gone(run: Run | RunSummary) -> bool:
    """Return whether a run is a rehearsal whose lab does not run any more.

    A lab that came up after the run began is another one, with other clusters.
    """
    if run.environment is not Environment.REHEARSAL:
        return False
    from rehearsal import lab

    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    since = lab.up_since()
    if endpoint and endpoint == _given_endpoint:
        return not _listens(endpoint)
    return since is None or run.started_at < since


def open_runs_of_lab() -> list[RunSummary]:
    """Return the workspace's open rehearsals that live in the lab which runs now, newest first."""
    bring_up_to_date()
    try:
        with read_journal() as journal:
            runs = journal.runs()
    except JournalError:
        return []
    rehearsals = [run for run in runs if run.environment is Environment.REHEARSAL and run.open]
    return [run for run in rehearsals if not lab_gone(run)]


def _listens(endpoint: str) -> bool:
    at = urlsplit(endpoint)
    try:
        socket.create_connection((at.hostname or "", at.port or 80), timeout=LISTENS_S).close()
    except OSError:
        return False
    return True


def open_session(journal: Journal, run: str) -> Session:
    """Open a run, in its own environment. Raises `HandedOver` where another machine acts on it."""
    from runbook.run.session import Session

    refuse_handed_over(journal, run)
    enter_lab(journal.run(run))
    return Session.open(journal, run)


def refuse_handed_over(journal: Journal, run: str) -> None:
    """Raise `HandedOver` where another machine acts on a run."""
    record = journal.run(run)
    if record.away is not None:
        raise HandedOver(record, record.away)


def names_a_run(what: str) -> bool:
    """Return whether a word names a run; a file of that name wins."""
    return not Path(what).exists() and not what.endswith(".toml")
