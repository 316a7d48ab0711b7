"""Parameter groups and engine versions."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.aws.parameters import CATALOGUE, evaluate, server_settings
from rehearsal.aws.versions import Catalogue, supports_blue_green
from tests.rehearsal_aws.conftest import Lab, refusal


def group(lab: Lab, name: str = "mine", family: str = "aurora-postgresql18") -> None:
    lab.client().create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name, DBParameterGroupFamily=family, Description="d"
    )


def change(name: str, value: str, method: str = "pending-reboot") -> dict[str, str]:
    return {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}


def parameters(lab: Lab, name: str, **params: Any) -> dict[str, dict[str, Any]]:
    rows = lab.client().describe_db_cluster_parameters(DBClusterParameterGroupName=name, **params)
    return {row["ParameterName"]: row for row in rows["Parameters"]}


def test_a_new_group_holds_the_engine_defaults_of_its_family(lab: Lab) -> None:
    group(lab)
    found = parameters(lab, "mine")
    slots = found["max_replication_slots"]
    assert (slots["ParameterValue"], slots["Source"], slots["ApplyType"]) == (
        "20",
        "system",
        "static",
    )
    assert found["synchronous_commit"]["ApplyType"] == "dynamic"
    assert found["rds.logical_replication"]["ParameterValue"] == "0"
    assert "ParameterValue" not in found["max_logical_replication_workers"]
    assert found["max_logical_replication_workers"]["Source"] == "engine-default"
    assert parameters(lab, "mine", Source="user") == {}


def test_engine_defaults_differ_by_family(lab: Lab) -> None:
    def default(family: str) -> Any:
        rows = lab.client().describe_engine_default_cluster_parameters(
            DBParameterGroupFamily=family
        )["EngineDefaults"]["Parameters"]
        name = "rds.logically_replicate_unlogged_tables"
        return {row["ParameterName"]: row for row in rows}[name]["ParameterValue"]

    assert default("aurora-postgresql14") == "1"
    assert default("aurora-postgresql18") == "0"
    assert (
        refusal(
            lab.client().describe_engine_default_cluster_parameters,
            DBParameterGroupFamily="aurora-mysql8.0",
        )[0]
        == "InvalidParameterValue"
    )


def test_values_are_kept_as_the_users(lab: Lab) -> None:
    group(lab)
    lab.client().modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="mine",
        Parameters=[
            change("rds.logical_replication", "1"),
            change("synchronous_commit", "off", "immediate"),
        ],
    )
    mine = parameters(lab, "mine", Source="user")
    assert {name: row["ParameterValue"] for name, row in mine.items()} == {
        "rds.logical_replication": "1",
        "synchronous_commit": "off",
    }
    lab.client().reset_db_cluster_parameter_group(
        DBClusterParameterGroupName="mine", ResetAllParameters=True
    )
    assert parameters(lab, "mine", Source="user") == {}


@pytest.mark.parametrize(
    ("entries", "code", "text"),
    [
        ([change("no_such", "1")], "InvalidParameterValue", "no_such"),
        ([change("max_wal_senders", "many")], "InvalidParameterValue", "0-10000"),
        ([change("max_wal_senders", "10001")], "InvalidParameterValue", "10001"),
        ([change("synchronous_commit", "maybe", "immediate")], "InvalidParameterValue", "maybe"),
        ([change("max_worker_processes", "{import os}")], "InvalidParameterValue", "import"),
        (
            [change("max_wal_senders", "30", "immediate")],
            "InvalidParameterCombination",
            "cannot use immediate apply method for static parameter",
        ),
        ([change("max_wal_senders", "30")] * 21, "InvalidParameterValue", "20"),
    ],
)
def test_bad_changes_are_refused(
    lab: Lab, entries: list[dict[str, str]], code: str, text: str
) -> None:
    group(lab)
    found = refusal(
        lab.client().modify_db_cluster_parameter_group,
        DBClusterParameterGroupName="mine",
        Parameters=entries,
    )
    assert found[0] == code
    assert text in found[1]
    assert parameters(lab, "mine", Source="user") == {}


def test_default_groups_are_immutable_and_listed(lab: Lab) -> None:
    client, name = lab.client(), "default.aurora-postgresql16"
    assert client.describe_db_cluster_parameter_groups(DBClusterParameterGroupName=name)
    assert (
        refusal(
            client.modify_db_cluster_parameter_group,
            DBClusterParameterGroupName=name,
            Parameters=[change("max_wal_senders", "30")],
        )[0]
        == "InvalidDBParameterGroupState"
    )
    assert (
        refusal(client.delete_db_cluster_parameter_group, DBClusterParameterGroupName=name)[0]
        == "InvalidDBParameterGroupState"
    )
    code, _, status = refusal(
        client.describe_db_cluster_parameter_groups, DBClusterParameterGroupName="nix"
    )
    assert (code, status) == ("DBParameterGroupNotFound", 404)


def test_a_group_of_another_family_does_not_fit(lab: Lab) -> None:
    group(lab)
    code, text, _ = refusal(
        lab.client().modify_db_cluster,
        DBClusterIdentifier="orders",
        DBClusterParameterGroupName="mine",
        ApplyImmediately=True,
    )
    assert code == "InvalidParameterCombination"
    assert "aurora-postgresql16" in text
    assert lab.cluster()["DBClusterParameterGroup"] == "orders-pg16"


def test_names_of_groups_are_checked(lab: Lab) -> None:
    group(lab, "Mine")
    create = lab.client().create_db_cluster_parameter_group
    base = {"DBParameterGroupFamily": "aurora-postgresql18", "Description": "d"}
    assert refusal(create, DBClusterParameterGroupName="mine", **base)[0] == (
        "DBParameterGroupAlreadyExists"
    )
    for bad in ("a.b", "1a", "a--b", "a-"):
        assert refusal(create, DBClusterParameterGroupName=bad, **base)[0] == (
            "InvalidParameterValue"
        )


def test_a_group_in_use_stays(lab: Lab) -> None:
    code, text, _ = refusal(
        lab.client().delete_db_cluster_parameter_group, DBClusterParameterGroupName="orders-pg16"
    )
    assert code == "InvalidDBParameterGroupState"
    assert "orders-pg16" in text


def test_a_dynamic_change_reaches_the_server_and_a_static_one_waits(lab: Lab) -> None:
    client, volume = lab.client(), lab.cluster()["DbClusterResourceId"]
    client.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg16",
        Parameters=[change("synchronous_commit", "off", "immediate")],
    )
    assert lab.fleet.settings[volume]["synchronous_commit"] == "off"
    assert lab.cluster()["DBClusterMembers"][0]["DBClusterParameterGroupStatus"] == "in-sync"
    client.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="orders-pg16",
        Parameters=[change("max_wal_senders", "99")],
    )
    assert [row["DBClusterParameterGroupStatus"] for row in lab.cluster()["DBClusterMembers"]] == [
        "pending-reboot",
        "pending-reboot",
    ]


def test_a_value_that_the_server_refuses_is_not_kept(lab: Lab) -> None:
    lab.fleet.refuses.add("apply")
    code, _, _ = refusal(
        lab.client().modify_db_cluster_parameter_group,
        DBClusterParameterGroupName="orders-pg16",
        Parameters=[change("synchronous_commit", "off", "immediate")],
    )
    assert code == "InvalidParameterValue"
    assert parameters(lab, "orders-pg16")["synchronous_commit"]["ParameterValue"] == "on"


def test_an_instance_group_wins_over_the_cluster_group(lab: Lab) -> None:
    client, volume = lab.client(), lab.cluster()["DbClusterResourceId"]
    client.create_db_parameter_group(
        DBParameterGroupName="node", DBParameterGroupFamily="aurora-postgresql16", Description="d"
    )
    client.modify_db_parameter_group(
        DBParameterGroupName="node", Parameters=[change("max_worker_processes", "64")]
    )
    client.modify_db_instance(DBInstanceIdentifier="orders-1", DBParameterGroupName="node")
    assert lab.instance("orders-1")["DBParameterGroups"][0] == {
        "DBParameterGroupName": "node",
        "ParameterApplyStatus": "pending-reboot",
    }
    client.reboot_db_instance(DBInstanceIdentifier="orders-1")
    lab.settle()
    assert lab.fleet.settings[volume]["max_worker_processes"] == "64"
    assert lab.instance("orders-1")["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"


def test_formulas_are_resolved_by_instance_class() -> None:
    formula = "GREATEST({DBInstanceVCPU*2},8)"
    assert evaluate(formula, "db.r6g.large") == "8"
    assert evaluate(formula, "db.r6g.2xlarge") == "16"
    assert evaluate("LEAST({DBInstanceClassMemory/9531392},5000)", "db.r6g.large") == "1802"
    with pytest.raises(ValueError, match="formula"):
        evaluate("{__import__('os')}", "db.r6g.large")


def test_every_default_can_be_resolved() -> None:
    for parameter in CATALOGUE.values():
        if parameter.default is not None:
            assert "{" not in evaluate(parameter.default, "db.serverless")


def test_origins_have_a_setting_of_their_own_from_18_on() -> None:
    values = {"max_replication_slots": "30", "max_connections": "5000"}
    assert server_settings(values, "16.14") == {"max_replication_slots": "30"}
    assert server_settings(values, "18.4") == {
        "max_replication_slots": "30",
        "max_active_replication_origins": "30",
    }


def test_versions_know_their_family_and_targets(lab: Lab) -> None:
    rows = lab.client().describe_db_engine_versions(
        Engine="aurora-postgresql", EngineVersion="16.14"
    )["DBEngineVersions"]
    assert [row["DBParameterGroupFamily"] for row in rows] == ["aurora-postgresql16"]
    targets = {
        row["EngineVersion"]: row["IsMajorVersionUpgrade"] for row in rows[0]["ValidUpgradeTarget"]
    }
    assert targets["18.4"] is True
    assert "16.8" not in targets
    assert "15.10" not in targets
    unknown = lab.client().describe_db_engine_versions(
        Engine="aurora-postgresql", EngineVersion="99.1"
    )
    assert unknown["DBEngineVersions"] == []


def test_some_versions_have_no_blue_green_support() -> None:
    catalogue = Catalogue(("16.14", "18.4"))
    assert supports_blue_green("18.4")
    assert "18.1" in catalogue.upgrade_targets("16.14")
    assert not supports_blue_green("18.1")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("shared_buffers", "32", "cannot be modified"),
        ("seq_page_cost", "-1", "allowed values"),
        ("seq_page_cost", "cheap", "allowed values"),
        ("no_such_setting", "1", "Could not find parameter"),
    ],
)
def test_a_setting_of_the_server_that_aws_would_refuse(
    lab: Lab, name: str, value: str, words: str
) -> None:
    group(lab)
    code, told, _ = refusal(
        lab.client().modify_db_cluster_parameter_group,
        DBClusterParameterGroupName="mine",
        Parameters=[change(name, value)],
    )
    assert code == "InvalidParameterValue"
    assert words in told


def test_the_settings_of_the_server_are_parameters_too(lab: Lab) -> None:
    group(lab)
    found = parameters(lab, "mine")
    shared, cost = found["shared_buffers"], found["seq_page_cost"]
    assert (shared["ApplyType"], shared["IsModifiable"]) == ("static", False)
    assert (cost["ApplyType"], cost["IsModifiable"], cost["Source"]) == (
        "dynamic",
        True,
        "engine-default",
    )
    assert "ParameterValue" not in cost
    lab.client().modify_db_cluster_parameter_group(
        DBClusterParameterGroupName="mine",
        Parameters=[change("seq_page_cost", "1.5"), change("DateStyle", "ISO, DMY")],
    )
    mine = parameters(lab, "mine", Source="user")
    assert {name: row["ParameterValue"] for name, row in mine.items()} == {
        "DateStyle": "ISO, DMY",
        "seq_page_cost": "1.5",
    }
