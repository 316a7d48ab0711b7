"""What runs have left in a region, by AWS's word alone: tags, names, and who uses what."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runbook.aws import Aws
from runbook.aws.facts import Cluster, Deployment
from runbook.base.context import CLUSTER_TAG, RUN_TAG
from runbook.base.derived_names import aside, blue_prime
from runbook.base.derived_names import deployment as deployment_name
from runbook.failures import StepFailed

_GROUP = re.compile(r"bp-(?P<run>[a-z][a-z0-9]{5})-pg")
_SQL_NAME = re.compile(r"blueprime_(?P<run>[a-z][a-z0-9]{5})(_.*)?", re.DOTALL)

_LOOKS = 20
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Region:
    """The clusters, deployments and parameter groups of a region, seen at one time."""

    clusters: tuple[Cluster, ...]
    deployments: tuple[Deployment, ...]
    groups: Mapping[str, Mapping[str, str]]
    """Tags of each cluster parameter group that bears the name of a run's."""

    def named(self, identifier: str) -> Cluster | None:
        """Return the cluster of a name."""
        return next((c for c in self.clusters if c.identifier == identifier), None)

    def of_id(self, resource_id: str) -> Cluster | None:
        """Return the cluster of a resource id."""
        return next((c for c in self.clusters if c.resource_id == resource_id), None)

    def of_arn(self, arn: str) -> Cluster | None:
        """Return the cluster of an ARN, which moves with its name."""
        return next((c for c in self.clusters if arn and c.arn == arn), None)


@dataclass(slots=True)
class Traces:
    """What one run has left."""

    run: str
    deployment: Deployment | None = None
    group: str = ""
    """Its parameter group, if there is one."""
    tagged: list[Cluster] = field(default_factory=list)
    """Clusters that bear its tag. Alone that proves nothing: AWS copies tags to green."""
    blue_ids: dict[str, str] = field(default_factory=dict)
    """Resource id of the upgraded cluster -> what says so."""

    def words(self) -> list[str]:
        """Name each trace."""
        found = [f"{cluster.identifier} ({cluster.engine_version})" for cluster in self.tagged]
        if self.deployment is not None:
            found.insert(0, f"deployment {self.deployment.name}, {self.deployment.status}")
        if self.group:
            found.append(f"parameter group {self.group}")
        return found


async def look(aws: Aws) -> Region:
    """Return what there is, seen while no deployment changed its names.

    Raise `StepFailed` where names kept moving.
    """
    for _ in range(_LOOKS):
        before = await aws.rds.deployments()
        clusters = await aws.rds.clusters()
        after = await aws.rds.deployments()
        if _names(before) == _names(after):
            groups = [
                g for g in await aws.rds.cluster_parameter_groups() if _GROUP.fullmatch(g.name)
            ]
            tags = await asyncio.gather(*(aws.rds.tags(group.arn) for group in groups))
            return Region(
                tuple(clusters),
                tuple(after),
                {group.name: tag for group, tag in zip(groups, tags, strict=True)},
            )
        await asyncio.sleep(_PAUSE_S)
    raise StepFailed(
        "The names of the clusters went on moving while they were looked at.",
        now="Nothing was changed, and no run was adopted.",
        todo="Wait until the switchover under way is over, then try again.",
    )


def _names(deployments: list[Deployment]) -> list[tuple[str, str, str, str]]:
    return [(d.identifier, d.source, d.target, d.status) for d in deployments]


def made_by(cluster: Cluster, production: str, run: str) -> bool:
    """Return whether a cluster bears a name that only this run gives."""
    return cluster.identifier in (blue_prime(production, run), aside(production, run))


def bears_name(cluster: Cluster, production: str, run: str) -> bool:
    """Return whether a cluster bears a name that it may have in a run of this production name."""
    own = rf"{re.escape(production)}(-old\d+|-green-[a-z0-9]+)?"
    return bool(re.fullmatch(own, cluster.identifier)) or made_by(cluster, production, run)


def run_of_name(name: str) -> str:
    """Return the run whose slot, publication, subscription or role bears a name, or ""."""
    match = _SQL_NAME.fullmatch(name)
    return match["run"] if match else ""


def run_of_deployment(deployment: Deployment) -> str:
    """Return the run that has made a deployment, or "": a name alone may be anybody's."""
    run = deployment.tags.get(RUN_TAG, "")
    return run if deployment.name == deployment_name(run) else ""


def find(region: Region, production: str) -> list[Traces]:
    """Return the runs that have left traces on a cluster of this production name, by id."""
    found: dict[str, Traces] = {}

    def of(run: str) -> Traces:
        return found.setdefault(run, Traces(run))

    for deployment in region.deployments:
        if run := run_of_deployment(deployment):
            traces = of(run)
            traces.deployment = deployment
            if source := region.of_arn(deployment.source):
                traces.blue_ids.setdefault(source.resource_id, f"source of {deployment.name}")
            _note(traces, deployment.tags, deployment.name)
    for name, tags in region.groups.items():
        match = _GROUP.fullmatch(name)
        run = tags.get(RUN_TAG, "")
        if match and match["run"] == run:
            of(run).group = name
            _note(of(run), tags, name)
    for cluster in region.clusters:
        if run := cluster.tags.get(RUN_TAG, ""):
            of(run).tagged.append(cluster)
            if cluster.identifier == blue_prime(production, run):
                _note(of(run), cluster.tags, cluster.identifier)
    return sorted(
        (traces for traces in found.values() if _concerns(region, traces, production)),
        key=lambda traces: traces.run,
    )


def _note(traces: Traces, tags: Mapping[str, str], where: str) -> None:
    if blue := tags.get(CLUSTER_TAG):
        traces.blue_ids.setdefault(blue, f"tag {CLUSTER_TAG} of {where}")


def _concerns(region: Region, traces: Traces, production: str) -> bool:
    """Return whether a run's own clusters bear names of this production cluster.

    A tag alone does not make a cluster the run's: anybody may have put it there.
    """
    return any(
        bears_name(cluster, production, traces.run) for cluster in _clusters(region, traces)
    ) or any(made_by(cluster, production, traces.run) for cluster in traces.tagged)


def _clusters(region: Region, traces: Traces) -> Iterator[Cluster]:
    for resource_id in traces.blue_ids:
        if cluster := region.of_id(resource_id):
            yield cluster
    if traces.deployment and (green := region.of_arn(traces.deployment.target)):
        yield green
    yield from (c for c in region.clusters if traces.group and c.parameter_group == traces.group)
