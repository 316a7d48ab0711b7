"""What goes over the wire: errors that clients can read, other Regions, other services, faults."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.rehearsal_aws.conftest import ACCOUNT, Lab, refusal


def test_an_action_outside_the_lab_is_an_aws_error(lab: Lab) -> None:
    call = lab.client().backtrack_db_cluster
    code, text, status = refusal(call, DBClusterIdentifier="x", BacktrackTo="2026-01-01T00:00:00Z")
    assert (code, status) == ("InvalidAction", 400)
    assert "BacktrackDBCluster" in text


def _signed_post(lab: Lab, **form: str) -> HTTPError:
    request = urllib.request.Request(
        lab.url,
        urlencode(form).encode(),
        {
            "Authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/rds/aws4_request, "
            "SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    with pytest.raises(HTTPError) as caught:
        urllib.request.urlopen(request)
    return caught.value


def test_an_action_that_rds_does_not_have_is_an_aws_error(lab: Lab) -> None:
    with _signed_post(lab, Action="MakeCoffee", Version="2014-10-31") as error:
        assert error.code == 400
        assert error.headers["Content-Type"].startswith("text/xml")
        assert "<Code>InvalidAction</Code>" in error.read().decode()


def test_a_missing_parameter_is_named(lab: Lab) -> None:
    with _signed_post(lab, Action="DeleteDBCluster", Version="2014-10-31") as error:
        assert "<Code>MissingParameter</Code>" in (body := error.read().decode())
        assert "DBClusterIdentifier" in body


def test_an_internal_error_is_an_aws_error(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setitem(
        __import__("rehearsal.aws.registry", fromlist=["ACTIONS"]).ACTIONS,
        "DescribeDBClusters",
        broken,
    )
    code, text, status = refusal(lab.client().describe_db_clusters)
    assert (code, status) == ("InternalFailure", 500)
    assert "oops" in text


def test_another_region_has_no_cluster(lab: Lab) -> None:
    assert lab.client(region="eu-west-1").describe_db_clusters()["DBClusters"] == []
    code, _, status = refusal(
        lab.client(region="eu-west-1").describe_db_clusters, DBClusterIdentifier="orders"
    )
    assert (code, status) == ("DBClusterNotFoundFault", 404)


def test_other_services_answer_as_moto_has_them(lab: Lab) -> None:
    assert lab.client("sts").get_caller_identity()["Account"] == ACCOUNT
    zone = lab.client("route53").create_hosted_zone(Name="shop.example", CallerReference="1")
    assert zone["ChangeInfo"]["Status"] == "INSYNC"
    secrets = lab.client("secretsmanager")
    secrets.create_secret(Name="master", SecretString="s")
    assert secrets.get_secret_value(SecretId="master")["SecretString"] == "s"
    metrics = lab.client("cloudwatch")
    metrics.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Orders", "Value": 1.0}])
    assert [each["MetricName"] for each in metrics.list_metrics(Namespace="Shop")["Metrics"]] == [
        "Orders"
    ]


def test_an_unknown_action_of_another_service_is_an_aws_error(lab: Lab) -> None:
    secrets = lab.client("secretsmanager")
    code, text, _ = refusal(secrets.validate_resource_policy, ResourcePolicy="{}")
    assert code == "InvalidAction"
    assert "validate_resource_policy" in text


def test_throttling_strikes_as_often_as_ordered(lab: Lab) -> None:
    lab.faults.order("throttle", "DescribeDBClusters", "2")
    client = lab.client()
    for _ in range(2):
        assert refusal(client.describe_db_clusters)[0] == "Throttling"
    assert client.describe_db_clusters()["DBClusters"]


def test_a_retrying_client_survives_a_server_error(lab: Lab) -> None:
    lab.faults.order("server-error")
    assert lab.client(attempts=3).describe_db_clusters()["DBClusters"]
    assert lab.faults.waiting() == []


def test_a_lost_response_leaves_the_effect(lab: Lab) -> None:
    lab.faults.order("lose-response", "CreateDBClusterParameterGroup")
    client = lab.client()
    params = {
        "DBClusterParameterGroupName": "mine",
        "DBParameterGroupFamily": "aurora-postgresql18",
        "Description": "d",
    }
    with pytest.raises(ConnectionClosedError):
        client.create_db_cluster_parameter_group(**params)
    assert refusal(client.create_db_cluster_parameter_group, **params)[0] == (
        "DBParameterGroupAlreadyExists"
    )


def test_pages_and_filters(lab: Lab) -> None:
    client = lab.client()
    first = client.describe_db_engine_versions(Engine="aurora-postgresql", MaxRecords=20)
    assert len(first["DBEngineVersions"]) <= 20
    names = [
        row["ParameterName"]
        for page in client.get_paginator("describe_db_cluster_parameters").paginate(
            DBClusterParameterGroupName="orders-pg16", PaginationConfig={"PageSize": 20}
        )
        for row in page["Parameters"]
    ]
    assert len(names) == len(set(names)) > 20
    code, text, _ = refusal(
        client.describe_db_clusters, Filters=[{"Name": "colour", "Values": ["blue"]}]
    )
    assert (code, text) == ("InvalidParameterValue", "Unrecognized filter name: colour")


def test_subnet_groups_stay_as_moto_has_them(lab: Lab) -> None:
    with pytest.raises(ClientError) as caught:
        lab.client().describe_db_subnet_groups(DBSubnetGroupName="nowhere")
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "DBSubnetGroupNotFoundFault"
