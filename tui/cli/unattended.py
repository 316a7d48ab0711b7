"""A run without a screen, begun from a plan or gone on with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from runbook.base import variants
from runbook.failures import Refused, StepFailed
from runbook.ownership.holder import LEFT_BEHIND
from runbook.preflight import plans
from runbook.procedure import tracks
from runbook.run.session import Session
from state.enums import Track
from state.journal import Journal
from state.records import Json
from tui.cli.deciding import gives_up, nobody, yes_to_all
from tui.cli.ending import Ending, say_what_is_unknown
from tui.cli.exits import BLOCKED, DONE, FAILED, UNKNOWN
from tui.cli.goals import Goal, UnattendedPlan
from tui.cli.headless import LAST_WORD_S, OnUnknown, Printer, drive, unknown_changes
from tui.cli.streams import outlive_output
from tui.cli.workspace import (
    bring_up_to_date,
    names_a_run,
    open_session,
    read_journal,
    write_journal,
)


async def run_unattended(
    what: str,
    *,
    track: str | None,
    until: str,
    yes: bool,
    typed: str,
    on_unknown: str,
    take_over: bool,
    as_json: bool,
) -> int:
    """Drive a run and print its summary; return the exit code."""
    bring_up_to_date(take_over=take_over)
    if names_a_run(what):
        # Opened for writing alone, a journal that is not there would be made, empty.
        read_journal().close()
    with write_journal(take_over=take_over) as journal:
        goals = [Goal(track)] if track else []
        if until:
            _refuse_step_elsewhere(until, goals, journal, what)
        # What was done before this process is the report's to tell.
        after = _last_event(journal, what)
        session = _open(journal, what)
        outlive_output(partial(journal.event, session.run.id, "output"))
        printer = Printer(as_json=as_json)
        course = UnattendedPlan(goals, until)
        try:
            try:
                code = await drive(
                    session,
                    gives_up(typed, yes_to_all if yes else nobody),
                    course=course,
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
            # A step that was done before says nothing of those after it.
            asked = code == UNKNOWN or course.already
            unknown = await unknown_changes(session) if asked else []
        finally:
            await session.close()
        if unknown:
            say_what_is_unknown(session.run.id, unknown)
        ending = Ending.of(session)
        if as_json:
            printer.line({**ending.summary(code, course), "unknown": unknown})
        else:
            _say_how_it_ended(ending, session.fact(LEFT_BEHIND), code, course)
        return code


def _last_event(journal: Journal, what: str) -> int:
    if not names_a_run(what):
        return 0
    return max((event.id for event in journal.events(journal.run(what).id, limit=1)), default=0)


def _refuse_step_elsewhere(step: str, goals: list[Goal], journal: Journal, what: str) -> None:
    """Refuse a step that is not on the stay that the run is to be brought to.

    Waiting for it there, the run would go on past everything, the pivot included.
    """
    if names_a_run(what):
        run = journal.run(what)
        plan, entry = plans.of_run(journal, run), journal.entries(run.id)[-1]
        track, variant = entry.track, entry.variant
    else:
        plan, track, variant = plans.load(Path(what)), Track.UPGRADE, ""
    present = variants.name(track, variant)
    keys = [each.key for each in tracks.steps_of(track, plan, variant)]
    if goals and goals[-1] != present:
        present, keys = goals[-1].value, sorted(goals[-1].step_keys(plan))
    if step in keys:
        return
    if step not in (known := tracks.step_keys(plan)):
        raise click.UsageError(
            f"There is no step {step!r}. The steps are: {', '.join(sorted(known))}."
        )
    others = [each.value for each in Goal if step in each.step_keys(plan) and each != present]
    raise click.UsageError(
        f"The track {present} has no step {step!r}, so the run would not stop there. Nothing was "
        f"changed. Its steps are: {', '.join(keys)}. {step} is on: {', '.join(others)}; --track "
        "says that the run shall go there."
    )


def _open(journal: Journal, what: str) -> Session:
    if names_a_run(what):
        return open_session(journal, what)
    path = Path(what)
    return Session.start(journal, plans.load(path), path.absolute())


def _say_how_it_ended(
    ending: Ending, left_behind: Json | None, code: int, course: UnattendedPlan
) -> None:
    ending.say_what_failed()
    ending.say_warnings()
    if words := ending.already_done(course):
        click.echo(words)
    click.echo(f"way back from here: {ending.way_back}")
    ending.say_what_remains()
    if code != DONE:
        run = ending.run
        command = f"adopt {run.cluster}" if left_behind else f"resume {run.id}"
        click.echo(f"Go on with: blueprime {command}")
