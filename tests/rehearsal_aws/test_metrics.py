"""CloudWatch's datapoints: of whom they are told, and of whom there are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rehearsal.aws import metrics
from tests.rehearsal_aws.conftest import Lab


def values(lab: Lab, metric: str, **dimensions: str) -> list[float]:
    now = datetime.now(UTC)
    query: dict[str, Any] = {
        "Id": "m1",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/RDS",
                "MetricName": metric,
                "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
            },
            "Period": 60,
            "Stat": "Maximum",
        },
    }
    answer = lab.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
    )
    return [float(value) for value in answer["MetricDataResults"][0]["Values"]]


def test_a_metric_is_told_of_the_instance_and_of_the_cluster_s_role(lab: Lab) -> None:
    lab.control.cluster("orders").identifier = "metered"
    lab.control.instance("orders-1").identifier = "metered-1"
    lab.control.instance("orders-2").identifier = "metered-2"
    metrics.sample(lab.control)
    assert values(lab, "DatabaseConnections", DBInstanceIdentifier="metered-1") == [7]
    assert values(lab, "OldestReplicationSlotLag", DBInstanceIdentifier="metered-1") == [4096]
    assert values(
        lab, "OldestReplicationSlotLag", DBClusterIdentifier="metered", Role="WRITER"
    ) == [4096]
    assert values(lab, "AuroraReplicaLag", DBInstanceIdentifier="metered-2") == [0]
    assert values(lab, "OldestReplicationSlotLag", DBInstanceIdentifier="metered-2") == []
    assert values(lab, "VolumeBytesUsed", DBClusterIdentifier="metered") == [1 << 20]


def test_a_server_that_does_not_answer_has_no_datapoint(lab: Lab) -> None:
    lab.control.cluster("orders").identifier = "silent"
    lab.control.instance("orders-1").identifier = "silent-1"
    lab.fleet.up.clear()
    metrics.sample(lab.control)
    assert values(lab, "DatabaseConnections", DBInstanceIdentifier="silent-1") == []
