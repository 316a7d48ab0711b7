"""Clusters: what Describe shows, their states, renames, deletion, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal_aws.conftest import ACCOUNT, REGION, Lab, refusal, until
from tests.rehearsal_aws.requests import clone, member


def test_production_is_as_the_lab_promises(lab: Lab) -> None:
    cluster = lab.cluster()
    assert cluster["Engine"] == "aurora-postgresql"
    assert cluster["EngineVersion"] == "16.14"
    assert cluster["Status"] == "available"
    assert cluster["DBClusterArn"] == f"arn:aws:rds:us-east-1:{ACCOUNT}:cluster:orders"
    assert cluster["DBClusterParameterGroup"] == "orders-pg16"
    assert cluster["BackupRetentionPeriod"] == 7
    assert cluster["DeletionProtection"] is True
    assert cluster["IAMDatabaseAuthenticationEnabled"] is False
    assert len(cluster["VpcSecurityGroups"]) == 2
    assert {"Key": "Environment", "Value": "production"} in cluster["TagList"]
    assert [
        (row["DBInstanceIdentifier"], row["IsClusterWriter"], row["DBClusterParameterGroupStatus"])
        for row in cluster["DBClusterMembers"]
    ] == [("orders-1", True, "in-sync"), ("orders-2", False, "in-sync")]
    writer = lab.instance("orders-1")
    name, _, zone = cluster["Endpoint"].partition(".cluster-")
    assert name == "orders"
    assert zone.endswith(f".{REGION}.rds.localhost")
    assert cluster["ReaderEndpoint"] == f"orders.cluster-ro-{zone}"
    assert writer["Endpoint"]["Address"] == f"orders-1.{zone}"
    assert len({writer["Endpoint"]["Port"], cluster["Port"]}) == 2
    assert lab.fleet.identity == {cluster["DbClusterResourceId"]: "orders-1"}


@pytest.mark.parametrize(
    ("name", "member"),
    [("db-cluster-id", "DBClusterIdentifier"), ("db-cluster-resource-id", "DbClusterResourceId")],
)
def test_clusters_are_found_by_filter(lab: Lab, name: str, member: str) -> None:
    client, cluster = lab.client(), lab.cluster()
    found = client.describe_db_clusters(Filters=[{"Name": name, "Values": [cluster[member]]}])
    assert [row["DBClusterArn"] for row in found["DBClusters"]] == [cluster["DBClusterArn"]]
    assert (
        client.describe_db_clusters(Filters=[{"Name": name, "Values": ["none"]}])["DBClusters"]
        == []
    )


def test_unknown_names_are_not_found(lab: Lab) -> None:
    client = lab.client()
    assert refusal(client.describe_db_clusters, DBClusterIdentifier="nix") == (
        "DBClusterNotFoundFault",
        "DBCluster nix not found.",
        404,
    )
    assert refusal(client.describe_db_instances, DBInstanceIdentifier="nix") == (
        "DBInstanceNotFound",
        "DBInstance nix not found.",
        404,
    )
    assert refusal(client.modify_db_cluster, DBClusterIdentifier="nix")[0] == (
        "DBClusterNotFoundFault"
    )


def test_a_rename_moves_the_endpoint_and_keeps_identity_and_members(lab: Lab) -> None:
    client, before = lab.client(), lab.cluster()
    client.modify_db_cluster(
        DBClusterIdentifier="orders", NewDBClusterIdentifier="Orders-Moved", ApplyImmediately=True
    )
    lab.settle()
    after = lab.cluster("orders-moved")
    assert after["DbClusterResourceId"] == before["DbClusterResourceId"]
    assert after["Port"] != before["Port"]
    assert len(after["DBClusterMembers"]) == 2
    assert lab.instance("orders-1")["DBClusterIdentifier"] == "orders-moved"
    assert lab.endpoints.routes["cluster:orders-moved"] == after["DbClusterResourceId"]
    assert "cluster:orders" not in lab.endpoints.listening
    assert refusal(client.describe_db_clusters, DBClusterIdentifier="orders")[2] == 404
    messages = [
        event["Message"] for event in client.describe_events(SourceType="db-cluster")["Events"]
    ]
    assert "Renamed cluster from orders to orders-moved." in messages


def test_a_rename_takes_time_in_the_status_renaming(lab: Lab) -> None:
    lab.control.pace.scale = 1
    client = lab.client()
    client.modify_db_cluster(
        DBClusterIdentifier="orders", NewDBClusterIdentifier="moved", ApplyImmediately=True
    )
    cluster = lab.cluster()
    assert cluster["Status"] == "renaming"
    assert cluster["PendingModifiedValues"] == {"DBClusterIdentifier": "moved"}
    code, text, status = refusal(
        client.modify_db_cluster, DBClusterIdentifier="orders", Port=1, ApplyImmediately=True
    )
    assert (code, status) == ("InvalidDBClusterStateFault", 400)
    assert "orders is not in available state" in text


def test_a_rename_without_apply_immediately_waits_for_the_maintenance_window(lab: Lab) -> None:
    lab.client().modify_db_cluster(DBClusterIdentifier="orders", NewDBClusterIdentifier="moved")
    lab.settle()
    assert lab.cluster()["PendingModifiedValues"] == {"DBClusterIdentifier": "moved"}


def test_names_that_are_taken_or_malformed_are_refused(lab: Lab) -> None:
    client = lab.client()
    clone(lab, "second")
    params: dict[str, Any] = {"DBClusterIdentifier": "second", "ApplyImmediately": True}
    assert refusal(client.modify_db_cluster, NewDBClusterIdentifier="orders", **params)[0] == (
        "DBClusterAlreadyExistsFault"
    )
    for bad in ("2nd", "a--b", "a-", "a_b", "å", "a" * 64):
        assert refusal(client.modify_db_cluster, NewDBClusterIdentifier=bad, **params)[0] == (
            "InvalidParameterValue"
        )
    assert refusal(client.create_db_instance, **member("orders-1", "second"))[0] == (
        "DBInstanceAlreadyExists"
    )


def test_deleting_walks_through_aws_rules(lab: Lab) -> None:
    client = lab.client()
    delete = {"DBClusterIdentifier": "orders"}
    for params in ({}, {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"}):
        assert refusal(client.delete_db_cluster, **delete, **params)[0] == (
            "InvalidParameterCombination"
        )
    assert refusal(client.delete_db_cluster, **delete, SkipFinalSnapshot=True)[:2] == (
        "InvalidParameterCombination",
        "Cannot delete protected Cluster, please disable deletion protection and try again.",
    )
    client.modify_db_cluster(DBClusterIdentifier="orders", DeletionProtection=False)
    assert lab.cluster()["Status"] == "available"
    assert refusal(client.delete_db_cluster, **delete, SkipFinalSnapshot=True)[:2] == (
        "InvalidDBClusterStateFault",
        "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
    )
    volume = lab.cluster()["DbClusterResourceId"]
    for name in ("orders-2", "orders-1"):
        client.delete_db_instance(DBInstanceIdentifier=name)
    client.delete_db_cluster(**delete, FinalDBSnapshotIdentifier="last")
    lab.settle()
    assert refusal(client.describe_db_clusters, **delete)[2] == 404
    assert volume not in lab.fleet.volumes
    assert not lab.endpoints.listening
    snapshots = client.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="last")
    assert snapshots["DBClusterSnapshots"][0]["Status"] == "available"


def test_snapshots_hold_a_copy_of_the_data(lab: Lab) -> None:
    client = lab.client()
    lab.control.pace.scale = 0.001
    client.create_db_cluster_snapshot(
        DBClusterIdentifier="orders", DBClusterSnapshotIdentifier="before"
    )
    assert lab.cluster()["Status"] == "backing-up"
    lab.settle()
    assert lab.cluster()["Status"] == "available"
    found = client.describe_db_cluster_snapshots(DBClusterIdentifier="orders")
    assert found["DBClusterSnapshots"][0]["PercentProgress"] == 100
    assert len(lab.fleet.volumes) == 2
    assert (
        refusal(
            client.create_db_cluster_snapshot,
            DBClusterIdentifier="orders",
            DBClusterSnapshotIdentifier="before",
        )[0]
        == "DBClusterSnapshotAlreadyExistsFault"
    )
    client.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before")
    lab.settle()
    assert len(lab.fleet.volumes) == 1
    assert (
        refusal(client.describe_db_cluster_snapshots, DBClusterSnapshotIdentifier="before")[0]
        == "DBClusterSnapshotNotFoundFault"
    )


def test_tags_live_on_every_kind_of_resource(lab: Lab) -> None:
    client = lab.client()
    group = client.describe_db_cluster_parameter_groups(DBClusterParameterGroupName="orders-pg16")[
        "DBClusterParameterGroups"
    ][0]["DBClusterParameterGroupArn"]
    for arn in (lab.cluster()["DBClusterArn"], lab.instance("orders-1")["DBInstanceArn"], group):
        client.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "run", "Value": "7"}])
        tags = client.list_tags_for_resource(ResourceName=arn)["TagList"]
        assert {"Key": "run", "Value": "7"} in tags
        client.remove_tags_from_resource(ResourceName=arn, TagKeys=["run", "absent"])
        tags = client.list_tags_for_resource(ResourceName=arn)["TagList"]
        assert "run" not in {tag["Key"] for tag in tags}
    assert (
        refusal(
            client.list_tags_for_resource, ResourceName="arn:aws:rds:us-east-1:1:cluster:orders"
        )[0]
        == "InvalidParameterValue"
    )


def test_the_password_reaches_the_server_and_nothing_else(lab: Lab) -> None:
    lab.client().modify_db_cluster(
        DBClusterIdentifier="orders", MasterUserPassword="another-one", ApplyImmediately=True
    )
    lab.settle()
    assert ("password", lab.cluster()["DbClusterResourceId"]) in lab.fleet.calls
    assert "another-one" not in str(lab.cluster())


def test_waiters_work(lab: Lab) -> None:
    client = lab.client()
    clone(lab, "prime")
    client.get_waiter("db_cluster_available").wait(
        DBClusterIdentifier="prime", WaiterConfig={"Delay": 1, "MaxAttempts": 3}
    )
    client.delete_db_cluster(DBClusterIdentifier="prime", SkipFinalSnapshot=True)
    until(lambda: "prime" not in {each.identifier for each in lab.control.clusters})
    client.get_waiter("db_cluster_deleted").wait(
        DBClusterIdentifier="prime", WaiterConfig={"Delay": 1, "MaxAttempts": 3}
    )


def test_quotas_and_endpoints_are_listed(lab: Lab) -> None:
    client = lab.client()
    quotas = {
        row["AccountQuotaName"]: (row["Used"], row["Max"])
        for row in client.describe_account_attributes()["AccountQuotas"]
    }
    assert quotas["DBClusters"] == (1, 40)
    kinds = [
        row["EndpointType"]
        for row in client.describe_db_cluster_endpoints(DBClusterIdentifier="orders")[
            "DBClusterEndpoints"
        ]
    ]
    assert kinds == ["WRITER", "READER", "CUSTOM"]
    assert client.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == []
