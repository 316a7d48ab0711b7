"""Custom endpoints: their own actions; deployments and switchovers take them along."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.rehearsal_aws.conftest import Lab, refusal
from tests.rehearsal_aws.deploying import see


def listed(lab: Lab, **wanted: Any) -> list[dict[str, Any]]:
    rows = lab.client().describe_db_cluster_endpoints(**wanted)["DBClusterEndpoints"]
    return [row for row in rows if row["EndpointType"] == "CUSTOM"]


def make(lab: Lab, name: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = lab.client().create_db_cluster_endpoint(
        **{
            "DBClusterIdentifier": "orders",
            "DBClusterEndpointIdentifier": name,
            "EndpointType": "ANY",
            **params,
        }
    )
    return answer


def test_an_endpoint_is_made_changed_and_deleted(lab: Lab) -> None:
    client = lab.client()
    made = make(lab, "Batch", StaticMembers=["orders-1"], Tags=[{"Key": "a", "Value": "b"}])
    assert (made["Status"], made["DBClusterEndpointIdentifier"]) == ("creating", "batch")
    lab.settle()
    volume = lab.cluster()["DbClusterResourceId"]
    assert lab.endpoints.routes["custom:batch"] == volume
    (row,) = listed(lab, DBClusterEndpointIdentifier="batch")
    assert (row["Status"], row["StaticMembers"]) == ("available", ["orders-1"])
    tags = client.list_tags_for_resource(ResourceName=row["DBClusterEndpointArn"])["TagList"]
    assert tags == [{"Key": "a", "Value": "b"}]
    client.modify_db_cluster_endpoint(
        DBClusterEndpointIdentifier="batch", EndpointType="READER", ExcludedMembers=["orders-2"]
    )
    lab.settle()
    (row,) = listed(lab, Filters=[{"Name": "db-cluster-endpoint-id", "Values": ["batch"]}])
    assert (row["CustomEndpointType"], row["StaticMembers"], row["ExcludedMembers"]) == (
        "READER",
        [],
        ["orders-2"],
    )
    client.delete_db_cluster_endpoint(DBClusterEndpointIdentifier="batch")
    lab.settle()
    assert "custom:batch" not in lab.endpoints.listening
    assert [row["DBClusterEndpointIdentifier"] for row in listed(lab)] == ["orders-reports"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"DBClusterEndpointIdentifier": "orders-reports"}, "DBClusterEndpointAlreadyExistsFault"),
        ({"DBClusterEndpointIdentifier": "a--b"}, "InvalidParameterValue"),
        ({"DBClusterIdentifier": "absent"}, "DBClusterNotFoundFault"),
        ({"EndpointType": "WRITER"}, "InvalidParameterValue"),
        ({"StaticMembers": ["absent"]}, "DBInstanceNotFound"),
        (
            {"StaticMembers": ["orders-1"], "ExcludedMembers": ["orders-2"]},
            "InvalidParameterCombination",
        ),
        ({"Tags": [{"Key": "aws:x", "Value": "x"}]}, "InvalidParameterValue"),
    ],
    ids=str,
)
def test_an_endpoint_that_aws_would_not_make(lab: Lab, params: dict[str, Any], code: str) -> None:
    given = {
        "DBClusterIdentifier": "orders",
        "DBClusterEndpointIdentifier": "batch",
        "EndpointType": "ANY",
        **params,
    }
    assert refusal(lab.client().create_db_cluster_endpoint, **given)[0] == code
    assert len(listed(lab)) == 1


def test_a_cluster_has_five_custom_endpoints_at_most(lab: Lab) -> None:
    for number in range(4):
        make(lab, f"batch-{number}")
        lab.settle()
    assert refusal(
        lab.client().create_db_cluster_endpoint,
        DBClusterIdentifier="orders",
        DBClusterEndpointIdentifier="batch-5",
        EndpointType="ANY",
    )[::2] == ("DBClusterEndpointQuotaExceededFault", 403)


def test_an_endpoint_that_is_not_there(lab: Lab) -> None:
    for call in (lab.client().modify_db_cluster_endpoint, lab.client().delete_db_cluster_endpoint):
        assert refusal(call, DBClusterEndpointIdentifier="absent")[0] == (
            "DBClusterEndpointNotFoundFault"
        )


def test_green_has_an_endpoint_of_its_own_with_its_own_members(lab: Lab, available: str) -> None:
    rows = see(lab, available)["SwitchoverDetails"]
    reader, endpoint = (row["TargetMember"].rpartition(":")[2] for row in rows[2:])
    assert re.fullmatch("orders-reports-green-[a-z0-9]{6}", endpoint)
    (row,) = listed(lab, DBClusterEndpointIdentifier=endpoint)
    green = see(lab, available)["Target"].rpartition(":")[2]
    assert row["DBClusterIdentifier"] == green
    assert row["StaticMembers"] == [reader]
    lab.client().delete_db_cluster_endpoint(DBClusterEndpointIdentifier=endpoint)
    lab.settle_threads("delete endpoint")
    assert see(lab, available)["SwitchoverDetails"][3]["Status"] == "MISSING_TARGET"
    found = refusal(
        lab.client().switchover_blue_green_deployment, BlueGreenDeploymentIdentifier=available
    )
    assert found[0] == "InvalidBlueGreenDeploymentStateFault"


def test_a_cluster_takes_its_endpoints_with_it(lab: Lab) -> None:
    lab.faults.order("lose-cluster", "orders")
    assert listed(lab) == []
    assert "custom:orders-reports" not in lab.endpoints.listening
