"""Instances: reboots, renames, classes, and who writes when one is deleted."""

from __future__ import annotations

from tests.rehearsal_aws.conftest import Lab, refusal


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
