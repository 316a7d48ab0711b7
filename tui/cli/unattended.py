"""A run without a screen, begun from a plan or gone on with."""

from __future__ import annotations

from pathlib import Path

import click

from runbook import plan as plans
from runbook.session import Session
from state.journal import Journal
from state.words import Track
from tui.cli.headless import DONE, Printer, drive, nobody, say_what_failed, summary, yes_to_all
from tui.cli.workspace import is_run, open_session, write_journal


async def run_unattended(
    what: str, *, track: str | None, until: str, yes: bool, as_json: bool
) -> int:
    """Drive a run and print its summary; return the exit code."""
    with write_journal() as journal:
        session = _open(journal, what)
        try:
            code = await drive(
                session,
                yes_to_all if yes else nobody,
                track=Track(track) if track else None,
                until=until,
                at_once=is_run(journal, what),
                printer=(printer := Printer(as_json=as_json)),
            )
        finally:
            await session.close()
        if as_json:
            printer.line(summary(session, code))
        else:
            _say_how_it_ended(session, code)
        return code


def _open(journal: Journal, what: str) -> Session:
    if is_run(journal, what):
        return open_session(journal, what)
    path = Path(what)
    return Session.start(journal, plans.load(path), path.absolute())


def _say_how_it_ended(session: Session, code: int) -> None:
    say_what_failed(session)
    click.echo(f"way back from here: {session.way_back()}")
    if code != DONE:
        click.echo(f"Go on with: blueprime resume {session.run.id}")
