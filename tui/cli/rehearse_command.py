"""The command that goes through a whole night in the lab."""

from __future__ import annotations

from typing import Any

import click

from tui.cli import options
from tui.cli.exits import in_words


def _tracks(context: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the tracks of a list that is parted by commas."""
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    known = ("rollback", "forward", "finalize", "commit", "cleanup")
    for each in names:
        if each not in known:
            raise click.BadParameter(f"{each!r} is none of {', '.join(known)}.", context, option)
    return names


@click.command()
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
@options.order()
@options.lab_options(pace=None)
@click.option("--iam", is_flag=True, help="Under the IAM policy that `blueprime policy` prints.")
@click.option("--keep", is_flag=True, help="Leave the lab up afterwards.")
@click.option("--lab", type=click.Choice(["use", "replace"]), help="Of a lab that runs already.")
@options.as_json("One JSON line an event, a summary last.")
@in_words
def rehearse(**chosen: Any) -> None:
    """Go through a whole night on this machine, against real PostgreSQL servers."""
    from tui.cli.rehearse import Rehearsal, rehearse

    raise SystemExit(rehearse(Rehearsal(**chosen)))
