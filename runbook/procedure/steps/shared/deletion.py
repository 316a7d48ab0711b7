"""Deleting: only what this run created, seen by its tag and its recorded resource id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from runbook.aws import Call
from runbook.aws.facts import Cluster, Instance
from runbook.base.context import RUN_TAG, RunContext
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Effect, Gate, Impact, Watch
from runbook.failures import Finding, Refused
from runbook.ownership import serving
from runbook.procedure.steps.shared.effects import (
    ApiEffect,
    ProbeFn,
    Settled,
    modify_cluster,
    no,
    yes,
)


async def own(context: RunContext, role: Role) -> Cluster | None:
    """Return the role's cluster if this run created it and it does not serve; refuse otherwise.

    None where it is gone already.

    Raises `Refused`.
    """
    cluster = await context.find(role)
    if cluster is None:
        return None
    tags = await context.rds.tags(cluster.arn)
    if tags.get(RUN_TAG) != context.run:
        raise Refused(
            f"{cluster.identifier} ({role.value}) does not bear this run's tag.",
            now="It was not touched.",
            todo="If it is to go, delete it by hand.",
        )
    if cluster.identifier == context.plan.cluster.identifier:
        raise never_deleted(f"{cluster.identifier} ({role.value}) bears the production name.")
    if serves(context, role):
        raise never_deleted(f"{cluster.identifier} ({role.value}) serves the applications.")
    return cluster


def never_deleted(why: str) -> Refused:
    """Return the refusal to delete a cluster that serves, or bears the production name."""
    todo = "A cluster that serves is never deleted here."
    return Refused(why, now="It was not touched.", todo=todo)


def serves(context: RunContext, role: Role) -> bool:
    """Return whether the applications were led to, or let in on, a role's cluster.

    Its name does not tell: only the endpoint method `rename` gives it the production name.
    """
    led = (context.fact("endpoint") or {}).get("on")
    traffic = context.fact("traffic") or {}
    let_in = traffic.get("on") if traffic.get("open") else None
    return any(on and Role(on).identity is role.identity for on in (led, let_in))


async def deletion_gates(context: RunContext, role: Role, reversible: str) -> list[Gate]:
    """Return the decisions to delete a role's cluster; none where it is gone already."""
    cluster = await context.find(role)
    if cluster is None:
        return []
    asked = await serving.unasked_gates(context, role)
    return [*asked, deletion_gate(cluster, role, reversible)]


def deletion_gate(cluster: Cluster, role: Role, reversible: str) -> Gate:
    """Return the decision to delete a cluster."""
    return Gate(
        key=f"delete-{role.slug}",
        question=f"Delete {role.value}, the cluster {cluster.identifier} with its instances.",
        reversible=reversible,
        must_type=cluster.identifier,
        valid_s=600,
    )


async def deletion(
    context: RunContext, cluster: Cluster, role: Role, *, until_gone: bool = False
) -> list[list[Effect]]:
    """Return the waves that delete a role's cluster: protection off, readers, writer, cluster.

    With `until_gone` the last one is settled only when the name is free again.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_DeleteCluster.html
    """
    writers = {member.identifier for member in cluster.members if member.writer}
    instances = await context.rds.instances(cluster.identifier)
    readers = [each for each in instances if each.identifier not in writers]
    waves: list[list[Effect]] = []
    if cluster.deletion_protection:
        waves.append([unprotect(context, cluster, role)])
    writer = [each for each in instances if each not in readers]
    waves.append([delete_instance_effect(context, each, role) for each in readers])
    waves.append([delete_instance_effect(context, each, role) for each in writer])
    waves.append([_delete_cluster(context, cluster, role, until_gone=until_gone)])
    return waves


def delete_instance_effect(
    context: RunContext, instance: Instance, role: Role, *, until_gone: bool = False
) -> Effect:
    """Return the deletion of an instance, settled at once or when its name is free again."""
    name = instance.identifier

    async def look() -> Instance | None:
        return await context.rds.instance(name)

    return ApiEffect(
        context,
        Call("rds", "DeleteDBInstance", {"DBInstanceIdentifier": name, "SkipFinalSnapshot": True}),
        key=f"{instance.resource_id}/delete",
        title=f"delete instance {name}",
        probe=_gone_or_going(look, name),
        settled=_gone(look, name) if until_gone else None,
        settle_limit_s=context.plan.limits.instance_s,
        stakes=ClusterImpact(Impact.DELETE, role),
    )


def unprotect(context: RunContext, cluster: Cluster, role: Role) -> Effect:
    """Return the lifting of a cluster's deletion protection, without which it would not go."""

    async def probe() -> Finding:
        now = await context.rds.cluster_by_resource_id(cluster.resource_id)
        if now is None:
            return yes("the cluster is gone")
        return (no if now.deletion_protection else yes)(
            f"deletion protection is {'on' if now.deletion_protection else 'off'}"
        )

    async def settled() -> str:
        now = await context.rds.cluster_by_resource_id(cluster.resource_id)
        if now is None or now.available or now.failed:
            return ""
        return f"{now.identifier} is {now.status}"

    return ApiEffect(
        context,
        modify_cluster(cluster.identifier, DeletionProtection=False),
        key=f"{cluster.resource_id}/unprotect",
        title=f"lift the deletion protection of {cluster.identifier}",
        probe=probe,
        settled=settled,
        stakes=ClusterImpact(Impact.DELETE, role),
    )


_Looked = Callable[[], Awaitable[Cluster | Instance | None]]


def _gone_or_going(look: _Looked, name: str) -> ProbeFn:
    async def probe() -> Finding:
        found = await look()
        if found is None:
            return yes(f"there is no {name}")
        return (yes if found.status == "deleting" else no)(f"{name} is {found.status}")

    return probe


def _gone(look: _Looked, name: str) -> Settled:
    async def settled() -> str:
        found = await look()
        return "" if found is None else f"{name} is {found.status}"

    return settled


def _delete_cluster(
    context: RunContext, cluster: Cluster, role: Role, *, until_gone: bool
) -> Effect:
    async def look() -> Cluster | None:
        return await context.rds.cluster_by_resource_id(cluster.resource_id)

    name = cluster.identifier
    return ApiEffect(
        context,
        Call("rds", "DeleteDBCluster", {"DBClusterIdentifier": name, "SkipFinalSnapshot": True}),
        key=f"{cluster.resource_id}/delete",
        title=f"delete cluster {name}",
        probe=_gone_or_going(look, name),
        settled=_gone(look, name) if until_gone else None,
        settle_limit_s=context.plan.limits.instance_s,
        stakes=ClusterImpact(Impact.DELETE, role),
    )


async def await_gone(context: RunContext, watch: Watch, role: Role) -> None:
    """Wait until AWS no longer lists a role's cluster."""
    limits = context.plan.limits
    async for _ in watch.until(
        limits.instance_s, every_s=limits.poll_s, what=f"{role.value} to be gone"
    ):
        found = await context.find(role)
        if found is None:
            watch.evidence(f"{role.value} is gone")
            return
        watch.progress(f"{found.identifier} is {found.status}")


def delete_group_effect(context: RunContext, name: str) -> Effect:
    """Return the deletion of the parameter group that this run made."""

    async def probe() -> Finding:
        group = await context.rds.cluster_parameter_group(name)
        return no(f"{name} exists") if group else yes(f"there is no group {name}")

    return ApiEffect(
        context,
        Call("rds", "DeleteDBClusterParameterGroup", {"DBClusterParameterGroupName": name}),
        key=f"{name}/delete",
        title=f"delete parameter group {name}",
        probe=probe,
    )
