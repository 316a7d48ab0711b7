"""A run without a screen, begun from a plan or gone on with."""

from __future__ import annotations

from pathlib import Path

import click

from runbook import plan as plans
from runbook import planning
from runbook.plan import Plan
from runbook.session import Session
from runbook.step import Refused, StepFailed
from runbook.tracks import step_keys
from state.journal import Journal
from tui.cli.headless import (
    BLOCKED,
    DONE,
    FAILED,
    UNKNOWN,
    Goal,
    OnUnknown,
    Printer,
    drive,
    nobody,
    say_what_failed,
    say_what_is_unknown,
    summary,
    unknown_changes,
    yes_to_all,
)
from tui.cli.workspace import names_a_run, open_session, read_journal, write_journal

LAST_WORD_S = 5.0
"""How long the end of an unattended run waits for a look at protection."""


async def run_unattended(
    what: str,
    *,
    track: str | None,
    until: str,
    yes: bool,
    on_unknown: str,
    take_over: bool,
    as_json: bool,
) -> int:
    """Drive a run and print its summary; return the exit code."""
    if names_a_run(what):
        # Opened for writing alone, a journal that is not there would be made, empty.
        read_journal().close()
    with write_journal(take_over=take_over) as journal:
        if until:
            _refuse_unknown_step(until, _plan_of(journal, what))
        # What was done before this process is the report's to tell.
        after = _last_event(journal, what)
        session = _open(journal, what)
        printer = Printer(as_json=as_json)
        try:
            try:
                code = await drive(
                    session,
                    yes_to_all if yes else nobody,
                    goals=[Goal(track)] if track else [],
                    until=until,
                    at_once=names_a_run(what),
                    on_unknown=OnUnknown(on_unknown),
                    printer=printer,
                    after=after,
                )
            except StepFailed as failure:
                # A way that is not open, most often: scripts still get the last line they rely on.
                click.echo("\n".join((failure.what, failure.now, failure.todo)), err=True)
                code = BLOCKED if isinstance(failure, Refused) else FAILED
            if not session.leaving:
                # The way back is said by what is so now, not by what a former process saw.
                await session.looked(LAST_WORD_S)
            unknown = await unknown_changes(session) if code == UNKNOWN else []
        finally:
            await session.close()
        if unknown:
            say_what_is_unknown(session.run.id, unknown)
        if as_json:
            printer.line({**summary(session, code), "unknown": unknown})
        else:
            _say_how_it_ended(session, code)
        return code


def _plan_of(journal: Journal, what: str) -> Plan:
    if names_a_run(what):
        return planning.of_run(journal, journal.run(what))
    return plans.load(Path(what))


def _last_event(journal: Journal, what: str) -> int:
    if not names_a_run(what):
        return 0
    return max((event.id for event in journal.events(journal.run(what).id, limit=1)), default=0)


def _refuse_unknown_step(step: str, plan: Plan) -> None:
    keys = step_keys(plan)
    if step not in keys:
        raise click.UsageError(
            f"There is no step {step!r}. The steps are: {', '.join(sorted(keys))}."
        )


def _open(journal: Journal, what: str) -> Session:
    if names_a_run(what):
        return open_session(journal, what)
    path = Path(what)
    return Session.start(journal, plans.load(path), path.absolute())


def _say_how_it_ended(session: Session, code: int) -> None:
    say_what_failed(session)
    click.echo(f"way back from here: {session.way_back()}")
    if code != DONE:
        click.echo(f"Go on with: blueprime resume {session.run.id}")
