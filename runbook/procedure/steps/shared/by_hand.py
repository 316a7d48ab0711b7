"""What a person has to do on a cluster that was just made, since no call of the run does it."""

from __future__ import annotations

from collections.abc import Iterable

from runbook.aws.facts import Cluster, Instance
from runbook.base.context import RunContext
from runbook.base.roles import Role


def after_clone(context: RunContext, source: Cluster, clone: Cluster) -> list[str]:
    """Return what blue prime needs before applications may use it as they use production."""
    said = []
    if any(
        row["key"] == "endpoints.iam" and row["level"] != "pass"
        for row in context.fact("preflight") or ()
    ):
        said.append(
            f"before a rollback: IAM policies (rds-db:connect) must allow {clone.resource_id}, "
            f"{Role.BLUE_PRIME.value}'s resource id, or its logins by token are refused"
        )
    if source.data_api and not clone.data_api:
        said.append(
            f"before a rollback: the Data API is off on {clone.identifier}; "
            f"aws rds enable-http-endpoint --resource-arn {clone.arn}"
        )
    return said


def made_lesser(context: RunContext, instances: Iterable[Instance]) -> list[str]:
    """Return what AWS refused of instances that were made without it then."""
    return [
        f"{each.identifier} was made without {lacks}, which AWS refused: AWS chose another"
        for each in instances
        if (lacks := (context.done(each.identifier) or {}).get("made_without"))
    ]
