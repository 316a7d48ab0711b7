"""The command line. Textual, AWS and the lab are imported only by the commands that need them."""

from __future__ import annotations

import logging

import click

from tui.cli import journal_commands, options, procedure_commands, rehearse_command
from tui.cli.exits import in_words
from tui.cli.guard import GuardedGroup, LaterGroup, PrivateLog


@click.group(cls=GuardedGroup, invoke_without_command=True)
@click.version_option(package_name="blueprime")
@options.mfa_code()
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


@main.group(cls=LaterGroup)
def journal() -> None:
    """The journal's file: check it, put a backup back."""


@main.group(cls=LaterGroup)
def lab() -> None:
    """The rehearsal lab: an imitation of AWS over real PostgreSQL servers."""


for command in (
    procedure_commands.plan,
    procedure_commands.policy,
    procedure_commands.check,
    procedure_commands.start,
    procedure_commands.resume,
    procedure_commands.watch,
    procedure_commands.auto,
    procedure_commands.compare,
    procedure_commands.repair,
    journal_commands.handover,
    journal_commands.accept,
    journal_commands.adopt,
    journal_commands.runs,
    journal_commands.show,
    journal_commands.report,
    rehearse_command.rehearse,
):
    main.add_command(command)
