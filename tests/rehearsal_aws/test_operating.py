"""What an engineer does to clusters by hand in such a night: fail over, stop, start, maintain."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal_aws.conftest import Lab, refusal, until
from tests.rehearsal_aws.deploying import delete, see

ROLE = "arn:aws:iam::123456789012:role/exporter"
STATE = "InvalidDBClusterStateFault"


def writer(lab: Lab) -> str:
    (found,) = [m for m in lab.cluster()["DBClusterMembers"] if m["IsClusterWriter"]]
    return str(found["DBInstanceIdentifier"])


def messages(lab: Lab, category: str) -> list[str]:
    events = lab.client().describe_events(EventCategories=[category])["Events"]
    return [event["Message"] for event in events]


@pytest.mark.parametrize("target", [{}, {"TargetDBInstanceIdentifier": "orders-2"}], ids=str)
def test_a_failover_swaps_the_writer_and_restarts_the_server(
    lab: Lab, target: dict[str, str]
) -> None:
    volume = lab.cluster()["DbClusterResourceId"]
    answer = lab.client().failover_db_cluster(DBClusterIdentifier="orders", **target)
    shown = answer["DBCluster"]
    assert shown["Status"] == "failing-over"
    lab.settle()
    assert (lab.cluster()["Status"], writer(lab)) == ("available", "orders-2")
    assert [what for what, _ in lab.fleet.calls[-3:]] == ["kill", "apply", "start"]
    assert lab.fleet.identity[volume] == "orders-2"
    assert messages(lab, "failover") == [
        "Started cross AZ failover to DB instance: orders-2",
        "Completed failover to DB instance: orders-2",
    ]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"TargetDBInstanceIdentifier": "absent"}, "InvalidDBInstanceState"),
        ({"TargetDBInstanceIdentifier": "orders-1"}, "InvalidDBInstanceState"),
        ({"DBClusterIdentifier": "absent"}, "DBClusterNotFoundFault"),
    ],
    ids=str,
)
def test_a_failover_that_aws_would_refuse(lab: Lab, params: dict[str, str], code: str) -> None:
    given = {"DBClusterIdentifier": "orders", **params}
    assert refusal(lab.client().failover_db_cluster, **given)[0] == code
    assert writer(lab) == "orders-1"


def test_a_failover_needs_a_reader(lab: Lab) -> None:
    lab.client().delete_db_instance(DBInstanceIdentifier="orders-2")
    lab.settle()
    assert refusal(lab.client().failover_db_cluster, DBClusterIdentifier="orders")[0] == STATE


def test_a_writer_that_is_lost_costs_the_sessions_and_a_reader_takes_over(lab: Lab) -> None:
    lab.faults.order("lose-writer", "orders")
    lab.settle()
    assert writer(lab) == "orders-2"
    lab.client().delete_db_instance(DBInstanceIdentifier="orders-2")
    lab.settle()
    assert writer(lab) == "orders-1"
    assert [what for what, _ in lab.fleet.calls].count("kill") == 2
    lab.faults.order("lose-writer", "orders")
    lab.settle()
    assert writer(lab) == "orders-1"
    assert messages(lab, "failover")[-1] == "Promoting previous primary again: orders-1"


def test_a_cluster_is_stopped_and_started(lab: Lab) -> None:
    client, volume = lab.client(), lab.cluster()["DbClusterResourceId"]
    assert refusal(client.start_db_cluster, DBClusterIdentifier="orders")[0] == STATE
    assert client.stop_db_cluster(DBClusterIdentifier="orders")["DBCluster"]["Status"] == "stopping"
    lab.settle()
    assert volume not in lab.fleet.up
    assert lab.cluster()["Status"] == lab.instance("orders-1")["DBInstanceStatus"] == "stopped"
    for call, params in (
        (client.stop_db_cluster, {}),
        (client.modify_db_cluster, {"MasterUserPassword": "new-secret-1"}),
        (client.failover_db_cluster, {}),
    ):
        assert refusal(call, DBClusterIdentifier="orders", **params)[0] == STATE
    assert refusal(client.reboot_db_instance, DBInstanceIdentifier="orders-1")[0] == (
        "InvalidDBInstanceState"
    )
    client.start_db_cluster(DBClusterIdentifier="orders")
    lab.settle()
    assert volume in lab.fleet.up
    assert lab.cluster()["Status"] == lab.instance("orders-1")["DBInstanceStatus"] == "available"


def test_a_cluster_of_a_deployment_cannot_be_stopped(lab: Lab, available: str) -> None:
    code, words, _ = refusal(lab.client().stop_db_cluster, DBClusterIdentifier="orders")
    assert code == STATE
    assert "blue/green" in words


def test_actions_for_other_kinds_of_clusters_are_refused(lab: Lab) -> None:
    for call in (lab.client().reboot_db_cluster, lab.client().promote_read_replica_db_cluster):
        assert refusal(call, DBClusterIdentifier="orders")[::2] == (STATE, 400)


def test_promoting_green_by_hand_ends_its_deployment(lab: Lab, available: str) -> None:
    green = see(lab, available)["Target"].rpartition(":")[2]
    lab.client().promote_read_replica_db_cluster(DBClusterIdentifier=green)
    until(lambda: lab.cluster(green)["Status"] == "available")
    assert see(lab, available)["Status"] == "INVALID_CONFIGURATION"
    assert ("detach", lab.cluster(green)["DbClusterResourceId"]) in lab.fleet.calls
    found = refusal(
        lab.client().switchover_blue_green_deployment, BlueGreenDeploymentIdentifier=available
    )
    assert found[0] == "InvalidBlueGreenDeploymentStateFault"
    delete(lab, available)
    lab.settle()
    assert lab.cluster(green)["Status"] == "available"


def test_roles_of_a_cluster(lab: Lab, available: str) -> None:
    client = lab.client()
    named = {"DBClusterIdentifier": "orders", "RoleArn": ROLE, "FeatureName": "s3Export"}
    client.add_role_to_db_cluster(**named)
    assert lab.cluster()["AssociatedRoles"] == [
        {"RoleArn": ROLE, "Status": "ACTIVE", "FeatureName": "s3Export"}
    ]
    assert lab.cluster(see(lab, available)["Target"])["AssociatedRoles"] == []
    assert refusal(client.add_role_to_db_cluster, **named)[0] == "DBClusterRoleAlreadyExists"
    client.remove_role_from_db_cluster(**named)
    assert lab.cluster()["AssociatedRoles"] == []
    assert refusal(client.remove_role_from_db_cluster, **named)[0] == "DBClusterRoleNotFound"
    named["RoleArn"] = "exporter-of-the-cluster"
    assert refusal(client.add_role_to_db_cluster, **named)[0] == "ValidationError"


def test_maintenance_waits_and_is_applied(lab: Lab) -> None:
    client = lab.client()
    assert client.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == []
    lab.faults.order("await-maintenance", "orders")
    (row,) = client.describe_pending_maintenance_actions()["PendingMaintenanceActions"]
    (waiting,) = row["PendingMaintenanceActionDetails"]
    asked = {"ResourceIdentifier": row["ResourceIdentifier"], "ApplyAction": waiting["Action"]}
    client.apply_pending_maintenance_action(**asked, OptInType="next-maintenance")
    assert lab.cluster()["Status"] == "available"
    client.apply_pending_maintenance_action(**asked, OptInType="immediate")
    lab.settle()
    assert lab.fleet.calls[-1][0] == "restart"
    assert client.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == []
    assert refusal(client.apply_pending_maintenance_action, **asked, OptInType="immediate")[0] == (
        "ResourceNotFoundFault"
    )


def test_backups_and_global_databases_are_listed(lab: Lab) -> None:
    client = lab.client()
    (backup,) = client.describe_db_cluster_automated_backups()["DBClusterAutomatedBackups"]
    assert backup["DbClusterResourceId"] == lab.cluster()["DbClusterResourceId"]
    assert backup["BackupRetentionPeriod"] == 7
    assert client.describe_global_clusters()["GlobalClusters"] == []
    assert refusal(client.describe_global_clusters, GlobalClusterIdentifier="x")[0] == (
        "GlobalClusterNotFoundFault"
    )
    lab.control.global_clusters["world"] = lab.control.cluster("orders")
    (found,) = client.describe_global_clusters()["GlobalClusters"]
    members = found["GlobalClusterMembers"]
    assert members[0]["DBClusterArn"] == lab.cluster()["DBClusterArn"]


def test_orderable_options_tell_what_a_class_can_do(lab: Lab) -> None:
    asked: dict[str, Any] = {"Engine": "aurora-postgresql", "EngineVersion": "16.14"}
    (row,) = lab.client().describe_orderable_db_instance_options(
        **asked, DBInstanceClass="db.r6g.large"
    )["OrderableDBInstanceOptions"]
    assert row["SupportsEnhancedMonitoring"] is True
    assert next(zone["Name"] for zone in row["AvailabilityZones"]) == "us-east-1a"
