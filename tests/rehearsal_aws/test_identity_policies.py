"""A user of the lab may do what the plan's policy allows, and no more."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from rehearsal.aws.api_request import ApiRequest
from rehearsal.aws.identity_policies import IdentityPolicies, User
from runbook.aws import Aws
from runbook.aws.errors import AccessDenied
from runbook.aws.permissions import NEEDS_NO_PERMISSION, PERMISSIONS, Permission
from runbook.plan.policy import policy
from tests.iam.plans import plan_of
from tests.rehearsal_aws.conftest import ACCOUNT, REGION, Lab

KEY = "AKIAONCALL0000000000"
SERVED = ("rds", "route53", "secretsmanager", "ec2", "logs", "application-autoscaling")
"""Services that ask the lab; `rds-db`, `kms` and `iam` are asked by AWS itself."""

ASKED = [each for each in PERMISSIONS if each.action.split(":")[0] in SERVED]
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:orders-AbCdEf"
CLUSTER = "DBClusterIdentifier"
ZONE = "Z0123456789"


def document() -> dict[str, Any]:
    return policy(
        plan_of(
            endpoint={"method": "route53", "hosted_zone_id": ZONE, "record": "db.example.com"},
            credentials={"user": "postgres", "password": SECRET},
        )
    )


def less(action: str) -> dict[str, Any]:
    """Return the policy without one action."""
    found = copy.deepcopy(document())
    for statement in found["Statement"]:
        if statement["Effect"] == "Allow":
            statement["Action"] = [each for each in statement["Action"] if each != action]
    return found


def request(permission: Permission) -> ApiRequest:
    """Return a call that needs a permission: its own, or the one that AWS makes on its behalf."""
    service, _, name = (permission.of or permission.action).partition(":")
    parameters: dict[str, Any] = {
        "secretsmanager": {"SecretId": SECRET},
        "route53": {"HostedZoneId": ZONE, "Id": "C1"},
    }.get(service, {_named(name): "bp-night-pg", "Tags": [{"Key": "a", "Value": "b"}]})
    operation = SimpleNamespace(name=name)
    return ApiRequest(service, "query", operation, REGION, KEY, parameters, None, ())


def _named(action: str) -> str:
    """Return the parameter by which an action of RDS names its resource."""
    if "ParameterGroup" in action:
        return "DBClusterParameterGroupName"
    return "DBInstanceIdentifier" if action.endswith(("Instance", "Portion")) else CLUSTER


def refused(document: dict[str, Any], asked: ApiRequest) -> str:
    policies = IdentityPolicies(ACCOUNT)
    policies.put(KEY, User("on-call", document))
    answer = policies.refusal(asked)
    return "" if answer is None else answer[2]


@pytest.mark.parametrize("permission", ASKED, ids=lambda each: f"{each.action}<{each.of}")
def test_one_action_less_is_refused_by_its_name(permission: Permission) -> None:
    asked = request(permission)
    assert refused(document(), asked) == ""
    if permission.action in NEEDS_NO_PERMISSION:
        return
    told = refused(less(permission.action), asked)
    assert f"is not authorized to perform: {permission.action} on resource: " in told


def test_what_is_forbidden_outweighs_what_is_allowed() -> None:
    operation = SimpleNamespace(name="DeleteDBCluster")
    of_production = {"DBClusterIdentifier": "orders"}
    asked = ApiRequest("rds", "query", operation, REGION, KEY, of_production, None, ())
    assert "with an explicit deny" in refused(document(), asked)


@pytest.mark.parametrize(("effect", "told"), [("Allow", "because no"), ("Deny", "explicit deny")])
def test_a_condition_allows_nothing_and_forbids(effect: str, told: str) -> None:
    conditional = {
        "Effect": effect,
        "Action": "rds:ModifyDBCluster",
        "Resource": "*",
        "Condition": {"Null": {"aws:ResourceTag/team": "false"}},
    }
    allowed = {"Effect": "Allow", "Action": "rds:*", "Resource": "*"}
    statements = [conditional] if effect == "Allow" else [allowed, conditional]
    operation = SimpleNamespace(name="ModifyDBCluster")
    named = {CLUSTER: "orders"}
    asked = ApiRequest("rds", "query", operation, REGION, KEY, named, None, ())
    assert told in refused({"Version": "2012-10-17", "Statement": statements}, asked)


def test_other_keys_may_do_everything(lab: Lab) -> None:
    lab.control.policies.put(KEY, User("on-call", {"Version": "2012-10-17", "Statement": []}))
    assert lab.client().describe_db_clusters()["DBClusters"]


async def test_a_person_is_told_the_action_and_where_the_policy_is(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.control.policies.put(KEY, User("on-call", less("rds:DescribeDBClusters")))
    for name, value in {
        "AWS_ENDPOINT_URL": lab.url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AccessDenied) as told:
        await Aws(REGION).rds.clusters()
    assert "user/on-call is not authorized to perform: rds:DescribeDBClusters" in str(told.value)
    assert "blueprime policy PLAN" in told.value.todo
