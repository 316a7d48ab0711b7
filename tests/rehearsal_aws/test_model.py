"""Requests that break botocore's model are refused as AWS refuses them; answers are held to it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import boto3
import pytest
from botocore.config import Config
from moto.core.utils import get_service_model

from rehearsal.aws.answers import AnswerLog
from rehearsal.aws.registry import ACTIONS
from tests.rehearsal_aws.conftest import Lab, refusal

ZONE = {"HostedZoneId": "Z0123456789", "MaxItems": "1"}


@pytest.mark.parametrize(
    ("service", "method", "parameters", "code", "constraint"),
    [
        (
            *("rds", "describe_events", {"SourceType": "db-clusters"}),
            *("ValidationError", "Value 'db-clusters' at 'sourceType' failed to satisfy"),
        ),
        (
            *("rds", "modify_db_cluster_parameter_group"),
            {
                "DBClusterParameterGroupName": "orders-pg16",
                "Parameters": [{"ParameterName": "a", "ApplyMethod": "now"}],
            },
            *("ValidationError", "'parameters.1.member.applyMethod'"),
        ),
        (
            *("rds", "delete_blue_green_deployment"),
            {"BlueGreenDeploymentIdentifier": "bgd_" + "x" * 300},
            *("ValidationError", "less than or equal to 255"),
        ),
        (
            *("rds", "switchover_blue_green_deployment"),
            {"BlueGreenDeploymentIdentifier": "bgd-1", "SwitchoverTimeout": 10},
            *("ValidationError", "greater than or equal to 30"),
        ),
        (
            *("rds", "delete_blue_green_deployment", {"BlueGreenDeploymentIdentifier": "1 2"}),
            *("ValidationError", "regular expression pattern"),
        ),
        (
            *("route53", "list_resource_record_sets", {**ZONE, "StartRecordType": "CNAMES"}),
            *("InvalidInput", "Value 'CNAMES'"),
        ),
        (
            *("application-autoscaling", "describe_scalable_targets"),
            *({"ServiceNamespace": "rdss"}, "ValidationException", "'serviceNamespace'"),
        ),
        (
            *("secretsmanager", "get_secret_value", {"SecretId": "x" * 3000}),
            *("ValidationException", "less than or equal to 2048"),
        ),
        (
            *("sts", "get_session_token", {"TokenCode": "12ab56"}),
            *("ValidationError", "regular expression pattern"),
        ),
        (
            *("ec2", "describe_security_groups", {"MaxResults": 5000}),
            *("InvalidParameterValue", "less than or equal to 1000"),
        ),
        (
            *("cloudwatch", "get_metric_statistics"),
            {
                "Namespace": "AWS/RDS",
                "MetricName": "m",
                "Period": 60,
                "StartTime": 0,
                "EndTime": 60,
                "Statistics": ["Mean"],
            },
            *("ValidationException", "SampleCount"),
        ),
    ],
)
def test_a_request_that_breaks_the_model_is_refused(
    lab: Lab, service: str, method: str, parameters: dict[str, Any], code: str, constraint: str
) -> None:
    # boto3 would refuse a figure that is too small itself.
    unchecked: Any = boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=lab.url,
        region_name="us-east-1",
        aws_access_key_id="AKIAREHEARSAL",
        aws_secret_access_key="rehearsal",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    found = refusal(getattr(unchecked, method), **parameters)
    assert found[0] == code
    assert found[2] == 400
    assert "1 validation error detected" in found[1]
    assert constraint in found[1]


def _post(lab: Lab, service: str, body: bytes, **headers: str) -> str:
    request = urllib.request.Request(
        lab.url,
        body,
        {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/"
            "aws4_request, SignedHeaders=host, Signature=0",
            **headers,
        },
    )
    with pytest.raises(HTTPError) as caught, urllib.request.urlopen(request):
        pass
    with caught.value as error:
        assert error.code == 400
        return error.read().decode()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"MaxRecords": "many"}, "Value 'many' at 'maxRecords'"),
        ({"IncludeShared": "perhaps"}, "Value 'perhaps' at 'includeShared'"),
        ({"ClusterName": "orders"}, "Unknown member at 'clusterName'"),
        ({"Filters.Filter.1.Names": "engine"}, "Unknown member at 'filters.1.member.names'"),
        ({"Filters.Filter.1.Name": "engine"}, "at 'filters.1.member.values'"),
    ],
)
def test_a_form_that_no_sound_client_sends_is_refused(
    lab: Lab, form: dict[str, str], words: str
) -> None:
    body = urlencode({"Action": "DescribeDBClusters", "Version": "2014-10-31", **form}).encode()
    answer = _post(lab, "rds", body, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert "<Code>ValidationError</Code>" in answer
    assert words in answer


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"SecretId": 7}, "Value '7' at 'secretId'"),
        ({"SecretId": "a", "Stage": "b"}, "Unknown member at 'stage'"),
        ({}, "Value '' at 'secretId' failed to satisfy constraint: Member must not be null"),
    ],
)
def test_json_that_no_sound_client_sends_is_refused(
    lab: Lab, body: dict[str, Any], words: str
) -> None:
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "secretsmanager.GetSecretValue",
    }
    answer = json.loads(_post(lab, "secretsmanager", json.dumps(body).encode(), **headers))
    assert answer["__type"] == "ValidationException"
    assert words in answer["message"]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"DBClusters": [{"DBClusterName": "a"}]}, "Unknown member at 'dBClusters.1.member.dBC"),
        ({"DBClusters": [{"ClusterCreateTime": "today"}]}, "must be a timestamp"),
        ({"DBClusters": [{"Port": "5432"}]}, "must be a integer"),
        ({"DBClusters": [{"MultiAZ": 1}]}, "must be a boolean"),
        ({"DBClusters": "orders"}, "must be a list"),
    ],
)
def test_an_answer_that_breaks_the_model_is_noted(result: dict[str, Any], words: str) -> None:
    answers = AnswerLog()
    operation = get_service_model("rds").operation_model("DescribeDBClusters")
    answers.hold_result("rds", operation, result)
    assert words in answers.told()["misshapen"][0]


def test_an_answer_is_held_as_it_goes_over_the_wire(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"DBClusterIdentifier": "a", "ActivityStreamStatus": "asleep"}
    monkeypatch.setitem(ACTIONS, "DescribeDBClusters", lambda *_: {"DBClusters": [row]})
    lab.client().describe_db_clusters()
    told = lab.control.answers.told()
    lab.control.answers.forget()
    assert told["checked"] == {"rds:DescribeDBClusters": 1}
    assert ["asleep" in words for words in told["misshapen"]] == [True]
