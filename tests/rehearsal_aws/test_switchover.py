"""Switchovers: names, events, cancellation, and who may."""

from __future__ import annotations

from tests.rehearsal_aws.conftest import Lab, refusal, until
from tests.rehearsal_aws.deploying import (
    ARN,
    reach,
    see,
    switch,
)


def test_the_switchover_swaps_names_and_keeps_resource_ids(lab: Lab, available: str) -> None:
    client = lab.client()
    client.add_tags_to_resource(
        ResourceName=see(lab, available)["Target"], Tags=[{"Key": "side", "Value": "green"}]
    )
    before = see(lab, available)
    blue, green = lab.cluster(), lab.cluster(before["Target"])
    answer = switch(lab, available)
    assert answer["Status"] == "SWITCHOVER_IN_PROGRESS"
    assert {row["Status"] for row in answer["SwitchoverDetails"]} == {"AVAILABLE"}
    found = reach(lab, available, "SWITCHOVER_COMPLETED")
    assert "StatusDetails" not in found
    assert found["Source"] == f"{ARN}:cluster:orders-old1"
    assert found["Target"] == f"{ARN}:cluster:orders"
    assert [(row["SourceMember"], row["TargetMember"]) for row in found["SwitchoverDetails"]] == [
        (f"{ARN}:{kind}:{name}-old1", f"{ARN}:{kind}:{name}")
        for kind, name in (
            ("cluster", "orders"),
            ("db", "orders-1"),
            ("db", "orders-2"),
            ("cluster-endpoint", "orders-reports"),
        )
    ]
    new_blue, old_blue = lab.cluster(), lab.cluster("orders-old1")
    assert new_blue["DbClusterResourceId"] == green["DbClusterResourceId"]
    assert old_blue["DbClusterResourceId"] == blue["DbClusterResourceId"]
    assert new_blue["Port"] == blue["Port"]
    assert new_blue["TagList"] == blue["TagList"]
    assert [row["DBInstanceIdentifier"] for row in new_blue["DBClusterMembers"]] == [
        "orders-1",
        "orders-2",
    ]
    assert [row["DBInstanceIdentifier"] for row in old_blue["DBClusterMembers"]] == [
        "orders-1-old1",
        "orders-2-old1",
    ]
    assert lab.endpoints.routes["cluster:orders"] == green["DbClusterResourceId"]
    assert lab.endpoints.routes["db:orders-1"] == green["DbClusterResourceId"]
    assert lab.endpoints.routes["custom:orders-reports"] == green["DbClusterResourceId"]
    assert lab.endpoints.routes["custom:orders-reports-old1"] == blue["DbClusterResourceId"]
    assert f"cluster:{green['DBClusterIdentifier']}" not in lab.endpoints.listening
    assert lab.fleet.identity[green["DbClusterResourceId"]] == "orders-1"
    assert lab.fleet.locked == {blue["DbClusterResourceId"]}


def test_the_switchover_writes_its_events(lab: Lab, available: str) -> None:
    green = lab.cluster(see(lab, available)["Target"])["DBClusterIdentifier"]
    switch(lab, available)
    reach(lab, available, "SWITCHOVER_COMPLETED")
    messages = [event["Message"] for event in lab.client().describe_events()["Events"]]
    for message in (
        "Switchover from blue to green started.",
        f"Switchover from DB cluster orders to {green} started.",
        f"Switchover from DB cluster orders to {green} completed. Renamed orders to orders-old1 "
        f"and {green} to orders.",
        "Switchover completed on blue/green deployment.",
    ):
        assert message in messages
    assert any(message.startswith("Sequence sync for switchover") for message in messages)


def test_the_next_free_old_name_is_taken(lab: Lab, available: str) -> None:
    client = lab.client()
    client.create_db_cluster(
        DBClusterIdentifier="orders-old1",
        Engine="aurora-postgresql",
        EngineVersion="16.14",
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
    )
    switch(lab, available)
    found = reach(lab, available, "SWITCHOVER_COMPLETED")
    assert found["Source"] == f"{ARN}:cluster:orders-old2"
    assert found["SwitchoverDetails"][1]["SourceMember"] == f"{ARN}:db:orders-1-old1"


def test_a_failed_switchover_returns_to_the_former_state(lab: Lab, available: str) -> None:
    before = see(lab, available)
    lab.faults.order("fail-switchover")
    switch(lab, available)
    found = reach(lab, available, "AVAILABLE")
    assert "was canceled due to" in found.pop("StatusDetails")
    assert found == before
    messages = [event["Message"] for event in lab.client().describe_events()["Events"]]
    assert "Switchover canceled on blue/green deployment." in messages
    assert any("was canceled due to" in message for message in messages)
    switch(lab, available)
    assert "StatusDetails" not in reach(lab, available, "SWITCHOVER_COMPLETED")


def test_a_switchover_needs_an_available_deployment(lab: Lab, available: str) -> None:
    lab.fleet.hold.clear()
    switch(lab, available)
    code, text, _ = refusal(
        lab.client().switchover_blue_green_deployment, BlueGreenDeploymentIdentifier=available
    )
    assert code == "InvalidBlueGreenDeploymentStateFault"
    assert "SWITCHOVER_IN_PROGRESS" in text
    assert (
        refusal(
            lab.client().modify_db_cluster, DBClusterIdentifier="orders", DeletionProtection=False
        )[0]
        == "InvalidDBClusterStateFault"
    )
    assert refusal(lab.client().reboot_db_instance, DBInstanceIdentifier="orders-1")[0] == (
        "InvalidDBInstanceState"
    )
    assert (
        refusal(lab.client().delete_blue_green_deployment, BlueGreenDeploymentIdentifier=available)[
            0
        ]
        == "InvalidBlueGreenDeploymentStateFault"
    )
    lab.fleet.hold.set()
    reach(lab, available, "SWITCHOVER_COMPLETED")
    assert (
        refusal(
            lab.client().switchover_blue_green_deployment, BlueGreenDeploymentIdentifier=available
        )[0]
        == "InvalidBlueGreenDeploymentStateFault"
    )


def test_a_switchover_needs_available_members_and_a_sane_timeout(lab: Lab, available: str) -> None:
    call = lab.client().switchover_blue_green_deployment
    assert refusal(call, BlueGreenDeploymentIdentifier=available, SwitchoverTimeout=3601)[0] == (
        "InvalidParameterValue"
    )
    code, _, status = refusal(call, BlueGreenDeploymentIdentifier="bgd-none")
    assert (code, status) == ("BlueGreenDeploymentNotFoundFault", 404)
    lab.control.pace.scale = 1
    lab.client().reboot_db_instance(DBInstanceIdentifier="orders-2")
    assert refusal(call, BlueGreenDeploymentIdentifier=available)[:2] == (
        "InvalidBlueGreenDeploymentStateFault",
        "DB instance orders-2 is not in available state",
    )


def test_degraded_replication_shows_in_the_details(lab: Lab, available: str) -> None:
    lab.fleet.degraded = "a table was created"
    until(lambda: "StatusDetails" in see(lab, available))
    assert see(lab, available)["StatusDetails"] == "Replication degraded: a table was created"
    assert see(lab, available)["Status"] == "AVAILABLE"
