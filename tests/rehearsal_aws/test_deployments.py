"""Blue/green deployments: creation, prerequisites, deletion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal_aws.conftest import Lab, refusal, until
from tests.rehearsal_aws.deploying import (
    ARN,
    create,
    delete,
    reach,
    request,
    see,
    switch,
    target_group,
)
from tests.rehearsal_aws.test_parameters import change


def test_creation_passes_through_its_tasks(lab: Lab) -> None:
    target_group(lab)
    lab.fleet.hold.clear()
    answer = lab.client().create_blue_green_deployment(
        **request(Tags=[{"Key": "run", "Value": "7"}])
    )["BlueGreenDeployment"]
    identifier = answer["BlueGreenDeploymentIdentifier"]
    assert re.fullmatch(r"bgd-[a-z0-9]{16}", identifier)
    assert answer["Status"] == "PROVISIONING"
    assert "Target" not in answer
    assert {row["Status"] for row in answer["SwitchoverDetails"]} == {"PROVISIONING"}
    assert all("TargetMember" not in row for row in answer["SwitchoverDetails"])
    assert [row["SourceMember"] for row in answer["SwitchoverDetails"]] == [
        f"{ARN}:cluster:orders",
        f"{ARN}:db:orders-1",
        f"{ARN}:db:orders-2",
        f"{ARN}:cluster-endpoint:orders-reports",
    ]
    assert [(task["Name"], task["Status"]) for task in answer["Tasks"]] == [
        ("CREATING_READ_REPLICA_OF_SOURCE", "PENDING"),
        ("DB_ENGINE_VERSION_UPGRADE", "PENDING"),
        ("CREATE_DB_INSTANCES_FOR_CLUSTER", "PENDING"),
        ("CREATE_CUSTOM_ENDPOINTS", "PENDING"),
    ]
    until(lambda: see(lab, identifier)["Tasks"][0]["Status"] == "IN_PROGRESS")
    lab.fleet.hold.set()
    found = reach(lab, identifier, "AVAILABLE")
    assert {task["Status"] for task in found["Tasks"]} == {"COMPLETED"}
    assert {row["Status"] for row in found["SwitchoverDetails"]} == {"AVAILABLE"}
    suffixes = [
        re.fullmatch(re.escape(row["SourceMember"]) + r"-green-([a-z0-9]{6})", row["TargetMember"])
        for row in found["SwitchoverDetails"]
    ]
    assert len({match[1] for match in suffixes if match}) == 4
    tags = lab.client().list_tags_for_resource(ResourceName=f"{ARN}:deployment:{identifier}")
    assert tags["TagList"] == [{"Key": "run", "Value": "7"}]


def test_green_is_a_copy_with_a_name_version_and_group_of_its_own(lab: Lab, available: str) -> None:
    blue = lab.cluster()
    green = lab.cluster(see(lab, available)["Target"])
    assert green["CloneGroupId"] == blue["CloneGroupId"]
    assert green["EngineVersion"] == "18.4"
    assert green["DBClusterParameterGroup"] == "orders-pg18"
    assert green["DbClusterResourceId"] != blue["DbClusterResourceId"]
    assert green["TagList"] == blue["TagList"]
    assert green["DeletionProtection"] is True
    assert len(green["DBClusterMembers"]) == 2
    assert {row["DBClusterParameterGroupStatus"] for row in green["DBClusterMembers"]} == {
        "in-sync"
    }
    assert lab.fleet.settings[green["DbClusterResourceId"]]["max_replication_slots"] == "40"
    messages = [
        event["Message"]
        for event in lab.client().describe_events(
            SourceType="blue-green-deployment", SourceIdentifier=available
        )["Events"]
    ]
    assert messages[0].startswith("Blue/green deployment tasks completed.")


def _managed_password(lab: Lab) -> None:
    lab.client().modify_db_cluster(
        DBClusterIdentifier="orders", ManageMasterUserPassword=True, ApplyImmediately=True
    )
    lab.settle()


def _no_logical_replication(lab: Lab) -> None:
    lab.client().modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg16",
        Parameters=[change("rds.logical_replication", "0")],
    )


def _another_deployment(lab: Lab) -> None:
    reach(lab, create(lab, BlueGreenDeploymentName="first"), "AVAILABLE")


def _rebooting(lab: Lab) -> None:
    lab.control.pace.scale = 1
    lab.client().reboot_db_instance(DBInstanceIdentifier="orders-2")


@pytest.mark.parametrize(
    ("arrange", "code", "text"),
    [
        (_managed_password, "SourceClusterNotSupportedFault", "Secrets Manager"),
        (_no_logical_replication, "SourceClusterNotSupportedFault", "logical replication"),
        (_another_deployment, "SourceClusterNotSupportedFault", "already part of"),
        (_rebooting, "InvalidDBInstanceState", "orders-2 is not in available state"),
    ],
)
def test_a_source_that_is_not_ready_is_refused(
    lab: Lab, arrange: Callable[[Lab], None], code: str, text: str
) -> None:
    target_group(lab)
    arrange(lab)
    found = refusal(lab.client().create_blue_green_deployment, **request())
    assert found[0] == code
    assert text in found[1]


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"BlueGreenDeploymentName": "1_bad!"}, "ValidationError", "1_bad!"),
        ({"BlueGreenDeploymentName": "a--b"}, "ValidationError", "a--b"),
        ({"Source": f"{ARN}:cluster:nix"}, "DBClusterNotFoundFault", "nix"),
        ({"Source": f"{ARN}:db:orders-1"}, "InvalidParameterValue", "orders-1"),
        ({"TargetEngineVersion": "99.9"}, "InvalidParameterCombination", "Cannot find version"),
        ({"TargetEngineVersion": "15.10"}, "InvalidParameterCombination", "Cannot upgrade"),
        ({"TargetEngineVersion": "18.1"}, "InvalidParameterCombination", "aren't supported"),
        ({"TargetDBInstanceClass": "db.r6g.large"}, "InvalidParameterCombination", "Aurora"),
        (
            {"TargetDBClusterParameterGroupName": "nix"},
            "DBClusterParameterGroupNotFound",
            "nix",
        ),
        (
            {"TargetDBClusterParameterGroupName": None},
            "InvalidParameterCombination",
            "aurora-postgresql18",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    lab: Lab, changes: dict[str, Any], code: str, text: str
) -> None:
    target_group(lab)
    found = refusal(lab.client().create_blue_green_deployment, **request(**changes))
    assert found[0] == code
    assert text in found[1]
    assert lab.client().describe_blue_green_deployments()["BlueGreenDeployments"] == []


def test_the_name_is_unique(lab: Lab, available: str) -> None:
    code, text, status = refusal(lab.client().create_blue_green_deployment, **request())
    assert (code, status) == ("BlueGreenDeploymentAlreadyExistsFault", 400)
    assert text == "A Blue Green Deployment with the name 'night' already exists"


def _pending_reboot(lab: Lab) -> str:
    lab.client().modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg16", Parameters=[change("max_wal_senders", "50")]
    )
    return "in sync"


def _few_workers(lab: Lab) -> str:
    lab.client().modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg18",
        Parameters=[change("max_logical_replication_workers", "4")],
    )
    return "incompatible parameter(s): max_logical_replication_workers."


def _own_slot(lab: Lab) -> str:
    lab.fleet.leftovers = ["slot mine"]
    return "incompatible parameter settings"


def _server_trouble(lab: Lab) -> str:
    lab.fleet.refuses.add("replicate")
    return "replicate was refused"


def _blue_was_killed(lab: Lab) -> str:
    lab.fleet.refuses.add("other_replication")
    return "Creation of blue/green deployment failed: other_replication was refused"


def _nothing_can_be_tidied(lab: Lab) -> str:
    lab.fleet.refuses |= {"replicate", "destroy"}
    return "replicate was refused"


@pytest.mark.parametrize(
    "arrange",
    [
        _pending_reboot,
        _few_workers,
        _own_slot,
        _server_trouble,
        _blue_was_killed,
        _nothing_can_be_tidied,
    ],
)
def test_a_creation_that_fails_later_says_why(lab: Lab, arrange: Callable[[Lab], str]) -> None:
    target_group(lab)
    text = arrange(lab)
    identifier = create(lab)
    found = reach(lab, identifier, "INVALID_CONFIGURATION")
    assert text in found["StatusDetails"]
    assert found["Tasks"][0]["Status"] == "FAILED"
    assert "Target" not in found
    assert len(lab.client().describe_db_clusters()["DBClusters"]) == 1
    events = lab.client().describe_events(SourceType="blue-green-deployment")["Events"]
    assert events[0]["EventCategories"] == ["failure"]
    assert text in events[0]["Message"]
    lab.client().delete_blue_green_deployment(BlueGreenDeploymentIdentifier=identifier)
    lab.settle()
    assert lab.client().describe_blue_green_deployments()["BlueGreenDeployments"] == []


def test_deleting_after_the_switchover_unlocks_old_blue(lab: Lab, available: str) -> None:
    switch(lab, available)
    reach(lab, available, "SWITCHOVER_COMPLETED")
    assert (
        refusal(
            lab.client().delete_blue_green_deployment,
            BlueGreenDeploymentIdentifier=available,
            DeleteTarget=True,
        )[0]
        == "InvalidParameterCombination"
    )
    assert lab.fleet.locked
    answer = delete(lab, available)
    assert answer["Status"] == "DELETING"
    assert "DeleteTime" in answer
    lab.settle()
    assert not lab.fleet.locked
    code, _, status = refusal(
        lab.client().describe_blue_green_deployments, BlueGreenDeploymentIdentifier=available
    )
    assert (code, status) == ("BlueGreenDeploymentNotFoundFault", 404)
    assert lab.cluster("orders-old1")["Status"] == "available"


def test_deleting_before_the_switchover_can_take_green_along(lab: Lab, available: str) -> None:
    green = see(lab, available)["Target"]
    call = lab.client().delete_blue_green_deployment
    assert refusal(call, BlueGreenDeploymentIdentifier=available, DeleteTarget=True)[:2] == (
        "InvalidParameterCombination",
        "Cannot delete protected Cluster, please disable deletion protection and try again.",
    )
    lab.client().modify_db_cluster(DBClusterIdentifier=green, DeletionProtection=False)
    delete(lab, available, DeleteTarget=True)
    lab.settle()
    clusters = lab.client().describe_db_clusters()["DBClusters"]
    assert [row["DBClusterIdentifier"] for row in clusters] == ["orders"]
    assert [what for what, _ in lab.fleet.calls].count("detach") == 1
    assert len(lab.client().describe_db_instances()["DBInstances"]) == 2


def test_a_deletion_that_fails_is_told_by_status_and_event_and_can_be_asked_for_again(
    lab: Lab, available: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    green = see(lab, available)["Target"]
    lab.client().modify_db_cluster(DBClusterIdentifier=green, DeletionProtection=False)

    def detach(blue_id: str, green_id: str) -> None:
        raise RuntimeError("duplicate key value\nin ddl_log")

    with monkeypatch.context() as broken:
        broken.setattr(lab.fleet, "detach", detach)
        delete(lab, available, DeleteTarget=True)
        found = reach(lab, available, "INVALID_CONFIGURATION")
    words = f"delete deployment {found['BlueGreenDeploymentName']} failed: RuntimeError: "
    words += "duplicate key value in ddl_log"
    assert found["StatusDetails"] == words
    assert lab.cluster(green.rpartition(":")[2])["Status"] == "available"
    seen = lab.client().describe_events(
        SourceIdentifier=available, SourceType="blue-green-deployment"
    )["Events"]
    assert (seen[-1]["Message"], seen[-1]["EventCategories"]) == (words, ["failure"])
    delete(lab, available, DeleteTarget=True)
    lab.settle()
    clusters = lab.client().describe_db_clusters()["DBClusters"]
    assert [row["DBClusterIdentifier"] for row in clusters] == ["orders"]


def test_deleting_before_the_switchover_can_leave_green_alone(lab: Lab, available: str) -> None:
    green = see(lab, available)["Target"]
    delete(lab, available)
    lab.settle()
    assert lab.cluster(green)["Status"] == "available"
    assert [what for what, _ in lab.fleet.calls].count("detach") == 1


@pytest.mark.parametrize("name", ["source", "target", "blue-green-deployment-name"])
def test_deployments_are_found_by_filter(lab: Lab, available: str, name: str) -> None:
    seen = see(lab, available)
    values = {
        "source": seen["Source"],
        "target": seen["Target"],
        "blue-green-deployment-name": "night",
    }
    client = lab.client()
    for value, count in ((values[name], 1), ("other", 0)):
        found = client.describe_blue_green_deployments(Filters=[{"Name": name, "Values": [value]}])
        assert len(found["BlueGreenDeployments"]) == count


def test_a_missing_member_shows(lab: Lab, available: str) -> None:
    reader = see(lab, available)["SwitchoverDetails"][2]["TargetMember"]
    lab.client().delete_db_instance(DBInstanceIdentifier=reader)
    until(lambda: see(lab, available)["SwitchoverDetails"][2]["Status"] == "MISSING_TARGET")
    assert (
        refusal(
            lab.client().switchover_blue_green_deployment, BlueGreenDeploymentIdentifier=available
        )[0]
        == "InvalidBlueGreenDeploymentStateFault"
    )
