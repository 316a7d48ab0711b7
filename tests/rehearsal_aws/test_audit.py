"""The audit: what was performed is in it once, what was refused is not."""

from __future__ import annotations

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.rehearsal_aws.conftest import Lab, refusal
from tests.rehearsal_aws.requests import clone, member


def performed(lab: Lab) -> list[tuple[str, str, bool]]:
    return [(call["action"], call["target"], call["lost"]) for call in lab.control.audit.calls()]


def test_what_was_performed_is_listed_in_order(lab: Lab) -> None:
    clone(lab, "copy")
    lab.client().create_db_instance(**member("copy-1", "copy"))
    lab.settle()
    lab.client().modify_db_cluster(
        DBClusterIdentifier="copy", NewDBClusterIdentifier="other", ApplyImmediately=True
    )
    assert performed(lab) == [
        ("RestoreDBClusterToPointInTime", "copy", False),
        ("CreateDBInstance", "copy-1", False),
        ("ModifyDBCluster", "copy -> other", False),
    ]
    times = [call["at"] for call in lab.control.audit.calls()]
    assert times == sorted(times)


def test_a_lost_response_is_listed_as_lost(lab: Lab) -> None:
    lab.faults.order("lose-response", "DeleteDBInstance")
    with pytest.raises(ConnectionClosedError):
        lab.client().delete_db_instance(DBInstanceIdentifier="orders-2", SkipFinalSnapshot=True)
    assert performed(lab) == [("DeleteDBInstance", "orders-2", True)]


def test_what_was_not_performed_is_not_listed(lab: Lab) -> None:
    client = lab.client()
    client.describe_db_clusters()
    refusal(client.delete_db_cluster, DBClusterIdentifier="nobody", SkipFinalSnapshot=True)
    for fault in ("throttle", "server-error"):
        lab.faults.order(fault, "DeleteDBInstance")
        refusal(client.delete_db_instance, DBInstanceIdentifier="orders-2")
    assert performed(lab) == []


def test_a_changed_zone_of_another_service_is_listed(lab: Lab) -> None:
    client = lab.client("route53")
    zone = client.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]
    client.list_resource_record_sets(HostedZoneId=zone)
    client.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "UPSERT",
                    "ResourceRecordSet": {
                        "Name": "db.shop.example",
                        "Type": "CNAME",
                        "TTL": 5,
                        "ResourceRecords": [{"Value": "orders.example"}],
                    },
                }
            ]
        },
    )
    assert performed(lab) == [
        ("ChangeResourceRecordSets", zone.removeprefix("/hostedzone/"), False)
    ]


def test_every_request_is_counted_whatever_its_answer(lab: Lab) -> None:
    client = lab.client()
    client.describe_db_clusters()
    refusal(client.delete_db_cluster, DBClusterIdentifier="nobody", SkipFinalSnapshot=True)
    lab.faults.order("throttle", "DeleteDBInstance")
    refusal(client.delete_db_instance, DBInstanceIdentifier="orders-2")
    assert [each["action"] for each in lab.control.audit.requests()] == [
        "DescribeDBClusters",
        "DeleteDBCluster",
        "DeleteDBInstance",
    ]
