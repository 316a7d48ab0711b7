"""What leads the applications to the cluster, and what the plan calls by name to move them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.amounts import some
from runbook.aws.errors import AccessDenied
from runbook.base.roles import Role
from runbook.plan.model import EndpointMethod
from runbook.postgres import preflight_queries
from runbook.preflight.check import check
from runbook.preflight.machine import missing_commands
from runbook.preflight.result import Result, block, passed, unseen, warn
from runbook.preflight.survey import Survey


@check(
    "endpoints.commands",
    none="the plan's commands are there, or it has none",
    why="They are called inside the fence, where a command that is not found costs downtime.",
)
async def commands(look: Survey) -> AsyncIterator[Result]:
    """A command of the plan is not there, or cannot be executed."""
    for key, words in missing_commands(look.plan):
        yield block(
            key,
            f"{words[0].upper()}{words[1:]} on this machine that could be executed.",
            f"Correct {key} in the plan, or put the command there and chmod +x it.",
        )


@check(
    "endpoints.route53",
    why="A rollback leads this record to blue prime: if the applications follow another one, or "
    "it does not lead to blue now, they stay where they are.",
)
async def route53(look: Survey) -> AsyncIterator[Result]:
    """The plan's record does not exist, or leads elsewhere."""
    endpoint = look.plan.endpoint
    if endpoint.method is not EndpointMethod.ROUTE53:
        yield passed(look.plan.cluster.identifier, "the plan uses no Route 53 record")
        return
    cluster = await look.cluster()
    record = await look.context.aws.route53.record(endpoint.hosted_zone_id, endpoint.record)
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
    "endpoints.certificate",
    why="AWS's guide says of a renamed cluster with SSL endpoints that it has to be stopped and "
    "started for its certificate to follow: a rollback that renames may find, its applications "
    "stopped, a certificate for the former name, which verify-full refuses. So do applications "
    "that use verify-full.",
)
async def certificate(look: Survey) -> AsyncIterator[Result]:
    """A rollback renames clusters whose certificates may not follow.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html
    """
    plan = look.plan
    name = plan.cluster.identifier
    if plan.endpoint.method is not EndpointMethod.RENAME:
        yield passed(name, "a rollback renames no cluster")
    elif plan.credentials.sslmode != "verify-full":
        yield passed(name, "blueprime holds no certificate against the endpoint's name")
    elif plan.connection.former_names:
        yield passed(name, "the certificate of a name that the same cluster bore is taken, too")
    else:
        yield warn(
            name,
            'endpoint.method is "rename", sslmode "verify-full", and former_names false.',
            'Set former_names = true under [connection], or endpoint.method to "route53" or '
            '"command"; and see whether the applications use verify-full: if so, prefer those.',
        )


@check(
    "endpoints.proxy",
    why="It follows the deployment only if it led to blue before that was made, and it does not "
    "follow a rollback.",
)
async def proxy(look: Survey) -> AsyncIterator[Result]:
    """An RDS proxy leads to blue."""
    cluster = await look.cluster()
    try:
        names = await look.context.rds.proxies_of(cluster.identifier)
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


@check(
    "endpoints.iam",
    why="A policy for logins by IAM token names a cluster's resource id, and every cluster of a "
    "run has another one: new blue refuses the applications from the switchover on, blue prime "
    "after a rollback.",
)
async def iam(look: Survey) -> AsyncIterator[Result]:
    """Applications log in with IAM tokens."""
    roles = await look.server(preflight_queries.iam_roles)
    blue = await look.cluster()
    if not roles:
        yield passed(blue.identifier, "no role logs in with IAM tokens")
        return
    ids = [f"blue {blue.resource_id}"]
    ids += [f"{role.value} {known}" for role in _LATER if (known := look.context.bound(role))]
    others = [role.value for role in _LATER if not look.context.bound(role)]
    plan = look.plan.cluster
    yield warn(
        # Asked for anew as soon as another id is known.
        f"{blue.identifier}/{len(ids)} known",
        f"{some(roles)} may log in with IAM tokens. Resource ids: {', '.join(ids)}"
        + (f"; {' and '.join(others)}: not made yet." if others else "."),
        "Let the policies allow rds-db:connect on each of them, or on all: "
        f"{_arn(plan.region)}:rds-db:{plan.region}:{plan.account}:dbuser:*/{roles[0]}. The run "
        "names the ids of green and of blue prime once they are there.",
    )


_LATER = (Role.GREEN, Role.BLUE_PRIME)


def _arn(region: str) -> str:
    """Return the beginning of an ARN in a Region's partition."""
    prefixes = {"us-gov-": "aws-us-gov", "cn-": "aws-cn"}
    return f"arn:{next((v for k, v in prefixes.items() if region.startswith(k)), 'aws')}"


@check(
    "endpoints.data-api",
    why="A clone has no Data API until somebody enables it: after a rollback its clients are "
    "refused.",
)
async def data_api(look: Survey) -> AsyncIterator[Result]:
    """The Data API is enabled on blue."""
    blue = await look.cluster()
    if blue.data_api:
        yield warn(
            blue.identifier,
            "The Data API is enabled; blue prime is made without it.",
            "Once blue prime is there, aws rds enable-http-endpoint --resource-arn <its arn>: the "
            "step clone prints it. Its clients name the cluster by its ARN, which changes, too.",
        )
    else:
        yield passed(blue.identifier, "the Data API is not enabled")
