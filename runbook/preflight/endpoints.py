"""What leads the applications to the cluster, and what the plan calls by name to move them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.aws.errors import AccessDenied
from runbook.needs import missing_commands
from runbook.plan import EndpointMethod
from runbook.preflight.check import Check, check
from runbook.preflight.look import Look
from runbook.preflight.result import Result, block, passed, unseen, warn


@check(
    "endpoints.commands",
    why="They are called inside the fence, where a command that is not found costs downtime.",
)
async def commands(look: Look) -> AsyncIterator[Result]:
    """A command of the plan is not there, or cannot be executed."""
    missing = missing_commands(look.plan)
    for key, words in missing:
        yield block(
            key,
            f"{words[0].upper()}{words[1:]} on this machine that could be executed.",
            f"Correct {key} in the plan, or put the command there and chmod +x it.",
        )
    if not missing:
        yield passed(look.plan.cluster.identifier, "the plan's commands are there, or it has none")


@check(
    "endpoints.route53",
    why="A rollback leads this record to blue prime: if the applications follow another one, or "
    "it does not lead to blue now, they stay where they are.",
)
async def route53(look: Look) -> AsyncIterator[Result]:
    """The plan's record does not exist, or leads elsewhere."""
    endpoint = look.plan.endpoint
    if endpoint.method is not EndpointMethod.ROUTE53:
        yield passed(look.plan.cluster.identifier, "the plan uses no Route 53 record")
        return
    cluster, record = await look.cluster(), await look.record()
    if record is None:
        yield block(
            endpoint.record,
            f"The hosted zone {endpoint.hosted_zone_id} has no CNAME of this name.",
            f"Correct endpoint.record, or make it: a CNAME to {cluster.endpoint}.",
        )
        return
    led = [value.rstrip(".").lower() for value in record.values]
    if led != [cluster.endpoint.lower()]:
        yield block(
            endpoint.record,
            f"It leads to {', '.join(led) or 'nothing'}, not to {cluster.endpoint}.",
            "Correct endpoint.record in the plan, or the record.",
        )
    elif record.ttl_s is not None and record.ttl_s > endpoint.ttl_s:
        yield warn(
            endpoint.record,
            f"Its TTL is {record.ttl_s} s: so long may clients keep the old address.",
            f"Set it to {endpoint.ttl_s} s, at least {record.ttl_s} s before a rollback.",
        )
    else:
        yield passed(endpoint.record, f"leads to {cluster.endpoint}, TTL {record.ttl_s} s")


@check(
    "endpoints.proxy",
    why="It follows the deployment only if it led to blue before that was made, and it does not "
    "follow a rollback.",
)
async def proxy(look: Look) -> AsyncIterator[Result]:
    """An RDS proxy leads to blue."""
    cluster = await look.cluster()
    try:
        names = await look.proxies()
    except AccessDenied as error:
        yield unseen(
            cluster.identifier,
            f"Proxies could not be looked at: {error.what}",
            error.todo,
            survives="a proxy that leads to blue does not follow a rollback",
        )
        return
    for name in names:
        yield warn(
            name,
            f"This RDS proxy leads to {cluster.identifier}.",
            "After a rollback, register blue prime with it by hand: aws rds "
            f"register-db-proxy-targets --db-proxy-name {name} --db-cluster-identifiers …",
        )
    if not names:
        yield passed(cluster.identifier, "no RDS proxy leads to it")


CHECKS: tuple[Check, ...] = (commands, route53, proxy)
