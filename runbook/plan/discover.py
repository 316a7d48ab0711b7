"""Looks at a cluster and writes the plan that fits it, for a person to read and complete."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

import psycopg
from pydantic import ValidationError

from runbook.amounts import counted
from runbook.aws import Aws
from runbook.aws.facts import Cluster, EngineVersion
from runbook.aws.partitions import ca_bundle, of_amazon
from runbook.aws.versions import blue_green_since, blue_green_support, numbers
from runbook.failures import Refused, StepFailed
from runbook.plan.arguments import hold_secret
from runbook.plan.connection import ConnectionSection, CredentialsSection, root_file
from runbook.plan.model import DATA_KINDS
from runbook.plan.reading import plainly
from runbook.plan.target import target_of
from runbook.plan.template import TEMPLATE
from runbook.postgres import catalog
from runbook.postgres import connect as pg

_CONNECT_S = 20.0


async def discover(
    aws: Aws,
    identifier: str,
    target_version: str,
    *,
    user: str = "",
    password: str = "pgpass",  # noqa: S107 - a reference, as the plan holds it
    sslmode: str = "",
    sslrootcert: str = "",
    via: Mapping[str, str] | None = None,
    maintenance_database: str = "postgres",
    application_roles: Sequence[str] = (),
    stop_command: Sequence[str] = (),
    start_command: Sequence[str] = (),
    order: str = "traffic-first",
    fast: bool = False,
    acknowledge: bool = False,
    known_as: str = "",
) -> str:
    """Return a plan as TOML text for upgrading a cluster to a version.

    `password` is a reference as the plan takes it. `user` defaults to the master user. Without
    `application_roles` the roles are taken from the server. `fast` shortens the pauses, for
    clusters that change state within seconds. `acknowledge` accepts every kind of data that is
    present instead of leaving that to a person. `known_as` is the production name of a cluster that
    has lost it to a switchover meanwhile.

    Raise `Refused` when there is no such cluster or upgrade, `AwsError` and `StepFailed` in words
    when AWS or the server cannot be asked. Nothing is changed.
    """
    _refuse_secrets("--stop-command", stop_command)
    _refuse_secrets("--start-command", start_command)
    identity = await aws.identity()
    cluster = await _cluster(aws, identifier)
    await _require_target(aws, cluster, target_version)
    credentials = _credentials(
        user=user or cluster.master_username,
        password=password,
        sslmode=sslmode or _sslmode(cluster.endpoint),
        sslrootcert=root_file(sslrootcert or os.environ.get("PGSSLROOTCERT", ""), Path()),
        maintenance_database=maintenance_database,
    )
    connection = _connection(via or {})
    found, kinds = await _ask_servers(aws, cluster, credentials, connection)
    name = known_as or cluster.identifier
    return Template(TEMPLATE).substitute(
        name=_comment(name),
        version=_comment(cluster.engine_version),
        identifier=_text(name),
        resource_id=_text(cluster.resource_id),
        region=_text(aws.region),
        account=_text(identity.account),
        target_version=_text(target_version),
        order=_text(order),
        **_credential_values(credentials, cluster.endpoint, aws.region),
        via=_via(connection, cluster.endpoint),
        **_traffic_values(stop_command, start_command),
        roles=_roles(found, application_roles),
        acknowledge=_acknowledged(kinds, target_version, acknowledge),
        pace=_FAST if fast else _LIFELIKE,
        hash_budget_s="20.0" if fast else "60.0",
        parallel="2" if fast else "4",
    )


def _credential_values(
    credentials: CredentialsSection, endpoint: str, region: str
) -> dict[str, str]:
    root = credentials.sslrootcert
    return {
        "user": _text(credentials.user),
        "password": _text(credentials.password),
        "sslmode": _text(credentials.sslmode),
        "sslmode_why": _sslmode_why(endpoint, credentials.sslmode, region),
        "sslrootcert": f"sslrootcert = {_text(root)}" if root else '# sslrootcert = ""',
        "maintenance_database": _text(credentials.maintenance_database),
    }


def _traffic_values(stop: Sequence[str], start: Sequence[str]) -> dict[str, str]:
    return {
        "stop": _text("command" if stop and start else "manual"),
        "stop_command": _command("stop_command", stop, "/usr/local/bin/stop-orders"),
        "start_command": _command("start_command", start, "/usr/local/bin/start-orders"),
    }


def _credentials(**values: str) -> CredentialsSection:
    try:
        return CredentialsSection.model_validate(values)
    except ValidationError as error:
        problems = _problems(error)
        # What was given is not repeated, nor kept in the chain: it may be a password.
        raise _no_plan(
            f"The credentials cannot go into a plan: {problems}.",
            todo="Give a reference with --password.",
        ) from None


def _connection(via: Mapping[str, str]) -> ConnectionSection:
    try:
        return ConnectionSection.model_validate({"via": dict(via)})
    except ValidationError as error:
        raise _no_plan(
            f"The tunnels cannot go into a plan: {_problems(error)}.",
            todo="Give each with --via ENDPOINT=ADDRESS:PORT.",
        ) from None


def _problems(error: ValidationError) -> str:
    found = error.errors(include_input=False)
    return "; ".join(f"{item['loc'][-1]} {plainly(item)}" for item in found)


def _via(connection: ConnectionSection, endpoint: str) -> str:
    if not connection.via:
        return f'# [connection.via]\n# {_text(_comment(endpoint))} = "127.0.0.1:15432"'
    rows = [f"{_text(endpoint)} = {_text(end)}" for endpoint, end in connection.via.items()]
    return "\n".join(["[connection.via]", *rows])


def _no_plan(what: str, *, todo: str) -> Refused:
    """Return the refusal to write a plan."""
    return Refused(what, now="Nothing was changed, and no plan was written.", todo=todo)


async def _cluster(aws: Aws, identifier: str) -> Cluster:
    cluster = await aws.rds.cluster(identifier)
    if cluster is not None and cluster.engine == "aurora-postgresql":
        return cluster
    others = sorted(c.identifier for c in await aws.rds.clusters())
    there = f"There are: {', '.join(others)}." if others else "There is none at all."
    what = (
        f"{aws.region} has no Aurora PostgreSQL cluster {identifier!r}."
        if cluster is None
        else f"The cluster {identifier!r} is {cluster.engine}, not Aurora PostgreSQL."
    )
    raise _no_plan(
        f"{what} {there}",
        todo="Check the name, the region and the AWS profile.",
    )


async def _require_target(aws: Aws, cluster: Cluster, target: str) -> None:
    source = await aws.rds.engine_version(cluster.engine_version)
    targets = _major_first(source)
    if re.match(r"\d+(\.|$)", target) and numbers(target) <= numbers(cluster.engine_version):
        is_now = "is already on" if numbers(target) == numbers(cluster.engine_version) else "is on"
        raise _no_plan(
            f"{cluster.identifier} {is_now} {cluster.engine_version}: there is nothing to upgrade "
            f"to {target}.",
            todo="To go on with a run: blueprime runs names it. To go higher, name the version "
            f"with --target-version{_of(targets)}.",
        )
    if source is None or target not in {t.version for t in source.upgrade_targets}:
        valid = f"Valid targets: {', '.join(targets)}." if targets else "AWS lists no target."
        raise _no_plan(
            f"{cluster.identifier} ({cluster.engine_version}) cannot be upgraded to {target}. "
            f"{valid}",
            todo="Choose a valid target with --target-version.",
        )
    for version in (cluster.engine_version, target):
        if blue_green_support(version) is False:
            raise _no_plan(
                f"Aurora PostgreSQL {version} takes no blue/green deployment.",
                todo=f"It needs at least {blue_green_since(version)}: "
                + (
                    "upgrade the cluster to that minor version in place first."
                    if version == cluster.engine_version
                    else "choose a newer target."
                ),
            )


def _of(targets: Sequence[str]) -> str:
    return f" ({', '.join(targets)})" if targets else ""


def _refuse_secrets(option: str, words: Sequence[str]) -> None:
    if hold_secret(words):
        # Nor is it repeated here.
        raise _no_plan(
            f"{option} holds a password or key in clear, which ps shows and a plan never keeps.",
            todo="Let the command take it from a file or a variable of the environment.",
        )


def _major_first(source: EngineVersion | None) -> list[str]:
    if source is None:
        return []
    targets = sorted(source.upgrade_targets, key=lambda target: not target.is_major)
    return [target.version for target in targets]


async def _ask_servers(
    aws: Aws,
    cluster: Cluster,
    credentials: CredentialsSection,
    ways: ConnectionSection,
) -> tuple[Sequence[catalog.LoginRole], dict[str, catalog.DataKinds]]:
    """Return the roles that may log in, and what kinds of data each database has."""
    target = target_of(cluster, credentials, ways, cluster.identifier, may_recover=True)
    password = aws.password(credentials, host=target.host, port=target.port)

    async def connect(database: str) -> psycopg.AsyncConnection:
        return await pg.connect(target, password, database, deadline_s=_CONNECT_S, read_only=True)

    try:
        kinds: dict[str, catalog.DataKinds] = {}
        async with await connect(credentials.maintenance_database) as connection:
            roles = await catalog.login_roles(connection)
            databases = await catalog.connectable_databases(connection)
        for database in databases:
            async with await connect(database) as connection:
                kinds[database] = await catalog.data_kinds(connection)
    except (pg.CannotConnect, pg.WrongServer, psycopg.Error) as error:
        raise StepFailed(
            str(error).strip(),
            now="Nothing was changed, and no plan was written.",
            todo="Check that this machine reaches the cluster, the user, the password's reference "
            f"({credentials.password}) and sslmode ({credentials.sslmode}; for verify-full, "
            f"download {ca_bundle(aws.region)} and name it with --sslrootcert).",
        ) from error
    return roles, kinds


def _sslmode(endpoint: str) -> str:
    return "verify-full" if of_amazon(endpoint) else os.environ.get("PGSSLMODE", "prefer")


def _sslmode_why(endpoint: str, sslmode: str, region: str) -> str:
    if sslmode == "verify-full" and not of_amazon(endpoint):
        return "proves who answers, by the authorities of sslrootcert"
    if sslmode == "verify-full":
        return f"verify-full needs AWS's certificates: {ca_bundle(region)}"
    if of_amazon(endpoint):
        return f"{sslmode} does not prove who answers; verify-full does, with {ca_bundle(region)}"
    offered = ", so TLS only where offered" if sslmode in ("allow", "prefer") else ""
    return f"no Amazon address: {sslmode}{offered}"


def _text(value: str) -> str:
    """Return a TOML basic string; what does not print is escaped, and read back as it was.

    JSON's escapes are a subset of TOML's.
    """
    escaped = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped)


def _comment(value: str) -> str:
    """Return text that is safe in a TOML comment, which holds no control characters."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)


def _command(key: str, words: Sequence[str], example: str) -> str:
    if not words:
        return f"# {key} = [{_text(example)}]"
    return f"{key} = [{', '.join(_text(word) for word in words)}]"


def _roles(found: Sequence[catalog.LoginRole], given: Sequence[str]) -> str:
    sessions = {role.name: role.sessions for role in found}
    names = given or [
        role.name
        for role in sorted(found, key=lambda role: (-role.sessions, role.name))
        if not (role.internal or role.own or role.current or role.superuser)
    ]
    lines = [f"  {_text(name)},  # {_sessions(sessions.get(name))}" for name in names]
    return "\n".join(["[", *lines, "]"]) if lines else "[]"


def _sessions(count: int | None) -> str:
    if count is None:
        return "no role of this name can log in"
    return f"{counted(count, 'session')} now"


def _acknowledged(kinds: dict[str, catalog.DataKinds], target: str, acknowledge: bool) -> str:
    """Return what a person may accept beforehand: what is there, commented out unless accepted."""
    lines = []
    mark = "" if acknowledge else "# "
    known = {kind: (kind, fate) for kind, fate in DATA_KINDS.items()}
    known["partitioned_tables"] = (
        "schema.partitions",
        "partitioned; a partition that is made meanwhile degrades the deployment, or has no way "
        "back until it is on blue prime too",
    )
    for kind, (name, fate) in known.items():
        counts = {database: getattr(found, kind) for database, found in kinds.items()}
        present = [
            f"{count} in {_comment(database)}" for database, count in counts.items() if count
        ]
        if present:
            lines += [f"  # {', '.join(present)}: {fate}", f"  {mark}{_text(name)},"]
    if blue_green_support(target) is None:
        lines += [
            f"  # AWS's guide does not say yet whether {_comment(target)} takes a deployment",
            f"  {mark}{_text(f'cluster.target:{target}')},",
        ]
    return "\n".join(["[", *lines, "]"]) if lines else "[]"


_LIFELIKE = """\
# [limits]            # how long each wait may take, in seconds; these are the defaults
# create_deployment_s = 14400
# clone_s = 3600
# instance_s = 3600
# drain_s = 900
# repair_s = 14400      # one statement of a repair, or ANALYZE of one table
# poll_s = 5.0        # the pause between two looks at AWS
# fast_poll_s = 0.5   # the pause inside the fence, where every second is downtime
# watch_every_s = 20.0  # the pause between two looks at AWS while nothing is done
# calls_per_s = 1.0   # calls to RDS a second, on average; AWS takes some 12 of a whole account"""

_FAST = """\
[fence]
window_s = 0.15       # how long nothing must be seen to write

[limits]
parameter_settle_s = 0  # AWS asks for 300 between making a parameter group and its first use
poll_s = 0.2          # the pause between two looks at AWS
fast_poll_s = 0.05    # the pause inside the fence, where every second is downtime
watch_every_s = 1.0   # the pause between two looks at AWS while nothing is done
calls_per_s = 50.0    # calls to RDS a second, on average: nobody else needs them here
connect_s = 30.0
late_effect_s = 2.0   # how long a change whose answer was lost may still appear"""
