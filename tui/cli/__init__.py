"""The command line. Textual, AWS and the lab are imported only by the commands that need them."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

from state.home import open_private
from tui.cli.finite import Finite
from tui.cli.guard import GuardedGroup, LaterGroup, PrivateLog
from tui.cli.streams import OutputLost

P = ParamSpec("P")
R = TypeVar("R")

DONE, FAILED, USAGE, BLOCKED, UNKNOWN = 0, 1, 2, 3, 4


def in_words(command: Callable[P, None]) -> Callable[P, None]:
    """Turn every foreseeable failure into one clear sentence and its exit code."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        from runbook.failures import Ambiguous, Refused, StepFailed
        from runbook.plan.model import PlanError
        from state.journal import JournalError, NoSuchRun

        try:
            command(*args, **kwargs)
        except PlanError as error:
            stop(str(error), USAGE)
        except Refused as error:
            stop(_sentence(error), BLOCKED)
        except StepFailed as error:
            stop(_sentence(error), FAILED)
        except Ambiguous as error:
            stop(str(error), UNKNOWN)
        except NoSuchRun as error:
            stop(str(error), USAGE)
        except JournalError as error:
            stop(str(error), FAILED)
        except OutputLost:
            raise
        except OSError as error:
            stop(_about_a_file(error), FAILED)
        except Exception as error:
            if _is_of_the_lab(error):
                stop(str(error), FAILED)
            raise

    return wrapped


def stop(words: str, code: int) -> NoReturn:
    """End the program with words on standard error and an exit code."""
    click.echo(words, err=True)
    raise SystemExit(code)


def _is_of_the_lab(error: Exception) -> bool:
    from rehearsal.hook import LabError

    return isinstance(error, LabError)


def _about_a_file(error: OSError) -> str:
    what = f"{error.filename}: " if error.filename else ""
    return (
        f"{what}{error.strerror or error}. Nothing further was done. "
        "Check the path and its permissions (BLUEPRIME_HOME names the workspace), and try again."
    )


def _sentence(error: Any) -> str:
    return "\n".join((error.what, error.now, error.todo))


def run_async(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end."""
    return asyncio.run(work)


def print_json(value: object) -> None:
    """Print a JSON value, readable."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@click.group(cls=GuardedGroup, invoke_without_command=True)
@click.version_option(package_name="blueprime")
@click.pass_context
@in_words
def main(context: click.Context) -> None:
    """Upgrade an Aurora PostgreSQL cluster by blue/green deployment, with a way back.

    Without a command: the app, on the list of runs.
    """
    _log_to_file()
    if context.invoked_subcommand is None:
        from tui.cli.open import open_app

        raise SystemExit(open_app())


def _log_to_file() -> None:
    """Send the program's own log to a file of the workspace: the screen is the operator's."""
    from state.home import home

    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = PrivateLog(folder / "blueprime.log")
    except OSError:
        # Without a folder there is no journal either, and that is said in words where it matters.
        return
    logging.getLogger().addHandler(handler)
    logging.getLogger("blueprime").setLevel(logging.INFO)


@main.command()
@click.argument("cluster")
@click.option("--target-version", required=True, help="The version that green becomes.")
@click.option("--region", help="AWS Region; default: the environment's.")
@click.option("--user", default="", help="Database user; default: the master user.")
@click.option(
    "--password",
    default="pgpass",
    show_default=True,
    help="A reference: env:NAME, pgpass, iam, or the ARN of a secret.",
)
@click.option("--sslmode", default="", help="Default: verify-full for Aurora's own endpoints.")
@click.option("--sslrootcert", default="", help="The CA file that verify-full needs.")
@click.option(
    "--application-role",
    "application_roles",
    multiple=True,
    help="A role that the applications log in with; default: as found on the server.",
)
@click.option("--order", type=click.Choice(["traffic-first", "protect-first"]))
@click.option(
    "--acknowledge", is_flag=True, help="Accept what the plan lists as not replicated back."
)
@click.option("--stop-command", default="", help="Command line that stops the applications.")
@click.option("--start-command", default="", help="Command line that starts them again.")
@click.option("--fast", is_flag=True, help="Short pauses, for a lab whose AWS is quick.")
@click.option("--output", type=click.Path(path_type=Path), help="Write here instead of printing.")
@in_words
def plan(
    cluster: str,
    target_version: str,
    region: str | None,
    user: str,
    password: str,
    sslmode: str,
    sslrootcert: str,
    application_roles: tuple[str, ...],
    order: str | None,
    acknowledge: bool,
    stop_command: str,
    start_command: str,
    fast: bool,
    output: Path | None,
) -> None:
    """Discover CLUSTER and write a plan file. Changes nothing."""
    from runbook.aws import Aws
    from runbook.plan.discover import discover
    from runbook.plan.model import is_reference
    from tui.cli.region import default_region

    if not is_reference(password):
        stop(
            "The option --password: it takes a reference, never a password: env:NAME, pgpass, "
            "iam, or the ARN of a Secrets Manager secret. Nothing was asked or changed.",
            USAGE,
        )
    text = run_async(
        discover(
            Aws(region or default_region()),
            cluster,
            target_version,
            user=user,
            password=password,
            sslmode=sslmode,
            sslrootcert=sslrootcert,
            application_roles=application_roles,
            order=order or "traffic-first",
            acknowledge=acknowledge,
            stop_command=shlex.split(stop_command),
            start_command=shlex.split(start_command),
            fast=fast,
        )
    )
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with open_private(output, "x") as file:
            file.write(text)
    except FileExistsError:
        stop(f"{output} exists. It was left as it is. Choose another name.", USAGE)
    click.echo(f"Wrote {output}. Read it, then: blueprime check {output}")


@main.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print every result as JSON.")
@in_words
def check(plan_file: Path, as_json: bool) -> None:
    """Run the preflight of PLAN alone. Changes nothing."""
    from tui.cli.checking import check_plan

    raise SystemExit(run_async(check_plan(plan_file, as_json=as_json)))


@main.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@in_words
def start(plan_file: Path) -> None:
    """Begin a run of PLAN, in the app."""
    from tui.cli.open import open_app

    raise SystemExit(open_app(plan_file=plan_file))


@main.command()
@click.argument("run", default="")
@click.option("--take-over", is_flag=True, help="Take the journal from a holder on another host.")
@in_words
def resume(run: str, take_over: bool) -> None:
    """Go on with RUN (default: the newest open one), in the app. Performs nothing by itself."""
    from tui.cli.open import open_app
    from tui.cli.workspace import read_journal, refuse_handed_over

    with read_journal() as journal:
        refuse_handed_over(journal, run)
    raise SystemExit(open_app(run=run or "latest", take_over=take_over))


@main.command()
@click.argument("run", default="")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON line for where it stands, then one for each event and a board a second.",
)
@click.option("--history", is_flag=True, help="With --json: the events until now, too.")
@in_words
def watch(run: str, as_json: bool, history: bool) -> None:
    """Watch RUN, read-only, beside whoever holds it."""
    if history and not as_json:
        raise click.UsageError("--history goes with --json; the app shows the journal with l.")
    if as_json:
        from tui.cli.watching import watch_json

        raise SystemExit(run_async(watch_json(run, history=history)))
    from tui.cli.open import open_app

    raise SystemExit(open_app(run=run or "latest", watch=True))


@main.command()
@click.argument("what", metavar="PLAN|RUN")
@click.option(
    "--track",
    type=click.Choice(
        ["upgrade", "rollback", "forced", "forward", "settle", "commit", "abort", "cleanup"]
    ),
)
@click.option(
    "--until",
    default="",
    metavar="STEP",
    help="Stop after this step of the track that --track names, or else of the one that the run is "
    "on. A step of the same name on a track before it does not count. If it is done there already, "
    "nothing is performed. A step that is not on that track is refused. The summary's result is "
    "`stopped` then, unless the run rests there.",
)
@click.option("--yes", "yes", is_flag=True, help="Pass every gate, typed confirmations included.")
@click.option(
    "--typed",
    default="",
    metavar="CLUSTER",
    help="The cluster's name, for the forced way alone: it gives up writes, and --yes never does.",
)
@click.option(
    "--on-unknown",
    type=click.Choice(["stop", "adopt", "retry"]),
    default="stop",
    show_default=True,
    help="What to do where no look can tell whether a change happened: end with exit code 4, go "
    "on as if it had, or try it once more.",
)
@click.option("--take-over", is_flag=True, help="Take the journal from a holder on another host.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line an event, a summary last.")
@in_words
def auto(what: str, **options: Any) -> None:
    """Run without a screen: PLAN begins a run, RUN goes on with one."""
    from tui.cli.outlet import patient_output
    from tui.cli.unattended import run_unattended

    with patient_output(as_json=options["as_json"]):
        raise SystemExit(run_async(run_unattended(what, **options)))


@main.command()
@click.argument("run", default="")
@click.option("--database", "databases", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--wait",
    "wait_s",
    type=Finite(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds to wait for the side that follows, and for rows that change at every look.",
)
@click.option("--record", is_flag=True, help="Keep what is found in the journal, as its holder.")
@click.option("--json", "as_json", is_flag=True, help="Progress as JSON lines, the result last.")
@in_words
def compare(
    run: str, databases: tuple[str, ...], wait_s: float, record: bool, as_json: bool
) -> None:
    """Compare the rows of RUN's two sides while the applications run. Only reads.

    Exit code 0: no row differs for good; 1: rows differ; 4: of some tables it is not known.
    """
    from tui.cli.comparing import compare_run

    work = compare_run(run, databases=databases, wait_s=wait_s, record=record, as_json=as_json)
    raise SystemExit(run_async(work))


@main.command()
@click.argument("run")
@click.argument("key", default="")
@click.option("--yes", is_flag=True, help="Pass its gates, typed confirmations included.")
@click.option("--json", "as_json", is_flag=True)
@in_words
def mend(run: str, key: str, yes: bool, as_json: bool) -> None:
    """List the mends offered for RUN, or perform the one with KEY (all: each that asks nothing)."""
    from tui.cli import mending

    if key:
        raise SystemExit(run_async(mending.mend(run, key, yes=yes, as_json=as_json)))
    raise SystemExit(run_async(mending.list_remedies(run, as_json=as_json)))


@main.command()
@click.argument("run")
@click.option("--to", default="", help="For whom it is meant: kept in both journals.")
@click.option("--output", type=click.Path(path_type=Path), help="The file to write.")
@click.option("--take-back", is_flag=True, help="The file never arrived: act on RUN here again.")
@in_words
def handover(run: str, to: str, output: Path | None, take_back: bool) -> None:
    """Give RUN to another machine, by one file; this one can then only look at it."""
    from tui.cli import handing

    if take_back:
        if to or output:
            raise click.UsageError("--take-back takes neither --to nor --output.")
        handing.take_back(run)
    else:
        handing.hand_over(run, to=to, output=output)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_words
def accept(file: Path, yes: bool) -> None:
    """Take over the run that FILE hands over, to act on it on this machine."""
    from tui.cli import handing

    handing.accept(file, yes=yes)


@main.command()
@click.argument("cluster")
@click.option("--region", help="AWS Region; default: the plan's, else the environment's.")
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path), help="The run's plan, if it exists."
)
@click.option("--run", default="", help="Which run, where several have left traces.")
@click.option("--user", default="", help="Without a plan: database user; default: the master user.")
@click.option(
    "--password",
    default="pgpass",
    show_default=True,
    help="Without a plan, a reference: env:NAME, pgpass, iam, or the ARN of a secret.",
)
@click.option("--sslmode", default="", help="Without a plan; default: verify-full on Aurora.")
@click.option("--sslrootcert", default="", help="Without a plan: the CA file of verify-full.")
@click.option("--target-version", default="", help="Without a plan, where green does not tell it.")
@click.option(
    "--application-role",
    "application_roles",
    multiple=True,
    help="Without a plan: a role of the applications; default: as found on the servers.",
)
@click.option("--fast", is_flag=True, help="Without a plan: short pauses, for a lab.")
@click.option("--yes", "yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was inferred as JSON.")
@in_words
def adopt(
    cluster: str,
    region: str | None,
    plan_file: Path | None,
    run: str,
    yes: bool,
    as_json: bool,
    **without_plan: Any,
) -> None:
    """Rebuild a run whose journal is lost or was left behind. Changes nothing but this journal."""
    from runbook.recovery import Given, Several
    from tui.cli import adopting
    from tui.cli.region import default_region

    where = region or ("" if plan_file else default_region())
    wish = adopting.Wish(cluster, where, plan_file, run, Given(**without_plan), as_json, yes)
    try:
        code = run_async(adopting.adopt(wish))
    except Several as several:
        stop(str(several), USAGE)
    raise SystemExit(code)


@main.command()
@click.option("--json", "as_json", is_flag=True)
@in_words
def runs(as_json: bool) -> None:
    """List the runs of this workspace, newest first."""
    from tui.cli.listing import runs_json, runs_text

    if as_json:
        print_json(runs_json())
    else:
        click.echo(runs_text(), nl=False)


@main.command()
@click.argument("run", default="")
@click.option("--json", "as_json", is_flag=True)
@in_words
def show(run: str, as_json: bool) -> None:
    """Show where RUN stands, and the way back from there."""
    from tui.cli.listing import show_json, show_text

    if as_json:
        print_json(show_json(run))
    else:
        click.echo(show_text(run), nl=False)


@main.command()
@click.argument("run", default="")
@click.option("--format", "form", type=click.Choice(["md", "json"]), default="md")
@in_words
def report(run: str, form: str) -> None:
    """Print the report of RUN: timeline, durations, downtime, decisions, evidence."""
    from state.report import report as write
    from tui.cli.listing import stands
    from tui.cli.workspace import read_journal

    standing = stands(run)
    with read_journal() as journal:
        found = journal.run(run).id
        click.echo(write(journal, found, "md" if form == "md" else "json", stands=standing))


def _tracks(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the tracks of a list that is parted by commas."""
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    known = ("rollback", "forward", "settle", "commit", "cleanup")
    for each in names:
        if each not in known:
            raise click.BadParameter(f"{each!r} is none of {', '.join(known)}.", context, option)
    return names


@main.command()
@click.option("--auto", "unattended", is_flag=True, help="Without a screen.")
@click.option(
    "--track",
    type=click.Choice(["rollback", "commit", "abort", "upgrade"]),
    default="rollback",
    show_default=True,
    help="Where an unattended night ends.",
)
@click.option(
    "--then",
    metavar="TRACK[,TRACK]",
    default="",
    callback=_tracks,
    help="Where it goes after that, e.g. forward,rollback,forward.",
)
@click.option(
    "--order",
    type=click.Choice(["traffic-first", "protect-first"]),
    default="traffic-first",
    show_default=True,
)
@click.option("--pace", type=Finite(0), default=None, help="1: AWS's durations, 0: none.")
@click.option("--databases", type=click.IntRange(1, 20), default=2, show_default=True)
@click.option("--tables", type=click.IntRange(0, 20000), default=0, help="Plain tables added.")
@click.option("--load", type=Finite(0), default=40.0, show_default=True, help="TPS.")
@click.option("--from", "from_version", default="16", show_default=True)
@click.option("--to", "to_version", default="18", show_default=True)
@click.option("--postgres", multiple=True, metavar="MAJOR=BINDIR", help="Another installed major.")
@click.option("--keep", is_flag=True, help="Leave the lab up afterwards.")
@click.option("--lab", type=click.Choice(["use", "replace"]), help="Of a lab that runs already.")
@click.option("--lives-with", type=int, hidden=True, help="A pid that the lab may not outlive.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line an event, a summary last.")
@in_words
def rehearse(**options: Any) -> None:
    """Go through a whole night on this machine, against real PostgreSQL servers."""
    from tui.cli.rehearse import Night, rehearse

    raise SystemExit(rehearse(Night(**options)))


@main.group(cls=LaterGroup)
def journal() -> None:
    """The journal's file: check it, put a backup back."""


@main.group(cls=LaterGroup)
def lab() -> None:
    """The rehearsal lab: an imitation of AWS over real PostgreSQL servers."""
