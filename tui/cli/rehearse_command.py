"""The command that goes through a whole night in the lab."""

from __future__ import annotations

from typing import Any

import click

from tui.cli.exits import (
    in_words,
)
from tui.cli.finite import Finite


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
    from tui.cli.rehearse import Rehearsal, rehearse

    raise SystemExit(rehearse(Rehearsal(**options)))
