"""`blueprime lab …`: the rehearsal lab by hand."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from datetime import UTC, datetime
from typing import Any

import click

from rehearsal import lab
from tui.cli import options
from tui.cli.exits import FAILED, in_words, print_json
from tui.text import clean

_ONE_A_LINE = ("clusters", "deployments", "faults")


def _from_environment(context: click.Context, option: click.Parameter, given: str | None) -> str:
    """Return the password that an `env:NAME` leads to: as an argument it would show in ps."""
    if not given:
        return ""
    kind, _, name = given.partition(":")
    if kind != "env" or not os.environ.get(name):
        raise click.BadParameter("takes env:NAME, of a variable that is set; never a password.")
    return os.environ[name]


@click.command()
@options.lab_options(pace=0.05)
@click.option(
    "--hostile-names",
    is_flag=True,
    help="Names that quoting, terminals and scripts trip over, all over production.",
)
@click.option(
    "--password",
    "master_password",
    metavar="env:NAME",
    callback=_from_environment,
    help="Take the master user's password from a variable; default: one is made up.",
)
@in_words
def start(**chosen: Any) -> None:
    """Start a lab in this workspace: a production cluster under AWS's API, on this machine."""
    lab.start(lab.Options(**chosen))
    click.echo('The lab is up. Use it with: eval "$(blueprime lab env)"')


@click.command(name="stop")
@in_words
def stop_() -> None:
    """Stop the lab: no process and no port is left."""
    from runbook.base.variants import name
    from tui.cli.workspace import open_runs_of_lab

    left = open_runs_of_lab()
    for run in left:
        click.echo(
            f"Run {run.run} of {clean(run.cluster)} is open at {name(run.track, run.variant)}: its "
            "clusters go with the lab, and it can only be looked at afterwards.",
            err=True,
        )
    if left and sys.stdin.isatty():
        click.confirm("Stop the lab all the same?", abort=True, err=True)
    lab.stop()
    click.echo("The lab is down.")


@click.command()
@options.as_json()
@in_words
def status(as_json: bool) -> None:
    """Show what the lab runs."""
    found = lab.status()
    if as_json:
        print_json(found)
        return
    # The environment has a command of its own, which a shell can read.
    del found["env"]
    found["hooks"] = {name: shlex.join(command) for name, command in found["hooks"].items()}
    for key, value in found.items():
        lines = [*map(_in_words, value)] if key in _ONE_A_LINE else [_in_words(value)]
        for line in lines or ["none"]:
            click.echo(f"{key}: {line}")


@click.command()
@in_words
def env() -> None:
    """Print what a shell evaluates, so that the AWS CLI, psql and pgbench work against the lab."""
    running = lab.status()
    found = running["env"]
    if "BLUEPRIME_PLAN" not in found:
        # That of a lab before this one would be taken for this one's.
        click.echo("unset BLUEPRIME_PLAN")
    for name, value in found.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    # Version 1 sends RDS of us-east-1 to AWS whatever AWS_ENDPOINT_URL says.
    click.echo(
        'aws() { command aws ${AWS_ENDPOINT_URL:+"--endpoint-url=$AWS_ENDPOINT_URL"} "$@"; }'
    )
    if shutil.which("psql"):
        return
    if running["psql"]:
        click.echo(f'psql() {{ {running["psql"]} "$@"; }}')
    else:
        click.echo("# There is no psql on the PATH, nor with the lab's servers.")


@click.command()
@click.argument("action", type=click.Choice(["start", "stop", "status"]))
@in_words
def traffic(action: str) -> None:
    """Start or stop the workload, as the plan's hooks do."""
    print_json(lab.traffic(action))


@click.command()
@options.as_json()
@in_words
def ledger(as_json: bool) -> None:
    """Compare the workload's ledger with the cluster that serves now."""
    verdict = lab.ledger()
    if as_json:
        print_json(verdict)
    else:
        click.echo(_in_words(verdict))
    if verdict["missing"] or verdict["mismatched"]:
        raise SystemExit(FAILED)


@click.command()
@click.argument("kind")
@click.argument("arguments", nargs=-1)
@in_words
def fault(kind: str, arguments: tuple[str, ...]) -> None:
    """Order a fault, e.g. `fault throttle ModifyDBCluster 3`; `fault list` names them."""
    found = lab.fault(kind, *arguments)
    if kind != "list":
        found = {"ordered": [kind, *arguments], "waiting": found["waiting"]}
    print_json(found)


@click.command()
@click.option(
    "--reads", is_flag=True, help="List every request to RDS, those that read or were refused, too."
)
@options.as_json()
@in_words
def calls(reads: bool, as_json: bool) -> None:
    """List the API calls that changed something, in the order in which they were performed."""
    found = lab.requests() if reads else lab.calls()
    if as_json:
        print_json(found)
        return
    for call in found:
        at = datetime.fromtimestamp(call["at"], UTC).strftime("%H:%M:%S")
        lost = "  (the response was lost)" if call.get("lost") else ""
        click.echo(f"{at}  {call['action']}  {call.get('target', '')}{lost}".rstrip())


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(each)}" for key, each in value.items()) or "none"
    if isinstance(value, list):
        return " ".join(map(_in_words, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == "" else clean(str(value))


COMMANDS: dict[str, click.Command] = {
    "start": start,
    "stop": stop_,
    "status": status,
    "env": env,
    "traffic": traffic,
    "ledger": ledger,
    "fault": fault,
    "calls": calls,
}
