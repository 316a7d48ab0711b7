"""The IAM policy of a plan: what its run needs of AWS, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from runbook.aws.partitions import partition_of
from runbook.aws.permissions import PERMISSIONS, Permission, When
from runbook.plan.model import EndpointMethod, Plan

_SIDS = {
    "rds:Describe": "Look",
    "kms:": "Keys",
    "iam:": "PassRoles",
    "route53:": "Record",
    "secretsmanager:": "Secret",
    "rds-db:": "LogIn",
}


def policy(plan: Plan) -> dict[str, Any]:
    """Return the IAM policy that the run of a plan needs, on every track, as a document.

    The last statement forbids what no run does: deleting a cluster that bears the production name.
    """
    grouped: dict[str, list[Permission]] = {}
    for each in needed(plan):
        key = json.dumps([each.on, each.condition], sort_keys=True)
        grouped.setdefault(key, []).append(each)
    statements = [_statement(number, rows, plan) for number, rows in enumerate(grouped.values(), 1)]
    never = {
        "Sid": "NeverProduction",
        "Effect": "Deny",
        "Action": "rds:DeleteDBCluster",
        "Resource": _arn(plan, "rds", f"cluster:{plan.cluster.identifier.lower()}"),
    }
    return {"Version": "2012-10-17", "Statement": [*statements, never]}


def needed(plan: Plan) -> list[Permission]:
    """Return the rows of the table that a plan needs."""
    holds = {
        When.ALWAYS: True,
        When.MAKES_GROUP: not plan.upgrade.cluster_parameter_group,
        When.SNAPSHOT: plan.commit.final_snapshot,
        When.ROUTE53: plan.endpoint.method is EndpointMethod.ROUTE53,
        When.SECRET: plan.credentials.password.startswith("arn:"),
        When.IAM_LOGIN: plan.credentials.password == "iam",  # noqa: S105 - a reference
    }
    return [each for each in PERMISSIONS if holds[each.when]]


def _statement(number: int, rows: list[Permission], plan: Plan) -> dict[str, Any]:
    actions = sorted({each.action for each in rows})
    name = next((sid for start, sid in _SIDS.items() if actions[0].startswith(start)), "Act")
    statement: dict[str, Any] = {
        "Sid": f"{name}{number}",
        "Effect": "Allow",
        "Action": actions,
        "Resource": _one_or_all(_resource(plan, each) for each in rows[0].on),
    }
    if rows[0].condition:
        statement["Condition"] = dict(rows[0].condition)
    return statement


def _one_or_all(values: Iterable[str]) -> str | list[str]:
    found = list(values)
    return found[0] if len(found) == 1 else found


def _resource(plan: Plan, name: str) -> str:
    """Return an ARN, or `*`, of a row's resource."""
    partition = partition_of(plan.cluster.region)
    account = plan.cluster.account
    secret = plan.credentials.password
    match name:
        case "*":
            return "*"
        case "rds:*":
            return _arn(plan, "rds", "*")
        case "{secret}":
            return secret
        case "{secret_keys}":
            return ":".join([*secret.split(":")[:2], "kms", *secret.split(":")[3:5], "key/*"])
        case "{database_user}":
            return _arn(plan, "rds-db", f"dbuser:*/{plan.credentials.user}")
        case "{roles}":
            return f"arn:{partition}:iam::{account}:role/*"
        case "{keys}":
            return f"arn:{partition}:kms:{plan.cluster.region}:*:key/*"
        case "{zone}":
            return f"arn:{partition}:route53:::hostedzone/{plan.endpoint.hosted_zone_id}"
        case "{change}":
            return f"arn:{partition}:route53:::change/*"
    return _arn(plan, "rds", name)


def _arn(plan: Plan, service: str, tail: str) -> str:
    where = plan.cluster
    return f"arn:{partition_of(where.region)}:{service}:{where.region}:{where.account}:{tail}"
