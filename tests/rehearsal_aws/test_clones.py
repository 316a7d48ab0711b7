"""Clones: what they inherit, what falls back to defaults, and their first instance."""

from __future__ import annotations

import pytest

from tests.rehearsal_aws.conftest import Lab, refusal
from tests.rehearsal_aws.requests import clone, member


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
    groups = [row["VpcSecurityGroupId"] for row in lab.cluster()["VpcSecurityGroups"]]
    clone(
        lab,
        "prime",
        DBClusterParameterGroupName="orders-pg16",
        DeletionProtection=True,
        EnableIAMDatabaseAuthentication=True,
        VpcSecurityGroupIds=groups[::-1],
        EnableCloudwatchLogsExports=["postgresql"],
        DBSubnetGroupName="orders-private",
        BackupRetentionPeriod=7,
        Tags=[{"Key": "blueprime", "Value": "run"}],
    )
    found = lab.cluster("prime")
    assert found["DBClusterParameterGroup"] == "orders-pg16"
    assert found["DeletionProtection"] is True
    assert found["IAMDatabaseAuthenticationEnabled"] is True
    assert [row["VpcSecurityGroupId"] for row in found["VpcSecurityGroups"]] == groups[::-1]
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
