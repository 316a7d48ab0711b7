"""The policy that `blueprime policy` prints is what the code calls, neither more nor less."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from moto.core.utils import get_service_model

import runbook
from runbook.aws.errors import SIGN_IN
from runbook.aws.permissions import NEEDS_NO_PERMISSION, PERMISSIONS
from runbook.plan.model import Plan
from runbook.plan.policy import policy
from tests.iam.plans import plan_of

_SERVICES = (
    *("rds", "route53", "secretsmanager", "sts", "application-autoscaling", "cloudwatch"),
    *("kms", "iam", "logs", "ec2"),
)
_SHARED = {"DescribeAccountAttributes": "rds", "ListTagsForResource": "rds"}
"""Names of actions that several of these services have -> whose the code means."""

_NO_CALL = {"EnableHttpEndpoint", *SIGN_IN}
"""Names of parameters that are names of actions, too, and what the caller signs in with before."""

_CODE = Path(runbook.__file__).parent
_NOT_CALLING = {
    _CODE / "aws" / "permissions.py",
    # Names commands for a person to type, with the person's own rights.
    _CODE / "procedure" / "steps" / "shared" / "remains.py",
}


@cache
def _services() -> Mapping[str, str]:
    """Return the service of each action's name."""
    found: dict[str, str] = {}
    for service in reversed(_SERVICES):
        found |= dict.fromkeys(get_service_model(service).operation_names, service)
    return found | _SHARED


def _called() -> set[str]:
    """Return each action that the code of the procedure names."""
    found = set()
    for path in set(_CODE.rglob("*.py")) - _NOT_CALLING:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.value if isinstance(node, ast.Constant) else None
            if isinstance(name, str) and name in _services() and name not in _NO_CALL:
                found.add(f"{_services()[name]}:{name}")
    return found


def test_the_table_is_what_the_code_calls() -> None:
    direct = {each.action for each in PERMISSIONS if not each.of}
    called = _called() - NEEDS_NO_PERMISSION
    # A token for the database is signed here: nothing is called.
    assert direct - {"rds-db:connect"} == called


def test_what_aws_calls_in_turn_belongs_to_a_call_of_ours() -> None:
    ours = {each.action for each in PERMISSIONS if not each.of}
    assert {each.of for each in PERMISSIONS if each.of} <= ours
    assert all(each.why for each in PERMISSIONS)
    actions = [each.action for each in PERMISSIONS]
    assert len(actions) == len(set(actions))


@pytest.mark.parametrize(
    ("call", "dependents"),
    [
        (
            "CreateBlueGreenDeployment",
            "AddTagsToResource CreateDBCluster CreateDBClusterEndpoint CreateDBInstance "
            "CreateDBInstanceReadReplica",
        ),
        (
            "SwitchoverBlueGreenDeployment",
            "ModifyDBCluster ModifyDBInstance PromoteReadReplica PromoteReadReplicaDBCluster",
        ),
        (
            "DeleteBlueGreenDeployment",
            "DeleteDBCluster DeleteDBClusterEndpoint DeleteDBInstance PromoteReadReplica "
            "PromoteReadReplicaDBCluster",
        ),
    ],
)
def test_a_blue_green_call_has_its_dependents_on_everything(call: str, dependents: str) -> None:
    """As the Service Authorization Reference lists them; AWS takes no part of a name for them."""
    allowed = _allowed(policy(plan_of()))
    for action in (call, *dependents.split()):
        assert "arn:aws:rds:us-east-1:471147110815:*" in allowed[f"rds:{action}"]


def _allowed(document: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            resource = statement["Resource"]
            resources = {resource} if isinstance(resource, str) else set(resource)
            for action in statement["Action"]:
                found.setdefault(action, set()).update(resources)
    return found


SECRET = "arn:aws:secretsmanager:eu-west-1:471147110815:secret:orders-AbCdEf"


@pytest.mark.parametrize(
    ("plan", "there", "gone"),
    [
        (plan_of(), {"rds:CreateDBClusterSnapshot"}, {"route53:GetChange", "rds-db:connect"}),
        (
            plan_of(endpoint={"method": "route53", "hosted_zone_id": "Z1", "record": "db.shop"}),
            {"route53:ChangeResourceRecordSets", "route53:GetChange"},
            set(),
        ),
        (
            plan_of(credentials={"user": "admin", "password": "iam"}),
            {"rds-db:connect"},
            {"secretsmanager:GetSecretValue", "kms:Decrypt"},
        ),
        (
            plan_of(credentials={"user": "admin", "password": SECRET}),
            {"secretsmanager:GetSecretValue", "kms:Decrypt"},
            {"rds-db:connect"},
        ),
        (
            plan_of(
                upgrade={"target_version": "17.7", "cluster_parameter_group": "orders-17"},
                commit={"final_snapshot": False},
            ),
            set(),
            {"rds:CreateDBClusterParameterGroup", "rds:CreateDBClusterSnapshot"},
        ),
    ],
    ids=["default", "route53", "iam", "secret", "own-group"],
)
def test_a_plan_needs_what_it_names(plan: Plan, there: set[str], gone: set[str]) -> None:
    allowed = _allowed(policy(plan))
    assert there <= set(allowed)
    assert not gone & set(allowed)


def test_a_secret_of_another_region_is_named_as_the_plan_does() -> None:
    allowed = _allowed(policy(plan_of(credentials={"user": "admin", "password": SECRET})))
    assert allowed["secretsmanager:GetSecretValue"] == {SECRET}
    assert allowed["kms:Decrypt"] == {"arn:aws:kms:eu-west-1:471147110815:key/*"}


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-gov-west-1", "aws-us-gov"), ("cn-northwest-1", "aws-cn"), ("eu-west-3", "aws")],
)
def test_arns_are_of_the_regions_partition(region: str, partition: str) -> None:
    document = policy(plan_of(region=region, credentials={"user": "a", "password": "iam"}))
    arns = [arn for each in _allowed(document).values() for arn in each if arn != "*"]
    assert arns
    assert all(arn.startswith(f"arn:{partition}:") for arn in arns)


def test_the_production_name_is_never_deleted() -> None:
    denied = [each for each in policy(plan_of())["Statement"] if each["Effect"] == "Deny"]
    assert [each["Resource"] for each in denied] == [
        "arn:aws:rds:us-east-1:471147110815:cluster:orders"
    ]


def test_the_document_is_one_that_iam_takes() -> None:
    from moto.iam.policy_validation import IAMPolicyDocumentValidator

    for plan in (plan_of(), plan_of(credentials={"user": "a", "password": SECRET})):
        text = json.dumps(policy(plan))
        IAMPolicyDocumentValidator(text).validate()
        # The longest managed policy, without its white space.
        assert len(json.dumps(policy(plan), separators=(",", ":"))) <= 6144
