"""The journal's file, looked after: is it sound, and a backup put back where it is not."""

from __future__ import annotations

from datetime import datetime

import click

from runbook.amounts import counted
from tui.cli import options
from tui.cli.exits import FAILED, in_words, print_json


@click.command()
@options.as_json()
@in_words
def check(as_json: bool) -> None:
    """Say whether the journal is sound, and which backups there are. Writes nothing.

    Exits with 1 where it is not sound.
    """
    from state.home import journal_path
    from state.journal_files import inspect

    found = inspect(journal_path())
    if as_json:
        print_json(
            {
                "path": str(found.path),
                "sound": found.sound,
                "trouble": found.trouble,
                "entries": found.entries if found.sound else None,
                "backups": [
                    {
                        "number": each.number,
                        "path": str(each.path),
                        "made_at": each.made_at.isoformat(),
                        "entries": each.entries if each.sound else None,
                        "sound": each.sound,
                        "trouble": each.trouble,
                    }
                    for each in found.backups
                ],
            }
        )
    else:
        click.echo(
            f"{found.path}: "
            + (found.trouble or f"sound, {counted(found.entries, 'entry', 'entries')}")
        )
        for each in found.backups:
            state = (
                f"{counted(each.entries, 'entry', 'entries')}"
                if each.sound
                else f"damaged: {each.trouble}"
            )
            click.echo(f"  backup {each.number:>4}  {_local(each.made_at)}  {state}")
        if not found.backups:
            click.echo("  no backup yet: one is made whenever the journal is opened for writing")
        if not found.sound:
            click.echo("Put the newest sound backup in its place with: blueprime journal restore")
    raise SystemExit(0 if found.sound else FAILED)


@click.command()
@click.option("--backup", type=int, help="The number of a backup; default: the newest sound one.")
@in_words
def restore(backup: int | None) -> None:
    """Put a backup in the journal's place. The file that lies there is kept beside it."""
    from state.home import journal_path
    from state.journal_files import restore as put_back

    done = put_back(journal_path(), backup)
    click.echo(
        f"Backup {done.backup.number} of {_local(done.backup.made_at)} is the journal now, with "
        f"{counted(done.backup.entries, 'entry', 'entries')}."
    )
    if done.aside is not None:
        click.echo(f"The former file is kept: {done.aside}")
    if done.lacking:
        click.echo(f"The last {done.lacking} entries that the former one had are not in it.")
    click.echo(
        "A run that was open stands where it stood then. Go on with it (blueprime resume, or "
        "auto RUN): each change is looked for before it is made, and adopted where it is there."
    )


@click.command()
@in_words
def accept() -> None:
    """Accept the journal's file as it is, though it is not as blueprime left it."""
    from state.home import journal_path
    from state.journal_files import accept as go_by

    click.echo(
        "The journal is accepted as it is, with "
        f"{counted(go_by(journal_path()), 'entry', 'entries')}."
    )


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


COMMANDS: dict[str, click.Command] = {"check": check, "restore": restore, "accept": accept}
