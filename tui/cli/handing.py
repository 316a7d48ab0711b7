"""Handing a run over to another machine, and accepting one that was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from runbook.base.downtime import Downtime, downtime
from runbook.base.variants import name
from runbook.plan.model import Plan, PlanError
from runbook.preflight import machine, plans
from runbook.run import checklist as checklists
from runbook.run.checklist import Checklist
from state.enums import Outcome
from state.errors import BadHandover, Refused
from state.handover import HandoverFile, read_parcel
from state.home import home
from state.journal import Journal
from state.records import Handover, Run
from tui.cli.exits import BLOCKED, FAILED, run_async, stop
from tui.cli.listing import way_back_of
from tui.cli.workspace import enter_lab, write_journal
from tui.text import clean


def hand_over(run: str, *, to: str, output: Path | None) -> None:
    """Give a run away, and write the file by which another machine accepts it.

    Of a run that was given away already the same file is written again.
    """
    with write_journal() as journal:
        record = journal.run(run)
        path = (output or Path(f"blueprime-{record.id}.handover.json")).absolute()
        if record.away is None:
            parcel = _give(journal, record, to, path)
        else:
            parcel = _again(journal, record.id, record.away, to, path)
        away = journal.run(record.id).away
        # The newest backup is the one that is put back, and it must not forget this.
        journal.keep_backup()
    _say_given(record, away, parcel, path)


def _give(journal: Journal, record: Run, to: str, path: Path) -> HandoverFile:
    """Record the handover, then write the file: what dies in between can be done again."""
    try:
        file = _new(path)
    except FileExistsError:
        # An empty one is what a crash left right here.
        if not path.is_file() or path.stat().st_size:
            raise Refused(
                f"{path} exists. It was left as it is, and nothing was handed over. Choose another "
                "name with --output."
            ) from None
        file = _existing(path)
    with os.fdopen(file, "wb") as opened:
        try:
            for effect in journal.mark_unknown(record.id):
                click.echo(f"unknown, and handed over as such: {clean(effect.title)}")
            parcel = journal.give(record.id, to=to)
        except BaseException:
            path.unlink()
            raise
        with _recorded(record.id, path):
            _write(opened.fileno(), parcel, path)
    return parcel


def _again(journal: Journal, run: str, away: Handover, to: str, path: Path) -> HandoverFile:
    if to and to != away.peer:
        raise Refused(
            f"Run {run} was {away.words}. Nothing was changed. Without --to, the same file is "
            "written again; to give it to another, take it back first (--take-back)."
        )
    parcel = journal.given(run)
    with _recorded(run, path):
        try:
            file = _new(path)
        except FileExistsError:
            # What a crash left of the very same file is its beginning.
            if not parcel.as_bytes().startswith(path.read_bytes()):
                raise Refused(
                    f"{path} exists and is another file. It was left as it is. Choose another "
                    "name with --output."
                ) from None
            file = _existing(path)
        with os.fdopen(file, "wb") as opened:
            _write(opened.fileno(), parcel, path)
    return parcel


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _existing(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextmanager
def _recorded(run: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        stop(
            f"{path} could not be written: {error.strerror or error}. Run {run} is handed over "
            "all the same: this machine can no longer act on it. Write the file again, here or "
            f"elsewhere: blueprime handover {run} --output FILE.",
            FAILED,
        )


def _write(file: int, parcel: HandoverFile, path: Path) -> None:
    os.fchmod(file, 0o600)
    data = memoryview(parcel.as_bytes())
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put a folder's list of names on disk: a file's own fsync does not."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _say_given(record: Run, away: Handover | None, parcel: HandoverFile, path: Path) -> None:
    words = "" if away is None else away.words
    click.echo(
        f"Run {record.id} of {clean(record.cluster)} was {clean(words)}.\n"
        f"The file: {path} (fingerprint {parcel.fingerprint[:12]}, no secret in it).\n"
        "From now on this machine can only look at the run. Give the file to one machine alone; "
        f"there: blueprime accept {path.name}\n"
        f"If it never arrives: blueprime handover {record.id} writes it again, and "
        f"blueprime handover {record.id} --take-back takes the run back."
    )


def take_back(run: str) -> None:
    """Act on a run here again whose file never arrived, once a person has confirmed that."""
    with write_journal() as journal:
        record = journal.run(run)
        away = record.away
        if away is None:
            raise Refused(f"Run {record.id} was not handed over. Nothing was changed.")
        click.echo(
            f"Run {record.id} of {clean(record.cluster)} was {clean(away.words)}.\n"
            "Taking it back is right only if nobody has accepted the file, and nobody ever will. "
            "Otherwise two machines act on one run: each would do what the other has done or "
            "undone, on production, and neither journal would tell the truth.\n"
            f"Ask {clean(away.peer) or 'whoever was to get it'} now, and have every copy of the "
            "file destroyed."
        )
        wanted = f"{record.cluster} not begun"
        typed = _asked(f"To confirm that the other side has not begun, type: {clean(wanted)}\n")
        if typed.strip() != wanted:
            stop("That is something else. Nothing was changed: the run is still away.", BLOCKED)
        journal.take_back(record.id, typed=typed.strip())
    click.echo(f"Run {record.id} is acted on here again: blueprime resume {record.id}")


def _asked(question: str) -> str:
    try:
        answer: str = click.prompt(question, default="", show_default=False, prompt_suffix="> ")
    except click.Abort:
        stop("Nobody answered. Nothing was changed.", BLOCKED)
    return answer


def accept(file: Path, *, yes: bool) -> None:
    """Take over the run of a file, after showing what it is and asking."""
    parcel = read_parcel(file)
    with write_journal() as journal:
        journal.refuse_parcel(parcel)
        with _unpacked(parcel) as found:
            _show(parcel, found)
        question = "Take this run over, to act on it here? [y/N]"
        if not yes and _asked(question).strip().lower() not in ("y", "yes"):
            stop("Nothing was taken over.", BLOCKED)
        kept = _keep_plan(parcel.export.run.id, machine.as_file(found.plan, parcel.export.run.id))
        run = journal.accept(parcel, plan_path=kept)
        journal.keep_backup()
    click.echo(f"Run {run.id} is acted on here now: blueprime resume {run.id}")
    click.echo(f"Its plan was written to {kept}")
    if run.plan_path != str(kept) and not _says(Path(run.plan_path), found.plan):
        click.echo(
            f"! The run goes on reading {run.plan_path}, which says something else: put the plan "
            "above in its place, or the run goes by the other one from its next check on."
        )


def _says(file: Path, plan: Plan) -> bool:
    """Tell whether a run that reads this file goes on as it is; it does without any file."""
    try:
        return not file.exists() or plans.load(file) == plan
    except PlanError:
        return False


@dataclass(frozen=True, slots=True)
class _Found:
    """What stands in a parcel, read as any run is."""

    listed: Checklist
    plan: Plan
    back: str
    down: Downtime
    lacking: list[str]


@contextmanager
def _unpacked(parcel: HandoverFile) -> Iterator[_Found]:
    """Lay a parcel out in a journal of its own, which goes again: what fails, fails there."""
    with (
        TemporaryDirectory(prefix="blueprime-") as folder,
        Journal.open(Path(folder) / "journal.db") as aside,
    ):
        run = aside.accept(parcel, plan_path=Path())
        try:
            plan = plans.of_run(aside, run)
        except PlanError as error:
            raise BadHandover(
                f"Its plan is none that this version knows: {error.problems[0]}. Nothing "
                "was taken over. Use the version of blueprime that wrote it."
            ) from error
        listed = checklists.read(aside, run.id)
        _enter_own_lab(run)
        lacking = run_async(machine.lacking(plan, run))
        yield _Found(listed, plan, way_back_of(aside, listed), downtime(aside, run.id), lacking)


def _enter_own_lab(run: Run) -> None:
    """Look from this workspace's lab, if a rehearsal has come back to it."""
    from rehearsal.hook import LabError

    with suppress(LabError):  # that there is none here is said among what is lacking
        enter_lab(run)


def _show(parcel: HandoverFile, found: _Found) -> None:
    run, given, listed = found.listed.run, parcel.given, found.listed
    following = listed.next
    stands = f"next is {following.step}" if following else "every step is done"
    state = stands if run.open else f"closed, {run.result}"
    to = f", for {clean(given.to)}" if given.to else ""
    click.echo(
        f"run {run.id} of cluster {clean(run.cluster)} ({clean(run.cluster_resource_id)}, "
        f"{clean(run.region)}, account {clean(run.account)}), {run.environment.value}\n"
        f"given by {clean(given.who)} on {clean(given.host)} at {given.at}{to}\n"
        f"fingerprint {parcel.fingerprint[:12]}: is it the one that was shown there?\n"
        f"stands on the track {name(run.track, listed.current.entry.variant)}: {state}\n"
        f"way back from here: {found.back}"
    )
    _say_down(found.down)
    for line in listed.current.lines:
        for effect in line.attempt.effects if line.attempt else ():
            if effect.outcome is Outcome.UNKNOWN:
                click.echo(f"? unknown whether it happened: {clean(effect.title)}")
    for each in found.lacking:
        click.echo(f"! this machine lacks something the run needs: {clean(each)}")


def _say_down(clock: Downtime) -> None:
    if clock.started_at is not None and clock.ended_at is None:
        click.echo(f"! THE APPLICATIONS ARE DOWN since {clock.started_at:%Y-%m-%d %H:%M:%S} UTC")


def _keep_plan(run: str, text: str) -> Path:
    """Write the plan beside the journal, over no other file, and return where."""
    data = text.encode()
    number = 1
    while True:
        path = home() / (f"plan-{run}.toml" if number == 1 else f"plan-{run}-{number}.toml")
        try:
            file = _new(path)
        except FileExistsError:
            if path.is_file() and path.read_bytes() == data:
                return path
            number += 1
            continue
        with os.fdopen(file, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        _sync_folder(path.parent)
        return path
