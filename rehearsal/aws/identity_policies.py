"""Users with an IAM policy: what it does not allow them is refused as AWS refuses it.

Whoever else has keys here may do everything, as the account's own tools may.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html,
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/blue-green-deployments-authorizing-access.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rehearsal.aws.api_request import ApiRequest
from rehearsal.aws.error_answers import Answer

_PREFIXES = {"monitoring": "cloudwatch"}
"""How IAM names a service, where requests are signed for another name."""

_FOR_EVERYBODY = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})

_DEPENDENTS: Mapping[str, tuple[str, ...]] = {
    "rds:CreateBlueGreenDeployment": (
        "rds:AddTagsToResource",
        "rds:CreateDBCluster",
        "rds:CreateDBClusterEndpoint",
        "rds:CreateDBInstance",
        "rds:CreateDBInstanceReadReplica",
    ),
    "rds:SwitchoverBlueGreenDeployment": (
        "rds:ModifyDBCluster",
        "rds:ModifyDBInstance",
        "rds:PromoteReadReplica",
        "rds:PromoteReadReplicaDBCluster",
    ),
    "rds:DeleteBlueGreenDeployment": (
        "rds:DeleteDBCluster",
        "rds:DeleteDBClusterEndpoint",
        "rds:DeleteDBInstance",
    ),
}
"""What AWS does with the caller's permissions, on names of its own."""

_NAMED = {
    "DBClusterIdentifier": "cluster",
    "SourceDBClusterIdentifier": "cluster",
    "DBInstanceIdentifier": "db",
    "DBClusterParameterGroupName": "cluster-pg",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "BlueGreenDeploymentIdentifier": "deployment",
}
"""The parameters of RDS's changes that name a resource, and what kind it is of."""

_CODES = {"json": "AccessDeniedException", "ec2": "UnauthorizedOperation"}


@dataclass(frozen=True, slots=True)
class User:
    """A principal whose requests are held against a policy."""

    name: str
    policy: Mapping[str, Any]
    """A document of IAM, as JSON."""


class IdentityPolicies:
    """The users of a lab, by access key."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._users: dict[str, User] = {}

    def put(self, access_key: str, user: User) -> None:
        """Hold the requests that are signed with a key against a user's policy from now on."""
        self._users[access_key] = user

    def refusal(self, request: ApiRequest) -> Answer | None:
        """Return the answer to a request that its user's policy does not allow."""
        user = self._users.get(request.access_key)
        if user is None:
            return None
        prefix = _PREFIXES.get(request.service, request.service)
        action = f"{prefix}:{request.action}"
        if action in _FOR_EVERYBODY:
            return None
        asked = [(action, resource) for resource in self._resources(request, prefix)]
        asked += [(each, self._arn(request, "*")) for each in self._dependents(request, action)]
        for wanted, resource in asked:
            if why := _not_allowed(user.policy, wanted, resource):
                return request.error(
                    403,
                    _CODES.get(request.protocol, "AccessDenied"),
                    f"User: arn:aws:iam::{self._account}:user/{user.name} is not authorized to "
                    f"perform: {wanted} on resource: {resource} {why.format(action=wanted)}",
                )
        return None

    def _dependents(self, request: ApiRequest, action: str) -> Iterator[str]:
        yield from _DEPENDENTS.get(action, ())
        if request.parameters.get("Tags") and request.service == "rds":
            yield "rds:AddTagsToResource"

    def _resources(self, request: ApiRequest, prefix: str) -> Sequence[str]:
        """Return the ARNs of what a request is about; `*` where it names nothing of its own."""
        given = request.parameters
        found: list[str] = []
        if prefix == "rds" and not request.action.startswith("Describe"):
            found = [
                self._arn(request, f"{kind}:{given[name]}")
                for name, kind in _NAMED.items()
                if isinstance(given.get(name), str)
            ]
            found += [given[name] for name in ("ResourceName", "Source") if name in given]
        elif prefix == "secretsmanager" and "SecretId" in given:
            found = [given["SecretId"]]
        elif prefix == "route53" and request.action == "GetChange":
            found = [f"arn:aws:route53:::change/{given['Id']}"]
        elif prefix == "route53" and "HostedZoneId" in given:
            found = [f"arn:aws:route53:::hostedzone/{given['HostedZoneId']}"]
        return found or ["*"]

    def _arn(self, request: ApiRequest, tail: str) -> str:
        return f"arn:aws:rds:{request.region}:{self._account}:{tail}"


def _not_allowed(policy: Mapping[str, Any], action: str, resource: str) -> str:
    """Return why a policy does not allow an action on a resource, or nothing where it does.

    Whether a condition holds the lab cannot tell: it allows nothing by one, and forbids by it.
    """
    effects = {
        statement["Effect"]
        for statement in _list(policy["Statement"])
        if (statement["Effect"] == "Deny" or not statement.get("Condition"))
        and any(_matches(pattern, action, fold=True) for pattern in _list(statement["Action"]))
        and any(_matches(pattern, resource) for pattern in _list(statement["Resource"]))
    }
    if "Deny" in effects:
        return "with an explicit deny in an identity-based policy"
    if "Allow" in effects:
        return ""
    return "because no identity-based policy allows the {action} action"


def _matches(pattern: str, value: str, *, fold: bool = False) -> bool:
    """Return whether a value matches a pattern with `*` and `?`; actions know no case."""
    if fold:
        pattern, value = pattern.lower(), value.lower()
    # Brackets are no wildcards in IAM.
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
