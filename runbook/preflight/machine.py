"""What a run needs of the machine that acts on it, and the plan as a file for another machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from runbook.aws import Aws
from runbook.aws.errors import AwsError
from runbook.plan.model import EndpointMethod, Plan, StopMethod
from state.enums import Environment
from state.records import Json, Run

_HEAD = """\
# The plan of run {run}, written from its journal when the run was accepted on this machine.
# It holds no secret. The run reads it again before preflight and before ready-to-switch.

"""


async def lacking(plan: Plan, run: Run) -> list[str]:
    """Return what a run needs and this machine does not have, each as a clause for a person."""
    commands = [f"{key}: {words} here" for key, words in missing_commands(plan)]
    return [*commands, *_credentials(plan), *await _aws(run)]


def missing_commands(plan: Plan) -> list[tuple[str, str]]:
    """Return the plan's keys whose command cannot be run from here, each with what is missing."""
    used: dict[str, Sequence[str]] = {}
    if plan.traffic.stop is StopMethod.COMMAND:
        used["traffic.stop_command"] = plan.traffic.stop_command
        used["traffic.start_command"] = plan.traffic.start_command
    if plan.endpoint.method is EndpointMethod.COMMAND:
        used["endpoint.command"] = plan.endpoint.command
    found = []
    for key, words in used.items():
        if words and shutil.which(words[0]) is None:
            found.append((key, f"there is no command {words[0]}"))
        # An interpreter is everywhere, the script that it is given may not be.
        gone = [word for word in words[1:] if word.startswith("/") and not Path(word).exists()]
        found += [(key, f"there is no {word}") for word in gone]
    return found


def _credentials(plan: Plan) -> list[str]:
    found = []
    password = plan.credentials.password
    if password.startswith("env:") and not os.environ.get(password.removeprefix("env:")):
        found.append(f"credentials.password: the variable {password.removeprefix('env:')} is unset")
    passfile = Path(os.environ.get("PGPASSFILE") or "~/.pgpass").expanduser()
    if password == "pgpass" and not passfile.exists():  # noqa: S105 - a reference
        found.append(f"credentials.password: there is no {passfile} here")
    certificate = plan.credentials.sslrootcert
    if certificate and not Path(certificate).expanduser().exists():
        found.append(f"credentials.sslrootcert: there is no {certificate} here")
    return found


async def _aws(run: Run) -> list[str]:
    """Say whether the AWS that is reached from here is the run's: its world, and its account."""
    try:
        aws = Aws(run.region)
        if run.environment is Environment.REHEARSAL and aws.environment is not run.environment:
            return ["AWS: the lab of this rehearsal is not in the environment (blueprime lab env)"]
        if aws.environment is not run.environment:
            return ["AWS: the environment leads to a rehearsal's lab, the run is of AWS itself"]
        account = (await aws.identity()).account
    except AwsError as error:
        return [f"AWS: {str(error).splitlines()[0]}"]
    if account != run.account:
        return [f"AWS: the credentials are of account {account}, the run is of {run.account}"]
    return []


def as_file(plan: Plan, run: str) -> str:
    """Return a plan as the text of a plan file, which reads as the same plan."""
    values = plan.as_json()
    waivers = values.pop("waive")
    lines = [
        f"{key} = {_toml(value)}" for key, value in values.items() if not isinstance(value, dict)
    ]
    sections = [(f"[{key}]", value) for key, value in values.items() if isinstance(value, dict)]
    sections += [("[[waive]]", waiver) for waiver in waivers]
    for heading, members in sections:
        lines += ["", heading]
        lines += [f"{key} = {_toml(value)}" for key, value in members.items()]
    return _HEAD.format(run=run) + "\n".join(lines) + "\n"


def _toml(value: Json) -> str:
    """Return a value as TOML, whose strings, lists and numbers are spelt as JSON's are."""
    if isinstance(value, dict):
        members = (f"{_toml(key)} = {_toml(member)}" for key, member in value.items())
        return f"{{{', '.join(members)}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
