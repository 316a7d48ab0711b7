"""Lead the applications to the cluster that takes over."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.aws.route53 import upsert_cname_call
from runbook.base import derived_names, server_names
from runbook.base.context import RunContext
from runbook.base.roles import Role
from runbook.base.step import ClusterImpact, Effect, Gate, Impact, Risk, Step, Watch, Wave
from runbook.failures import Finding, StepFailed
from runbook.ownership import serving
from runbook.plan.model import EndpointMethod
from runbook.procedure.steps.protect.blue_prime import blue_prime_name
from runbook.procedure.steps.shared.command import CommandEffect
from runbook.procedure.steps.shared.effects import ApiEffect, modify_cluster, no, unknown, yes
from runbook.procedure.steps.traffic import nobody_inside


class SwitchEndpoint(Step):
    """By the plan's method: rename, a DNS record, the operator's command, or by hand.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
    """

    key = "switch-endpoint"
    title = "Switch the endpoint"
    risk = Risk.REVERSIBLE

    def __init__(self, away: Role, to: Role) -> None:
        self.away = away
        self.to = to
        version = "new" if to is Role.NEW_BLUE else "old"
        self.why = f"From here on the applications find the {version} version."
        self.undo = f"The same the other way round; {away.value} is kept, closed."

    async def gates(self, context: RunContext) -> Sequence[Gate]:
        if context.plan.endpoint.method is not EndpointMethod.MANUAL:
            return ()
        target = await context.cluster(self.to)
        # A person leads them there, which opens it as any change would.
        await context.still_held()
        opening = ClusterImpact(Impact.OPEN, self.to)
        serving.refuse_unless_agreed(context, await serving.look(context), [opening])
        return (
            Gate(
                key="endpoint-switched",
                question=(
                    f"Lead the applications to {target.endpoint}:{target.port} yourself now, and "
                    "say yes when it is done."
                ),
                reversible=f"Lead them back to {self.away.value}; nothing was written yet.",
            ),
        )

    async def effects(self, context: RunContext) -> Sequence[Wave]:
        match context.plan.endpoint.method:
            case EndpointMethod.RENAME:
                return await self._renames(context)
            case EndpointMethod.ROUTE53:
                return [[await self._record(context)]]
            case EndpointMethod.COMMAND:
                return [[await self._command(context)]]
            case EndpointMethod.MANUAL:
                return ()

    async def _renames(self, context: RunContext) -> Sequence[Wave]:
        name = context.plan.cluster.identifier
        aside = (
            blue_prime_name(context)
            if self.away is Role.BLUE_PRIME
            else derived_names.aside(name, context.run)
        )
        taken = [await rename(context, self.to, name, Impact.OPEN)]
        if await context.find(self.away) is None:
            # It is gone from AWS, and its name is free.
            return [taken]
        return [[await rename(context, self.away, aside, Impact.CLOSE)], taken]

    async def _record(self, context: RunContext) -> Effect:
        plan = context.plan.endpoint
        target = await context.cluster(self.to)

        async def probe() -> Finding:
            found = await context.aws.route53.record(plan.hosted_zone_id, plan.record)
            if found is None:
                return no(f"{plan.record} has no CNAME")
            there = target.endpoint in found.values
            return (yes if there else no)(f"{plan.record} leads to {', '.join(found.values)}")

        async def settled() -> str:
            change = (context.done(f"{plan.record}/{self.to.slug}") or {}).get("change")
            if change is None:
                return ""
            if await context.aws.route53.in_sync(str(change)):
                return ""
            return f"Route 53 change {change} has not reached every server yet"

        return ApiEffect(
            context,
            upsert_cname_call(
                plan.hosted_zone_id,
                plan.record,
                target.endpoint,
                ttl_s=plan.ttl_s,
                comment=f"blueprime run {context.run}",
            ),
            key=f"{plan.record}/{self.to.slug}",
            title=f"point {plan.record} to {target.endpoint}",
            probe=probe,
            keep=lambda answer: {"change": answer["ChangeInfo"]["Id"]},
            settled=settled,
            stakes=ClusterImpact(Impact.OPEN, self.to),
        )

    async def _command(self, context: RunContext) -> Effect:
        plan = context.plan.endpoint
        target = await context.cluster(self.to)
        return CommandEffect(
            context.plan,
            (*plan.command, target.endpoint, str(target.port)),
            key=f"{self.to.slug}/endpoint-command",
            title=f"run the plan's endpoint command for {target.endpoint}:{target.port}",
            stakes=ClusterImpact(Impact.OPEN, self.to),
        )

    async def verify(self, context: RunContext, watch: Watch) -> None:
        target = await context.cluster(self.to)
        if context.plan.endpoint.method is EndpointMethod.RENAME:
            name = context.plan.cluster.identifier
            if target.identifier != name:
                raise StepFailed(
                    f"{self.to.value} is named {target.identifier}, not {name}.",
                    now="The applications are stopped.",
                    todo="Run the step again.",
                )
        # Connecting anew proves that the endpoint leads to this cluster: DNS may trail a rename.
        await context.forget_connections()
        async with context.connect(self.to) as connection:
            watch.evidence(
                f"{self.to.value} answers at {connection.info.host}:{connection.info.port}",
                key="endpoint",
                value={"on": self.to.value},
            )
        if trails := context.goes_by(self.to):
            watch.evidence(trails)
        here = [role for role in (self.to, self.away) if await context.find(role)]
        await server_names.keep_endpoints(context, watch, here)
        for name in await nobody_inside(context, (self.away,)):
            watch.evidence(f"{name} does not answer: who is still on it was not seen")


async def rename(context: RunContext, role: Role, name: str, stake: Impact) -> Effect:
    """Return the renaming of a role's cluster; its instances keep their names and endpoints.

    `stake`: whether it takes the name from the cluster, or leads the applications there.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html
    """
    resource_id = context.resource_id(role)
    before = await context.cluster(role)

    async def probe() -> Finding:
        now = await context.rds.cluster_by_resource_id(resource_id)
        if now is None:
            return unknown(f"{resource_id} is not listed")
        if now.identifier == name:
            return yes(f"{resource_id} is named {name}")
        taken = await context.rds.cluster(name)
        if taken is not None and taken.resource_id != resource_id:
            return no(f"{resource_id} is named {now.identifier}; {name} is {taken.resource_id}")
        return no(f"{resource_id} is named {now.identifier}")

    async def settled() -> str:
        now = await context.rds.cluster_by_resource_id(resource_id)
        if now is None:
            return f"{resource_id} is not listed yet"
        if now.identifier != name or not now.available:
            return f"{now.identifier} is {now.status}"
        return ""

    return ApiEffect(
        context,
        modify_cluster(before.identifier, NewDBClusterIdentifier=name),
        key=f"{resource_id}/rename/{name}",
        title=f"rename {role.value} from {before.identifier} to {name}",
        probe=probe,
        settled=settled,
        settle_limit_s=context.plan.limits.rename_s,
        stakes=ClusterImpact(stake, role),
    )
