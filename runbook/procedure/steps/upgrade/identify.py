"""Which cluster this is, and whether an upgrade may begin."""

from __future__ import annotations

from runbook.amounts import counted
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import Step, Watch
from runbook.failures import Refused
from runbook.procedure.steps.shared.checks import check


class Identify(Step):
    """Tie the run to a resource id."""

    key = "identify"
    title = "Identify the cluster"
    why = "Names move during an upgrade; the resource id never does."

    async def verify(self, context: RunContext, watch: Watch) -> None:
        wanted = context.plan.cluster
        identity = await context.aws.identity()
        if identity.account != wanted.account:
            raise Refused(
                f"The credentials belong to account {identity.account}, "
                f"the plan to {wanted.account}.",
                todo="Use credentials of the plan's account, or write a new plan.",
            )
        watch.evidence(f"account {identity.account}, region {wanted.region}, as {identity.arn}")
        cluster = await context.cluster(Role.BLUE)
        if cluster.identifier != wanted.identifier:
            raise Refused(
                f"{wanted.resource_id} is named {cluster.identifier}, not {wanted.identifier}.",
                todo="If it was renamed on purpose, write a new plan for the new name.",
            )
        watch.evidence(
            f"{cluster.identifier} is {cluster.resource_id}, version {cluster.engine_version}, "
            f"{counted(len(cluster.members), 'instance')}, at {cluster.endpoint}:{cluster.port}",
            key="production",
            value={
                "name": cluster.identifier,
                "version": cluster.engine_version,
                "endpoint": cluster.endpoint,
                "port": cluster.port,
                "members": [member.identifier for member in cluster.members],
            },
        )
        async with context.connect(Role.BLUE) as connection:
            watch.evidence(f"connected as {context.plan.credentials.user}; {connection.info.host}")
        watch.evidence(
            "databases: " + ", ".join(databases := await context.databases(Role.BLUE)),
            key="databases",
            value=databases,
        )


class Preflight(Step):
    """Every check before anything is made."""

    key = "preflight"
    title = "Preflight checks"
    why = "Most failed upgrades and silent losses can be seen before they begin."

    async def verify(self, context: RunContext, watch: Watch) -> None:
        await check(context, watch)
