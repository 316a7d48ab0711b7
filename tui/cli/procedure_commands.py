"""The commands that begin a run, go on with it, watch it and repair what it needs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from state.home import open_private
from tui.cli import options
from tui.cli.exits import USAGE, in_words, print_json, run_async, stop
from tui.cli.options import Finite


@click.command()
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
@options.via("The tunnel's end here that leads to an endpoint, or to every one (*).")
@click.option(
    "--application-role",
    "application_roles",
    multiple=True,
    help="A role that the applications log in with; default: as found on the server.",
)
@options.order()
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
    via: tuple[tuple[str, str], ...],
    application_roles: tuple[str, ...],
    order: str,
    acknowledge: bool,
    stop_command: str,
    start_command: str,
    fast: bool,
    output: Path | None,
) -> None:
    """Discover CLUSTER and write a plan file. Changes nothing."""
    from runbook.aws import Aws
    from runbook.plan.connection import is_reference
    from runbook.plan.discover import discover
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
            via=dict(via),
            application_roles=application_roles,
            order=order,
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


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@in_words
def policy(plan_file: Path) -> None:
    """Print the IAM policy that the run of PLAN needs. Asks nobody."""
    from runbook.plan.policy import policy as policy_of
    from runbook.preflight import plans

    print_json(policy_of(plans.load(plan_file)))


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@options.as_json("Print every result as JSON.")
@in_words
def check(plan_file: Path, as_json: bool) -> None:
    """Run the preflight of PLAN alone. Changes nothing."""
    from tui.cli.checking import check_plan

    raise SystemExit(run_async(check_plan(plan_file, as_json=as_json)))


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@in_words
def start(plan_file: Path) -> None:
    """Begin a run of PLAN, in the app."""
    from tui.cli.open import open_app

    raise SystemExit(open_app(plan_file=plan_file))


@click.command()
@click.argument("run", default="")
@click.option("--take-over", is_flag=True, help="Take the journal from a holder on another host.")
@in_words
def resume(run: str, take_over: bool) -> None:
    """Go on with RUN (default: the newest open one), in the app. Performs nothing by itself."""
    from tui.cli.open import open_app
    from tui.cli.workspace import bring_up_to_date, read_journal, refuse_handed_over

    bring_up_to_date(take_over=take_over)
    with read_journal() as journal:
        refuse_handed_over(journal, run)
    raise SystemExit(open_app(run=run or "latest", take_over=take_over))


@click.command()
@click.argument("run", default="")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON line for where it stands, then one an event and the figures each second.",
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


@click.command()
@click.argument("what", metavar="PLAN|RUN")
@click.option(
    "--track",
    type=click.Choice(
        ["upgrade", "rollback", "forced", "forward", "finalize", "commit", "abort", "cleanup"]
    ),
    help="Where to go; default: on, along the track that the run is on.",
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
    help="What to do where no probe can tell whether a change happened: end with exit code 4, go "
    "on as if it had, or try it once more.",
)
@click.option("--take-over", is_flag=True, help="Take the journal from a holder on another host.")
@options.as_json("One JSON line an event, a summary last.")
@in_words
def auto(what: str, **chosen: Any) -> None:
    """Run without a screen: PLAN begins a run, RUN goes on with one."""
    from tui.cli.outlet import patient_output
    from tui.cli.unattended import run_unattended

    with patient_output(as_json=chosen["as_json"]):
        raise SystemExit(run_async(run_unattended(what, **chosen)))


@click.command()
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
@options.as_json("Progress as JSON lines, the result last.")
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


@click.command()
@click.argument("run")
@click.argument("key", default="")
@click.option("--yes", is_flag=True, help="Pass its gates, typed confirmations included.")
@options.as_json()
@in_words
def repair(run: str, key: str, yes: bool, as_json: bool) -> None:
    """List the repairs offered for RUN, or perform one by KEY (all: each that asks nothing)."""
    from tui.cli import repairs

    if key:
        raise SystemExit(run_async(repairs.repair(run, key, yes=yes, as_json=as_json)))
    raise SystemExit(run_async(repairs.list_repairs(run, as_json=as_json)))
