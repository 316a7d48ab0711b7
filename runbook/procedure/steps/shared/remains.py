"""What still exists because of a run and is billed: asked of AWS once, at the end of a track.

What is not asked for, or denied, is unknown: there may be more than is named.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from runbook.aws import Call
from runbook.aws.errors import AwsError
from runbook.aws.facts import Cluster
from runbook.base import derived_names
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.base.step import Watch
from runbook.procedure.steps.shared.deletion import serves
from runbook.procedure.steps.shared.effects import modify_cluster
from state.remains import FACT, Remaining, Remains, words

T = TypeVar("T")

_INSTANCE = "per hour of its class (Serverless v2: per ACU-hour), also while nobody uses it"
_CLUSTER = (
    "per GB-month of storage, of a clone what differs from its source, and I/O; backups beyond "
    "the free share"
)
_SNAPSHOT = "per GB-month of backup storage"
_LOGS = "per GB-month of stored logs, until they expire; for ever where no retention is set"
_EXTENDED = (
    "per vCPU-hour once the standard support of its major version has ended, beside the instances"
)
_NOTHING = "not billed"
_BUILT_IN = "open-source-rds-extended-support"

_ROLES = (Role.OLD_BLUE, Role.NEW_BLUE, Role.BLUE_PRIME)


async def tell(context: RunContext, watch: Watch) -> None:
    """Keep as evidence what remains, one thing a line, with the command that removes it."""
    found = await look(context)
    first, *rest = words(found)
    watch.evidence(first, key=FACT, value=found.as_json())
    for line in rest:
        watch.evidence(line.strip())


async def look(context: RunContext) -> Remains:
    """Return what still exists because of the run, without what production is now.

    Sources: https://aws.amazon.com/rds/aurora/pricing/,
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/extended-support.html
    """
    asked = _Asked(context)
    return await asked.all()


class _Asked:
    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._found: list[Remaining] = []
        self._unknown: list[str] = []

    async def all(self) -> Remains:
        """Ask for each kind, those first that stand in the way of the others."""
        await self._deployment()
        clusters = await self._clusters()
        await self._backups(clusters)
        await self._group()
        await self._logs()
        return Remains(self._context.now(), tuple(self._found), tuple(self._unknown))

    async def _ask(self, what: str, answer: Awaitable[T], nothing: T) -> T:
        try:
            return await answer
        except AwsError as error:
            self._unknown.append(f"{what}: {error.what}")
            return nothing

    def _add(self, kind: str, name: str, billed: str, remove: Call | str) -> None:
        region = self._context.plan.cluster.region
        how = remove if isinstance(remove, str) else remove.cli(region)
        self._found.append(Remaining(kind, name, billed, how))

    async def _deployment(self) -> None:
        rds, name = self._context.rds, derived_names.deployment(self._context.run)
        found = await self._ask("blue/green deployments", rds.deployment_by_name(name), None)
        if found is not None and found.status != "DELETING":
            call = _call(
                "DeleteBlueGreenDeployment", BlueGreenDeploymentIdentifier=found.identifier
            )
            self._add("deployment", found.name, f"{_NOTHING}; it locks old blue", call)

    async def _clusters(self) -> list[Cluster]:
        """Tell the clusters of the run that do not serve; return all that are its own."""
        context = self._context
        every = await self._ask("clusters", context.rds.clusters(), [])
        roles = {bound: role for role in _ROLES if (bound := context.bound(role))}
        ours = [c for c in every if c.resource_id in roles or c.tags.get(RUN_TAG) == context.run]
        served = {bound for bound, role in roles.items() if serves(context, role)}
        production = context.plan.cluster.identifier
        for each in ours:
            # Where nobody was led anywhere, the applications are where the name leads.
            serving = each.resource_id in served if served else each.identifier == production
            if not serving and each.status != "deleting":
                await self._cluster(each)
        return ours

    async def _cluster(self, cluster: Cluster) -> None:
        rds, name = self._context.rds, cluster.identifier
        if cluster.deletion_protection:
            call = modify_cluster(name, DeletionProtection=False)
            self._add("deletion protection of", name, f"{_NOTHING}; it is lifted first", call)
        for endpoint in await self._ask(
            f"custom endpoints of {name}", rds.custom_endpoints(name), []
        ):
            call = _call("DeleteDBClusterEndpoint", DBClusterEndpointIdentifier=endpoint.identifier)
            self._add("custom endpoint", endpoint.identifier, _NOTHING, call)
        writer = cluster.writer.identifier if cluster.writer else ""
        instances = await self._ask(f"instances of {name}", rds.instances(name), [])
        for instance in sorted(instances, key=lambda i: i.identifier == writer):
            call = _call(
                "DeleteDBInstance",
                DBInstanceIdentifier=instance.identifier,
                SkipFinalSnapshot=True,
            )
            said = f"{instance.identifier} ({instance.instance_class})"
            self._add("instance", said, _INSTANCE, call)
        if cluster.raw.get("EngineLifecycleSupport") == _BUILT_IN:
            said = f"{name}, {cluster.engine_version}"
            self._add("Extended Support of", said, _EXTENDED, "It ends with its instances.")
        self._add("cluster", f"{name} ({cluster.engine_version})", _CLUSTER, self._deletion(name))

    def _deletion(self, name: str) -> Call | str:
        if name == self._context.plan.cluster.identifier:
            return "It bears the production name: first make sure that nobody uses that any more."
        return _call("DeleteDBCluster", DBClusterIdentifier=name, SkipFinalSnapshot=True)

    async def _backups(self, clusters: list[Cluster]) -> None:
        context, rds = self._context, self._context.rds
        made = {bound for role in _ROLES[1:] if (bound := context.bound(role))}
        for snapshot in await self._ask("snapshots", rds.manual_snapshots(), []):
            if snapshot.tags.get(RUN_TAG) == context.run or snapshot.cluster_id in made:
                call = _call(
                    "DeleteDBClusterSnapshot", DBClusterSnapshotIdentifier=snapshot.identifier
                )
                self._add("snapshot", snapshot.identifier, _SNAPSHOT, call)
        alive = {cluster.resource_id for cluster in clusters}
        gone = {bound for role in _ROLES if (bound := context.bound(role))} - alive
        for resource_id in await self._ask("retained backups", rds.retained_backups(), []):
            if resource_id in gone:
                call = _call("DeleteDBClusterAutomatedBackup", DbClusterResourceId=resource_id)
                self._add("automated backups of", resource_id, _SNAPSHOT, call)

    async def _group(self) -> None:
        rds, name = self._context.rds, derived_names.parameter_group(self._context.run)
        if await self._ask("parameter groups", rds.cluster_parameter_group(name), None) is None:
            return
        call = _call("DeleteDBClusterParameterGroup", DBClusterParameterGroupName=name)
        self._add(
            "parameter group", name, f"{_NOTHING}; AWS keeps it while a cluster uses it", call
        )

    async def _logs(self) -> None:
        """Tell log groups by the names that only clusters of this run have borne."""
        context = self._context
        production = context.plan.cluster.identifier
        names = {
            derived_names.blue_prime(production, context.run),
            derived_names.aside(production, context.run),
            str((context.fact("role.green") or {}).get("name") or ""),
            str((context.fact("switchover") or {}).get("old_blue") or ""),
        }
        stem = derived_names.stem(production)
        groups = await self._ask("log groups", context.aws.logs.groups(stem), {})
        for group, cluster in sorted(groups.items()):
            if cluster in names:
                call = Call("logs", "DeleteLogGroup", {"logGroupName": group})
                self._add("log group", group, _LOGS, call)


def _call(action: str, **parameters: object) -> Call:
    return Call("rds", action, parameters)
