"""The names that the run will give, and those that AWS makes of blue's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

from runbook.amounts import counted
from runbook.base import derived_names
from runbook.base.context import RUN_TAG
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, warn
from runbook.preflight.survey import Survey


@check(
    "cluster.name",
    why="AWS appends 13 characters for green, and names end at 63.",
)
async def name(look: Survey) -> AsyncIterator[Result]:
    """Names too long for green's suffix."""
    cluster, instances = await look.cluster(), await look.instances()
    endpoints = await look.custom_endpoints()
    names = [
        cluster.identifier,
        *(i.identifier for i in instances),
        *(e.identifier for e in endpoints),
    ]
    long = [n for n in names if len(n) > derived_names.LONGEST_GREEN]
    for each in long:
        has = counted(len(each), "character")
        yield warn(
            each,
            f"The name has {has}.",
            f"Rename it to {derived_names.LONGEST_GREEN} or fewer.",
        )
    if not long:
        yield passed(
            cluster.identifier, f"all names have at most {derived_names.LONGEST_GREEN} characters"
        )


@check(
    "cluster.derived-names",
    why="A name that is refused or taken stops the run where it is needed: while the "
    "applications are stopped, or after the switchover, without a way back.",
)
async def derived(look: Survey) -> AsyncIterator[Result]:
    """A name that the run will give is taken by somebody else, or none that AWS takes."""
    run, production = look.context.run, look.plan.cluster.identifier
    prime = derived_names.blue_prime(production, run)
    numbers = range(1, len(await look.instances()) + 1)
    members = [derived_names.member(prime, n) for n in numbers]
    aside = derived_names.aside(production, run)
    snapshot, group = derived_names.final_snapshot(run), derived_names.parameter_group(run)
    deployment = derived_names.deployment(run)
    names = [prime, aside, *members, snapshot, group, deployment]
    refused = [each for each in names if not derived_names.valid(each)]
    for each in refused:
        yield block(
            each,
            f"The run would make something of this name, which AWS refuses: letters, digits and "
            f"single hyphens, {derived_names.LONGEST_IDENTIFIER} at most.",
            f"Rename {production} to a name of letters, digits and single hyphens.",
        )
    if refused:
        return
    rds = look.context.rds
    clusters, instances, shot, kept, made = await asyncio.gather(
        rds.clusters_named([prime, aside]),
        rds.instances_named(members),
        rds.snapshot(snapshot),
        rds.cluster_parameter_group(group),
        rds.deployment_by_name(deployment),
    )
    taken = [
        *_others(run, "DB cluster", ((c.identifier, c.tags) for c in clusters)),
        *_others(run, "DB instance", ((i.identifier, i.tags) for i in instances)),
        *_others(run, "cluster snapshot", ((s.identifier, s.tags) for s in [shot] if s)),
        *_others(run, "blue/green deployment", ((d.name, d.tags) for d in [made] if d)),
    ]
    if kept is not None and not look.plan.upgrade.cluster_parameter_group:
        tags = await rds.tags(kept.arn)
        taken += _others(run, "cluster parameter group", [(kept.name, tags)])
    for kind, each in taken:
        yield block(
            each,
            f"A {kind} of this name exists that is not this run's; the run will need the name.",
            "Find out whose it is, and rename or delete it; or begin a new run, whose names are "
            "others.",
        )
    if not taken:
        yield passed(production, f"free: {', '.join(names)}")


def _others(
    run: str, kind: str, found: Iterable[tuple[str, Mapping[str, str]]]
) -> list[tuple[str, str]]:
    """Return those of what bears a name of the run's that do not bear its tag."""
    return [(kind, name) for name, tags in found if tags.get(RUN_TAG) != run]
