"""Whether the clusters of a run reach each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

from runbook.amounts import some
from runbook.aws.errors import AccessDenied
from runbook.preflight.check import check
from runbook.preflight.result import Result, block, passed, unseen, warn
from runbook.preflight.survey import Survey


@check(
    "endpoints.security-groups",
    why="Blue prime subscribes to new blue, and new blue to blue prime after a rollback. Both have "
    "blue's security groups: where these do not let each other in, there is no way back.",
)
async def security_groups(look: Survey) -> AsyncIterator[Result]:
    """Blue's security groups do not let a cluster of the same groups in on the port.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Overview.RDSSecurityGroups.html
    """
    cluster = await look.cluster()
    groups = [row["VpcSecurityGroupId"] for row in cluster.raw.get("VpcSecurityGroups", ())]
    if not groups:
        yield unseen(
            cluster.identifier,
            "AWS names no security group of it.",
            "Look in the console who may reach its port.",
            survives="blue prime may not reach new blue after the switchover",
        )
        return
    try:
        found = await look.context.aws.network.let_in(groups, cluster.port)
    except AccessDenied as error:
        yield unseen(
            cluster.identifier,
            f"Its security groups could not be looked at: {error.what}",
            error.todo,
            survives="blue prime may not reach new blue after the switchover",
        )
        return
    allow = (
        f"aws ec2 authorize-security-group-ingress --group-id {groups[0]} --protocol tcp "
        f"--port {cluster.port} --source-group {groups[0]}"
    )
    if found.everybody or found.groups & set(groups):
        yield passed(cluster.identifier, f"its security groups let each other in on {cluster.port}")
    elif found.ranges:
        yield warn(
            cluster.identifier,
            f"Its security groups let in {some(sorted(found.ranges))} on {cluster.port}, not each "
            "other: whether blue prime's address is among these is not known.",
            f"Make sure that they hold every subnet of the cluster, or: {allow}",
        )
    else:
        yield block(
            cluster.identifier,
            f"Its security groups ({', '.join(groups)}) let no cluster of the same groups in on "
            f"{cluster.port}: blue prime would not reach new blue.",
            allow,
        )
