"""A deployment, asked for and looked at."""

from __future__ import annotations

from typing import Any

from tests.rehearsal_aws.conftest import ACCOUNT, Lab, until
from tests.rehearsal_aws.test_parameters import change, group

ARN = f"arn:aws:rds:us-east-1:{ACCOUNT}"


def target_group(lab: Lab, **values: str) -> None:
    group(lab, "orders-pg18")
    wanted = {
        "rds.logical_replication": "1",
        "max_replication_slots": "40",
        "max_logical_replication_workers": "20",
        **values,
    }
    lab.client().modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg18",
        Parameters=[change(name, value) for name, value in wanted.items()],
    )


def request(**changes: Any) -> dict[str, Any]:
    params = {
        "BlueGreenDeploymentName": "night",
        "Source": f"{ARN}:cluster:orders",
        "TargetEngineVersion": "18.4",
        "TargetDBClusterParameterGroupName": "orders-pg18",
        **changes,
    }
    return {name: value for name, value in params.items() if value is not None}


def create(lab: Lab, **changes: Any) -> str:
    answer = lab.client().create_blue_green_deployment(**request(**changes))
    return str(answer["BlueGreenDeployment"]["BlueGreenDeploymentIdentifier"])


def see(lab: Lab, identifier: str) -> dict[str, Any]:
    rows = lab.client().describe_blue_green_deployments(BlueGreenDeploymentIdentifier=identifier)
    found: dict[str, Any] = rows["BlueGreenDeployments"][0]
    return found


def reach(lab: Lab, identifier: str, status: str) -> dict[str, Any]:
    until(lambda: see(lab, identifier)["Status"] == status)
    return see(lab, identifier)


def switch(lab: Lab, identifier: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = lab.client().switchover_blue_green_deployment(
        BlueGreenDeploymentIdentifier=identifier, **params
    )["BlueGreenDeployment"]
    return answer


def delete(lab: Lab, identifier: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = lab.client().delete_blue_green_deployment(
        BlueGreenDeploymentIdentifier=identifier, **params
    )["BlueGreenDeployment"]
    return answer
