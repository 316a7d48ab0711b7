"""Clusters and instances: what Describe shows, their states, renames, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rehearsal_aws.conftest import ACCOUNT, Lab, refusal, until


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
    assert writer["Endpoint"]["Address"] == cluster["Endpoint"] == "127.0.0.1"
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


def test_instances_are_found_by_resource_id_and_cluster(lab: Lab) -> None:
    client = lab.client()
    reader = lab.instance("orders-2")
    for name, value in (
        ("dbi-resource-id", reader["DbiResourceId"]),
        ("db-instance-id", "orders-2"),
    ):
        found = client.describe_db_instances(Filters=[{"Name": name, "Values": [value]}])
        assert [row["DBInstanceIdentifier"] for row in found["DBInstances"]] == ["orders-2"]
    found = client.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": ["orders"]}])
    assert len(found["DBInstances"]) == 2


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


def clone(lab: Lab, name: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = lab.client().restore_db_cluster_to_point_in_time(
        **{
            "DBClusterIdentifier": name,
            "SourceDBClusterIdentifier": "orders",
            "RestoreType": "copy-on-write",
            "UseLatestRestorableTime": True,
            **params,
        }
    )
    lab.settle()
    cluster: dict[str, Any] = answer["DBCluster"]
    return cluster


def member(name: str, cluster: str) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBClusterIdentifier": cluster,
        "Engine": "aurora-postgresql",
        "DBInstanceClass": "db.r6g.large",
    }


def test_a_clone_falls_back_to_defaults_for_all_that_is_omitted(lab: Lab) -> None:
    created = clone(lab, "prime")
    assert (created["Status"], created["DBClusterMembers"]) == ("creating", [])
    found = lab.cluster("prime")
    assert found["Status"] == "available"
    assert found["EngineVersion"] == "16.14"
    assert found["CloneGroupId"] == lab.cluster()["CloneGroupId"]
    assert found["DBClusterParameterGroup"] == "default.aurora-postgresql16"
    assert found["DeletionProtection"] is False
    assert found["BackupRetentionPeriod"] == 1
    assert found["EnabledCloudwatchLogsExports"] == []
    assert found["DBSubnetGroup"] == "default"
    assert found["TagList"] == []
    assert len(found["VpcSecurityGroups"]) == 1
    assert found["VpcSecurityGroups"] != lab.cluster()["VpcSecurityGroups"][:1]


def test_a_clone_carries_over_what_is_given(lab: Lab) -> None:
    clone(
        lab,
        "prime",
        DBClusterParameterGroupName="orders-pg16",
        DeletionProtection=True,
        EnableIAMDatabaseAuthentication=True,
        VpcSecurityGroupIds=["sg-1", "sg-2"],
        EnableCloudwatchLogsExports=["postgresql"],
        DBSubnetGroupName="orders-private",
        BackupRetentionPeriod=7,
        Tags=[{"Key": "blueprime", "Value": "run"}],
    )
    found = lab.cluster("prime")
    assert found["DBClusterParameterGroup"] == "orders-pg16"
    assert found["DeletionProtection"] is True
    assert found["IAMDatabaseAuthenticationEnabled"] is True
    assert [row["VpcSecurityGroupId"] for row in found["VpcSecurityGroups"]] == ["sg-1", "sg-2"]
    assert found["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert found["DBSubnetGroup"] == "orders-private"
    assert found["TagList"] == [{"Key": "blueprime", "Value": "run"}]
    assert lab.client().describe_db_clusters(
        Filters=[{"Name": "clone-group-id", "Values": [found["CloneGroupId"]]}]
    )["DBClusters"][1:]


def test_the_sixteenth_clone_is_a_full_copy(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(15):
        clone(lab, f"clone-{number}")
    waits: list[str] = []
    seconds = lab.control.pace.seconds

    def watched(name: str) -> float:
        waits.append(name)
        return seconds(name)

    monkeypatch.setattr(lab.control.pace, "seconds", watched)
    clone(lab, "clone-16")
    assert "full-copy" in waits


def test_what_cannot_be_cloned_is_refused(lab: Lab) -> None:
    client = lab.client()
    base = {
        "DBClusterIdentifier": "prime",
        "SourceDBClusterIdentifier": "orders",
        "RestoreType": "copy-on-write",
    }
    call = client.restore_db_cluster_to_point_in_time
    assert refusal(call, **base)[0] == "InvalidParameterCombination"
    assert (
        refusal(call, **base, RestoreToTime="2026-01-01T00:00:00Z")[0]
        == "InvalidParameterCombination"
    )
    base["UseLatestRestorableTime"] = True  # type: ignore[assignment]
    assert refusal(call, **{**base, "SourceDBClusterIdentifier": "nix"})[0] == (
        "DBClusterNotFoundFault"
    )
    assert refusal(call, **{**base, "DBClusterIdentifier": "orders"})[0] == (
        "DBClusterAlreadyExistsFault"
    )
    assert refusal(call, **base, DBClusterParameterGroupName="default.aurora-postgresql18")[0] == (
        "InvalidParameterCombination"
    )
    clone(lab, "empty")
    code, text, _ = refusal(call, **{**base, "SourceDBClusterIdentifier": "empty"})
    assert code == "InvalidDBClusterStateFault"
    assert "no DB instances" in text


def test_a_clone_that_fails_says_so(lab: Lab) -> None:
    lab.fleet.refuses.add("clone")
    clone(lab, "prime")
    assert lab.cluster("prime")["Status"] == "cloning-failed"


def test_the_first_instance_of_a_clone_starts_its_server(lab: Lab) -> None:
    clone(lab, "prime", DBClusterParameterGroupName="orders-pg16")
    volume = lab.cluster("prime")["DbClusterResourceId"]
    assert volume not in lab.fleet.up
    lab.fleet.hold.clear()
    created = lab.client().create_db_instance(**member("prime-1", "prime"))["DBInstance"]
    assert created["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in created
    lab.fleet.hold.set()
    lab.settle()
    assert volume in lab.fleet.up
    assert lab.fleet.settings[volume]["max_replication_slots"] == "30"
    assert lab.instance("prime-1")["DBInstanceStatus"] == "available"
    assert lab.cluster("prime")["DBClusterMembers"][0]["IsClusterWriter"] is True
    assert lab.endpoints.routes["cluster:prime"] == volume


def test_a_settings_change_that_a_server_refuses_fails_the_instance(lab: Lab) -> None:
    clone(lab, "prime")
    lab.fleet.refuses.add("apply")
    lab.client().create_db_instance(**member("prime-1", "prime"))
    lab.settle()
    assert lab.instance("prime-1")["DBInstanceStatus"] == "failed"


def test_a_reboot_restarts_the_writer_and_takes_up_the_new_group(lab: Lab) -> None:
    client = lab.client()
    client.copy_db_cluster_parameter_group(
        SourceDBClusterParameterGroupIdentifier="orders-pg16",
        TargetDBClusterParameterGroupIdentifier="other",
        TargetDBClusterParameterGroupDescription="d",
    )
    client.modify_db_cluster(
        DBClusterIdentifier="orders", DBClusterParameterGroupName="other", ApplyImmediately=True
    )
    lab.settle()

    def statuses() -> list[str]:
        return [row["DBClusterParameterGroupStatus"] for row in lab.cluster()["DBClusterMembers"]]

    assert statuses() == ["pending-reboot", "pending-reboot"]
    client.reboot_db_instance(DBInstanceIdentifier="orders-1")
    lab.settle()
    assert statuses() == ["in-sync", "pending-reboot"]
    assert [what for what, _ in lab.fleet.calls].count("restart") == 1
    client.reboot_db_instance(DBInstanceIdentifier="orders-2")
    lab.settle()
    assert statuses() == ["in-sync", "in-sync"]
    assert [what for what, _ in lab.fleet.calls].count("restart") == 1


def test_only_an_available_instance_reboots(lab: Lab) -> None:
    lab.control.pace.scale = 1
    client = lab.client()
    assert (
        client.reboot_db_instance(DBInstanceIdentifier="orders-1")["DBInstance"]["DBInstanceStatus"]
        == "rebooting"
    )
    assert refusal(client.reboot_db_instance, DBInstanceIdentifier="orders-1")[:2] == (
        "InvalidDBInstanceState",
        "DB instance orders-1 is not in available state",
    )


def test_an_instance_rename_reboots_it_and_keeps_its_resource_id(lab: Lab) -> None:
    before = lab.instance("orders-1")
    lab.client().modify_db_instance(
        DBInstanceIdentifier="orders-1",
        NewDBInstanceIdentifier="orders-first",
        ApplyImmediately=True,
    )
    lab.settle()
    after = lab.instance("orders-first")
    assert after["DbiResourceId"] == before["DbiResourceId"]
    assert after["Endpoint"]["Port"] != before["Endpoint"]["Port"]
    assert ("restart", lab.cluster()["DbClusterResourceId"]) in lab.fleet.calls
    assert lab.fleet.identity[lab.cluster()["DbClusterResourceId"]] == "orders-first"


def test_an_instance_class_must_be_orderable(lab: Lab) -> None:
    code, _, _ = refusal(
        lab.client().modify_db_instance,
        DBInstanceIdentifier="orders-1",
        DBInstanceClass="db.huge",
        ApplyImmediately=True,
    )
    assert code == "InvalidParameterValue"
    rows = lab.client().describe_orderable_db_instance_options(
        Engine="aurora-postgresql", EngineVersion="18.4"
    )["OrderableDBInstanceOptions"]
    assert "db.r6g.large" in {row["DBInstanceClass"] for row in rows}


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


def test_a_reader_takes_over_when_the_writer_is_deleted(lab: Lab) -> None:
    lab.client().delete_db_instance(DBInstanceIdentifier="orders-1")
    lab.settle()
    members = lab.cluster()["DBClusterMembers"]
    assert [(row["DBInstanceIdentifier"], row["IsClusterWriter"]) for row in members] == [
        ("orders-2", True)
    ]
    assert lab.fleet.identity[lab.cluster()["DbClusterResourceId"]] == "orders-2"


def test_the_last_instance_takes_the_server_with_it(lab: Lab) -> None:
    volume = lab.cluster()["DbClusterResourceId"]
    for name in ("orders-1", "orders-2"):
        lab.client().delete_db_instance(DBInstanceIdentifier=name)
        lab.settle()
    assert volume not in lab.fleet.up
    assert lab.endpoints.routes["cluster:orders"] is None


def test_snapshots_are_kept_as_records(lab: Lab) -> None:
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
    assert (
        refusal(
            client.create_db_cluster_snapshot,
            DBClusterIdentifier="orders",
            DBClusterSnapshotIdentifier="before",
        )[0]
        == "DBClusterSnapshotAlreadyExistsFault"
    )
    client.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="before")
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
    assert kinds == ["WRITER", "READER"]
    assert client.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == []
