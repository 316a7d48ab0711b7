"""The commands that read the journal, hand it over, and rebuild it from the clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tui.cli import options
from tui.cli.exits import (
    USAGE,
    in_words,
    print_json,
    run_async,
    stop,
)


@click.command()
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


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_words
def accept(file: Path, yes: bool) -> None:
    """Take over the run that FILE hands over, to act on it on this machine."""
    from tui.cli import handing

    handing.accept(file, yes=yes)


@click.command()
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
@options.via(
    "Without a plan: the tunnel's end here that leads to an endpoint, or to every one (*)."
)
@click.option("--target-version", default="", help="Without a plan, where green does not tell it.")
@click.option(
    "--application-role",
    "application_roles",
    multiple=True,
    help="Without a plan: a role of the applications; default: as found on the servers.",
)
@click.option("--fast", is_flag=True, help="Without a plan: short pauses, for a lab.")
@click.option("--yes", "yes", is_flag=True, help="Do not ask.")
@options.as_json("Print what was inferred as JSON.")
@in_words
def adopt(
    cluster: str,
    region: str | None,
    plan_file: Path | None,
    run: str,
    yes: bool,
    as_json: bool,
    via: tuple[tuple[str, str], ...],
    **without_plan: Any,
) -> None:
    """Rebuild a run whose journal is lost or was left behind. Changes nothing but this journal."""
    from runbook.recovery import Given, Several
    from tui.cli import adopting
    from tui.cli.region import default_region

    where = region or ("" if plan_file else default_region())
    wish = adopting.Wish(
        cluster, where, plan_file, run, Given(via=dict(via), **without_plan), as_json, yes
    )
    try:
        code = run_async(adopting.adopt(wish))
    except Several as several:
        stop(str(several), USAGE)
    raise SystemExit(code)


@click.command()
@options.as_json()
@in_words
def runs(as_json: bool) -> None:
    """List the runs of this workspace, newest first."""
    from tui.cli.listing import runs_json, runs_text

    if as_json:
        print_json(runs_json())
    else:
        click.echo(runs_text(), nl=False)


@click.command()
@click.argument("run", default="")
@options.as_json()
@in_words
def show(run: str, as_json: bool) -> None:
    """Show where RUN stands, and the way back from there."""
    from tui.cli.listing import show_json, show_text

    if as_json:
        print_json(show_json(run))
    else:
        click.echo(show_text(run), nl=False)


@click.command()
@click.argument("run", default="")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "json"]),
    default="md",
    show_default=True,
    help="Markdown or JSON.",
)
@in_words
def report(run: str, form: str) -> None:
    """Print the report of RUN: timeline, durations, downtime, decisions, evidence."""
    from runbook.assumptions.judge import judged
    from state.report import report as write
    from tui.cli.listing import stands
    from tui.cli.workspace import read_journal

    standing = stands(run)
    with read_journal() as journal:
        found = journal.run(run).id
        showed = [each.as_json() for each in judged(journal, found)]
        click.echo(
            write(journal, found, "md" if form == "md" else "json", stands=standing, showed=showed)
        )
