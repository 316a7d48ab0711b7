"""Opens the app: the only module of the command line that imports Textual."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from runbook.aws.mfa import CODES
from runbook.preflight import plans
from runbook.run.session import Session
from state.enums import Environment
from state.errors import JournalHeld
from state.home import home
from state.journal import Journal
from state.records import Run
from tui.app import BlueprimeApp, RunSource
from tui.cli import ledger
from tui.cli.exits import USAGE
from tui.cli.outlet import patient_output
from tui.cli.streams import writes_utf8
from tui.cli.workspace import (
    LAB_GONE,
    bring_up_to_date,
    enter_lab,
    lab_gone,
    list_runs,
    read_journal,
    write_journal,
)
from tui.model import OnlyToWatch, RunModel
from tui.terminal import drawn_on


class Workspace:
    """The journal as the app needs it: read for the list, written while a run is open."""

    def __init__(self, *, take_over: bool = False, journal: Journal | None = None) -> None:
        self._take_over = take_over
        self._journal = journal
        self._session: Session | None = None
        self._acted_on: Run | None = None

    async def open_run(self, run: str, watch: bool) -> RunModel:
        """Open a run, to act on it or to watch it. Raises `JournalHeld` where another acts."""
        if self._session is not None and self._session.run.id == run and self._session.busy():
            # A step goes on behind the list of runs: the same session, not a second one.
            return self._session
        journal = read_journal() if watch else self._writer()
        record = journal.run(run)
        if not lab_gone(record):
            enter_lab(record)
        elif not watch:
            raise OnlyToWatch(LAB_GONE)
        opened = Session.open(journal, record.id)
        self._session = None if watch else opened
        if not watch:
            self._acted_on = opened.run
        return opened

    async def start_run(self, plan_file: Path) -> RunModel:
        """Begin a run of a plan file."""
        started = Session.start(self._writer(), plans.load(plan_file), plan_file)
        self._acted_on = started.run
        return started

    def last_words(self) -> None:
        """Say what the ledger of this workspace's lab says of the run that was acted on last."""
        run = self._acted_on
        if run is not None and run.environment is Environment.REHEARSAL and not lab_gone(run):
            ledger.tell(ledger.verdict())

    def _writer(self) -> Journal:
        if self._journal is None:
            self._journal = write_journal(take_over=self._take_over)
        return self._journal

    def close(self) -> None:
        """Let the journal go."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def open_app(
    *,
    run: str = "",
    plan_file: Path | None = None,
    watch: bool = False,
    take_over: bool = False,
    tells_ledger: bool = True,
) -> int:
    """Run the app until it is left; return the exit code.

    `tells_ledger`: after a rehearsal that was acted on, say what its ledger says.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(
            "The app needs a terminal, and there is none here. Nothing was begun. "
            "Without one: blueprime auto PLAN|RUN, runs, show, report, watch --json.",
            err=True,
        )
        return USAGE
    if not writes_utf8(drawn_on(sys.__stderr__ or sys.stderr)):
        click.echo(
            "The app draws with characters that this terminal's encoding does not have, as Python "
            "is told it (PYTHONIOENCODING, LC_ALL, LANG). Nothing was begun. With LC_ALL=C.UTF-8 "
            "and without PYTHONIOENCODING it opens; blueprime auto, runs, show and report go as "
            "they are.",
            err=True,
        )
        return USAGE
    if plan_file is not None:
        plans.load(plan_file)
    if not watch:
        bring_up_to_date(take_over=take_over)
    journal = None
    if run:
        run = _resolve(run)
        journal = None if watch else _written(take_over=take_over)
        watch = journal is None
    workspace = Workspace(take_over=take_over, journal=journal)
    app = BlueprimeApp(
        RunSource(list_runs, workspace.open_run, workspace.start_run, lab_gone),
        home=home(),
        at=run,
        watch=watch,
        badge=_badge(),
        plan=None if plan_file is None else plan_file.absolute(),
    )
    CODES.asked_by(app.ask_code)
    try:
        return run_until_left(app, workspace.last_words if tells_ledger else None)
    finally:
        CODES.asked_by(None)
        workspace.close()


def run_until_left(app: BlueprimeApp, then: Callable[[], None] | None = None) -> int:
    """Run the app, say its last words and what comes after them, and return the exit code."""
    app.run()
    if app.goodbye:
        # A terminal that has hung up takes no more words; the journal has them.
        with suppress(OSError), patient_output(as_json=False):
            click.echo(app.goodbye)
            if then is not None:
                then()
    return app.return_code or 0


def _badge() -> str:
    """Return which world the environment leads to, for the list of runs."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return "REHEARSAL" if "127.0.0.1" in endpoint or "localhost" in endpoint else ""


def _resolve(run: str) -> str:
    with read_journal() as journal:
        return journal.run("" if run == "latest" else run).id


def _written(*, take_over: bool) -> Journal | None:
    """Open the journal for writing; None where another process holds it, and that is said."""
    try:
        return write_journal(take_over=take_over)
    except JournalHeld as held:
        click.echo(f"{held}\nOpening it to watch, read-only.", err=True)
        return None
