"""A plan for a run whose own plan is lost: discovered anew from what is there."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runbook.aws import Aws
from runbook.aws.facts import Cluster
from runbook.ownership.tags import Traces
from runbook.plan.discover import discover
from runbook.plan.model import Order, Plan
from runbook.postgres import catalog
from runbook.recovery.cluster_roles import ClusterRoles, no_guess

_ROLES = re.compile(r"^application_roles = \[(?:\]|\n(?:  .*\n)*\])$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Given:
    """What the operator says where there is no plan."""

    user: str = ""
    password: str = "pgpass"  # noqa: S105 - a reference, as the plan holds it
    sslmode: str = ""
    sslrootcert: str = ""
    via: Mapping[str, str] = field(default_factory=dict)
    target_version: str = ""
    application_roles: tuple[str, ...] = ()
    fast: bool = False


def parsed(text: str) -> Plan:
    """Return the plan of a text."""
    return Plan.model_validate(tomllib.loads(text))


async def discovered(aws: Aws, traces: Traces, roles: ClusterRoles, given: Given) -> str:
    """Return a plan's text as far as it can be discovered: the commands cannot.

    Raise `Refused` where the target version or the credentials cannot be told.
    """
    source = _source(roles)
    target = given.target_version or await _target_version(aws, traces, roles)
    text = await discover(
        aws,
        source.identifier,
        target,
        user=given.user,
        password=given.password,
        sslmode=given.sslmode,
        sslrootcert=given.sslrootcert,
        via=given.via,
        application_roles=given.application_roles,
        fast=given.fast,
        known_as=roles.production,
    )
    return text.replace(source.resource_id, roles.blue_id)


def _source(roles: ClusterRoles) -> Cluster:
    """Return a cluster that still has the version from which the upgrade began."""
    for cluster in (roles.blue, roles.prime):
        if cluster is not None and cluster.available and cluster.members:
            return cluster
    raise no_guess(
        "No cluster of the old version is left that a plan could be discovered from.",
        "Give the plan of the run with --plan.",
    )


async def _target_version(aws: Aws, traces: Traces, roles: ClusterRoles) -> str:
    """Return green's version, or the only target that fits the family of the run's group."""
    source = _source(roles)
    if roles.green is not None and roles.green.major != source.major:
        return roles.green.engine_version
    group = await aws.rds.cluster_parameter_group(traces.group) if traces.group else None
    version = await aws.rds.engine_version(source.engine_version)
    targets = [target.version for target in version.upgrade_targets] if version else []
    family = group.family if group else ""
    fitting = [each for each in targets if family in ("", f"aurora-postgresql{each.split('.')[0]}")]
    if len(fitting) == 1:
        return fitting[0]
    raise no_guess(
        f"The version that green was to become cannot be told; it may be: {', '.join(fitting)}.",
        "Name it with --target-version, or give the plan of the run with --plan.",
    )


def with_roles(text: str, names: Iterable[str]) -> str:
    """Return a discovered plan with these application roles in place of its own."""
    quoted = [json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f") for name in names]
    lines = "".join(f"\n  {name}," for name in quoted)
    rows = f"application_roles = [{lines}\n]" if quoted else "application_roles = []"
    return _ROLES.sub(lambda _: rows, text, count=1)


def applications(roles: Iterable[catalog.LoginRole]) -> set[str]:
    """Return the names of the roles that applications may use."""
    return {r.name for r in roles if not (r.internal or r.own or r.current or r.superuser)}


def with_order(text: str, order: Order) -> str:
    """Return a discovered plan with another order of the steps after the capture."""
    return text.replace('\norder = "traffic-first"\n', f'\norder = "{order.value}"\n', 1)
